import type { Logger } from 'pino';
import type { Database, Queries } from '../store/database.js';
import type { CheckpointFiles } from '../store/checkpointFiles.js';
import { samplesOf } from '../store/datasets.js';
import { insertRevision, wholeRevisionsById } from '../store/networks.js';
import { appendEvent, type RunChange, runsById } from '../store/runs.js';
import type { RevisionRow, RunRow, RunState } from '../store/schema.js';
import { DEFAULT_TRAINING_OPTIONS, type ProgressEvent, type TrainingOptions } from '../training/types.js';
import { Bell, type RunEvents } from './events.js';
import { NO_OBSERVER, type RunObserver } from './observer.js';
import { JobError, TRANSIENT_FAILURES, type TrainJob, type TrainOutcome } from './protocol.js';
import {
  abandoned,
  type Claim,
  claimNext,
  finish,
  heartbeat,
  jobOfRun,
  LEASE_MS,
  newOwner,
  putBack,
  queuedRuns,
  requestCancel,
  retireOwner,
  withdraw,
} from './queue.js';
import type { Supervisor } from './supervisor.js';

/** A run that a crash interrupts begins again, once; the second crash ends it. */
const MAX_ATTEMPTS = 2;
/** How often an idle runner looks for jobs that other processes queued or abandoned. */
const IDLE_MS = 5000;
const HEARTBEAT_MS = LEASE_MS / 3;

class ClaimLost extends Error {}

/** Takes training jobs from the queue one after the other, has the worker run them, and writes what happens. */
export class RunQueue {
  private readonly owner = newOwner();
  private readonly bell = new Bell();
  private readonly stopping = new AbortController();
  private current: { readonly runId: string; readonly abort: AbortController; readonly began: number } | null = null;
  private loop: Promise<void> | null = null;

  constructor(
    private readonly database: Database,
    private readonly events: RunEvents,
    private readonly supervisor: Supervisor,
    private readonly logger: Logger,
    private readonly observer: RunObserver = NO_OBSERVER,
    private readonly checkpoints: CheckpointFiles | null = null,
  ) {}

  /** Takes up what earlier processes left behind, then works until `stop`. */
  async start(): Promise<void> {
    await this.database.background(() => this.recover());
    await this.checkpoints?.keepOnly(await this.database.background(() => queuedRuns(this.database.queries)));
    this.loop = this.database.background(() => this.work());
  }

  /** A job was queued. */
  wake(): void {
    this.bell.ring();
  }

  /** Releases the job at hand for the next start. The supervisor must be stopped at the same time, which ends the job. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.bell.ring();
    await this.loop;
    retireOwner(this.owner);
  }

  /**
   * Ends a run: at once where it waits, else as soon as its step is done. Returns false where no job of it is left, because
   * it is over.
   */
  async cancel(runId: string): Promise<boolean> {
    const found = await this.database.transaction(async (queries) => {
      const job = await jobOfRun(queries, runId);
      if (!job) return false;
      if (await withdraw(queries, runId)) {
        const event = { state: 'CANCELLED', attempt: job.attempts, progress: null } as const;
        await appendEvent(queries, runId, event, { finishedAt: Date.now() });
      } else {
        await requestCancel(queries, runId);
      }
      return true;
    });
    this.events.publish(runId);
    if (this.current?.runId === runId) this.current.abort.abort();
    return found;
  }

