import type { Engine } from '../../src/kernels/engine.js';
import type { Model } from '../../src/models/graph.js';
import { layerValues } from '../../src/training/layerValues.js';

/** A network's output on the engine, as predictions compute it (batch norms folded), for what it reads: [N, C, H, W]. */
export async function engineOutput(
  engine: Engine,
  model: Model,
  shape: readonly number[],
  data: Float32Array,
): Promise<Float32Array> {
  const last = model.network.layers.at(-1)?.name ?? '';
  const values = await layerValues(engine, model, data, shape[0] as number, [last]);
  return values.get(last) as Float32Array;
}
