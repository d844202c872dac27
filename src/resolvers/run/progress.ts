import type { RunEvent } from '../../services/api.js';
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

/** The events of one run for a subscription. Throws NOT_FOUND at once where there is no such run. */
export async function* watchProgress(
  { services }: Context,
  { runId, after }: RunProgressArgs,
): AsyncGenerator<RunEvent, void, undefined> {
  const [run] = await services.runsById([runId]);
  found(run, 'run', runId);
  const events = services.watchRun(runId, after);
  try {
    for await (const event of events) yield event;
  } finally {
    // A client that leaves ends this generator; the source has to let go too.
    await events.return?.();
  }
}
