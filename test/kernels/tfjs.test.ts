import '@tensorflow/tfjs-backend-cpu';
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { conv2d } from '../../src/kernels/ops/conv2d/conv2d.js';
import { averagePool, maxPool } from '../../src/kernels/ops/pool/pool.js';
import { PlanBuilder } from '../../src/kernels/planBuilder.js';
import type { Tensor } from '../../src/kernels/tensor.js';
import { freshSeed, seeded } from '../training/fixtures.js';
import { gradientsRegistered } from '../training/tfjsGradients.js';
import { assertClose } from './checkOp.js';
import { type FamilyEngine, openFamilies } from './engines.js';

const seed = freshSeed();
const random = seeded(seed);
const between = (low: number, high: number) => low + Math.floor(random() * (high - low + 1));
const fresh = (shape: readonly number[]) =>
  Float32Array.from({ length: shape.reduce((product, size) => product * size, 1) }, () => 2 * random() - 1);

type Shape4 = [number, number, number, number];
const toNhwc = (data: Float32Array, shape: readonly number[]) =>
  tf.transpose(tf.tensor4d(data, shape as Shape4), [0, 2, 3, 1]) as tf.Tensor4D;
const toNchw = (tensor: tf.Tensor) => tf.transpose(tensor, [0, 3, 1, 2]).dataSync() as Float32Array;

interface Comparison {
  readonly inputs: Readonly<
    Record<string, { readonly shape: readonly number[]; readonly data: Float32Array; readonly dense: boolean }>
  >;
  build(b: PlanBuilder, inputs: Readonly<Record<string, Tensor>>): Tensor;
  /** Output and gradients (by input), in our layouts, for the given gradient of the output (N, C, H, W). */
  oracle(upstream: Float32Array, shape: readonly number[]): Record<string, Float32Array>;
}

async function compare({ engine, family }: FamilyEngine, comparison: Comparison): Promise<void> {
  const b = new PlanBuilder(engine);
  const entries = Object.entries(comparison.inputs);
  const tensors = Object.fromEntries(
    entries.map(([name, { shape, dense }]) => [
      name,
      b.input(name, shape, { layout: dense ? 'dense' : 'rows', requiresGradient: true }),
    ]),
  );
  const y = comparison.build(b, tensors);
  const gradients = b.backward(y, b.input('upstream', y.shape));
  b.output('y', y);
  for (const [name] of entries) b.output(name, gradients.get(tensors[name] as Tensor) as Tensor);
  const plan = await b.compile({ poison: true });
  const upstream = fresh(y.shape);
  const values = Object.fromEntries(entries.map(([name, { data }]) => [name, data]));
  const outputs = await plan.run({ ...values, upstream })();
  plan.dispose();
  const expected = tf.tidy(() => comparison.oracle(upstream, y.shape));
  assert.deepEqual(Object.keys(expected).sort(), Object.keys(outputs).sort());
  for (const [name, value] of Object.entries(expected)) {
    assertClose(outputs[name] as Float32Array, value, `${family}: ${name}`, 2e-5);
  }
}

