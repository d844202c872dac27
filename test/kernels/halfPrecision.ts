import type { Engine } from '../../src/kernels/engine.js';
import { fromHalf, toHalf } from '../../src/kernels/half.js';
import { PlanBuilder } from '../../src/kernels/planBuilder.js';
import { elementCount, type Tensor } from '../../src/kernels/tensor.js';
import { assertClose, type OpCase } from './checkOp.js';

/** float16 has a significand of 11 bits; a result may be rounded a few times on its way. */
const TOLERANCE = 4e-3;

/**
 * Value and gradients of an op in a plan that stores float16 against those of a float32 plan, from inputs that both hold exactly.
 * False where the adapter has no float16.
 */
export async function checkHalf(engine: Engine, op: OpCase, random: () => number): Promise<boolean> {
  if (!engine.device.features.has('shader-f16')) return false;
  const rounded = (count: number, make: () => number) => fromHalf(toHalf(Array.from({ length: count }, make)));
  const values: Record<string, Float32Array> = {};
  for (const [name, { shape, make }] of Object.entries(op.inputs)) {
    values[name] = rounded(elementCount(shape), make ?? (() => 2 * random() - 1));
  }
  let upstream: Float32Array | null = null;
  const results: Record<string, Float32Array>[] = [];
  for (const activationType of ['f32', 'f16'] as const) {
    const b = new PlanBuilder(engine, { activationType });
    const tensors: Record<string, Tensor> = {};
    for (const [name, { shape, layout, constant = false }] of Object.entries(op.inputs)) {
      tensors[name] = b.input(name, shape, { ...(layout ? { layout } : {}), requiresGradient: !constant });
    }
    const y = op.build(b, tensors);
    upstream ??= rounded(elementCount(y.shape), () => 2 * random() - 1);
    const gradients = b.backward(y, b.input('upstream', y.shape, { layout: y.layout, dtype: y.dtype }));
    b.output('y', y);
    for (const [name, tensor] of Object.entries(tensors)) {
      const gradient = gradients.get(tensor);
      if (gradient && tensor.requiresGradient) b.output(`d ${name}`, gradient);
    }
    const plan = await b.compile({ poison: true });
    results.push(await plan.run({ ...values, upstream })());
    plan.dispose();
  }
  const [single, half] = results as [Record<string, Float32Array>, Record<string, Float32Array>];
  for (const [name, expected] of Object.entries(single)) {
    assertClose(half[name] as Float32Array, expected, `${op.name}: ${name} in float16`, TOLERANCE);
  }
  return true;
}
