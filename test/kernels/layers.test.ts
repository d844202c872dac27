import { after, before, describe, test } from 'node:test';
import type { Engine } from '../../src/kernels/engine.js';
import { activation } from '../../src/kernels/ops/activation/activation.js';
import { add } from '../../src/kernels/ops/binary/binary.js';
import { batchNorm } from '../../src/kernels/ops/batchNorm/batchNorm.js';
import { concat } from '../../src/kernels/ops/concat/concat.js';
import { flatten } from '../../src/kernels/ops/flatten/flatten.js';
import { globalAveragePool } from '../../src/kernels/ops/globalAveragePool/globalAveragePool.js';
import { averagePool, maxPool } from '../../src/kernels/ops/pool/pool.js';
import { softmax } from '../../src/kernels/ops/softmax/softmax.js';
import { zeroPad } from '../../src/kernels/ops/zeroPad/zeroPad.js';
import type { PlanBuilder } from '../../src/kernels/planBuilder.js';
import type { Tensor } from '../../src/kernels/tensor.js';
import type { BatchNormLayer, Layer } from '../../src/models/network.js';
import { layerShape } from '../../src/models/shapes.js';
import { openEngine, releaseGpu } from '../../src/runtime/gpu.js';
import { referenceLayer } from '../models/reference.js';
import { freshSeed, seeded } from '../training/fixtures.js';
import { checkOp, type OpCase, type OpInput } from './checkOp.js';

const seed = freshSeed();
const random = seeded(seed);

type Shape = readonly number[];
type LayerOptions = Layer extends infer L
  ? L extends Layer
    ? Omit<L, 'name' | 'inputs' | 'learningRateFactor'>
    : never
  : never;

/** A layer without weights, over inputs `x0`, `x1`, ... */
function layerCase(
  name: string,
  shapes: readonly Shape[],
  options: LayerOptions,
  build: (b: PlanBuilder, xs: Tensor[]) => Tensor,
): OpCase {
  const names = shapes.map((_, index) => `x${index}`);
  const layer = { ...options, name: 'layer', inputs: names, learningRateFactor: 1 } as Layer;
  const shape = layerShape(layer, shapes);
  return {
    name,
    inputs: Object.fromEntries(names.map((input, index) => [input, { shape: shapes[index] as Shape }])),
    build: (b, t) =>
      build(
        b,
        names.map((input) => t[input] as Tensor),
      ),
    reference: (values) => {
      const inputs = names.map((input, index) => ({
        shape: shapes[index] as Shape,
        data: values[input] as Float64Array,
      }));
      return Float64Array.from(referenceLayer(layer, inputs, shape, () => []));
    },
  };
}

function poolCase(
  kind: 'maxPool' | 'averagePool',
  x: Shape,
  kernel: readonly [number, number],
  stride: readonly [number, number],
  [top, left, bottom, right]: readonly [number, number, number, number],
  ceilMode = false,
  countIncludePad = false,
): OpCase {
  const attributes = {
    kernel,
    stride,
    padding: { top, left, bottom, right },
    dilation: [1, 1] as const,
    ceilMode,
    countIncludePad,
  };
  const flags = `${ceilMode ? ' ceil' : ''}${countIncludePad ? ' counting the padding' : ''}`;
  return layerCase(
    `${kind} ${kernel.join('x')} / ${stride.join('x')} of ${x.join('x')}, padding ${top} ${left} ${bottom} ${right}${flags}`,
    [x],
    { kind, ...attributes },
    (b, [input]) => (kind === 'maxPool' ? maxPool : averagePool)(b, input as Tensor, attributes),
  );
}

const EPSILON = 1e-3;

/** The same op on an x whose values lie around `mean`: float16 has no digits left for what they deviate by. */
function far(op: OpCase, mean: number): OpCase {
  const x = { ...op.inputs.x, make: () => mean + 2 * random() - 1 } as OpInput;
  return { ...op, name: `${op.name}, mean ${mean}`, inputs: { ...op.inputs, x }, float32Only: true };
}

