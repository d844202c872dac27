import '@tensorflow/tfjs-backend-cpu';
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { EngineError } from '../../src/kernels/errors.js';
import type { ResizeCoordinates } from '../../src/kernels/ops/resize/coordinates.js';
import { type NearestRounding, type ResizeAttributes, resize } from '../../src/kernels/ops/resize/resize.js';
import { PlanBuilder } from '../../src/kernels/planBuilder.js';
import type { Tensor } from '../../src/kernels/tensor.js';
import { freshSeed, seeded } from '../training/fixtures.js';
import { gradientsRegistered } from '../training/tfjsGradients.js';
import { assertClose, checkOp, type OpCase } from './checkOp.js';
import { openFamilies } from './engines.js';
import { indicesOf, offsetOf } from './logical.js';

const seed = freshSeed();
const random = seeded(seed);
const between = (low: number, high: number) => low + Math.floor(random() * (high - low + 1));

type Shape4 = readonly [number, number, number, number];

/** The formulas of ONNX's Resize (operator set 19), attribute coordinate_transformation_mode. */
const PLACES: Record<ResizeCoordinates, (o: number, scale: number, size: number, resized: number) => number> = {
  half_pixel: (o, scale) => (o + 0.5) / scale - 0.5,
  pytorch_half_pixel: (o, scale, _, resized) => (resized > 1 ? (o + 0.5) / scale - 0.5 : 0),
  align_corners: (o, _, size, resized) => (resized === 1 ? 0 : (o * (size - 1)) / (resized - 1)),
  asymmetric: (o, scale) => o / scale,
  tf_half_pixel_for_nn: (o, scale) => (o + 0.5) / scale,
};
const ROUND: Record<NearestRounding, (place: number) => number> = {
  floor: Math.floor,
  ceil: Math.ceil,
  round_prefer_floor: (place) => Math.ceil(place - 0.5),
  round_prefer_ceil: (place) => Math.floor(place + 0.5),
};

function resizeCase(x: Shape4, attributes: ResizeAttributes): OpCase {
  const { size, scale, mode, coordinates, rounding = 'round_prefer_floor' } = attributes;
  const result = [x[0], x[1], ...size];
  const neighbours = (axis: 0 | 1, o: number): [at: number, share: number][] => {
    const length = x[axis + 2] as number;
    const exact = PLACES[coordinates](o, scale?.[axis] ?? size[axis] / length, length, size[axis]);
    // Whole and half places come out of the division a few bits off.
    const place = Math.round(exact * 1e9) / 1e9;
    const clamped = (at: number) => Math.min(Math.max(at, 0), length - 1);
    if (mode === 'nearest') return [[clamped(ROUND[rounding](place)), 1]];
    const below = Math.floor(place);
    return [
      [clamped(below), 1 - (place - below)],
      [clamped(below + 1), place - below],
    ];
  };
  const scales = scale ? ` by ${scale.join(', ')}` : '';
  return {
    name: `${mode} ${mode === 'nearest' ? `${rounding} ` : ''}${coordinates} from ${x.join('x')} to ${size.join('x')}${scales}`,
    inputs: { x: { shape: x } },
    build: (b, t) => resize(b, t.x as Tensor, attributes),
    reference: (values) =>
      Float64Array.from(indicesOf(result), ([n, c, row, column]) => {
        let sum = 0;
        for (const [y, shareY] of neighbours(0, row as number)) {
          for (const [at, shareX] of neighbours(1, column as number)) {
            sum +=
              shareY * shareX * ((values.x as Float64Array)[offsetOf([n as number, c as number, y, at], x)] as number);
          }
        }
        return sum;
      }),
  };
}

const COORDINATES = Object.keys(PLACES) as ResizeCoordinates[];
const ROUNDINGS = Object.keys(ROUND) as NearestRounding[];

const CASES: OpCase[] = [
  ...COORDINATES.flatMap((coordinates) => [
    resizeCase([2, 3, 5, 7], { size: [10, 14], mode: 'linear', coordinates }),
    resizeCase([1, 3, 9, 8], { size: [4, 3], mode: 'linear', coordinates }),
    resizeCase([2, 1, 5, 4], { size: [1, 11], mode: 'linear', coordinates }),
  ]),
  ...COORDINATES.flatMap((coordinates) =>
    ROUNDINGS.flatMap((rounding) => [
      resizeCase([1, 2, 5, 6], { size: [10, 9], mode: 'nearest', coordinates, rounding }),
      resizeCase([2, 2, 10, 7], { size: [5, 3], mode: 'nearest', coordinates, rounding }),
    ]),
  ),
  resizeCase([2, 3, 1, 1], { size: [5, 3], mode: 'linear', coordinates: 'half_pixel' }),
  resizeCase([2, 3, 4, 4], { size: [2, 2], scale: [0.6, 0.6], mode: 'linear', coordinates: 'half_pixel' }),
  resizeCase([1, 2, 5, 5], {
    size: [12, 8],
    scale: [2.5, 1.7],
    mode: 'nearest',
    coordinates: 'asymmetric',
    rounding: 'floor',
  }),
  resizeCase([1, 2, 6, 6], { size: [4, 4], scale: [0.7, 0.8], mode: 'nearest', coordinates: 'half_pixel' }),
  resizeCase([1, 2, 7, 5], { size: [7, 5], mode: 'linear', coordinates: 'half_pixel' }),
];

