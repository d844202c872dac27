import { batchNorm as batchNormOp } from '../../kernels/ops/batchNorm/batchNorm.js';
import { groupNorm as groupNormOp } from '../../kernels/ops/groupNorm/groupNorm.js';
import { l2Normalize as l2NormalizeOp } from '../../kernels/ops/l2Normalize/l2Normalize.js';
import { layerNorm as layerNormOp, layerNorm2d } from '../../kernels/ops/layerNorm/layerNorm.js';
import { localResponseNorm as localResponseNormOp } from '../../kernels/ops/localResponseNorm/localResponseNorm.js';
import type { LayerBase, LayerShape } from '../network.js';
import { LIMITS } from '../limits.js';
import { type BuildContext, channelsOf, checkAxis, define, fail, ONE_INPUT, type Inputs } from './definition.js';
import { anyNumber, atLeastZero, axis, channels, integer, number, orNull, weightName } from './fields.js';
import { inDense, inRows } from './layout.js';

const share = number((value) => value >= 0 && value <= 1, 'from 0 to 1');
const same = (_: LayerBase, [input]: Inputs<LayerShape>): number[] => [...input];

export interface BatchNormLayer extends LayerBase {
  readonly kind: 'batchNorm';
  readonly epsilon: number;
  /** Weight of the newest batch in the running statistics (PyTorch's convention: running = (1 - m) running + m batch). */
  readonly momentum: number;
  /** Names in the weights, each `[C]`. Scale or offset is null where the file has none. */
  readonly weight: string | null;
  readonly bias: string | null;
  readonly runningMean: string;
  readonly runningVariance: string;
}

export const batchNorm = define<BatchNormLayer>({
  kind: 'batchNorm',
  inputs: ONE_INPUT,
  fields: {
    epsilon: atLeastZero,
    momentum: share,
    weight: orNull(weightName('weight')),
    bias: orNull(weightName('bias')),
    runningMean: weightName('runningMean'),
    runningVariance: weightName('runningVariance'),
  },
  shape(layer, inputs) {
    channelsOf(layer, inputs[0]);
    return same(layer, inputs);
  },
  weightShapes(layer, [input]) {
    const perChannel = [channelsOf(layer, input)];
    return { weight: perChannel, bias: perChannel, runningMean: perChannel, runningVariance: perChannel };
  },
  fusesActivation: true,
  build(context, layer, [x], activation) {
    const { b } = context;
    const parameters = {
      ...affine(context, layer),
      runningMean: context.statistic(layer.runningMean),
      runningVariance: context.statistic(layer.runningVariance),
      momentum: layer.momentum,
    };
    const mode = context.trains ? 'batch' : 'running';
    return batchNormOp(b, inRows(b, x), parameters, mode, { activation });
  },
});

interface Affine {
  readonly weight: string | null;
  readonly bias: string | null;
  readonly epsilon: number;
}

const affine = (context: BuildContext, { weight, bias, epsilon }: Affine) => ({
  weight: weight === null ? null : context.parameter(weight),
  bias: bias === null ? null : context.parameter(bias),
  epsilon,
});

const AFFINE_FIELDS = {
  epsilon: atLeastZero,
  weight: orNull(weightName('weight')),
  bias: orNull(weightName('bias')),
} as const;

/** Layer normalisation (Ba et al. 2016) over the last `axes` axes, whose shape weight and bias have. */
export interface LayerNormLayer extends LayerBase, Affine {
  readonly kind: 'layerNorm';
  readonly axes: number;
}

export const layerNorm = define<LayerNormLayer>({
  kind: 'layerNorm',
  inputs: ONE_INPUT,
  fields: { ...AFFINE_FIELDS, axes: integer(1, LIMITS.rank) },
  shape(layer, inputs) {
    const rank = inputs[0].length;
    if (layer.axes > rank) fail(layer, `axes must be at most the ${rank} of its input; got ${layer.axes}.`);
    return same(layer, inputs);
  },
  weightShapes(layer, [input]) {
    const normalized = input.slice(-layer.axes);
    return { weight: normalized, bias: normalized };
  },
  build(context, layer, [x]) {
    const { b } = context;
    const fits = x.layout === 'dense' || layer.axes === x.shape.length - 1;
    return layerNormOp(b, fits ? x : inDense(b, x), layer.axes, affine(context, layer));
  },
});