/** Batch norm over what `moments` says: the batch's own statistics or given ones. */
function batchNormCase(
  shape: Shape,
  mode: 'batch' | 'running',
  scale: boolean,
  offset: boolean,
  relu: boolean,
): OpCase {
  const [batch = 1, channels = 1] = shape;
  const pixels = shape.slice(2).reduce((product, size) => product * size, 1);
  const parameter = { shape: [channels], layout: 'dense' } as const;
  const layer: BatchNormLayer = {
    kind: 'batchNorm',
    name: 'norm',
    inputs: ['x'],
    learningRateFactor: 1,
    epsilon: EPSILON,
    momentum: 0.1,
    weight: scale ? 'weight' : null,
    bias: offset ? 'bias' : null,
    runningMean: 'mean',
    runningVariance: 'variance',
  };
  return {
    name: `batch norm of ${shape.join('x')} by ${mode} statistics${scale ? ', scale' : ''}${offset ? ', offset' : ''}${relu ? ', ReLU' : ''}`,
    inputs: {
      x: { shape },
      ...(scale ? { weight: parameter } : {}),
      ...(offset ? { bias: parameter } : {}),
      mean: { ...parameter, constant: true },
      variance: { ...parameter, constant: true, make: () => 0.2 + random() },
    },
    build: (b, t) =>
      batchNorm(
        b,
        t.x as Tensor,
        {
          weight: t.weight ?? null,
          bias: t.bias ?? null,
          runningMean: t.mean as Tensor,
          runningVariance: t.variance as Tensor,
          epsilon: EPSILON,
          momentum: 0.1,
        },
        mode,
        { activation: relu ? 'relu' : null },
      ),
    reference: (values) => {
      const x = values.x as Float64Array;
      const statistics: Record<string, Float64Array> = { ...values };
      if (mode === 'batch') {
        const count = batch * pixels;
        const each = (c: number) => x.filter((_, i) => Math.floor(i / pixels) % channels === c);
        const mean = Float64Array.from({ length: channels }, (_, c) => each(c).reduce((sum, v) => sum + v, 0) / count);
        statistics.mean = mean;
        statistics.variance = Float64Array.from(
          { length: channels },
          (_, c) => each(c).reduce((sum, v) => sum + (v - (mean[c] as number)) ** 2, 0) / count,
        );
      }
      const y = referenceLayer(layer, [{ shape, data: x }], shape, (name) => statistics[name] as Float64Array);
      return relu ? y.map((v) => Math.max(0, v)) : y;
    },
  };
}