  private async work(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      try {
        const claim = await claimNext(this.database.queries, this.owner);
        if (claim) {
          await this.process(claim);
          continue;
        }
        await this.bell.wait(IDLE_MS);
        await this.recover();
      } catch (error) {
        this.logger.error({ err: error }, 'the run queue met an unexpected error');
        await this.bell.wait(IDLE_MS);
      }
    }
  }

  /** Decides what becomes of jobs whose process died. */
  private async recover(): Promise<void> {
    for (const job of await abandoned(this.database.queries)) {
      const claim = { id: job.id, runId: job.runId, attempt: job.attempts, owner: job.leaseOwner ?? '' };
      this.logger.warn({ run: job.runId, attempt: job.attempts }, 'a run was left behind by a process that died');
      const message = 'The server died while the run was going.';
      if (job.cancelRequested === 1) await this.end(claim, 'CANCELLED', {});
      else await this.retryOrFail(claim, new JobError('WORKER_CRASHED', message));
    }
  }

  private async process(claim: Claim): Promise<void> {
    const abort = new AbortController();
    this.current = { runId: claim.runId, abort, began: Date.now() };
    let cancelled = false;
    abort.signal.addEventListener('abort', () => {
      cancelled = true;
    });
    const beat = async () => {
      const held = await heartbeat(this.database.queries, claim).catch(() => ({ cancelRequested: false }));
      if (!held || held.cancelRequested) abort.abort();
    };
    const timer = setInterval(() => void beat(), HEARTBEAT_MS);
    try {
      // A cancellation that came between the claim and `current` is in the row only.
      await beat();
      const { run, revision, job } = await this.load(claim);
      const device = await this.supervisor.ready();
      if (cancelled) throw new JobError('ABORTED', 'The run was cancelled before it began.');
      const adapter = device.description || `${device.vendor} ${device.architecture}`.trim();
      await this.append(claim, 'RUNNING', null, { adapter, startedAt: run.startedAt ?? Date.now() });
      this.observer.stateChanged('RUNNING', { secondsWaited: (Date.now() - run.createdAt) / 1000 });
      const writer = new ProgressWriter(
        async (event) => {
          await this.append(claim, 'RUNNING', event);
          this.observer.progress(event);
        },
        () => abort.abort(),
      );
      const outcome = await this.supervisor.run(job, abort.signal, (event) => writer.write(event));
      await writer.flush();
      await this.complete(claim, run, revision, outcome);
    } catch (error) {
      await this.settle(claim, error, cancelled);
    } finally {
      clearInterval(timer);
      this.current = null;
    }
  }

  private async load(claim: Claim): Promise<{ run: RunRow; revision: RevisionRow; job: TrainJob }> {
    const { queries } = this.database;
    const [run] = await runsById(queries, [claim.runId]);
    const [revision] = run ? await wholeRevisionsById(queries, [run.revisionId]) : [];
    // Deleting a network or data set takes its runs and their jobs along.
    if (!run || !revision) throw new ClaimLost();
    const job: TrainJob = {
      kind: 'train',
      run: claim.runId,
      model: { networkJson: revision.networkJson, weightsHash: revision.weightsHash },
      train: await samplesOf(queries, run.datasetId, 'train'),
      validation: await samplesOf(queries, run.datasetId, 'validation'),
      // Queued before an option was there: it does what it did then.
      options: { ...DEFAULT_TRAINING_OPTIONS, ...(JSON.parse(run.options) as Partial<TrainingOptions>) },
    };
    return { run, revision, job };
  }

  /** Writes an event if the claim still holds. */
  private append(claim: Claim, state: RunState, progress: ProgressEvent | null, change: RunChange = {}): Promise<void> {
    return this.commit(claim, async (queries) => {
      const job = await jobOfRun(queries, claim.runId);
      if (job?.leaseOwner !== claim.owner || job.attempts !== claim.attempt) throw new ClaimLost();
      await appendEvent(queries, claim.runId, { state, attempt: claim.attempt, progress }, change);
    });
  }

  /** The last event of a run, in one transaction with all that it changes. */
  private async end(
    claim: Claim,
    state: RunState,
    change: RunChange,
    also?: (queries: Queries) => Promise<RunChange>,
  ): Promise<void> {
    const finishedAt = Date.now();
    const began = this.current?.runId === claim.runId ? this.current.began : null;
    const write = async (queries: Queries) => {
      if (!(await finish(queries, claim))) throw new ClaimLost();
      const more = (await also?.(queries)) ?? {};
      const event = { state, attempt: claim.attempt, progress: null };
      await appendEvent(queries, claim.runId, event, { ...change, ...more, finishedAt });
    };
    await this.commit(claim, write, () =>
      this.observer.stateChanged(state, began === null ? {} : { secondsRun: (finishedAt - began) / 1000 }),
    );
    await this.checkpoints?.remove(claim.runId);
  }

  private async complete(claim: Claim, run: RunRow, revision: RevisionRow, outcome: TrainOutcome): Promise<void> {
    const { secondsFeatures, secondsTrain, cancelled, steps } = outcome;
    const state = cancelled ? 'CANCELLED' : 'SUCCEEDED';
    await this.end(claim, state, { secondsFeatures, secondsTrain }, async (queries) =>
      steps === 0 ? {} : insertOutcome(queries, run, revision, outcome),
    );
    this.logger.info({ run: run.id, steps, secondsFeatures, secondsTrain }, `run ${state.toLowerCase()}`);
  }

  private async settle(claim: Claim, error: unknown, cancelled: boolean): Promise<void> {
    try {
      if (error instanceof ClaimLost) return;
      const failure =
        error instanceof JobError ? error : new JobError('INTERNAL_ERROR', String(error), { cause: error });
      if (failure.code === 'INTERNAL_ERROR') this.logger.error({ err: error, run: claim.runId }, 'run failed');
      if (this.stopping.signal.aborted || failure.code === 'STOPPED') await this.release(claim, cancelled);
      else if (cancelled) await this.end(claim, 'CANCELLED', {});
      else await this.retryOrFail(claim, failure);
    } catch (nested) {
      if (!(nested instanceof ClaimLost)) throw nested;
    }
  }

  private async release(claim: Claim, cancelled: boolean): Promise<void> {
    if (cancelled) return this.end(claim, 'CANCELLED', {});
    return this.requeue(claim, false);
  }

  private async retryOrFail(claim: Claim, error: JobError): Promise<void> {
    if (TRANSIENT_FAILURES.includes(error.code) && claim.attempt < MAX_ATTEMPTS) return this.requeue(claim, true);
    const again = TRANSIENT_FAILURES.includes(error.code) ? ` That was try ${claim.attempt} of ${MAX_ATTEMPTS}.` : '';
    return this.end(claim, 'FAILED', { errorCode: error.code, errorMessage: `${error.message}${again}` });
  }

  private requeue(claim: Claim, counted: boolean): Promise<void> {
    return this.commit(claim, async (queries) => {
      if (!(await putBack(queries, claim, counted))) throw new ClaimLost();
      await appendEvent(queries, claim.runId, { state: 'QUEUED', attempt: claim.attempt, progress: null });
    });
  }

  /** One transaction and then the news of it. Messages of the worker come in some request's context, hence `background`. */
  private async commit(
    claim: Claim,
    work: (queries: Queries) => Promise<void>,
    observe: () => void = () => undefined,
  ): Promise<void> {
    await this.database.background(() => this.database.transaction(work));
    observe();
    this.events.publish(claim.runId);
  }
}

