import type { Engine } from '../kernels/engine.js';
import { PlanBuilder } from '../kernels/planBuilder.js';
import type { Tensor } from '../kernels/tensor.js';
import type { Model } from '../models/graph.js';
import { DeviceWeights } from './deviceWeights.js';
import { buildForward } from './forward.js';
import { ancestors, inputLayer, pictureInput } from './inference.js';

/**
 * Values of layers in evaluation mode, computed once: of `count` pictures (count x H x W x 3 bytes), or of what the network reads
 * (float32, [count, ...]). Row-major, with the pictures in front.
 */
export async function layerValues(
  engine: Engine,
  { network, weights }: Model,
  input: Uint8Array | Float32Array,
  count: number,
  layers: readonly string[],
): Promise<Map<string, Float32Array>> {
  const first = inputLayer(network);
  const b = new PlanBuilder(engine);
  const device = new DeviceWeights(engine, weights);
  try {
    const arePictures = input instanceof Uint8Array;
    const x = arePictures ? pictureInput(b, network, count) : b.input('pictures', [count, ...first.shape]);
    const values = buildForward(b, network, weights, device, {
      layers: ancestors(network, layers),
      values: new Map([[first.name, x]]),
      keep: new Set(layers),
      mode: 'eval',
      weightsAreFixed: true,
    });
    for (const name of layers) b.output(name, values.get(name) as Tensor);
    const plan = await b.compile();
    try {
      const outputs: Record<string, Float32Array> = await plan.run({ pictures: input })();
      return new Map(layers.map((name) => [name, outputs[name] as Float32Array]));
    } finally {
      plan.dispose();
    }
  } finally {
    device.dispose();
  }
}
