import { elementCount } from '../../kernels/tensor.js';
import { conv3d as conv3dOp, convTranspose3d as convTranspose3dOp } from '../../kernels/ops/conv3d/conv3d.js';
import { transposedLength } from '../../kernels/ops/convTranspose2d/convTranspose2d.js';
import { convolvedLength } from '../../kernels/ops/window.js';
import { LIMITS } from '../limits.js';
import type { LayerBase, LayerShape } from '../network.js';
import { checkGroups, define, fail, ONE_INPUT, show } from './definition.js';
import { channels, type Field, integer, orNull, side, weightName } from './fields.js';
import { inDense } from './layout.js';

type Triple = readonly [depth: number, height: number, width: number];

const triple = (field: Field<number>): Field<Triple> => ({
  read(json) {
    const [depth, height, width, ...rest] = json.list();
    if (!depth || !height || !width || rest.length > 0) return json.fail('a list of 3 numbers');
    return [field.read(depth), field.read(height), field.read(width)];
  },
});

interface VolumeLayer extends LayerBase {
  readonly outChannels: number;
  readonly kernel: Triple;
  readonly stride: Triple;
  /** Zeros, or what is taken away of a transposed convolution's result. */
  readonly before: Triple;
  readonly after: Triple;
  readonly dilation: Triple;
  readonly groups: number;
  readonly weight: string;
  readonly bias: string | null;
}
/** Weight `[outChannels, inChannels / groups, kd, kh, kw]`, bias `[outChannels]`. */
export interface Conv3dLayer extends VolumeLayer {
  readonly kind: 'conv3d';
}
/** Weight `[inChannels, outChannels / groups, kd, kh, kw]`, bias `[outChannels]`. */
export interface ConvTranspose3dLayer extends VolumeLayer {
  readonly kind: 'convTranspose3d';
  /** Added at the end of each axis; below the stride. */
  readonly outputPadding: Triple;
}

const margin = integer(0, LIMITS.side);
const VOLUME_FIELDS = {
  outChannels: channels,
  kernel: triple(side),
  stride: triple(side),
  before: triple(margin),
  after: triple(margin),
  dilation: triple(side),
  groups: channels,
  weight: weightName('weight'),
  bias: orNull(weightName('bias')),
} as const;

/** [N, C, D, H, W], whose channels the groups divide. */
function asVolume(layer: Conv3dLayer | ConvTranspose3dLayer, shape: LayerShape): readonly number[] {
  const inChannels = shape[1] as number;
  if (shape.length !== 5) fail(layer, `its input must be a volume [N, C, D, H, W]; got ${show(shape)}.`);
  checkGroups(layer, inChannels);
  return shape;
}

const AXES = [0, 1, 2] as const;

export const conv3d = define<Conv3dLayer>({
  kind: 'conv3d',
  inputs: ONE_INPUT,
  fields: VOLUME_FIELDS,
  shape(layer, [input]) {
    const { kernel, stride, before, after, dilation, outChannels } = layer;
    const [n, , ...sizes] = asVolume(layer, input) as [number, number, ...number[]];
    const lengths = AXES.map((i) =>
      convolvedLength(sizes[i] as number, kernel[i], stride[i], before[i] + after[i], dilation[i]),
    );
    return [n, outChannels, ...lengths];
  },
  weightShapes: (layer, [input]) => ({
    weight: [layer.outChannels, (input[1] as number) / layer.groups, ...layer.kernel],
    bias: [layer.outChannels],
  }),
  multiplyAdds: (layer, [input], output) =>
    (elementCount(output) * (input[1] as number) * elementCount(layer.kernel)) / layer.groups,
  build(context, layer, [x]) {
    const { before, after } = layer;
    const bias = layer.bias === null ? null : context.parameter(layer.bias);
    const attributes = { ...layer, padding: { before, after } };
    return conv3dOp(context.b, inDense(context.b, x), context.parameter(layer.weight), attributes, bias);
  },
});

export const convTranspose3d = define<ConvTranspose3dLayer>({
  kind: 'convTranspose3d',
  inputs: ONE_INPUT,
  fields: { ...VOLUME_FIELDS, outputPadding: triple(margin) },
  shape(layer, [input]) {
    const { kernel, stride, before, after, dilation, outChannels, outputPadding } = layer;
    const [n, , ...sizes] = asVolume(layer, input) as [number, number, ...number[]];
    if (AXES.some((i) => outputPadding[i] >= stride[i])) {
      fail(layer, `outputPadding ${show(outputPadding)} must be below its stride ${show(stride)}.`);
    }
    const lengths = AXES.map((i) =>
      transposedLength(sizes[i] as number, kernel[i], stride[i], before[i] + after[i], dilation[i], outputPadding[i]),
    );
    return [n, outChannels, ...lengths];
  },
  weightShapes: (layer, [input]) => ({
    weight: [input[1] as number, layer.outChannels / layer.groups, ...layer.kernel],
    bias: [layer.outChannels],
  }),
  multiplyAdds: (layer, [input]) =>
    (elementCount(input) * layer.outChannels * elementCount(layer.kernel)) / layer.groups,
  build(context, layer, [x]) {
    const { before, after } = layer;
    const bias = layer.bias === null ? null : context.parameter(layer.bias);
    const attributes = { ...layer, padding: { before, after } };
    return convTranspose3dOp(context.b, inDense(context.b, x), context.parameter(layer.weight), attributes, bias);
  },
});
