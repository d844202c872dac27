import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { EngineError } from '../../src/kernels/errors.js';
import { conv3d, convTranspose3d, type Triple } from '../../src/kernels/ops/conv3d/conv3d.js';
import { convTranspose2d } from '../../src/kernels/ops/convTranspose2d/convTranspose2d.js';
import { PlanBuilder } from '../../src/kernels/planBuilder.js';
import { elementCount, type Tensor } from '../../src/kernels/tensor.js';
import { freshSeed, seeded } from '../training/fixtures.js';
import { checkOp, type OpCase } from './checkOp.js';
import { type FamilyEngine, openFamilies } from './engines.js';
import { indicesOf, offsetOf } from './logical.js';

const seed = freshSeed();
const random = seeded(seed);

interface Setting {
  readonly x: Triple;
  readonly channels: number;
  readonly out: number;
  readonly kernel: Triple;
  readonly stride: Triple;
  readonly before: Triple;
  readonly after: Triple;
  readonly dilation: Triple;
  readonly groups: number;
  readonly outputPadding: Triple;
}
const BATCH = 2;

const BASE: Setting = {
  x: [1, 4, 3],
  channels: 4,
  out: 6,
  kernel: [1, 3, 2],
  stride: [1, 1, 1],
  before: [0, 0, 0],
  after: [0, 0, 0],
  dilation: [1, 1, 1],
  groups: 1,
  outputPadding: [0, 0, 0],
};

const each = (f: (axis: number) => number): Triple => [f(0), f(1), f(2)];
const transposedSize = (s: Setting): Triple =>
  each(
    (i) =>
      ((s.x[i] as number) - 1) * (s.stride[i] as number) +
      ((s.kernel[i] as number) - 1) * (s.dilation[i] as number) +
      1 +
      (s.outputPadding[i] as number) -
      (s.before[i] as number) -
      (s.after[i] as number),
  );
const convolvedSize = (s: Setting): Triple =>
  each((i) => {
    const span = (s.x[i] as number) + (s.before[i] as number) + (s.after[i] as number);
    return (
      Math.floor((span - (s.dilation[i] as number) * ((s.kernel[i] as number) - 1) - 1) / (s.stride[i] as number)) + 1
    );
  });

/** Calls `visit` for every pixel of a small side, tap and pixel of a large side that meet: large = small stride + tap - padding. */
function meetings(
  s: Setting,
  small: Triple,
  large: Triple,
  visit: (small: number[], tap: number[], large: number[]) => void,
) {
  for (const pixel of indicesOf(small)) {
    for (const tap of indicesOf(s.kernel)) {
      const place = pixel.map(
        (at, i) =>
          at * (s.stride[i] as number) + (tap[i] as number) * (s.dilation[i] as number) - (s.before[i] as number),
      );
      if (place.every((at, i) => at >= 0 && at < (large[i] as number))) visit(pixel, tap, place);
    }
  }
}

/** Each input pixel adds its multiple of the kernel to the output. */
function transposedReference(s: Setting, values: Readonly<Record<string, Float64Array>>): Float64Array {
  const size = transposedSize(s);
  const shape = [BATCH, s.out, ...size];
  const y = new Float64Array(elementCount(shape));
  const [inPerGroup, outPerGroup] = [s.channels / s.groups, s.out / s.groups];
  for (const [n = 0, o = 0] of indicesOf([BATCH, s.out])) {
    const g = Math.floor(o / outPerGroup);
    for (const at of indicesOf(size)) y[offsetOf([n, o, ...at], shape)] = values.bias?.[o] as number;
    meetings(s, s.x, size, (pixel, tap, place) => {
      for (let c = g * inPerGroup; c < (g + 1) * inPerGroup; c++) {
        const x = values.x?.[offsetOf([n, c, ...pixel], [BATCH, s.channels, ...s.x])] as number;
        const w = values.w?.[offsetOf([c, o % outPerGroup, ...tap], [s.channels, outPerGroup, ...s.kernel])] as number;
        const target = offsetOf([n, o, ...place], shape);
        y[target] = (y[target] as number) + x * w;
      }
    });
  }
  return y;
}

function convolvedReference(s: Setting, values: Readonly<Record<string, Float64Array>>): Float64Array {
  const size = convolvedSize(s);
  const shape = [BATCH, s.out, ...size];
  const y = new Float64Array(elementCount(shape));
  const [inPerGroup, outPerGroup] = [s.channels / s.groups, s.out / s.groups];
  for (const [n = 0, o = 0] of indicesOf([BATCH, s.out])) {
    const g = Math.floor(o / outPerGroup);
    for (const at of indicesOf(size)) y[offsetOf([n, o, ...at], shape)] = values.bias?.[o] as number;
    meetings(s, size, s.x, (pixel, tap, place) => {
      for (let c = 0; c < inPerGroup; c++) {
        const x = values.x?.[offsetOf([n, g * inPerGroup + c, ...place], [BATCH, s.channels, ...s.x])] as number;
        const w = values.w?.[offsetOf([o, c, ...tap], [s.out, inPerGroup, ...s.kernel])] as number;
        const target = offsetOf([n, o, ...pixel], shape);
        y[target] = (y[target] as number) + x * w;
      }
    });
  }
  return y;
}

