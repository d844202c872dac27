import { type Binding, type Grid, MAX_GROUPS, read, write } from '../../dispatch.js';
import type { PlanBuilder } from '../../planBuilder.js';
import { alignTo, byteLength, rowLayout, type Shape, type Tensor } from '../../tensor.js';
import { fusedActivation } from '../activation/fused.js';
import type { Activation } from '../activation/kinds.js';
import { FLAG_ACTIVATION, FLAG_BIAS, FLAG_RESIDUAL } from '../product/parameters.js';
import { product } from '../product/product.js';
import kernelSource from './kernelTransform.wgsl.js';
import { inputTransformSource, outputTransformSource } from './transformSources.js';

/** Planes of the transformed domain: 4 x 4. */
const PLANES = 16;
/** One vector register of a software adapter; a usual workgroup elsewhere. */
const LANES = { subgroup8: 8, workgroup: 64 } as const;

export interface WinogradConvolution {
  readonly label: string;
  /** [N, C, H, W]. */
  readonly x: Tensor;
  /** Dense, 3 x 3 taps each: the kernel of (row, column) begins at row * rowStride + column * columnStride. */
  readonly weight: Tensor;
  readonly rowStride: number;
  readonly columnStride: number;
  /** The kernels turned by 180 degrees. */
  readonly flipped: boolean;
  /** [N, rows, H', W']. */
  readonly y: Tensor;
  /** Zeros above and to the left of x. */
  readonly top: number;
  readonly left: number;
  readonly epilogue?: {
    readonly bias?: Tensor | null;
    readonly residual?: Tensor | null;
    readonly activation?: Activation | null;
  };
}

interface Tiles {
  readonly rows: number;
  readonly columns: number;
  readonly count: number;
  /** Rounded up to whole quads. */
  readonly stride: number;
}

/** 2 x 2 pixels each. */
export function tilesOf(y: Shape): Tiles {
  const [n, , h, w] = y as [number, number, number, number];
  const rows = Math.ceil(h / 2);
  const columns = Math.ceil(w / 2);
  return { rows, columns, count: n * rows * columns, stride: alignTo(n * rows * columns, 4) };
}

/** The largest of its intermediate tensors, in bytes. */
export function winogradBytes(x: Shape, y: Shape): number {
  const channels = Math.max(x[1] as number, y[1] as number);
  return byteLength([PLANES, channels, tilesOf(y).stride], 'f32', 'dense');
}

/**
 * A 3x3 convolution with stride 1 by minimal filtering, F(2x2, 3x3): kernels and 4x4 patches are transformed, sixteen matrix
 * products take the place of one with nine times the depth, and the sums are transformed back: 2.25 times fewer multiplications
 * (Winograd 1980; Lavin and Gray 2016, "Fast algorithms for convolutional neural networks"). Intermediate values are float32.
 */
export function winograd(b: PlanBuilder, options: WinogradConvolution): void {
  const { label, x, y } = options;
  const channels = x.shape[1] as number;
  const rows = y.shape[1] as number;
  const tiles = tilesOf(y.shape);
  const temporary = (name: string, shape: Shape) => b.temporary(`${label} ${name}`, shape, { layout: 'dense' });
  const u = temporary('kernels', [PLANES, rows, channels]);
  const v = temporary('patches', [PLANES, channels, tiles.stride]);
  const m = temporary('products', [PLANES, rows, tiles.stride]);
  transformKernels(b, options, u);
  transformInput(b, options, tiles, v);
  product(b, {
    label,
    groups: PLANES,
    rows,
    columns: tiles.count,
    depth: channels,
    left: u,
    leftStride: channels,
    right: { tensor: v, kind: 'rows', groupOffset: channels * tiles.stride, stride: tiles.stride },
    result: m,
  });
  transformOutput(b, options, tiles, m);
}

function transformKernels(b: PlanBuilder, options: WinogradConvolution, u: Tensor): void {
  const [, rows, columns] = u.shape as [number, number, number];
  const { weight, rowStride, columnStride, flipped } = options;
  b.dispatch({
    label: `${options.label}: kernels`,
    program: { label: 'Winograd kernels', code: kernelSource },
    bindings: [read(weight), write(u)],
    uniforms: [rows, columns, rowStride, columnStride, flipped ? 1 : 0],
    workgroups: [Math.ceil(columns / 64), Math.min(rows, MAX_GROUPS), 1],
  });
}

const tileGrid = (lanes: number, tiles: Tiles, channels: number): Grid => [
  Math.ceil(tiles.stride / 4 / lanes),
  channels,
  1,
];

function transformInput(b: PlanBuilder, { label, x, top, left }: WinogradConvolution, tiles: Tiles, v: Tensor): void {
  const lanes = LANES[b.engine.kernelFamily];
  const [, channels, height, width] = x.shape as [number, number, number, number];
  const { stride } = rowLayout(x.shape);
  b.dispatch({
    label: `${label}: patches`,
    program: { label: 'Winograd patches', code: inputTransformSource(lanes) },
    bindings: [read(x), write(v)],
    uniforms: [tiles.stride / 4, tiles.count, tiles.rows, tiles.columns, stride, channels, height, width, top, left],
    workgroups: tileGrid(lanes, tiles, channels),
  });
}

function transformOutput(b: PlanBuilder, { label, y, epilogue }: WinogradConvolution, tiles: Tiles, m: Tensor): void {
  const lanes = LANES[b.engine.kernelFamily];
  const [, channels, height, width] = y.shape as [number, number, number, number];
  const { bias, residual } = epilogue ?? {};
  const activation = fusedActivation(epilogue?.activation);
  const flags = (bias ? FLAG_BIAS : 0) | (residual ? FLAG_RESIDUAL : 0) | (activation.isFused ? FLAG_ACTIVATION : 0);
  const bindings: Binding[] = [read(m), write(y)];
  // A switched-off bias or residual still needs a binding; its flag keeps it from being read.
  if (flags) bindings.push(read(bias ?? m), read(residual ?? m));
  b.dispatch({
    label: `${label}: pixels`,
    program: { label: 'Winograd pixels', code: outputTransformSource(lanes, flags !== 0, activation) },
    bindings,
    uniforms: [
      tiles.stride / 4,
      tiles.count,
      tiles.rows,
      tiles.columns,
      rowLayout(y.shape).stride,
      channels,
      height,
      width,
      flags,
      activation.lower,
      activation.upper,
    ],
    workgroups: tileGrid(lanes, tiles, channels),
  });
}