/** Layer normalisation over the channels of [N, C] or, at each pixel, of [N, C, H, W]: ConvNeXt's. Weight and bias are [C]. */
export interface ChannelNormLayer extends LayerBase, Affine {
  readonly kind: 'channelNorm';
}

const perChannel = (layer: LayerBase & { readonly kind: string }, [input]: Inputs<LayerShape>) => {
  const shape = [channelsOf(layer, input)];
  return { weight: shape, bias: shape };
};

export const channelNorm = define<ChannelNormLayer>({
  kind: 'channelNorm',
  inputs: ONE_INPUT,
  fields: AFFINE_FIELDS,
  shape(layer, inputs) {
    channelsOf(layer, inputs[0]);
    return same(layer, inputs);
  },
  weightShapes: perChannel,
  build: (context, layer, [x]) => layerNorm2d(context.b, inRows(context.b, x), affine(context, layer)),
});

/** Group normalisation (Wu and He 2018); as many groups as channels are instance normalisation. Weight and bias are [C]. */
export interface GroupNormLayer extends LayerBase, Affine {
  readonly kind: 'groupNorm';
  readonly groups: number;
}

export const groupNorm = define<GroupNormLayer>({
  kind: 'groupNorm',
  inputs: ONE_INPUT,
  fields: { ...AFFINE_FIELDS, groups: channels },
  shape(layer, inputs) {
    const count = channelsOf(layer, inputs[0]);
    if (count % layer.groups !== 0) fail(layer, `${layer.groups} groups must divide its ${count} channels.`);
    return same(layer, inputs);
  },
  weightShapes: perChannel,
  build: (context, layer, [x]) => groupNormOp(context.b, inRows(context.b, x), layer.groups, affine(context, layer)),
});

/** x_c / (k + alpha / size sum over the window of x^2)^beta, across channels (Krizhevsky et al. 2012, section 3.3). */
export interface LocalResponseNormLayer extends LayerBase {
  readonly kind: 'localResponseNorm';
  /** Channels in the window; `before` of them lie in front of the channel itself. */
  readonly size: number;
  readonly before: number;
  readonly alpha: number;
  readonly beta: number;
  readonly k: number;
}

export const localResponseNorm = define<LocalResponseNormLayer>({
  kind: 'localResponseNorm',
  inputs: ONE_INPUT,
  fields: { size: channels, before: integer(0, LIMITS.channels), alpha: anyNumber, beta: anyNumber, k: anyNumber },
  shape(layer, inputs) {
    channelsOf(layer, inputs[0]);
    if (layer.before >= layer.size) fail(layer, `before must be below its size ${layer.size}; got ${layer.before}.`);
    return same(layer, inputs);
  },
  build: ({ b }, layer, [x]) => localResponseNormOp(b, inRows(b, x), layer),
});

/** x / max(L2 norm over an axis, epsilon). */
export interface L2NormalizeLayer extends LayerBase {
  readonly kind: 'l2Normalize';
  readonly axis: number;
  readonly epsilon: number;
}

export const l2Normalize = define<L2NormalizeLayer>({
  kind: 'l2Normalize',
  inputs: ONE_INPUT,
  fields: { axis, epsilon: atLeastZero },
  shape(layer, inputs) {
    checkAxis(layer, layer.axis, inputs[0]);
    return same(layer, inputs);
  },
  build({ b }, layer, [x]) {
    return l2NormalizeOp(b, layer.axis === 1 ? x : inDense(b, x), layer.axis, layer.epsilon);
  },
});