const CASES: OpCase[] = [
  layerCase('ReLU', [[2, 3, 5, 7]], { kind: 'activation', activation: 'relu' }, (b, [x]) =>
    activation(b, x as Tensor, 'relu'),
  ),
  {
    ...layerCase('ReLU6', [[3, 5]], { kind: 'activation', activation: 'relu6' }, (b, [x]) =>
      activation(b, x as Tensor, 'relu6'),
    ),
    inputs: { x0: { shape: [3, 5], make: () => 16 * random() - 5 } },
  },
  layerCase(
    'add',
    [
      [1, 3, 3, 3],
      [1, 3, 3, 3],
    ],
    { kind: 'add' },
    (b, [x, y]) => add(b, x as Tensor, y as Tensor),
  ),
  {
    ...layerCase(
      'add',
      [
        [2, 3, 3, 5],
        [2, 3, 3, 5],
      ],
      { kind: 'add' },
      (b, [x, y]) => add(b, x as Tensor, y as Tensor, { activation: 'relu' }),
    ),
    name: 'add and ReLU',
    reference: ({ x0, x1 }) => (x0 as Float64Array).map((value, i) => Math.max(0, value + (x1?.[i] as number))),
  },
  layerCase(
    'concat of 3',
    [
      [2, 3, 3, 5],
      [2, 1, 3, 5],
      [2, 4, 3, 5],
    ],
    { kind: 'concat', axis: 1 },
    (b, xs) => concat(b, xs),
  ),
  layerCase('flatten', [[3, 4, 2, 5]], { kind: 'flatten', axis: 1 }, (b, [x]) => flatten(b, x as Tensor)),
  layerCase(
    'zero padding 1 0 2 3',
    [[2, 3, 4, 3]],
    { kind: 'zeroPad', padding: { top: 1, left: 0, bottom: 2, right: 3 } },
    (b, [x]) => zeroPad(b, x as Tensor, { top: 1, left: 0, bottom: 2, right: 3 }),
  ),
  layerCase('global average pool', [[3, 5, 7, 3]], { kind: 'globalAveragePool', flatten: true }, (b, [x]) =>
    globalAveragePool(b, x as Tensor, { flatten: true }),
  ),
  layerCase(
    'global average pool that keeps its map',
    [[1, 2, 9, 9]],
    { kind: 'globalAveragePool', flatten: false },
    (b, [x]) => globalAveragePool(b, x as Tensor, { flatten: false }),
  ),
  layerCase('softmax of vectors', [[5, 7]], { kind: 'softmax', axis: 1 }, (b, [x]) => softmax(b, x as Tensor)),
  layerCase('softmax at each pixel', [[2, 3, 3, 5]], { kind: 'softmax', axis: 1 }, (b, [x]) => softmax(b, x as Tensor)),
  poolCase('maxPool', [2, 3, 9, 8], [3, 3], [2, 2], [1, 1, 1, 1]),
  poolCase('maxPool', [1, 2, 10, 7], [3, 2], [2, 3], [0, 1, 2, 0], true),
  poolCase('maxPool', [1, 3, 7, 7], [2, 2], [3, 3], [0, 0, 0, 0]),
  poolCase('averagePool', [2, 3, 9, 8], [3, 3], [2, 2], [1, 1, 1, 1]),
  poolCase('averagePool', [2, 2, 9, 8], [3, 3], [2, 2], [1, 0, 1, 2], true, true),
  poolCase('averagePool', [1, 3, 8, 10], [2, 3], [1, 2], [0, 1, 1, 0], true, false),
  poolCase('averagePool', [1, 1, 6, 6], [6, 6], [1, 1], [0, 0, 0, 0]),
  // The variance must not drown in the squares of a mean that is far from 0.
  far(batchNormCase([3, 5, 9, 7], 'batch', true, true, false), 40),
  batchNormCase([4, 3, 3, 5], 'batch', true, true, false),
  batchNormCase([3, 5, 2, 2], 'batch', true, true, true),
  batchNormCase([7, 3], 'batch', false, true, false),
  batchNormCase([2, 3, 9, 11], 'batch', true, false, false),
  // With more channels than these, software adapters take whole rows at a time.
  far(batchNormCase([3, 9, 9, 7], 'batch', true, true, false), 40),
  batchNormCase([3, 11, 2, 2], 'batch', true, true, true),
  batchNormCase([7, 12], 'batch', false, true, false),
  batchNormCase([2, 8, 9, 11], 'batch', true, false, false),
  batchNormCase([2, 13, 3, 3], 'running', true, true, true),
  batchNormCase([2, 3, 3, 3], 'running', true, true, false),
  batchNormCase([1, 5, 3, 5], 'running', true, true, true),
  batchNormCase([2, 2, 3, 3], 'running', false, false, false),
];

describe(`layers without products, seed ${seed} (GRAFT_TEST_SEED repeats it)`, () => {
  let engine: Engine;
  before(async () => {
    engine = await openEngine();
  });
  after(() => {
    engine.destroy();
    releaseGpu();
  });
  for (const op of CASES)
    test(op.name, async () => {
      await checkOp(engine, op, random);
    });
});
