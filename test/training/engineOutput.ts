import { PlanBuilder } from '../../src/kernels/planBuilder.js';
import type { Engine } from '../../src/kernels/engine.js';
import type { Model } from '../../src/models/graph.js';
import type { Tensor } from '../../src/kernels/tensor.js';
import { DeviceWeights } from '../../src/training/deviceWeights.js';
import { buildForward } from '../../src/training/forward.js';

/** A network's output on the engine, as predictions compute it (batch norms folded), for what it reads: [N, C, H, W]. */
export async function engineOutput(
  engine: Engine,
  { network, weights }: Model,
  shape: readonly number[],
  data: Float32Array,
): Promise<Float32Array> {
  const [first, last] = [network.layers[0], network.layers.at(-1)];
  if (!first || !last) throw new Error('no layers');
  const b = new PlanBuilder(engine);
  const device = new DeviceWeights(engine, weights);
  const values = buildForward(b, network, weights, device, {
    layers: network.layers,
    values: new Map([[first.name, b.input('x', shape)]]),
    keep: new Set([last.name]),
    mode: 'eval',
    weightsAreFixed: true,
  });
  b.output('y', values.get(last.name) as Tensor);
  const plan = await b.compile();
  const { y } = await plan.run({ x: data })();
  plan.dispose();
  device.dispose();
  return y as Float32Array;
}
