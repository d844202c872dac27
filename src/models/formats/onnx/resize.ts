import type { ResizeLayer } from '../../layers/spatial.js';
import { LIMITS } from '../../limits.js';
import { type Converter, type Converters, frontAxis, transposed } from './converter.js';
import { type AxisResize, type Interpolation, interpolationMatrix, nearest, placeOf } from './interpolation.js';
import type { Operation } from './node.js';

type Coordinates = ResizeLayer['coordinates'];
const KERNEL_COORDINATES: readonly string[] = [
  'half_pixel',
  'pytorch_half_pixel',
  'align_corners',
  'asymmetric',
  'tf_half_pixel_for_nn',
] satisfies readonly Coordinates[];
/** Elements of a matrix that interpolates one axis. */
const LARGEST_MATRIX = 2 ** 24;

/** How each axis changes; null after telling of what is not known. */
function axesOf(op: Operation, shape: readonly number[]): AxisResize[] | null {
  const isOld = op.opset < 11;
  if (!op.has('scales') && [1, 2, 3].some((index) => op.isOpen(index))) return null;
  const chosen = (op.ints('axes') ?? shape.map((_, axis) => axis)).map((axis) => frontAxis(op, axis, shape.length));
  const attribute = op.node.attributes.get('scales')?.floats;
  const scaleInput = op.constant(isOld ? 1 : 2);
  const scales = attribute ?? (scaleInput && scaleInput.data.length > 0 ? [...scaleInput.data] : null);
  const sizes = isOld || !op.constant(3)?.data.length ? null : [...op.required(3).data];
  const list = scales ?? sizes ?? op.fail('neither scales nor sizes are given.');
  if (list.length !== chosen.length) op.fail(`${list.length} scales or sizes for ${chosen.length} axes.`);
  const roi = isOld ? undefined : op.constant(1)?.data;
  const policy = op.text('keep_aspect_ratio_policy', 'stretch');
  const ratios = sizes?.map((size, i) => size / (shape[chosen[i] as number] as number)) ?? [];
  const common = policy === 'stretch' ? null : Math[policy === 'not_larger' ? 'min' : 'max'](...ratios);
  const result: AxisResize[] = [];
  for (const [axis, size] of shape.entries()) {
    const at = chosen.indexOf(axis);
    const scale = at < 0 ? 1 : scales ? (scales[at] as number) : (common ?? (ratios[at] as number));
    const resized =
      at < 0 ? size : scales || common !== null ? lengthOf(size, scale, common !== null) : (sizes?.[at] as number);
    if (!(scale > 0) || !(resized >= 1) || resized > LIMITS.side) {
      op.fail(`axis ${axis} of ${size} elements would have ${resized}.`);
    }
    const crop = roi ? [roi[at] ?? 0, roi[at + chosen.length] ?? 1] : [0, 1];
    result.push({ size, resized, scale, isQuotient: !scales, crop: [crop[0] as number, crop[1] as number] });
  }
  return result;
}

/** Scales round down; a common scale of sizes to the nearest. */
const lengthOf = (size: number, scale: number, isCommon: boolean): number =>
  isCommon ? Math.round(size * scale) : Math.floor(size * scale + 1e-6 * scale);

