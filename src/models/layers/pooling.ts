import { adaptiveAveragePool as adaptiveAveragePoolOp } from '../../kernels/ops/adaptivePool/adaptivePool.js';
import { globalAveragePool as globalAveragePoolOp } from '../../kernels/ops/globalAveragePool/globalAveragePool.js';
import { averagePool as averagePoolOp, maxPool as maxPoolOp } from '../../kernels/ops/pool/pool.js';
import { maxPoolIndices as maxPoolIndicesOp } from '../../kernels/ops/maxPoolIndices/maxPoolIndices.js';
import { pooledLength } from '../../kernels/ops/window.js';
import type { LayerBase, LayerShape, Padding } from '../network.js';
import { asMap, define, fail, ONE_INPUT, type Inputs } from './definition.js';
import { added, flag, oneOf, padding, pair, side } from './fields.js';
import { inDense, inRows } from './layout.js';

interface WindowLayer extends LayerBase {
  readonly kernel: readonly [height: number, width: number];
  readonly stride: readonly [height: number, width: number];
  readonly padding: Padding;
  readonly dilation: readonly [height: number, width: number];
  readonly ceilMode: boolean;
  /** Average pooling only: whether padding counts in the divisor. Always false for max pooling. */
  readonly countIncludePad: boolean;
}
/** Largest pixel of each window. */
export interface MaxPoolLayer extends WindowLayer {
  readonly kind: 'maxPool';
}
/** Mean of each window. */
export interface AveragePoolLayer extends WindowLayer {
  readonly kind: 'averagePool';
}
export type PoolLayer = MaxPoolLayer | AveragePoolLayer;
/** Where max pooling finds its values: places in [N, C, H, W], with lines or columns of a map one after another. */
export interface MaxPoolIndicesLayer extends WindowLayer {
  readonly kind: 'maxPoolIndices';
  readonly order: 'rowMajor' | 'columnMajor';
}

const WINDOW_FIELDS = {
  kernel: pair(side),
  stride: pair(side),
  padding,
  dilation: added(pair(side), [1, 1] as const),
  ceilMode: flag,
  countIncludePad: flag,
} as const;

function pooledShape(layer: PoolLayer | MaxPoolIndicesLayer, [input]: Inputs<LayerShape>): number[] {
  const [n, channels, height, width] = asMap(layer, input);
  const { stride, padding: around, ceilMode, dilation } = layer;
  const reach = [0, 1].map((axis) => ((layer.kernel[axis] as number) - 1) * (dilation[axis] as number) + 1) as [
    number,
    number,
  ];
  if (Math.max(around.top, around.bottom) >= reach[0] || Math.max(around.left, around.right) >= reach[1]) {
    fail(layer, `its padding must be smaller than its window of ${reach.join(' x ')}, else a window sees no pixel.`);
  }
  return [
    n,
    channels,
    pooledLength(height, reach[0], stride[0], around.top, around.bottom, ceilMode),
    pooledLength(width, reach[1], stride[1], around.left, around.right, ceilMode),
  ];
}

export const maxPool = define<MaxPoolLayer>({
  kind: 'maxPool',
  inputs: ONE_INPUT,
  fields: WINDOW_FIELDS,
  shape: pooledShape,
  build: ({ b }, layer, [x]) => maxPoolOp(b, inRows(b, x), layer),
});

export const averagePool = define<AveragePoolLayer>({
  kind: 'averagePool',
  inputs: ONE_INPUT,
  fields: WINDOW_FIELDS,
  shape: pooledShape,
  build: ({ b }, layer, [x]) => averagePoolOp(b, inRows(b, x), layer),
});

export const maxPoolIndices = define<MaxPoolIndicesLayer>({
  kind: 'maxPoolIndices',
  inputs: ONE_INPUT,
  fields: { ...WINDOW_FIELDS, order: oneOf('rowMajor', 'columnMajor') },
  shape: pooledShape,
  build: ({ b }, layer, [x]) => maxPoolIndicesOp(b, inDense(b, x), layer),
});

/** Mean over all pixels: [N, C, H, W] -> [N, C, 1, 1], or [N, C] when `flatten`. */
export interface GlobalAveragePoolLayer extends LayerBase {
  readonly kind: 'globalAveragePool';
  readonly flatten: boolean;
}

export const globalAveragePool = define<GlobalAveragePoolLayer>({
  kind: 'globalAveragePool',
  inputs: ONE_INPUT,
  fields: { flatten: flag },
  shape(layer, [input]) {
    const [n, channels] = asMap(layer, input);
    return layer.flatten ? [n, channels] : [n, channels, 1, 1];
  },
  build: ({ b }, { flatten }, [x]) => globalAveragePoolOp(b, inRows(b, x), { flatten }),
});

/** Means of windows that share the map out to `size`, as PyTorch's AdaptiveAvgPool2d. */
export interface AdaptiveAveragePoolLayer extends LayerBase {
  readonly kind: 'adaptiveAveragePool';
  readonly size: readonly [height: number, width: number];
}

export const adaptiveAveragePool = define<AdaptiveAveragePoolLayer>({
  kind: 'adaptiveAveragePool',
  inputs: ONE_INPUT,
  fields: { size: pair(side) },
  shape(layer, [input]) {
    const [n, channels] = asMap(layer, input);
    return [n, channels, ...layer.size];
  },
  build: ({ b }, { size }, [x]) => adaptiveAveragePoolOp(b, inRows(b, x), size),
});
