import type { Engine } from '../kernels/engine.js';
import type { Network, Weights } from '../models/network.js';
import { TrainingError } from './errors.js';
import { InferencePlan, inferenceBatchSize } from './inference.js';
import { EvaluationTally } from './metrics.js';
import { ProgressMeter } from './progress.js';
import type { EvaluationResult, PictureSource, ProgressEvent, Sample } from './types.js';

export interface EvaluationRequest {
  readonly engine: Engine;
  readonly network: Network;
  readonly weights: Weights;
  readonly samples: readonly Sample[];
  readonly pictures: PictureSource;
  /** Labels of the network's outputs, in order. */
  readonly classes: readonly string[];
  readonly batchSize?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (event: ProgressEvent) => void | Promise<void>;
}

/** Measures a network on labelled pictures. Throws `EMPTY_SPLIT` without pictures and the signal's reason when aborted. */
export async function evaluateNetwork(request: EvaluationRequest): Promise<EvaluationResult> {
  const { engine, network, weights } = request;
  checkSamples(request.samples);
  const batchSize = request.batchSize ?? inferenceBatchSize(engine);
  const plan = await InferencePlan.compile(engine, network, weights, { batchSize, layers: [], probabilities: true });
  try {
    return await evaluatePlan(plan, request);
  } finally {
    plan.dispose();
  }
}

function checkSamples(samples: readonly Sample[]): void {
  if (samples.length > 0) return;
  throw new TrainingError('EMPTY_SPLIT', 'There are no pictures to evaluate on. Choose another split.');
}

/** As `evaluateNetwork`, with a plan that is already compiled and has the output `probabilities`. */
export async function evaluatePlan(
  plan: InferencePlan,
  request: Pick<EvaluationRequest, 'samples' | 'pictures' | 'classes' | 'signal' | 'onProgress'>,
): Promise<EvaluationResult> {
  const { samples, pictures, classes } = request;
  checkSamples(samples);
  const outputs = plan.shapes.get('probabilities')?.[0] as number;
  if (outputs !== classes.length) {
    throw new TrainingError(
      'INVALID_NETWORK',
      `The network has ${outputs} outputs, the data set ${classes.length} classes. Replace the head first.`,
    );
  }
  const tally = new EvaluationTally(classes);
  const meter = new ProgressMeter(request.onProgress ?? (() => undefined));
  let seen = 0;
  await plan.runAll(
    samples,
    pictures,
    async (batch, { probabilities }) => {
      for (const [i, { label }] of batch.entries()) {
        tally.add((probabilities as Float32Array).subarray(i * outputs, (i + 1) * outputs), label);
      }
      seen += batch.length;
      await meter.pictures(seen, samples.length);
      return true;
    },
    request.signal,
  );
  if (seen < samples.length) request.signal?.throwIfAborted();
  return tally.result();
}
