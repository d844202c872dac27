import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Queries } from './database.js';
import { newId } from './ids.js';
import { inOrder, type Page, type PageRequest, pageOf } from './pages.js';
import type { RunEventRow, RunRow, RunState } from './schema.js';

const RUN = [
  'id',
  'networkId',
  'revisionId',
  'datasetId',
  'bestRevisionId',
  'lastRevisionId',
  'options',
  'state',
  'errorCode',
  'errorMessage',
  'adapter',
  'codeVersion',
  'createdAt',
  'startedAt',
  'finishedAt',
  'secondsFeatures',
  'secondsTrain',
  'lastSequence',
] as const;

const ENDED: readonly RunState[] = ['SUCCEEDED', 'FAILED', 'CANCELLED'];
export const hasEnded = (state: RunState): boolean => ENDED.includes(state);

/** Events that `eventsOfRuns` gives of each run at most. */
export const EVENTS_PER_RUN = 2000;

export async function runsById(queries: Queries, ids: readonly string[]): Promise<(RunRow | null)[]> {
  if (ids.length === 0) return [];
  const rows = await queries.selectFrom('runs').select(RUN).where('id', 'in', ids).execute();
  return inOrder(ids, rows, (row) => row.id);
}

/** Newest first. */
export function pageRuns(
  queries: Queries,
  filter: { readonly networkId?: string; readonly datasetId?: string },
  page: PageRequest,
): Promise<Page<RunRow>> {
  const conditions: RawBuilder<SqlBool>[] = [];
  if (filter.networkId !== undefined) conditions.push(sql`network_id = ${filter.networkId}`);
  if (filter.datasetId !== undefined) conditions.push(sql`dataset_id = ${filter.datasetId}`);
  const where = conditions.length > 0 ? sql.join(conditions, sql` and `) : undefined;
  return pageOf(queries, { table: 'runs', columns: RUN, key: 'id', direction: 'desc', where }, page);
}

/** Ids of the runs of a network or data set that are not over. */
export async function activeRuns(
  queries: Queries,
  filter: { readonly networkId: string } | { readonly datasetId: string },
): Promise<string[]> {
  const [column, id] =
    'networkId' in filter ? (['networkId', filter.networkId] as const) : (['datasetId', filter.datasetId] as const);
  const rows = await queries
    .selectFrom('runs')
    .select('id')
    .where(column, '=', id)
    .where('state', 'in', ['QUEUED', 'RUNNING'])
    .execute();
  return rows.map((row) => row.id);
}

export type RunChange = Partial<Omit<RunRow, 'id' | 'lastSequence' | 'state'>>;

/**
 * Appends an event and, with it, changes the run; call it in a transaction. The run's own counter numbers its events, so
 * that there is never a gap.
 */
export async function appendEvent(
  queries: Queries,
  runId: string,
  event: { readonly state: RunState; readonly attempt: number; readonly progress: unknown },
  change: RunChange = {},
): Promise<RunEventRow> {
  const { lastSequence } = await queries
    .updateTable('runs')
    .set((fields) => ({ ...change, state: event.state, lastSequence: fields('lastSequence', '+', 1) }))
    .where('id', '=', runId)
    .returning('lastSequence')
    .executeTakeFirstOrThrow();
  const row: RunEventRow = {
    runId,
    sequence: lastSequence,
    at: Date.now(),
    state: event.state,
    attempt: event.attempt,
    progress: event.progress === null ? null : JSON.stringify(event.progress),
  };
  await queries.insertInto('runEvents').values(row).execute();
  return row;
}

/** Events after `afterSequence`, oldest first. */
export const eventsAfter = (
  queries: Queries,
  runId: string,
  afterSequence: number,
  limit: number,
): Promise<RunEventRow[]> =>
  queries
    .selectFrom('runEvents')
    .selectAll()
    .where('runId', '=', runId)
    .where('sequence', '>', afterSequence)
    .orderBy('sequence')
    .limit(limit)
    .execute();

/**
 * The newest events of each run, oldest first, at most EVENTS_PER_RUN of each. Of tries that a crash ended, only what the next one
 * went on from is there: nothing, where that began anew.
 */
export async function eventsOfRuns(queries: Queries, runIds: readonly string[]): Promise<RunEventRow[][]> {
  if (runIds.length === 0) return [];
  const ranked = queries
    .selectFrom('runEvents')
    .select(['runId', 'sequence', 'at', 'state', 'attempt', 'progress'])
    .select(sql<number>`row_number() over (partition by run_id order by sequence desc)`.as('age'))
    .where('runId', 'in', runIds);
  const rows = await queries
    .selectFrom(ranked.as('ranked'))
    .select(['runId', 'sequence', 'at', 'state', 'attempt', 'progress'])
    .where('age', '<=', EVENTS_PER_RUN)
    .orderBy('runId')
    .orderBy('sequence')
    .execute();
  const byRun = new Map<string, RunEventRow[]>(runIds.map((id) => [id, []]));
  for (const row of rows) byRun.get(row.runId)?.push(row);
  return runIds.map((id) => effectiveEvents(byRun.get(id) ?? []));
}

/** What an event says of where a run is; see `ProgressEvent`. */
interface Place {
  readonly type?: string;
  readonly epoch?: number;
  readonly step?: number;
}

/** Whether what an event tells had happened by then: the end of an earlier epoch, or a step up to the one of the checkpoint. */
function isBefore({ type, epoch = 0, step = 0 }: Place, resumed: Place): boolean {
  const [atEpoch, atStep] = [resumed.epoch ?? 0, resumed.step ?? 0];
  if (type === 'epoch') return epoch < atEpoch;
  return type === 'step' && (epoch < atEpoch || (epoch === atEpoch && step <= atStep));
}

function effectiveEvents(rows: readonly RunEventRow[]): RunEventRow[] {
  const events = rows.map((row) => ({ row, place: (row.progress === null ? {} : JSON.parse(row.progress)) as Place }));
  let kept: typeof events = [];
  for (const attempt of new Set(rows.map((row) => row.attempt))) {
    const own = events.filter(({ row }) => row.attempt === attempt);
    const resumed = own.find(({ place }) => place.type === 'resumed');
    kept = resumed ? kept.filter(({ place }) => isBefore(place, resumed.place)) : [];
    kept.push(...own);
  }
  return kept.map(({ row }) => row);
}

/** A new run, waiting; call it in a transaction, with `appendEvent` and the queue's `enqueue`. */
export async function insertRun(
  queries: Queries,
  run: Pick<RunRow, 'networkId' | 'revisionId' | 'datasetId' | 'options' | 'codeVersion'>,
): Promise<string> {
  const id = newId();
  const row: RunRow = {
    ...run,
    id,
    state: 'QUEUED',
    bestRevisionId: null,
    lastRevisionId: null,
    errorCode: null,
    errorMessage: null,
    adapter: null,
    createdAt: Date.now(),
    startedAt: null,
    finishedAt: null,
    secondsFeatures: null,
    secondsTrain: null,
    lastSequence: 0,
  };
  await queries.insertInto('runs').values(row).execute();
  return id;
}