const toNhwc = (data: Float32Array, shape: readonly number[]) =>
  tf.transpose(tf.tensor4d(data, [...shape] as [number, number, number, number]), [0, 2, 3, 1]) as tf.Tensor4D;
const toNchw = (tensor: tf.Tensor) => tf.transpose(tensor, [0, 3, 1, 2]).dataSync() as Float32Array;

interface Convention {
  readonly align: boolean;
  readonly half: boolean;
  readonly mode: 'nearest' | 'linear';
  readonly coordinates: ResizeCoordinates;
  readonly rounding?: NearestRounding;
}

/** tfjs differentiates the conventions without half_pixel_centers only. */
const TFJS: Record<string, Convention> = {
  'bilinear, half_pixel_centers': { align: false, half: true, mode: 'linear', coordinates: 'half_pixel' },
  'bilinear, align_corners': { align: true, half: false, mode: 'linear', coordinates: 'align_corners' },
  'bilinear, neither': { align: false, half: false, mode: 'linear', coordinates: 'asymmetric' },
  'nearest, half_pixel_centers': {
    align: false,
    half: true,
    mode: 'nearest',
    coordinates: 'tf_half_pixel_for_nn',
    rounding: 'floor',
  },
  'nearest, align_corners': {
    align: true,
    half: false,
    mode: 'nearest',
    coordinates: 'align_corners',
    rounding: 'round_prefer_ceil',
  },
  'nearest, neither': { align: false, half: false, mode: 'nearest', coordinates: 'asymmetric', rounding: 'floor' },
};

describe(`resize, seed ${seed} (GRAFT_TEST_SEED repeats it)`, () => {
  let opened: Awaited<ReturnType<typeof openFamilies>>;
  before(async () => {
    await gradientsRegistered;
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

  for (const [name, { align, half, mode, coordinates, rounding }] of Object.entries(TFJS)) {
    test(`equals tfjs's ${name}`, async (t) => {
      // tfjs's gradients take height for width (bilinear) and the input's batch stride for dy's (nearest): one square picture.
      const side = between(2, 9);
      const shape: Shape4 = [1, between(1, 3), side, side];
      // A power of two of times as large: tfjs rounds places in float32, which is exact there.
      const size = align ? [between(2, 15), between(2, 15)] : [2 * shape[2], 4 * shape[3]];
      t.diagnostic(`${shape.join('x')} to ${size.join('x')}`);
      const [height, width] = size as [number, number];
      const x = Float32Array.from({ length: shape.reduce((a, c) => a * c) }, () => 2 * random() - 1);
      const upstream = Float32Array.from({ length: shape[0] * shape[1] * height * width }, () => 2 * random() - 1);
      const expected = tf.tidy(() => {
        const run = (input: tf.Tensor4D) => {
          const op = mode === 'linear' ? tf.image.resizeBilinear : tf.image.resizeNearestNeighbor;
          return op(input, [height, width], align, half);
        };
        const input = toNhwc(x, shape);
        const y = toNchw(run(input));
        if (half) return { y };
        const dy = toNhwc(upstream, [shape[0], shape[1], height, width]);
        return { y, dx: toNchw(tf.grad((given) => run(given as tf.Tensor4D))(input, dy)) };
      });
      for (const { engine, family } of opened.families) {
        const b = new PlanBuilder(engine);
        const input = b.input('x', shape, { requiresGradient: true });
        const y = resize(b, input, { size: [height, width], mode, coordinates, ...(rounding ? { rounding } : {}) });
        b.output('y', y);
        b.output('dx', b.backward(y, b.input('upstream', y.shape)).get(input) as Tensor);
        const plan = await b.compile({ poison: true });
        const read = await plan.run({ x, upstream })();
        plan.dispose();
        assertClose(read.y as Float32Array, expected.y, `${family}: y`, 2e-5);
        if (expected.dx) assertClose(read.dx as Float32Array, expected.dx, `${family}: dx`, 2e-5);
      }
    });
  }

  test('what does not fit is refused', () => {
    const { engine } = opened.families[0] as (typeof opened.families)[0];
    const b = new PlanBuilder(engine);
    const x = b.input('x', [2, 6, 3, 5]);
    const attributes = { size: [4, 4], mode: 'linear', coordinates: 'half_pixel' } as const;
    const refused = (code: string, build: () => unknown) =>
      assert.throws(build, (error) => error instanceof EngineError && error.code === code);
    refused('INVALID_SHAPE', () => resize(b, b.input('vectors', [2, 6]), attributes));
    refused('INVALID_SHAPE', () => resize(b, x, { ...attributes, scale: [0, 1] }));
    refused('INVALID_SHAPE', () => resize(b, x, { ...attributes, size: [0, 4] }));
    refused('LIMIT_EXCEEDED', () => resize(b, x, { ...attributes, scale: [Math.PI * 1e8, 1] }));
  });
});
