import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { conv2d } from '../../src/kernels/ops/conv2d/conv2d.js';
import { dense } from '../../src/kernels/ops/dense/dense.js';
import type { Conv2dLayer, DenseLayer } from '../../src/models/network.js';
import { layerShape } from '../../src/models/shapes.js';
import { referenceLayer } from '../models/reference.js';
import { freshSeed, seeded } from '../training/fixtures.js';
import { buildOp, checkOp, type OpCase, type OpInput } from './checkOp.js';
import { openFamilies } from './engines.js';

interface Convolution {
  readonly name: string;
  readonly x: readonly [number, number, number, number];
  readonly outChannels: number;
  readonly kernel: readonly [number, number];
  readonly stride?: readonly [number, number];
  readonly padding?: readonly [top: number, left: number, bottom: number, right: number];
  readonly dilation?: readonly [number, number];
  readonly groups?: number;
  readonly bias?: boolean;
  readonly residual?: boolean;
  readonly activation?: 'relu' | 'relu6';
}

/** `apart` keeps what is put into an activation away from its corners, where central differences say nothing. */
function convolutionCase(c: Convolution): OpCase {
  const { stride = [1, 1], padding = [0, 0, 0, 0], dilation = [1, 1], groups = 1 } = c;
  const [top, left, bottom, right] = padding;
  const layer: Conv2dLayer = {
    kind: 'conv2d',
    name: 'conv',
    inputs: ['x'],
    learningRateFactor: 1,
    outChannels: c.outChannels,
    kernel: c.kernel,
    stride,
    padding: { top, left, bottom, right },
    dilation,
    groups,
    weight: 'weight',
    bias: c.bias ? 'bias' : null,
  };
  const shape = layerShape(layer, [c.x]);
  const inputs: Record<string, OpInput> = {
    x: { shape: c.x },
    weight: { shape: [c.outChannels, c.x[1] / groups, ...c.kernel], layout: 'dense' },
  };
  if (c.bias) inputs.bias = { shape: [c.outChannels], layout: 'dense' };
  if (c.residual) inputs.residual = { shape };
  return {
    name: c.name,
    inputs,
    build: (b, t) =>
      conv2d(b, t.x as never, t.weight as never, layer, {
        bias: t.bias ?? null,
        residual: t.residual ?? null,
        activation: c.activation ?? null,
      }),
    reference: (values) => {
      const x = { shape: c.x, data: values.x as Float64Array };
      const sum = referenceLayer(layer, [x], shape, (name) => values[name] as Float64Array);
      return sum.map((value, i) => {
        const total = value + (values.residual?.[i] ?? 0);
        if (!c.activation) return total;
        return Math.max(0, c.activation === 'relu6' ? Math.min(6, total) : total);
      });
    },
  };
}

function denseCase(name: string, batch: number, features: number, outputs: number, bias: boolean): OpCase {
  const layer: DenseLayer = {
    kind: 'dense',
    name: 'dense',
    inputs: ['x'],
    learningRateFactor: 1,
    outFeatures: outputs,
    weight: 'weight',
    bias: bias ? 'bias' : null,
  };
  const inputs: Record<string, OpInput> = {
    x: { shape: [batch, features] },
    weight: { shape: [outputs, features], layout: 'dense' },
    ...(bias ? { bias: { shape: [outputs], layout: 'dense' } satisfies OpInput } : {}),
  };
  return {
    name,
    inputs,
    build: (b, t) => dense(b, t.x as never, t.weight as never, { bias: t.bias ?? null }),
    reference: (values) =>
      referenceLayer(
        layer,
        [{ shape: [batch, features], data: values.x as Float64Array }],
        [batch, outputs],
        (key) => values[key] as Float64Array,
      ),
  };
}

const seed = freshSeed();
const random = seeded(seed);
const between = (low: number, high: number) => low + Math.floor(random() * (high - low + 1));

