import type { Engine } from '../kernels/engine.js';
import type { Network, Weights } from '../models/network.js';
import { inferenceBatchSize, InferencePlan } from './inference.js';
import { topPredictions } from './metrics.js';
import type { Prediction } from './types.js';

export interface PredictionRequest {
  readonly engine: Engine;
  readonly network: Network;
  readonly weights: Weights;
  /** `count` pictures at the network's input size: count x H x W x 3 bytes, RGB. */
  readonly pictures: Uint8Array;
  readonly count: number;
  readonly topK: number;
}

/** The `topK` most probable classes of each picture, best first. */
export async function predictPictures(request: PredictionRequest): Promise<Prediction[][]> {
  const { engine, network, weights, pictures, count, topK } = request;
  if (count === 0) return [];
  const batchSize = Math.min(count, inferenceBatchSize(engine));
  const plan = await InferencePlan.compile(engine, network, weights, { batchSize, layers: [], probabilities: true });
  try {
    return await predictWithPlan(plan, { pictures, count, topK, classes: network.classes ?? [] });
  } finally {
    plan.dispose();
  }
}

/** As `predictPictures`, with a plan that is already compiled and has the output `probabilities`. */
export async function predictWithPlan(
  plan: InferencePlan,
  request: Pick<PredictionRequest, 'pictures' | 'count' | 'topK'> & { readonly classes: readonly string[] },
): Promise<Prediction[][]> {
  const { pictures, count, topK, classes } = request;
  const bytes = pictures.length / count;
  const outputs = plan.shapes.get('probabilities')?.[0] as number;
  const predictions: Prediction[][] = [];
  for (let start = 0; start < count; start += plan.batchSize) {
    const end = Math.min(start + plan.batchSize, count);
    const { probabilities } = await plan.run(pictures.subarray(start * bytes, end * bytes))();
    for (let i = 0; i < end - start; i++) {
      const row = (probabilities as Float32Array).subarray(i * outputs, (i + 1) * outputs);
      predictions.push(topPredictions(row, classes, topK));
    }
  }
  return predictions;
}
