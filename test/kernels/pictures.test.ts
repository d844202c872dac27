import { after, before, describe, test } from 'node:test';
import type { Engine } from '../../src/kernels/engine.js';
import { normalizePictures } from '../../src/kernels/ops/pictures/pictures.js';
import { PlanBuilder } from '../../src/kernels/planBuilder.js';
import { openEngine, releaseGpu } from '../../src/runtime/gpu.js';
import { freshSeed, seeded } from '../training/fixtures.js';
import { assertClose } from './checkOp.js';

const seed = freshSeed();
const random = seeded(seed);

describe(`pictures to the network's input, seed ${seed} (GRAFT_TEST_SEED repeats it)`, () => {
  let engine: Engine;
  before(async () => {
    engine = await openEngine();
  });
  after(() => {
    engine.destroy();
    releaseGpu();
  });

  for (const [n, h, w, channelOrder] of [
    [2, 5, 7, 'RGB'],
    [1, 3, 3, 'BGR'],
    [3, 8, 8, 'RGB'],
    [2, 5, 7, 'GREY'],
  ] as const) {
    test(`${n} of ${h} x ${w}, ${channelOrder}`, async () => {
      const mean = [0.485, 0.456, 0.406] as const;
      const std = [0.229, 0.224, 0.225] as const;
      const bytes = Uint8Array.from({ length: n * h * w * 3 }, () => Math.floor(random() * 256));
      const b = new PlanBuilder(engine);
      const input = b.input('pictures', [n, h, w, 3], { dtype: 'u8', layout: 'dense' });
      b.output('y', normalizePictures(b, input, { channelOrder, scale: 255, mean, std }));
      const plan = await b.compile({ poison: true });
      const { y } = await plan.run({ pictures: bytes })();
      plan.dispose();
      const expected: number[] = [];
      for (let picture = 0; picture < n; picture++) {
        const value = (pixel: number, c: number) => {
          const source = channelOrder === 'BGR' ? 2 - c : c;
          const byte = bytes[(picture * h * w + pixel) * 3 + source] as number;
          return (byte / 255 - (mean[c] as number)) / (std[c] as number);
        };
        for (let c = 0; c < (channelOrder === 'GREY' ? 1 : 3); c++) {
          for (let pixel = 0; pixel < h * w; pixel++) {
            const grey = 0.299 * value(pixel, 0) + 0.587 * value(pixel, 1) + 0.114 * value(pixel, 2);
            expected.push(channelOrder === 'GREY' ? grey : value(pixel, c));
          }
        }
      }
      assertClose(y as Float32Array, expected, 'pixels', 1e-6);
    });
  }
});