const CASES: OpCase[] = [
  convolutionCase({ name: '1x1, batch 1', x: [1, 5, 7, 9], outChannels: 3, kernel: [1, 1] }),
  convolutionCase({ name: '1x1, deep and wide', x: [2, 70, 5, 7], outChannels: 67, kernel: [1, 1], bias: true }),
  convolutionCase({ name: '1x1 stride 2', x: [2, 6, 9, 8], outChannels: 5, kernel: [1, 1], stride: [2, 2] }),
  convolutionCase({
    name: '3x3 same',
    x: [3, 4, 8, 11],
    outChannels: 9,
    kernel: [3, 3],
    padding: [1, 1, 1, 1],
    bias: true,
  }),
  convolutionCase({
    name: '3x3 stride 2, asymmetric padding',
    x: [2, 3, 12, 15],
    outChannels: 8,
    kernel: [3, 3],
    stride: [2, 2],
    padding: [0, 0, 1, 1],
  }),
  convolutionCase({
    name: '5x4 stride 2 in 2 groups, padding 1 2 2 1',
    x: [2, 6, 11, 14],
    outChannels: 8,
    kernel: [5, 4],
    stride: [2, 2],
    padding: [1, 2, 2, 1],
    groups: 2,
  }),
  convolutionCase({ name: 'one line, stride 2', x: [3, 4, 1, 9], outChannels: 5, kernel: [1, 3], stride: [2, 2] }),
  convolutionCase({
    name: 'strides 1 and 2, padding 0 1 2 0',
    x: [2, 5, 7, 8],
    outChannels: 4,
    kernel: [3, 3],
    stride: [1, 2],
    padding: [0, 1, 2, 0],
  }),
  convolutionCase({
    name: '7x7 stride 2',
    x: [1, 3, 23, 21],
    outChannels: 6,
    kernel: [7, 7],
    stride: [2, 2],
    padding: [3, 3, 3, 3],
  }),
  convolutionCase({
    name: 'kernel 2x3, strides 3 and 2, padding 0 2 1 0',
    x: [2, 3, 11, 10],
    outChannels: 4,
    kernel: [2, 3],
    stride: [3, 2],
    padding: [0, 2, 1, 0],
  }),
  convolutionCase({
    name: 'dilation 2 and 3',
    x: [2, 3, 13, 14],
    outChannels: 5,
    kernel: [3, 2],
    dilation: [2, 3],
    padding: [2, 1, 0, 2],
  }),
  convolutionCase({
    name: 'dilation 2, stride 2',
    x: [1, 2, 13, 14],
    outChannels: 3,
    kernel: [3, 3],
    dilation: [2, 2],
    stride: [2, 2],
    padding: [2, 2, 2, 2],
  }),
  convolutionCase({
    name: '3 groups',
    x: [2, 9, 6, 7],
    outChannels: 12,
    kernel: [3, 3],
    padding: [1, 1, 1, 1],
    groups: 3,
    bias: true,
  }),
  convolutionCase({ name: '2 groups of 1x1', x: [1, 6, 5, 5], outChannels: 4, kernel: [1, 1], groups: 2 }),
  convolutionCase({ name: 'a column of 1 pixel', x: [4, 37, 1, 1], outChannels: 10, kernel: [1, 1], bias: true }),
  convolutionCase({
    name: 'bias, residual, ReLU6',
    x: [2, 5, 6, 5],
    outChannels: 7,
    kernel: [3, 3],
    padding: [1, 1, 1, 1],
    bias: true,
    residual: true,
    activation: 'relu6',
  }),
  convolutionCase({
    name: 'residual and ReLU without bias',
    x: [1, 33, 3, 5],
    outChannels: 4,
    kernel: [1, 1],
    residual: true,
    activation: 'relu',
  }),
  convolutionCase({
    name: 'depthwise 3x3',
    x: [2, 5, 9, 10],
    outChannels: 5,
    kernel: [3, 3],
    padding: [1, 1, 1, 1],
    groups: 5,
    bias: true,
  }),
  convolutionCase({
    name: 'depthwise 3x3 stride 2, asymmetric',
    x: [3, 4, 8, 13],
    outChannels: 4,
    kernel: [3, 3],
    stride: [2, 2],
    padding: [0, 0, 1, 1],
    groups: 4,
  }),
  convolutionCase({
    name: 'depthwise 5x5, ReLU6, residual',
    x: [1, 3, 11, 7],
    outChannels: 3,
    kernel: [5, 5],
    padding: [2, 2, 2, 2],
    groups: 3,
    bias: true,
    residual: true,
    activation: 'relu6',
  }),
  convolutionCase({
    name: 'depthwise dilation 2',
    x: [2, 3, 9, 8],
    outChannels: 3,
    kernel: [3, 3],
    dilation: [2, 2],
    padding: [2, 2, 2, 2],
    groups: 3,
  }),
  convolutionCase({
    name: 'depthwise, stride larger than the kernel',
    x: [1, 3, 11, 11],
    outChannels: 3,
    kernel: [2, 2],
    stride: [3, 3],
    groups: 3,
  }),
  convolutionCase({
    name: 'depthwise multiplier 2',
    x: [2, 3, 6, 7],
    outChannels: 6,
    kernel: [3, 3],
    padding: [1, 1, 1, 1],
    groups: 3,
    bias: true,
  }),
  convolutionCase({
    name: 'depthwise 5x5 stride 2',
    x: [2, 3, 13, 11],
    outChannels: 3,
    kernel: [5, 5],
    stride: [2, 2],
    padding: [2, 2, 2, 2],
    groups: 3,
  }),
  convolutionCase({
    name: 'depthwise 3x2, strides 1 and 2, padding 2 1 0 1',
    x: [1, 4, 7, 10],
    outChannels: 4,
    kernel: [3, 2],
    stride: [1, 2],
    padding: [2, 1, 0, 1],
    groups: 4,
  }),
  convolutionCase({
    name: 'depthwise 7x5, strides 3 and 4, padding 3 2 1 0',
    x: [1, 3, 17, 19],
    outChannels: 3,
    kernel: [7, 5],
    stride: [3, 4],
    padding: [3, 2, 1, 0],
    groups: 3,
  }),
  ...(
    [
      ['3x3', [2, 5, 6, 8], [3, 3], [1, 1], [1, 1, 1, 1]],
      ['5x5', [1, 3, 7, 12], [5, 5], [1, 1], [2, 2, 2, 2]],
      ['3x3 / 2', [2, 3, 8, 16], [3, 3], [2, 2], [1, 1, 1, 1]],
      ['3x3 / 2 into lines that are none', [1, 3, 6, 12], [3, 3], [2, 2], [0, 0, 1, 1]],
      ['3x3 without padding', [2, 2, 5, 8], [3, 3], [1, 1], [0, 0, 0, 0]],
      ['4x2, more padding behind', [1, 4, 9, 4], [4, 2], [1, 1], [1, 0, 2, 1]],
      ['7x7 / 1 and 2', [1, 2, 8, 8], [7, 7], [1, 2], [3, 3, 3, 3]],
    ] as const
  ).map(([name, x, kernel, stride, padding]) =>
    convolutionCase({
      name: `depthwise ${name}, lines of whole quads`,
      x,
      outChannels: x[1],
      kernel,
      stride,
      padding,
      groups: x[1],
      bias: true,
      residual: true,
      activation: 'relu6',
    }),
  ),
  ...(
    [
      ['3x3, pairs of lines are whole quads', [3, 3, 6, 14], [3, 3], [1, 1, 1, 1]],
      ['3x3, lines one by one', [3, 5, 7, 7], [3, 3], [1, 1, 1, 1]],
      ['5x3, four lines are whole quads', [2, 3, 8, 5], [5, 3], [3, 1, 1, 1]],
      ['3x5, a single group', [2, 3, 2, 6], [3, 5], [1, 3, 1, 1]],
      ['5x5 over short maps', [1, 9, 4, 10], [5, 5], [2, 2, 2, 2]],
    ] as const
  ).map(([name, x, kernel, padding]) =>
    convolutionCase({
      name: `depthwise ${name}`,
      x,
      outChannels: x[1],
      kernel,
      padding,
      groups: x[1],
      bias: true,
      residual: true,
      activation: 'relu6',
    }),
  ),
  convolutionCase({ name: 'depthwise 1x1', x: [1, 6, 5, 3], outChannels: 6, kernel: [1, 1], groups: 6 }),
  convolutionCase({
    name: 'many pixels: gradients of weights in parts',
    x: [2, 3, 25, 21],
    outChannels: 4,
    kernel: [3, 3],
    padding: [1, 1, 1, 1],
  }),
  convolutionCase({
    name: 'random',
    x: [between(1, 3), between(2, 20), between(6, 14), between(6, 14)],
    outChannels: between(1, 40),
    kernel: [between(1, 4), between(1, 4)],
    stride: [between(1, 3), between(1, 3)],
    padding: [between(0, 2), between(0, 2), between(0, 2), between(0, 2)],
    bias: random() < 0.5,
  }),
  // Every group count of 12 channels, with multipliers 1 and 2, strides and dilations, padding different on each side.
  ...[1, 2, 3, 4, 6, 12].flatMap((groups) => [
    convolutionCase({
      name: `12 channels in ${groups} group(s), asymmetric padding`,
      x: [2, 12, 7, 9],
      outChannels: 12,
      kernel: [3, 3],
      padding: [2, 0, 1, 3],
      groups,
      bias: true,
    }),
    convolutionCase({
      name: `12 to 24 channels in ${groups} group(s), stride 2 and 1, asymmetric padding`,
      x: [1, 12, 8, 7],
      outChannels: 24,
      kernel: [3, 2],
      stride: [2, 1],
      padding: [0, 1, 2, 0],
      groups,
    }),
    convolutionCase({
      name: `12 channels in ${groups} group(s), dilation 2 and 3, stride 1 and 2`,
      x: [1, 12, 9, 11],
      outChannels: 12,
      kernel: [3, 3],
      stride: [1, 2],
      dilation: [2, 3],
      padding: [1, 3, 2, 1],
      groups,
    }),
    convolutionCase({
      name: `12 channels in ${groups} group(s) of 1x1`,
      x: [2, 12, 3, 5],
      outChannels: 12,
      kernel: [1, 1],
      groups,
      activation: 'relu',
      bias: true,
    }),
  ]),
  convolutionCase({
    name: '1x1 with padding and stride',
    x: [1, 4, 5, 6],
    outChannels: 5,
    kernel: [1, 1],
    stride: [2, 3],
    padding: [1, 0, 2, 1],
  }),
  convolutionCase({
    name: 'padding larger than the kernel',
    x: [1, 3, 4, 4],
    outChannels: 4,
    kernel: [2, 2],
    padding: [3, 2, 0, 4],
  }),
  convolutionCase({
    name: 'depthwise, padding larger than the kernel',
    x: [1, 4, 5, 4],
    outChannels: 4,
    kernel: [3, 3],
    padding: [4, 0, 5, 3],
    groups: 4,
  }),
  convolutionCase({
    name: 'depthwise multiplier 3, stride 2, dilation 2',
    x: [2, 4, 9, 8],
    outChannels: 12,
    kernel: [3, 3],
    stride: [2, 2],
    dilation: [2, 2],
    padding: [2, 1, 0, 2],
    groups: 4,
  }),
  convolutionCase({
    name: 'a kernel as large as the dilated picture',
    x: [2, 3, 7, 9],
    outChannels: 2,
    kernel: [3, 3],
    dilation: [3, 4],
  }),
  denseCase('dense', 5, 37, 11, true),
  denseCase('dense, batch 1', 1, 130, 6, false),
  denseCase('dense, one output', 33, 7, 1, true),
];