/** tfjs's own padding rules are `valid` and `same`; its conv2d backpropagates through dilation 1 only. */
function convolution(depthwise: boolean): Comparison {
  const x = [between(1, 4), between(1, 9), between(5, 17), between(5, 17)];
  const [kh, kw] = [between(1, 5), between(1, 5)];
  // The depthwise gradient of tfjs wants equal strides.
  const stride = between(1, 3);
  const weight = depthwise ? [x[1] as number, 1, kh, kw] : [between(1, 20), x[1] as number, kh, kw];
  const data = { x: fresh(x), weight: fresh(weight) };
  const same = random() < 0.5;
  const pad = (size: number, kernel: number) => {
    if (!same) return [0, 0] as const;
    const total = Math.max(0, (Math.ceil(size / stride) - 1) * stride + kernel - size);
    return [Math.floor(total / 2), total - Math.floor(total / 2)] as const;
  };
  const [top, bottom] = pad(x[2] as number, kh);
  const [left, right] = pad(x[3] as number, kw);
  return {
    inputs: {
      x: { shape: x, data: data.x, dense: false },
      weight: { shape: weight, data: data.weight, dense: true },
    },
    build: (b, t) =>
      conv2d(b, t.x as Tensor, t.weight as Tensor, {
        stride: [stride, stride],
        padding: { top, left, bottom, right },
        dilation: [1, 1],
        groups: depthwise ? (x[1] as number) : 1,
      }),
    oracle: (upstream, shape) => {
      // [O, I, kh, kw] -> [kh, kw, I, O]; depthwise [C, 1, kh, kw] -> [kh, kw, C, 1].
      const order = depthwise ? [2, 3, 0, 1] : [2, 3, 1, 0];
      const back = depthwise ? [2, 3, 0, 1] : [3, 2, 0, 1];
      const filter = tf.transpose(tf.tensor4d(data.weight, weight as Shape4), order) as tf.Tensor4D;
      const padding = same ? 'same' : 'valid';
      const run = (input: tf.Tensor, w: tf.Tensor) =>
        depthwise
          ? tf.depthwiseConv2d(input as tf.Tensor4D, w as tf.Tensor4D, stride, padding)
          : tf.conv2d(input as tf.Tensor4D, w as tf.Tensor4D, stride, padding);
      const input = toNhwc(data.x, x);
      const [dx, dw] = tf.grads(run)([input, filter], toNhwc(upstream, shape));
      return {
        y: toNchw(run(input, filter)),
        x: toNchw(dx as tf.Tensor),
        weight: tf.transpose(dw as tf.Tensor, back).dataSync() as Float32Array,
      };
    },
  };
}

function pooling(kind: 'max' | 'average'): Comparison {
  const x = [between(1, 3), between(1, 7), between(6, 15), between(6, 15)];
  const kernel = [between(1, 4), between(1, 4)] as const;
  const stride = [between(1, 3), between(1, 3)] as const;
  const data = fresh(x);
  const attributes = {
    kernel,
    stride,
    padding: { top: 0, left: 0, bottom: 0, right: 0 },
    ceilMode: false,
    countIncludePad: false,
  };
  return {
    inputs: { x: { shape: x, data, dense: false } },
    build: (b, t) => (kind === 'max' ? maxPool : averagePool)(b, t.x as Tensor, attributes),
    oracle: (upstream, shape) => {
      const run = (input: tf.Tensor4D) =>
        (kind === 'max' ? tf.maxPool : tf.avgPool)(input, [...kernel], [...stride], 'valid');
      const input = toNhwc(data, x);
      const dx = tf.grad((given) => run(given as tf.Tensor4D))(input, toNhwc(upstream, shape));
      return { y: toNchw(run(input)), x: toNchw(dx) };
    },
  };
}

describe(`values and gradients equal tfjs's, seed ${seed} (GRAFT_TEST_SEED repeats it)`, () => {
  let opened: Awaited<ReturnType<typeof openFamilies>>;
  before(async () => {
    await gradientsRegistered;
    opened = await openFamilies();
  });
  after(() => opened.close());
  const kinds: Record<string, () => Comparison> = {
    convolution: () => convolution(false),
    'depthwise convolution': () => convolution(true),
    'max pooling': () => pooling('max'),
    'average pooling': () => pooling('average'),
  };
  for (const [name, make] of Object.entries(kinds)) {
    for (let trial = 1; trial <= 4; trial++) {
      test(`${name}, random shape ${trial}`, async (t) => {
        if (opened.skipped) t.diagnostic(opened.skipped);
        const comparison = make();
        t.diagnostic(
          Object.values(comparison.inputs)
            .map(({ shape }) => shape.join('x'))
            .join(', '),
        );
        for (const family of opened.families) await compare(family, comparison);
      });
    }
  }
});
