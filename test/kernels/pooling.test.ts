import '@tensorflow/tfjs-backend-cpu';
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { EngineError } from '../../src/kernels/errors.js';
import { adaptiveAveragePool, adaptiveMaxPool } from '../../src/kernels/ops/adaptivePool/adaptivePool.js';
import { conv2d } from '../../src/kernels/ops/conv2d/conv2d.js';
import { averagePool, maxPool } from '../../src/kernels/ops/pool/pool.js';
import { samePadding } from '../../src/kernels/ops/window.js';
import { PlanBuilder } from '../../src/kernels/planBuilder.js';
import type { Tensor } from '../../src/kernels/tensor.js';
import { freshSeed, seeded } from '../training/fixtures.js';
import { assertClose, checkOp, type OpCase } from './checkOp.js';
import { openFamilies } from './engines.js';

const seed = freshSeed();
const random = seeded(seed);
const between = (low: number, high: number) => low + Math.floor(random() * (high - low + 1));

type Shape4 = readonly [number, number, number, number];
type Pair = readonly [number, number];

interface Pool {
  readonly x: Shape4;
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly padding?: readonly [top: number, left: number, bottom: number, right: number];
  readonly dilation?: Pair;
  readonly ceilMode?: boolean;
}

/** Positions of the windows' starts in the padded frame: each new one as long as the one before did not reach the frame's end. */
function starts(
  size: number,
  span: number,
  stride: number,
  before: number,
  after: number,
  ceilMode: boolean,
): number[] {
  const frame = size + before + after;
  const found = [0];
  for (let start = stride; ; start += stride) {
    const isLast = start - stride + span >= frame || start >= size + before;
    if (isLast || (!ceilMode && start + span > frame)) return found;
    found.push(start);
  }
}

/** Pools a frame that holds null where there is padding and undefined past it. */
function poolReference(p: Pool, x: Float64Array, put: (window: (number | null | undefined)[]) => number): Float64Array {
  const [n, c, height, width] = p.x;
  const [top, left, bottom, right] = p.padding ?? [0, 0, 0, 0];
  const [dy, dx] = p.dilation ?? [1, 1];
  const [kh, kw] = p.kernel;
  const ys = starts(height, (kh - 1) * dy + 1, p.stride[0], top, bottom, p.ceilMode ?? false);
  const xs = starts(width, (kw - 1) * dx + 1, p.stride[1], left, right, p.ceilMode ?? false);
  const at = (plane: number, y: number, column: number): number | null | undefined => {
    if (y >= top + height + bottom || column >= left + width + right) return undefined;
    const [row, pixel] = [y - top, column - left];
    if (row < 0 || row >= height || pixel < 0 || pixel >= width) return null;
    return x[(plane * height + row) * width + pixel] as number;
  };
  const results: number[] = [];
  for (let plane = 0; plane < n * c; plane++) {
    for (const y of ys) {
      for (const column of xs) {
        const taps = Array.from({ length: kh * kw }, (_, tap) =>
          at(plane, y + Math.floor(tap / kw) * dy, column + (tap % kw) * dx),
        );
        results.push(put(taps));
      }
    }
  }
  return Float64Array.from(results);
}

const isNumber = (value: number | null | undefined): value is number => typeof value === 'number';
const mean = (values: readonly number[], count = values.length) =>
  values.reduce((sum, value) => sum + value, 0) / count;

