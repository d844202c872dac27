import { type RunEvent, ServiceError } from '../../services/api.js';
import { type Context, found } from '../context.js';
import type { RunProgressArgs } from './inputs.js';
import type { RunProgress } from './types.js';

/** An event as the schema has it: the fields of all kinds side by side. */
export function toProgress({ runId, sequence, at, state, progress }: RunEvent): RunProgress {
  const common = { runId, sequence, at, state };
  if (!progress) return { ...common, kind: 'state' };
  const { type: kind, ...fields } = progress;
  if (progress.type === 'epoch') {
    return { ...common, kind, ...fields, loss: progress.trainLoss, accuracy: progress.trainAccuracy };
  }
  return { ...common, kind, ...fields };
}

/**
 * The events of one run for a subscription. The services' own iterator is handed on, so that a client that leaves ends it at
 * once, even while it waits for the next event. Throws NOT_FOUND where there is no such run.
 */
export async function watchProgress(
  { services }: Context,
  { runId, after }: RunProgressArgs,
): Promise<AsyncIterableIterator<RunEvent>> {
  if (after < 0)
    throw new ServiceError('BAD_USER_INPUT', `after is the sequence of an event, 0 or more; got ${after}.`);
  const [run] = await services.runsById([runId]);
  found(run, 'run', runId);
  return services.watchRun(runId, after);
}
