import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Queries } from '../store/database.js';
import { newId } from '../store/ids.js';
import type { JobRow } from '../store/schema.js';

/** A job that this server holds. The number of attempts fences off whoever held it before. */
export interface Claim {
  readonly id: string;
  readonly runId: string;
  readonly attempt: number;
  readonly owner: string;
}

/** How long a claim lasts without a heartbeat. */
export const LEASE_MS = 30_000;

/** Owners that live in this process (tests open several). */
const livingHere = new Set<string>();

/** A name for one queue reader: host and process tell others whether it can still be alive. */
export function newOwner(): string {
  const owner = `${hostname()}/${process.pid}/${randomUUID()}`;
  livingHere.add(owner);
  return owner;
}

export function retireOwner(owner: string): void {
  livingHere.delete(owner);
}

/** True only where it is certain: an owner of this host whose process is gone, or whose process id is ours now. */
export function isDeadOwner(owner: string): boolean {
  const parts = owner.split('/');
  const pid = Number(parts.at(-2));
  const host = parts.slice(0, -2).join('/');
  if (host !== hostname() || !Number.isInteger(pid)) return false;
  if (pid === process.pid) return !livingHere.has(owner);
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

export async function enqueue(queries: Queries, runId: string): Promise<void> {
  await queries
    .insertInto('jobs')
    .values({
      id: newId(),
      runId,
      state: 'QUEUED',
      attempts: 0,
      leaseOwner: null,
      leaseUntil: null,
      cancelRequested: 0,
      createdAt: Date.now(),
    })
    .execute();
}

export async function countQueued(queries: Queries): Promise<number> {
  const { count } = await queries
    .selectFrom('jobs')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('state', '=', 'QUEUED')
    .executeTakeFirstOrThrow();
  return Number(count);
}

/** Jobs by state. */
export async function countJobs(queries: Queries): Promise<{ queued: number; running: number }> {
  const rows = await queries
    .selectFrom('jobs')
    .select(['state', ({ fn }) => fn.countAll<number>().as('count')])
    .groupBy('state')
    .execute();
  const of = (state: JobRow['state']) => Number(rows.find((row) => row.state === state)?.count ?? 0);
  return { queued: of('QUEUED'), running: of('RUNNING') };
}

/** The runs that are not over. */
export async function queuedRuns(queries: Queries): Promise<Set<string>> {
  const rows = await queries.selectFrom('jobs').select('runId').execute();
  return new Set(rows.map(({ runId }) => runId));
}

/** Takes the oldest waiting job, in one statement, so that two readers never take the same. */
export async function claimNext(queries: Queries, owner: string): Promise<Claim | null> {
  const row = await queries
    .updateTable('jobs')
    .set(({ eb }) => ({
      state: 'RUNNING' as const,
      attempts: eb('attempts', '+', 1),
      leaseOwner: owner,
      leaseUntil: Date.now() + LEASE_MS,
    }))
    .where('id', '=', (subquery) =>
      subquery.selectFrom('jobs').select('id').where('state', '=', 'QUEUED').orderBy('id').limit(1),
    )
    .where('state', '=', 'QUEUED')
    .returning(['id', 'runId', 'attempts'])
    .executeTakeFirst();
  return row ? { id: row.id, runId: row.runId, attempt: row.attempts, owner } : null;
}

/** Prolongs the lease. Null: the claim is lost. */
export async function heartbeat(queries: Queries, claim: Claim): Promise<{ cancelRequested: boolean } | null> {
  const row = await queries
    .updateTable('jobs')
    .set({ leaseUntil: Date.now() + LEASE_MS })
    .where('id', '=', claim.id)
    .where('leaseOwner', '=', claim.owner)
    .where('attempts', '=', claim.attempt)
    .returning('cancelRequested')
    .executeTakeFirst();
  return row ? { cancelRequested: row.cancelRequested === 1 } : null;
}

/** Ends a claim. Returns false where it was lost, in which case nothing may be written in its name. */
export async function finish(queries: Queries, claim: Claim): Promise<boolean> {
  const rows = await queries
    .deleteFrom('jobs')
    .where('id', '=', claim.id)
    .where('leaseOwner', '=', claim.owner)
    .where('attempts', '=', claim.attempt)
    .returning('id')
    .execute();
  return rows.length > 0;
}

/** Puts a job back. `counted`: the attempt counts, because it failed. Returns false where the claim was lost. */
export async function putBack(queries: Queries, claim: Claim, counted: boolean): Promise<boolean> {
  const rows = await queries
    .updateTable('jobs')
    .set({
      state: 'QUEUED' as const,
      attempts: counted ? claim.attempt : claim.attempt - 1,
      leaseOwner: null,
      leaseUntil: null,
    })
    .where('id', '=', claim.id)
    .where('leaseOwner', '=', claim.owner)
    .where('attempts', '=', claim.attempt)
    .returning('id')
    .execute();
  return rows.length > 0;
}

/** Jobs whose holder is dead or has let its lease run out. */
export async function abandoned(queries: Queries): Promise<JobRow[]> {
  const rows = await queries.selectFrom('jobs').selectAll().where('state', '=', 'RUNNING').execute();
  return rows.filter(
    ({ leaseOwner, leaseUntil }) => (leaseUntil ?? 0) < Date.now() || leaseOwner === null || isDeadOwner(leaseOwner),
  );
}

export const jobOfRun = (queries: Queries, runId: string): Promise<JobRow | undefined> =>
  queries.selectFrom('jobs').selectAll().where('runId', '=', runId).executeTakeFirst();

/** Deletes a job that nobody has begun. Returns whether it was there. */
export async function withdraw(queries: Queries, runId: string): Promise<boolean> {
  const rows = await queries
    .deleteFrom('jobs')
    .where('runId', '=', runId)
    .where('state', '=', 'QUEUED')
    .returning('id')
    .execute();
  return rows.length > 0;
}

export async function requestCancel(queries: Queries, runId: string): Promise<void> {
  await queries.updateTable('jobs').set({ cancelRequested: 1 }).where('runId', '=', runId).execute();
}