function poolCase(kind: 'max' | 'average' | 'average, padding counted', p: Pool): OpCase {
  const [top, left, bottom, right] = p.padding ?? [0, 0, 0, 0];
  const countIncludePad = kind === 'average, padding counted';
  const attributes = {
    kernel: p.kernel,
    stride: p.stride,
    padding: { top, left, bottom, right },
    ceilMode: p.ceilMode ?? false,
    ...(p.dilation ? { dilation: p.dilation } : {}),
  };
  const details = [
    `${p.kernel.join('x')} / ${p.stride.join('x')} of ${p.x.join('x')}`,
    ...(p.padding ? [`padding ${p.padding.join(' ')}`] : []),
    ...(p.dilation ? [`dilation ${p.dilation.join(' ')}`] : []),
    ...(p.ceilMode ? ['ceil'] : []),
  ];
  return {
    name: `${kind}: ${details.join(', ')}`,
    inputs: { x: { shape: p.x } },
    build: (b, t) =>
      kind === 'max'
        ? maxPool(b, t.x as Tensor, attributes)
        : averagePool(b, t.x as Tensor, { ...attributes, countIncludePad }),
    reference: (values) =>
      poolReference(p, values.x as Float64Array, (taps) => {
        const pixels = taps.filter(isNumber);
        if (kind === 'max') return Math.max(...pixels);
        return mean(pixels, countIncludePad ? taps.filter((tap) => tap !== undefined).length : pixels.length);
      }),
  };
}

const KINDS = ['max', 'average', 'average, padding counted'] as const;
const POOLS: Pool[] = [
  { x: [2, 3, 9, 8], kernel: [3, 3], stride: [2, 2], padding: [1, 1, 1, 1] },
  { x: [2, 2, 7, 7], kernel: [3, 3], stride: [1, 1] },
  { x: [1, 2, 10, 11], kernel: [3, 2], stride: [2, 3], padding: [0, 1, 2, 0], ceilMode: true },
  { x: [1, 2, 8, 8], kernel: [3, 3], stride: [2, 2], ceilMode: true },
  // The last window in ceil mode would begin in the padding behind: it does not count.
  { x: [1, 1, 5, 5], kernel: [2, 2], stride: [3, 3], padding: [1, 1, 1, 1], ceilMode: true },
  { x: [2, 3, 9, 8], kernel: [3, 2], stride: [1, 2], dilation: [2, 3] },
  { x: [1, 3, 9, 10], kernel: [3, 3], stride: [2, 2], dilation: [2, 2], padding: [2, 2, 2, 2] },
  { x: [1, 2, 10, 9], kernel: [2, 3], stride: [3, 2], dilation: [3, 2], padding: [1, 3, 2, 0], ceilMode: true },
  { x: [1, 2, 7, 9], kernel: [2, 2], stride: [3, 4] },
  { x: [2, 1, 5, 5], kernel: [5, 5], stride: [1, 1], padding: [2, 2, 2, 2] },
  // Strides whose blocks are too large for one invocation.
  { x: [1, 2, 13, 14], kernel: [6, 5], stride: [5, 4], padding: [2, 1, 3, 0] },
];

const LINES_OF_QUADS: Pool[] = [
  { x: [2, 3, 8, 16], kernel: [3, 3], stride: [2, 2], padding: [1, 1, 1, 1] },
  { x: [1, 2, 6, 8], kernel: [3, 3], stride: [1, 1], padding: [1, 1, 1, 1] },
  { x: [3, 1, 9, 12], kernel: [2, 2], stride: [2, 2] },
  { x: [1, 2, 7, 9], kernel: [2, 2], stride: [1, 2], padding: [0, 0, 1, 1], ceilMode: true },
];

function adaptiveCase(kind: 'average' | 'max', x: Shape4, size: Pair): OpCase {
  const [n, c, height, width] = x;
  const pixels = (o: number, length: number, windows: number) => {
    const first = Math.floor((o * length) / windows);
    return Array.from({ length: Math.ceil(((o + 1) * length) / windows) - first }, (_, i) => first + i);
  };
  return {
    name: `adaptive ${kind} of ${x.join('x')} to ${size.join('x')}`,
    inputs: { x: { shape: x } },
    build: (b, t) => (kind === 'average' ? adaptiveAveragePool : adaptiveMaxPool)(b, t.x as Tensor, size),
    reference: (values) =>
      Float64Array.from({ length: n * c * size[0] * size[1] }, (_, i) => {
        const plane = Math.floor(i / (size[0] * size[1]));
        const rows = pixels(Math.floor(i / size[1]) % size[0], height, size[0]);
        const window = rows.flatMap((y) =>
          pixels(i % size[1], width, size[1]).map(
            (at) => (values.x as Float64Array)[(plane * height + y) * width + at],
          ),
        ) as number[];
        return kind === 'average' ? mean(window) : Math.max(...window);
      }),
  };
}

