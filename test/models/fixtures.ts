import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { NetworkBuilder } from '../../src/models/builder.js';
import { ModelError, type ModelErrorCode } from '../../src/models/errors.js';
import type { Model } from '../../src/models/graph.js';
import { unitPreprocessing } from '../../src/models/preprocessing.js';
import { Random } from '../../src/models/random.js';
import { weightSpecs } from '../../src/models/shapes.js';

/** A fresh seed for each run, printed so that a failure can be repeated. */
export function freshSeed(t: TestContext): number {
  const seed = Number(process.env.GRAFT_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));
  t.diagnostic(`seed ${seed} (GRAFT_TEST_SEED repeats it)`);
  return seed;
}

export const uniform = (random: Random, length: number, low = -1, high = 1): Float32Array =>
  Float32Array.from({ length }, () => low + (high - low) * random.uniform());

/** Random weights for a network, variances positive. */
export function randomWeights(network: Model['network'], random: Random): Model['weights'] {
  return new Map(
    weightSpecs(network).map(({ name, shape, role }) => {
      const length = shape.reduce((product, size) => product * size, 1);
      const low = role === 'runningVariance' ? 0.5 : -1;
      return [name, { shape, data: uniform(random, length, low, low + 2) }];
    }),
  );
}

/** Convolution, batch norm, relu6, residual, pooling, dropout, two dense layers: one of most kinds, on 9 x 9 pixels. */
export function tinyNetwork(random: Random): Model {
  const b = new NetworkBuilder('tiny', unitPreprocessing(9, 9));
  b.conv('conv1', { out: 4, kernel: 3, stride: 2, padding: 1 });
  b.batchNorm('bn1');
  const shortcut = b.activation('relu1', 'relu6');
  const residual = b.conv('conv2', { out: 4, kernel: 1, bias: true });
  b.add('sum', shortcut, residual);
  b.globalAveragePool('pool');
  b.dense('fc1', 6);
  b.activation('relu2');
  b.dropout('dropout', 0.25);
  b.dense('fc2', 5);
  const network = { ...b.build(), classes: ['ant', 'bee', 'cat', 'dog', 'elk'] };
  return { network, weights: randomWeights(network, random) };
}

/** Asserts that `action` throws a ModelError of this code whose message matches. */
export function throwsModelError(action: () => unknown, code: ModelErrorCode, message: RegExp = /./): void {
  assert.throws(action, (error) => {
    assert.ok(error instanceof ModelError, `expected a ModelError; got ${String(error)}`);
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  });
}

/** Largest difference relative to the largest expected value. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  assert.equal(actual.length, expected.length);
  let [difference, scale] = [0, 1e-12];
  for (let i = 0; i < expected.length; i++) {
    difference = Math.max(difference, Math.abs((actual[i] as number) - (expected[i] as number)));
    scale = Math.max(scale, Math.abs(expected[i] as number));
    if (Number.isNaN(actual[i])) return Number.NaN;
  }
  return difference / scale;
}

export function assertClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 1e-5): void {
  const error = relativeError(actual, expected);
  assert.ok(error <= tolerance, `relative error ${error}`);
}

/** [N, H, W, C] -> [N, C, H, W]. */
export function toChw(data: ArrayLike<number>, [n, h, w, c]: readonly [number, number, number, number]): Float32Array {
  const result = new Float32Array(n * h * w * c);
  for (let i = 0; i < result.length; i++) {
    const channel = i % c;
    const pixel = Math.floor(i / c) % (h * w);
    result[(Math.floor(i / (c * h * w)) * c + channel) * h * w + pixel] = data[i] as number;
  }
  return result;
}
