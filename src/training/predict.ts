import type { InferencePlan } from './inference.js';
import { topPredictions } from './metrics.js';
import type { Prediction } from './types.js';

export interface PredictionRequest {
  /** `count` pictures at the network's input size: count x H x W x 3 bytes, RGB. */
  readonly pictures: Uint8Array;
  readonly count: number;
  readonly topK: number;
  /** Labels of the network's outputs, in order. */
  readonly classes: readonly string[];
}

/** The `topK` most probable classes of each picture, best first. The plan must have the output `probabilities`. */
export async function predictPictures(plan: InferencePlan, request: PredictionRequest): Promise<Prediction[][]> {
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