const resize: Converter = (op) => {
  const x = op.layer();
  const shape = op.shape(x);
  const axes = axesOf(op, shape);
  if (!axes) return null;
  const isOld = op.opset < 11 || op.node.operator === 'Upsample';
  const how: Interpolation = {
    mode: op.text('mode', 'nearest'),
    coordinates: isOld ? 'asymmetric' : op.text('coordinate_transformation_mode', 'half_pixel'),
    rounding: isOld ? 'floor' : op.text('nearest_mode', 'round_prefer_floor'),
    cubic: op.float('cubic_coeff_a', -0.75),
    excludeOutside: op.int('exclude_outside', 0) === 1,
    antialias: op.int('antialias', 0) === 1,
  };
  if (!['nearest', 'linear', 'cubic'].includes(how.mode)) return op.problem(`mode = ${how.mode}`);
  if (
    placeOf(axes[0] ?? { size: 1, resized: 1, scale: 1, isQuotient: true, crop: [0, 1] }, how.coordinates, 0) === null
  ) {
    return op.problem(`coordinate_transformation_mode = ${how.coordinates}`);
  }
  const map = asMapLayer(op, x, axes, how);
  if (map) return op.value(map);
  const isCropped = how.coordinates === 'tf_crop_and_resize';
  if (isCropped && op.float('extrapolation_value', 0) !== 0 && axes.some((axis) => leaves(axis))) {
    return op.problem('extrapolation_value other than 0');
  }
  let result = x;
  for (const [index, axis] of axes.entries()) {
    const isSame = axis.size === axis.resized && (!isCropped || (axis.crop[0] === 0 && axis.crop[1] === 1));
    if (isSame && axis.scale === 1) continue;
    if (axis.size * axis.resized > LARGEST_MATRIX)
      return op.problem(`an axis of ${axis.size} and ${axis.resized} elements`);
    result = how.mode === 'nearest' ? picked(op, result, index, axis, how) : mixed(op, result, index, axis, how);
  }
  return op.value(result);
};

const leaves = (axis: AxisResize): boolean =>
  [0, axis.resized - 1].some((o) => {
    const place = placeOf(axis, 'tf_crop_and_resize', o) as number;
    return place < 0 || place > axis.size - 1;
  });

/** A layer of its own, which takes maps and the two simple interpolations. */
function asMapLayer(op: Operation, x: string, axes: readonly AxisResize[], how: Interpolation): string | null {
  const [batch, channels, vertical, horizontal] = axes;
  const isMap = axes.length === 4 && [batch, channels].every((axis) => axis?.size === axis?.resized);
  if (!isMap || !vertical || !horizontal || how.antialias || how.mode === 'cubic') return null;
  if (!KERNEL_COORDINATES.includes(how.coordinates) || how.excludeOutside) return null;
  const isQuotient = vertical.isQuotient && horizontal.isQuotient;
  const isWhole = [vertical, horizontal].every(
    ({ size, scale, resized }) => Math.abs(size * scale - resized) < 1e-6 * resized,
  );
  if (how.coordinates === 'align_corners' && !isQuotient && !isWhole) return null;
  const isCommon = op.text('keep_aspect_ratio_policy', 'stretch') !== 'stretch';
  return op.add({
    kind: 'resize',
    inputs: [x],
    size: [vertical.resized, horizontal.resized],
    scale: isQuotient && !isCommon ? null : [vertical.scale, horizontal.scale],
    mode: how.mode as 'nearest' | 'linear',
    coordinates: how.coordinates as Coordinates,
    rounding: how.rounding as ResizeLayer['rounding'],
  });
}

function picked(op: Operation, x: string, index: number, axis: AxisResize, how: Interpolation): string {
  const indices = Array.from({ length: axis.resized }, (_, o) => {
    const at = nearest(placeOf(axis, how.coordinates, o) as number, how.rounding);
    return Math.min(axis.size - 1, Math.max(0, at));
  });
  const places = op.numbers(`places${index}`, indices, [axis.resized]);
  return op.step(`axis${index}`, { kind: 'gather', inputs: [x, places], axis: index });
}

/** The axis last, times a matrix. */
function mixed(op: Operation, x: string, index: number, axis: AxisResize, how: Interpolation): string {
  const { size, resized } = axis;
  const rows = interpolationMatrix(axis, how);
  const columns = Array.from(
    { length: size * resized },
    (_, i) => rows[(i % resized) * size + Math.floor(i / resized)] as number,
  );
  const matrix = op.numbers(`matrix${index}`, columns, [size, resized]);
  const rank = op.shape(x).length;
  const order = Array.from({ length: rank }, (_, i) => (i === index ? rank - 1 : i === rank - 1 ? index : i));
  const last = transposed(op, `turned${index}`, x, order);
  const product = op.step(`axis${index}`, { kind: 'matmul', inputs: [last, matrix] });
  return transposed(op, `back${index}`, product, order);
}

export const RESIZES: Converters = { Resize: resize, Upsample: resize };
