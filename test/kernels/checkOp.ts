import assert from 'node:assert/strict';
import type { Engine } from '../../src/kernels/engine.js';
import { fromHalf, toHalf } from '../../src/kernels/half.js';
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
  /** For ops whose outcome hangs on more digits than float16 has; say why where it is set. */
  readonly float32Only?: boolean;
  build(b: PlanBuilder, inputs: Readonly<Record<string, Tensor>>): Tensor;
  /** The same in float64, logical order. */
  reference(values: Readonly<Record<string, Float64Array>>): Float64Array;
}

/** Elements of each gradient that are compared with central differences. */
const SAMPLED = 24;

/** Step of the differences: small, so that it seldom reaches over a corner; float64 leaves eight digits of them. */
const STEP = 1e-6;
/** One-sided differences further apart than this: the curvature of a smooth function does not explain it. */
const CORNER = 1e-4;

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

interface BuiltOp {
  readonly builder: PlanBuilder;
  readonly outputShape: Shape;
}

/** The op with its gradients as outputs `d <input>`, that of y given as `upstream`. */
export function buildOp(engine: Engine, op: OpCase, activationType: 'f32' | 'f16'): BuiltOp {
  const b = new PlanBuilder(engine, { activationType });
  const tensors: Record<string, Tensor> = {};
  for (const [name, { shape, layout = 'rows', constant = false }] of Object.entries(op.inputs)) {
    tensors[name] = b.input(name, shape, { layout, requiresGradient: !constant });
  }
  const y = op.build(b, tensors);
  const gradients = b.backward(y, b.input('upstream', y.shape, { layout: y.layout }));
  b.output('y', y);
  for (const [name, { constant, shape }] of Object.entries(op.inputs)) {
    if (constant) continue;
    const gradient = gradients.get(tensors[name] as Tensor);
    assert.ok(gradient, `${op.name}: no gradient of ${name}`);
    assert.deepEqual(gradient.shape, shape);
    b.output(`d ${name}`, gradient);
  }
  return { builder: b, outputShape: y.shape };
}

/** Eight units in the last place of a float16 at 1: what a few roundings on the way may make of a value. */
const HALF_TOLERANCE = 8 * 2 ** -11;

/** Bounds of the activations in these tests. An output that float16 rounds onto one passes no gradient back, in float32 it does. */
const BOUNDS = new Set([-0.5, 0, 1, 1.25, 6]);

/** The op with feature maps in float16 gives what it gives in float32, from the same numbers. */
async function checkHalf(engine: Engine, op: OpCase, given: Record<string, Float32Array>): Promise<void> {
  const rounded = Object.fromEntries(Object.entries(given).map(([name, data]) => [name, fromHalf(toHalf(data))]));
  const run = async (activationType: 'f32' | 'f16') => {
    const plan = await buildOp(engine, op, activationType).builder.compile({ poison: true });
    try {
      return await plan.run(rounded)();
    } finally {
      plan.dispose();
    }
  };
  const values = (await run('f32')).y as Float32Array;
  const upstream = rounded.upstream as Float32Array;
  fromHalf(toHalf(values)).forEach((value, i) => {
    if (BOUNDS.has(value) && value !== values[i]) upstream[i] = 0;
  });
  const [full, half] = [await run('f32'), await run('f16')];
  for (const [name, expected] of Object.entries(full)) {
    assertClose(half[name] as Float32Array, expected, `${op.name}, float16: ${name}`, HALF_TOLERANCE);
  }
}

/**
 * Runs an op forward and backward on the engine, every output poisoned before it is written, and compares the values with the
 * float64 reference and the gradients with its central differences; then once more in float16. False where the adapter has no
 * float16, so that this was left out.
 */
export async function checkOp(engine: Engine, op: OpCase, random: () => number): Promise<boolean> {
  const values: Record<string, Float64Array> = {};
  for (const [name, { shape, make }] of Object.entries(op.inputs)) {
    // Rounded to float32, so that both sides start from the same numbers.
    values[name] = Float64Array.from({ length: elementCount(shape) }, () =>
      Math.fround(make ? make() : 2 * random() - 1),
    );
  }
  const { builder: b, outputShape } = buildOp(engine, op, 'f32');
  const upstream = Float32Array.from({ length: elementCount(outputShape) }, () => 2 * random() - 1);
  const differentiated = Object.keys(op.inputs).filter((name) => !op.inputs[name]?.constant);
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
      const at = loss();
      const differences = indices.map((i) => {
        const value = data[i] as number;
        data[i] = value + STEP;
        const right = (loss() - at) / STEP;
        data[i] = value - STEP;
        const left = (at - loss()) / STEP;
        data[i] = value;
        // At a corner (of ReLU, of a maximum) there is no derivative to compare with.
        return Math.abs(right - left) > CORNER ? null : (right + left) / 2;
      });
      const smooth = indices.filter((_, k) => differences[k] !== null);
      assert.ok(2 * smooth.length >= indices.length, `${op.name}: ${name} has corners nearly everywhere`);
      const sampled = smooth.map((i) => gradient[i] as number);
      const expected = differences.filter((difference) => difference !== null);
      assertClose(sampled, expected, `${op.name}: d ${name} at ${smooth.join(',')}`, 1e-4);
    }
    const hasHalf = engine.device.features.has('shader-f16');
    if (hasHalf && !op.float32Only) await checkHalf(engine, op, { ...given, upstream });
    return hasHalf;
  } finally {
    plan.dispose();
  }
}