describe(`convolutions and dense layers, seed ${seed} (GRAFT_TEST_SEED repeats it)`, () => {
  let opened: Awaited<ReturnType<typeof openFamilies>>;
  before(async () => {
    opened = await openFamilies();
  });
  after(() => opened.close());
  for (const op of CASES) {
    test(op.name, async (t) => {
      if (opened.skipped) t.diagnostic(opened.skipped);
      for (const { family, engine } of opened.families) {
        await checkOp(engine, { ...op, name: `${family}: ${op.name} ${JSON.stringify(op.inputs)}` }, random);
      }
    });
  }
});

/** All of them 3x3 with stride 1: odd and even sizes, tiles that reach over the edge, quads of tiles over lines and pictures. */
const WINOGRAD_CASES: OpCase[] = [
  convolutionCase({ name: 'same, even', x: [2, 5, 8, 6], outChannels: 7, kernel: [3, 3], padding: [1, 1, 1, 1] }),
  convolutionCase({
    name: 'same, odd, bias and residual and ReLU6',
    x: [3, 4, 7, 5],
    outChannels: 9,
    kernel: [3, 3],
    padding: [1, 1, 1, 1],
    bias: true,
    residual: true,
    activation: 'relu6',
  }),
  convolutionCase({ name: 'valid', x: [1, 3, 6, 9], outChannels: 4, kernel: [3, 3] }),
  convolutionCase({
    name: 'padding of each side its own, bias',
    x: [2, 3, 5, 4],
    outChannels: 2,
    kernel: [3, 3],
    padding: [2, 0, 1, 2],
    bias: true,
  }),
  convolutionCase({ name: 'one pixel', x: [5, 6, 1, 1], outChannels: 3, kernel: [3, 3], padding: [1, 1, 1, 1] }),
  convolutionCase({
    name: 'many channels, ReLU',
    x: [1, 70, 4, 4],
    outChannels: 67,
    kernel: [3, 3],
    padding: [1, 1, 1, 1],
    activation: 'relu',
  }),
];

describe(`3x3 convolutions by Winograd's way, seed ${seed} (GRAFT_TEST_SEED repeats it)`, () => {
  let opened: Awaited<ReturnType<typeof openFamilies>>;
  before(async () => {
    opened = await openFamilies();
  });
  after(() => opened.close());

  for (const op of WINOGRAD_CASES) {
    test(op.name, async () => {
      for (const { family, engine } of opened.families) {
        const types = engine.device.features.has('shader-f16') ? (['f32', 'f16'] as const) : (['f32'] as const);
        const contracts = engine.variants.record(() => {
          for (const type of types) buildOp(engine, op, type);
        });
        const chosen = contracts.filter(({ variants }) => variants.some(({ name }) => name === 'winograd'));
        // Forward and backward, in each type.
        assert.equal(chosen.length, 2 * types.length);
        for (const { key } of chosen) engine.variants.set(key, 'winograd');
        await checkOp(engine, { ...op, name: `${family}: ${op.name}` }, random);
      }
    });
  }
});
