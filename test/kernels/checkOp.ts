import assert from 'node:assert/strict';
import type { Engine } from '../../src/kernels/engine.js';
import { PlanBuilder } from '../../src/kernels/planBuilder.js';
import { elementCount, type LayoutKind, type Shape, type Tensor } from '../../src/kernels/tensor.js';

export interface OpInput {
  readonly shape: Shape;
  /** Parameters are `dense`, feature maps `rows` (the default). */
  readonly layout?: LayoutKind;
  /** Not differentiated. */
  readonly constant?: boolean;
  /** Uniform in [-1, 1) without. */
  readonly make?: () => number;
}

export interface OpCase {
  readonly name: string;
  readonly inputs: Readonly<Record<string, OpInput>>;
  build(b: PlanBuilder, inputs: Readonly<Record<string, Tensor>>): Tensor;
  /** The same in float64, logical order. */
  reference(values: Readonly<Record<string, Float64Array>>): Float64Array;
}

/** Elements of each gradient that are compared with central differences. */
const SAMPLED = 24;

/** Every element within `tolerance` of the largest expected magnitude (at least 1); NaN fails. */
export function assertClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  what: string,
  tolerance: number,
): void {
  assert.equal(actual.length, expected.length, `${what}: length`);
  let largest = 1;
  for (let i = 0; i < expected.length; i++) largest = Math.max(largest, Math.abs(expected[i] as number));
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs((actual[i] as number) - (expected[i] as number));
    // Not `difference > ...`: NaN has to fail.
    assert.ok(difference <= tolerance * largest, `${what}[${i}]: ${actual[i]} instead of ${expected[i]}`);
  }
}

/**
 * Runs an op forward and backward on the engine, every output poisoned before it is written, and compares the values with the
 * float64 reference and the gradients with its central differences.
 */
export async function checkOp(engine: Engine, op: OpCase, random: () => number): Promise<void> {
  const values: Record<string, Float64Array> = {};
  const b = new PlanBuilder(engine);
  const tensors: Record<string, Tensor> = {};
  for (const [name, { shape, layout = 'rows', constant = false, make }] of Object.entries(op.inputs)) {
    // Rounded to float32, so that both sides start from the same numbers.
    values[name] = Float64Array.from({ length: elementCount(shape) }, () =>
      Math.fround(make ? make() : 2 * random() - 1),
    );
    tensors[name] = b.input(name, shape, { layout, requiresGradient: !constant });
  }
  const y = op.build(b, tensors);
  const dy = b.input('upstream', y.shape, { layout: y.layout });
  const upstream = Float32Array.from({ length: elementCount(y.shape) }, () => 2 * random() - 1);
  const gradients = b.backward(y, dy);
  b.output('y', y);
  const differentiated = Object.keys(op.inputs).filter((name) => !op.inputs[name]?.constant);
  for (const name of differentiated) {
    const gradient = gradients.get(tensors[name] as Tensor);
    assert.ok(gradient, `${op.name}: no gradient of ${name}`);
    assert.deepEqual(gradient.shape, op.inputs[name]?.shape);
    b.output(`d ${name}`, gradient);
  }
  const plan = await b.compile({ poison: true });
  try {
    const given = Object.fromEntries(Object.entries(values).map(([name, data]) => [name, Float32Array.from(data)]));
    const outputs = await plan.run({ ...given, upstream })();
    assertClose(outputs.y as Float32Array, op.reference(values), `${op.name}: y`, 2e-5);
    const loss = () => op.reference(values).reduce((sum, value, i) => sum + value * (upstream[i] as number), 0);
    for (const name of differentiated) {
      const data = values[name] as Float64Array;
      const gradient = outputs[`d ${name}`] as Float32Array;
      assert.ok(
        gradient.every((value) => Number.isFinite(value)),
        `${op.name}: d ${name} has elements that were not written`,
      );
      const indices =
        data.length <= SAMPLED
          ? [...data.keys()]
          : Array.from({ length: SAMPLED }, () => Math.floor(random() * data.length));
      const step = 1e-4;
      const differences = indices.map((i) => {
        const value = data[i] as number;
        data[i] = value + step;
        const above = loss();
        data[i] = value - step;
        const below = loss();
        data[i] = value;
        return (above - below) / (2 * step);
      });
      const sampled = indices.map((i) => gradient[i] as number);
      assertClose(sampled, differences, `${op.name}: d ${name} at ${indices.join(',')}`, 1e-4);
    }
  } finally {
    plan.dispose();
  }
}
