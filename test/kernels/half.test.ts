import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Engine } from '../../src/kernels/engine.js';
import { fromHalf, toHalf } from '../../src/kernels/half.js';
import { openEngine, releaseGpu } from '../../src/runtime/gpu.js';
import { freshSeed, seeded } from '../training/fixtures.js';

describe('float16', () => {
  // Examples of IEEE 754-2019 binary16: the extremes of each kind of number, ties, and what over- and underflows.
  const KNOWN: readonly [number, number][] = [
    [0, 0x0000],
    [-0, 0x8000],
    [1, 0x3c00],
    [-2, 0xc000],
    [65504, 0x7bff],
    [65519.99, 0x7bff],
    [65520, 0x7c00],
    [2 ** -14, 0x0400],
    [2 ** -24, 0x0001],
    [2 ** -25, 0x0000],
    [2 ** -25 * 1.0001, 0x0001],
    [2 ** -24 * 1.5, 0x0002],
    [2 ** -24 * 1023, 0x03ff],
    [2 ** -24 * 1023.5, 0x0400],
    [1 + 2 ** -11, 0x3c00],
    [1 + 3 * 2 ** -11, 0x3c02],
    [1 / 3, 0x3555],
    [Number.POSITIVE_INFINITY, 0x7c00],
    [Number.NEGATIVE_INFINITY, 0xfc00],
    [1e9, 0x7c00],
    [Number.NaN, 0x7e00],
  ];

  test('known values', () => {
    const bits = toHalf(KNOWN.map(([value]) => value));
    KNOWN.forEach(([value, expected], i) => assert.equal(bits[i], expected, `${value}`));
  });

  test('every float16 comes back as it was', () => {
    const all = Uint16Array.from({ length: 65_536 }, (_, i) => i).filter((half) => (half & 0x7fff) <= 0x7c00);
    assert.deepEqual(toHalf(fromHalf(all)), all);
  });

  describe('on the device', () => {
    let engine: Engine;
    before(async () => {
      engine = await openEngine();
    });
    after(() => {
      engine.destroy();
      releaseGpu();
    });

    test('a float16 tensor holds the nearest values', (t) => {
      if (!engine.device.features.has('shader-f16')) return t.skip('this adapter lacks shader-f16');
      const seed = freshSeed();
      t.diagnostic(`seed ${seed} (GRAFT_TEST_SEED repeats it)`);
      const random = seeded(seed);
      const values = Float32Array.from({ length: 2 * 3 * 5 * 7 }, () => 8 * random() - 4);
      const check = async (layout: 'rows' | 'dense') => {
        const tensor = engine.upload('half', [2, 3, 5, 7], values, { dtype: 'f16', layout });
        const read = await engine.read(tensor);
        engine.destroyTensor(tensor);
        read.forEach((value, i) => assert.ok(Math.abs(value - (values[i] as number)) <= 4 * 2 ** -12));
      };
      return Promise.all([check('rows'), check('dense')]).then(() => undefined);
    });
  });
});