function transposed2d(name: string, changes: Partial<Setting>): OpCase {
  const s = { ...BASE, ...changes };
  const pair = (triple: Triple) => [triple[1], triple[2]] as const;
  return {
    name: `transposed convolution, ${name}`,
    inputs: {
      x: { shape: [BATCH, s.channels, ...pair(s.x)] },
      w: { shape: [s.channels, s.out / s.groups, ...pair(s.kernel)], layout: 'dense' },
      bias: { shape: [s.out], layout: 'dense' },
    },
    build: (b, { x, w, bias }) =>
      convTranspose2d(
        b,
        x as Tensor,
        w as Tensor,
        {
          stride: pair(s.stride),
          padding: { top: s.before[1], left: s.before[2], bottom: s.after[1], right: s.after[2] },
          dilation: pair(s.dilation),
          groups: s.groups,
          outputPadding: pair(s.outputPadding),
        },
        bias as Tensor,
      ),
    reference: (values) => transposedReference(s, values),
  };
}

function volume(name: string, kind: 'convolution' | 'transposed convolution', changes: Partial<Setting>): OpCase {
  const s = { ...BASE, x: [4, 3, 5] as const, kernel: [2, 3, 2] as const, ...changes };
  const weight =
    kind === 'convolution' ? [s.out, s.channels / s.groups, ...s.kernel] : [s.channels, s.out / s.groups, ...s.kernel];
  const attributes = {
    stride: s.stride,
    padding: { before: s.before, after: s.after },
    dilation: s.dilation,
    groups: s.groups,
    outputPadding: s.outputPadding,
  };
  return {
    name: `3-D ${kind}, ${name}`,
    inputs: {
      x: { shape: [BATCH, s.channels, ...s.x], layout: 'dense' },
      w: { shape: weight, layout: 'dense' },
      bias: { shape: [s.out], layout: 'dense' },
    },
    build: (b, { x, w, bias }) =>
      (kind === 'convolution' ? conv3d : convTranspose3d)(b, x as Tensor, w as Tensor, attributes, bias as Tensor),
    reference: (values) => (kind === 'convolution' ? convolvedReference : transposedReference)(s, values),
  };
}

const CASES: OpCase[] = [
  transposed2d('stride 1', {}),
  transposed2d('stride 2 with output padding', {
    stride: [1, 2, 2],
    outputPadding: [0, 1, 1],
    before: [0, 1, 0],
    after: [0, 1, 1],
  }),
  transposed2d('stride 3', { stride: [1, 3, 3], kernel: [1, 2, 5], after: [0, 0, 2] }),
  transposed2d('groups and dilation', { groups: 2, dilation: [1, 2, 1] }),
  transposed2d('depthwise', { channels: 6, groups: 6, stride: [1, 2, 2], before: [0, 1, 1] }),
  volume('stride 1', 'convolution', {}),
  volume('stride, padding, groups, dilation', 'convolution', {
    stride: [2, 1, 2],
    before: [1, 1, 0],
    after: [0, 1, 1],
    groups: 2,
    dilation: [2, 1, 1],
  }),
  volume('stride 1', 'transposed convolution', {}),
  volume('stride, padding, groups, output padding', 'transposed convolution', {
    stride: [2, 1, 3],
    before: [1, 0, 1],
    after: [0, 1, 2],
    groups: 2,
    outputPadding: [1, 0, 2],
    dilation: [1, 2, 1],
  }),
];

describe(`transposed and 3-D convolutions, seed ${seed} (GRAFT_TEST_SEED repeats it)`, () => {
  let opened: Awaited<ReturnType<typeof openFamilies>>;
  before(async () => {
    opened = await openFamilies();
  });
  after(() => opened.close());
  for (const op of CASES) {
    test(op.name, async (t) => {
      if (opened.skipped) t.diagnostic(opened.skipped);
      for (const { engine, family } of opened.families) {
        await checkOp(engine, { ...op, name: `${op.name}, ${family}` }, random);
      }
    });
  }

  test('output padding of a stride or more is refused', () => {
    const b = new PlanBuilder((opened.families[0] as FamilyEngine).engine);
    const attributes = {
      stride: [2, 2] as const,
      padding: { top: 0, left: 0, bottom: 0, right: 0 },
      dilation: [1, 1] as const,
      groups: 1,
      outputPadding: [2, 0] as const,
    };
    const [x, w] = [b.input('x', [1, 2, 3, 3]), b.input('w', [2, 2, 3, 3], { layout: 'dense' })];
    assert.throws(
      () => convTranspose2d(b, x, w, attributes),
      (error) => error instanceof EngineError && error.code === 'INVALID_SHAPE',
    );
  });
});
