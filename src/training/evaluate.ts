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
  const { batchSize } = plan;
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
  const load = (start: number) => {
    const batch = samples.slice(start, start + batchSize);
    const bytes = batch.length > 0 ? pictures.load(batch.map(({ hash }) => hash)) : null;
    bytes?.catch(() => undefined);
    return bytes;
  };
  let next = load(0);
  for (let start = 0; start < samples.length; start += batchSize) {
    request.signal?.throwIfAborted();
    const bytes = (await next) as Uint8Array;
    next = load(start + batchSize);
    const { probabilities } = await plan.run(bytes)();
    samples.slice(start, start + batchSize).forEach(({ label }, i) => {
      tally.add((probabilities as Float32Array).subarray(i * outputs, (i + 1) * outputs), label);
    });
    await meter.pictures(Math.min(start + batchSize, samples.length), samples.length);
  }
  return tally.result();
}