const ADAPTIVE: readonly (readonly [Shape4, Pair])[] = [
  [
    [2, 3, 13, 13],
    [6, 6],
  ],
  [
    [2, 3, 7, 5],
    [1, 1],
  ],
  [
    [1, 2, 5, 8],
    [3, 4],
  ],
  [
    [2, 1, 3, 2],
    [7, 5],
  ],
];

const CASES: OpCase[] = [
  ...POOLS.flatMap((pool) => KINDS.map((kind) => poolCase(kind, pool))),
  // Where no gradient is asked for, max pooling has a kernel of its own.
  ...[...POOLS, ...LINES_OF_QUADS].map((pool): OpCase => {
    const op = poolCase('max', pool);
    return { ...op, name: `${op.name}, without a gradient`, inputs: { x: { shape: pool.x, constant: true } } };
  }),
  ...ADAPTIVE.flatMap(([x, size]) => [adaptiveCase('average', x, size), adaptiveCase('max', x, size)]),
];

const toNhwc = (data: Float32Array, shape: readonly number[]) =>
  tf.transpose(tf.tensor4d(data, [...shape] as [number, number, number, number]), [0, 2, 3, 1]) as tf.Tensor4D;
const toNchw = (tensor: tf.Tensor) => tf.transpose(tensor, [0, 3, 1, 2]).dataSync() as Float32Array;