/**
 * The revisions that a run made; one where best and last are the same weights. The best becomes the network's newest, except
 * after a cancelled run, whose weights are kept without being put in anybody's way.
 */
async function insertOutcome(
  queries: Queries,
  run: RunRow,
  revision: RevisionRow,
  { bestWeights, lastWeights, bestEpoch, cancelled }: TrainOutcome,
): Promise<RunChange> {
  const { id: parentId, architecture, classes, preprocessing, networkJson } = revision;
  const insert = (weightsHash: string, summary: string, head: boolean) =>
    insertRevision(
      queries,
      run.networkId,
      { parentId, architecture, classes, preprocessing, networkJson, weightsHash, summary },
      head,
    );
  const ending = cancelled ? ', then cancelled' : '';
  const same = bestWeights === lastWeights;
  const bestSummary =
    bestEpoch === 0 ? `trained for part of an epoch${ending}` : `trained: epoch ${bestEpoch}, the best${ending}`;
  const last = same ? null : await insert(lastWeights, `trained: the last weights${ending}`, false);
  const best = await insert(bestWeights, bestSummary, !cancelled);
  return { bestRevisionId: best.id, lastRevisionId: last?.id ?? best.id };
}

/** Writes progress in order, one at a time, and stops the job where that is no longer possible. */
class ProgressWriter {
  private tail: Promise<void> = Promise.resolve();
  private failed: Error | null = null;

  constructor(
    private readonly append: (event: ProgressEvent) => Promise<void>,
    private readonly onFailure: () => void,
  ) {}

  write(event: ProgressEvent): void {
    this.tail = this.tail
      .then(() => (this.failed === null ? this.append(event) : undefined))
      .catch((error: unknown) => {
        this.failed ??= error instanceof Error ? error : new Error(String(error));
        this.onFailure();
      });
  }

  /** Throws what the first write that failed threw. */
  async flush(): Promise<void> {
    await this.tail;
    if (this.failed !== null) throw this.failed;
  }
}
