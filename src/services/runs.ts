import { countQueued, enqueue } from '../jobs/queue.js';
import { networkFromJson } from '../models/networkJson.js';
import { classesOfDatasets } from '../store/datasets.js';
import { appendEvent, eventsAfter, eventsOfRuns, insertRun, pageRuns, runsById } from '../store/runs.js';
import type { RevisionRow, RunEventRow, RunRow } from '../store/schema.js';
import { completePolicy } from '../training/augmentation/policy.js';
import { checkClassWeights } from '../training/classWeights.js';
import { checkTrainingOptions } from '../training/options.js';
import { isTrainable } from '../training/partition.js';
import { DEFAULT_TRAINING_OPTIONS, type ProgressEvent, type TrainingOptions } from '../training/types.js';
import { type Page, type RunEvent, type RunRecord, ServiceError, type Services, type TrainInput } from './api.js';
import type { Context } from './context.js';
import { checkSameClasses, requireDataset } from './datasets.js';
import { toServiceError } from './errors.js';
import { badInput, notFound } from './inputs.js';
import { chooseRevision } from './models.js';

type RunServices = Pick<
  Services,
  'train' | 'cancelRun' | 'runs' | 'runsById' | 'runEvents' | 'eventsOfRuns' | 'watchRun'
>;

const MAX_EVENTS = 10_000;

export function runServices(context: Context): RunServices {
  const { queries, database, queue, events } = context;

  const requireRun = async (id: string): Promise<RunRecord> => {
    const [run] = await runsById(queries, [id]);
    if (!run) throw notFound('run', id);
    return toRun(run);
  };

  return {
    async train(input) {
      const revision = await chooseRevision(context, input.networkId, input.revisionId);
      const options = fillOptions(input.options);
      await checkTrainable(context, revision, input, options);
      const id = await database.transaction(async (transaction) => {
        const waiting = await countQueued(transaction);
        if (waiting >= context.config.maxQueuedRuns) {
          const limit = `${waiting} runs are waiting already; GRAFT_MAX_QUEUED_RUNS allows ${context.config.maxQueuedRuns}`;
          throw new ServiceError('LIMIT_EXCEEDED', `${limit}. Cancel some, or try again later.`);
        }
        const run = await insertRun(transaction, {
          networkId: revision.networkId,
          revisionId: revision.id,
          datasetId: input.datasetId,
          options: JSON.stringify(options),
          codeVersion: context.installation.version,
        });
        await enqueue(transaction, run);
        await appendEvent(transaction, run, { state: 'QUEUED', attempt: 0, progress: null });
        return run;
      });
      // Read before the queue wakes, so that the answer is the run as it was accepted.
      const run = await requireRun(id);
      queue.wake();
      return run;
    },

    async cancelRun(id) {
      const run = await requireRun(id);
      if (await queue.cancel(id)) return requireRun(id);
      const now = await requireRun(id);
      if (now.state === 'CANCELLED') return now;
      throw new ServiceError('CONFLICT', `The run ${run.id} is over (${now.state}); there is nothing to cancel.`);
    },

    async runs(filter, page) {
      const found = await pageRuns(queries, filter, page);
      return {
        ...found,
        items: found.items.map(({ cursor, node }) => ({ cursor, node: toRun(node) })),
      } satisfies Page<RunRecord>;
    },

    async runsById(ids) {
      const rows = await runsById(queries, ids);
      return rows.map((row) => row && toRun(row));
    },

    async runEvents(runId, afterSequence, limit) {
      checkSequence(afterSequence);
      if (!Number.isInteger(limit) || limit < 0 || limit > MAX_EVENTS) {
        throw badInput(`limit is an integer from 0 to ${MAX_EVENTS}; got ${limit}.`);
      }
      return (await eventsAfter(queries, runId, afterSequence, limit)).map(toEvent);
    },

    async eventsOfRuns(runIds) {
      return (await eventsOfRuns(queries, runIds)).map((rows) => rows.map(toEvent));
    },

    watchRun(runId, afterSequence) {
      checkSequence(afterSequence);
      return watch(context, events, runId, afterSequence);
    },
  };
}

function checkSequence(afterSequence: number): void {
  if (!Number.isInteger(afterSequence) || afterSequence < 0) {
    throw badInput(`afterSequence is an integer of at least 0 (0: from the first event); got ${afterSequence}.`);
  }
}

/** The iterator's own `return` wakes a watcher that waits, so that nothing of it stays behind. */
function watch(
  { closing }: Context,
  events: Context['events'],
  runId: string,
  afterSequence: number,
): AsyncIterableIterator<RunEvent> {
  const abort = new AbortController();
  const source = events.watch(runId, afterSequence, AbortSignal.any([abort.signal, closing]));
  const iterator: AsyncIterableIterator<RunEvent> = {
    async next() {
      try {
        const { done, value } = await source.next();
        return done ? { done: true, value: undefined } : { done: false, value: toEvent(value) };
      } catch (error) {
        throw toServiceError(error);
      }
    },
    async return() {
      abort.abort();
      await source.return();
      return { done: true, value: undefined };
    },
    async throw(error) {
      await iterator.return?.();
      throw error;
    },
    [Symbol.asyncIterator]: () => iterator,
  };
  return iterator;
}

/** All options, so that the run can be repeated when the defaults have changed. Absent and undefined mean the default. */
function fillOptions(given: Partial<TrainingOptions> = {}): TrainingOptions {
  const defined = Object.entries(given).filter(([, value]) => value !== undefined);
  const known = Object.keys(DEFAULT_TRAINING_OPTIONS);
  const unknown = defined.filter(([key]) => !known.includes(key)).map(([key]) => key);
  if (unknown.length > 0)
    throw badInput(`Unknown training options: ${unknown.join(', ')}; known are ${known.join(', ')}.`);
  const filled: TrainingOptions = { ...DEFAULT_TRAINING_OPTIONS, ...Object.fromEntries(defined) };
  const options = { ...filled, augmentation: filled.augmentation && completePolicy(filled.augmentation) };
  checkTrainingOptions(options);
  return options;
}

async function checkTrainable(
  context: Context,
  revision: RevisionRow,
  input: TrainInput,
  options: TrainingOptions,
): Promise<void> {
  const dataset = await requireDataset(context, input.datasetId);
  checkSameClasses(revision, dataset);
  if (!isTrainable(networkFromJson(revision.networkJson))) {
    throw badInput('Every layer of this revision is frozen. Unfreeze a layer or replace the head first.');
  }
  const [classes = []] = await classesOfDatasets(context.queries, [dataset.id]);
  checkClassWeights(options, classes.length);
  if (classes.every(({ train }) => train === 0)) {
    throw badInput(
      `The data set ${dataset.name} has no pictures in its train split. Make one with a smaller validation and test share.`,
    );
  }
}

function toRun(row: RunRow): RunRecord {
  const { options, errorCode, errorMessage, lastSequence: _, ...rest } = row;
  return {
    ...rest,
    // Options that came later are what they were before there was a choice.
    options: { ...DEFAULT_TRAINING_OPTIONS, ...(JSON.parse(options) as Partial<TrainingOptions>) },
    error: errorCode === null ? null : { code: errorCode, message: errorMessage ?? '' },
  };
}

function toEvent({ runId, sequence, at, state, progress }: RunEventRow): RunEvent {
  return { runId, sequence, at, state, progress: progress === null ? null : (JSON.parse(progress) as ProgressEvent) };
}