describe(`pooling, seed ${seed} (GRAFT_TEST_SEED repeats it)`, () => {
  let opened: Awaited<ReturnType<typeof openFamilies>>;
  before(async () => {
    opened = await openFamilies();
  });
  after(() => opened.close());
  for (const op of CASES) {
    test(op.name, async (t) => {
      if (opened.skipped) t.diagnostic(opened.skipped);
      for (const { family, engine } of opened.families) {
        const isChecked = await checkOp(engine, { ...op, name: `${family}: ${op.name}` }, random);
        if (!isChecked) t.diagnostic('this adapter lacks shader-f16: float16 plans are not checked');
      }
    });
  }

  test('averages of ones tell the divisors (PyTorch: avg_pool2d, ceil_mode, count_include_pad)', async () => {
    // torch.nn.functional.avg_pool2d(torch.ones(1, 1, 4, 4), 3, 2, 1, ceil_mode=True, count_include_pad=True): windows at
    // -1, 1 and 3 see 2, 3 and 1 of their rows in the picture; of the last window's, the padded frame holds 2.
    const expected = [4 / 9, 6 / 9, 2 / 6, 6 / 9, 9 / 9, 3 / 6, 2 / 6, 3 / 6, 1 / 4];
    for (const { engine, family } of opened.families) {
      const b = new PlanBuilder(engine);
      const y = averagePool(b, b.input('x', [1, 1, 4, 4]), {
        kernel: [3, 3],
        stride: [2, 2],
        padding: { top: 1, left: 1, bottom: 1, right: 1 },
        ceilMode: true,
        countIncludePad: true,
      });
      b.output('y', y);
      const plan = await b.compile();
      const read = await plan.run({ x: new Float32Array(16).fill(1) })();
      plan.dispose();
      assertClose(read.y as Float32Array, expected, family, 1e-6);
    }
  });

  for (let trial = 1; trial <= 4; trial++) {
    test(`same padding pools and convolves as tfjs's 'same', random shape ${trial}`, async (t) => {
      const x: Shape4 = [between(1, 2), between(1, 3), between(5, 12), between(5, 12)];
      const kernel = [between(1, 4), between(1, 4)] as const;
      const stride = [between(1, 3), between(1, 3)] as const;
      const dilation = [between(1, 3), between(1, 3)] as const;
      t.diagnostic(
        `${x.join('x')}, window ${kernel.join('x')}, stride ${stride.join(' ')}, dilation ${dilation.join(' ')}`,
      );
      const size = [x[2], x[3]] as const;
      const data = Float32Array.from({ length: x.reduce((a, c) => a * c) }, () => 2 * random() - 1);
      const weight = Float32Array.from({ length: 2 * x[1] * kernel[0] * kernel[1] }, () => 2 * random() - 1);
      const ones = [1, 1] as const;
      const expected = tf.tidy(() => {
        const input = toNhwc(data, x);
        const filter = tf.transpose(tf.tensor4d(weight, [2, x[1], ...kernel]), [2, 3, 1, 0]) as tf.Tensor4D;
        return {
          max: toNchw(tf.maxPool(input, [...kernel], [...stride], 'same')),
          average: toNchw(tf.avgPool(input, [...kernel], [...stride], 'same')),
          strided: toNchw(tf.conv2d(input, filter, [...stride], 'same')),
          dilated: toNchw(tf.conv2d(input, filter, [1, 1], 'same', 'NHWC', [...dilation])),
        };
      });
      for (const { engine, family } of opened.families) {
        const b = new PlanBuilder(engine);
        const input = b.input('x', x);
        const filter = b.input('weight', [2, x[1], ...kernel], { layout: 'dense' });
        const pooling = { kernel, stride, padding: samePadding(size, kernel, stride), ceilMode: false };
        b.output('max', maxPool(b, input, pooling));
        b.output('average', averagePool(b, input, { ...pooling, countIncludePad: false }));
        const strided = { stride, padding: samePadding(size, kernel, stride), dilation: ones, groups: 1 };
        b.output('strided', conv2d(b, input, filter, strided));
        const dilated = { stride: ones, padding: samePadding(size, kernel, ones, dilation), dilation, groups: 1 };
        b.output('dilated', conv2d(b, input, filter, dilated));
        const plan = await b.compile({ poison: true });
        const read = await plan.run({ x: data, weight })();
        plan.dispose();
        for (const [name, value] of Object.entries(expected)) {
          assertClose(read[name] as Float32Array, value, `${family}: ${name}`, 2e-5);
        }
      }
    });
  }

  test('same padding, its odd pixel behind or, with lower, before', () => {
    // ONNX, operator Conv, auto_pad: an odd padding's extra pixel is at the end for SAME_UPPER, at the start for SAME_LOWER.
    assert.deepEqual(samePadding([5, 6], [2, 3], [1, 2]), { top: 0, left: 0, bottom: 1, right: 1 });
    assert.deepEqual(samePadding([5, 6], [2, 3], [1, 2], [1, 1], true), { top: 1, left: 1, bottom: 0, right: 0 });
    assert.deepEqual(samePadding([8, 8], [3, 3], [1, 1], [2, 2]), { top: 2, left: 2, bottom: 2, right: 2 });
  });

  test('a window that would see padding only is refused', () => {
    const { engine } = opened.families[0] as (typeof opened.families)[0];
    const b = new PlanBuilder(engine);
    const x = b.input('x', [1, 1, 4, 4]);
    const pool = { kernel: [2, 2], stride: [1, 1], ceilMode: false } as const;
    const refused = (build: () => unknown) =>
      assert.throws(build, (error) => error instanceof EngineError && error.code === 'INVALID_SHAPE');
    refused(() => maxPool(b, x, { ...pool, padding: { top: 2, left: 0, bottom: 0, right: 0 } }));
    refused(() => maxPool(b, x, { ...pool, padding: { top: 0, left: 0, bottom: 0, right: 2 } }));
    refused(() => maxPool(b, x, { ...pool, dilation: [4, 4], padding: { top: 0, left: 0, bottom: 0, right: 0 } }));
    refused(() => adaptiveAveragePool(b, b.input('vectors', [2, 6]), [1, 1]));
  });
});
