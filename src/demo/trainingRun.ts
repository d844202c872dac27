import type { GraftClient } from './client.js';
import type { Console } from './console.js';
import { RUN, RUN_PROGRESS, type Run, TRAIN, type TrainingOptions } from './operations.js';
import { ProgressLine } from './progress.js';

/** A run that ended well, with the number of steps that it took (of one that its time ended, those reported: up to some 0.2 s fewer). */
export interface FinishedRun extends Run {
  readonly bestRevision: { readonly id: string };
  readonly stepsTaken: number;
}

/** Starts a run and follows it to its end. Throws what the server says where the run fails. */
export async function train(
  client: GraftClient,
  console: Console,
  target: { readonly networkId: string; readonly datasetId: string },
  options: TrainingOptions,
): Promise<FinishedRun> {
  const { train: run } = await client.request(TRAIN, { input: { ...target, options } });
  const line = new ProgressLine(options.maxSeconds ?? null);
  let stepsTaken = 0;
  let stepsAnEpoch = 0;
  let epochsDone = 0;
  for await (const { runProgress } of client.subscribe(RUN_PROGRESS, { runId: run.id, after: 0 })) {
    const { kind, epoch, step, steps } = runProgress;
    if (kind === 'STEP' && epoch && step && steps) {
      stepsTaken = Math.max(stepsTaken, (epoch - 1) * steps + step);
      stepsAnEpoch = steps;
    }
    if (kind === 'EPOCH' && epoch) epochsDone = epoch;
    const text = line.take(runProgress);
    if (text) console.progress(text);
  }
  console.clear();
  const { run: finished } = await client.request(RUN, { id: run.id });
  const { bestRevision } = finished ?? {};
  if (!finished || finished.state !== 'SUCCEEDED' || !bestRevision) {
    throw new Error(
      `The run ended as ${finished?.state ?? 'deleted'}: ${finished?.error?.message ?? 'no reason given'}`,
    );
  }
  // Not every step is reported; a run that trained all of its epochs took all of their steps.
  const isWhole = epochsDone === options.epochs;
  return { ...finished, bestRevision, stepsTaken: isWhole ? epochsDone * stepsAnEpoch : stepsTaken };
}
