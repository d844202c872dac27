import { elementCount } from '../../../kernels/tensor.js';
import { type Converter, type Converters, frontAxes, frontAxis, reshaped, show, transposed } from './converter.js';
import type { Operation } from './node.js';
import type { Constant, Value } from './value.js';

/** The target shape of a reshape of values `from` (the batch as 1): NaN stands for the batch, or a multiple of it. */
export function targetShape(op: Operation, from: readonly number[], target: readonly number[]): number[] | null {
  const isZeroKept = op.int('allowzero', 0) === 1;
  let sizes = target.map((size, axis) => (size === 0 && !isZeroKept ? (from[axis] ?? 0) : size));
  if (sizes.includes(-1)) sizes = sizes.map((size) => (Number.isNaN(size) ? 1 : size));
  const isOpen = (size: number) => size === -1 || Number.isNaN(size);
  const known = elementCount(sizes.filter((size) => !isOpen(size)));
  const rest = known === 0 ? 0 : elementCount(from) / known;
  if (sizes.filter(isOpen).length > 1 || !Number.isInteger(rest)) return null;
  const shape = sizes.map((size) => (isOpen(size) ? rest : size));
  return elementCount(shape) === elementCount(from) && shape.every((size) => Number.isInteger(size) && size >= 0)
    ? shape
    : null;
}

const empty = (op: Operation, shape: readonly number[], output = 0): Constant =>
  op.result(shape, new Float32Array(0), op.type(), output);

const reshape: Converter = (op) => {
  if (!op.has('shape') && op.isOpen(1)) return null;
  const x = op.layer();
  const target = op.ints('shape') ?? [...op.required(1).data];
  const shape = targetShape(op, op.shape(x), target);
  if (!shape) return op.fail(`its input ${show(op.shape(x))} cannot become ${show(target)}.`);
  const isVector = op.builder.isBatched(x) && shape.length === 2 && shape[0] === 1 && op.shape(x).length > 2;
  if (isVector) return op.value(op.add({ kind: 'flatten', inputs: [x], axis: 1 }));
  return op.value(reshaped(op, 'reshaped', x, shape));
};

const flatten: Converter = (op) => {
  const x = op.layer();
  const rank = op.shape(x).length;
  const axis = op.int('axis', 1);
  const at = axis === rank ? rank : rank === 0 ? 0 : frontAxis(op, axis, rank);
  if (at === 1 && rank === 2) return op.value(x);
  return op.value(op.add({ kind: 'flatten', inputs: [x], axis: at }));
};

const squeeze: Converter = (op) => {
  if (!op.has('axes') && op.isOpen(1)) return null;
  const x = op.layer();
  const shape = op.shape(x);
  const list = op.listOf('axes', 1);
  const axes = list && frontAxes(op, list, shape.length);
  if (axes?.some((axis) => shape[axis] !== 1)) op.fail(`axes ${show(axes)} of ${show(shape)} are not all of size 1.`);
  if (op.builder.isBatched(x) && (axes ?? [0]).includes(0)) return op.problem('takes the batch dimension away');
  const kept = shape.filter((size, axis) => (axes ? !axes.includes(axis) : size !== 1));
  const isPixel = op.builder.isBatched(x) && shape.length === 4 && kept.length === 2 && axes?.join() === '2,3';
  if (isPixel) return op.value(op.add({ kind: 'flatten', inputs: [x], axis: 1 }));
  return op.value(reshaped(op, 'squeezed', x, kept));
};

const unsqueeze: Converter = (op) => {
  if (!op.has('axes') && op.isOpen(1)) return null;
  const x = op.layer();
  const list = op.listOf('axes', 1) ?? op.fail('axes are missing.');
  const shape = [...op.shape(x)];
  const rank = shape.length + list.length;
  const axes = frontAxes(op, list, rank);
  return op.value(
    reshaped(
      op,
      'unsqueezed',
      x,
      Array.from({ length: rank }, (_, axis) => (axes.includes(axis) ? 1 : (shape.shift() as number))),
    ),
  );
};

const transpose: Converter = (op) => {
  const x = op.layer();
  const rank = op.shape(x).length;
  const permutation = op.ints('perm') ?? Array.from({ length: rank }, (_, axis) => rank - 1 - axis);
  return op.value(transposed(op, 'transposed', x, permutation));
};

const concat: Converter = (op) => {
  const inputs = op.inputs.filter((input) => input?.kind !== 'constant' || input.data.length > 0);
  const layers = inputs.map((input) => op.layer(op.inputs.indexOf(input)));
  const [first] = layers;
  if (first === undefined) return op.given(0);
  if (layers.length === 1) return op.value(first);
  const axis = frontAxis(op, op.int('axis', 1), op.shape(first).length);
  return op.value(op.add({ kind: 'concat', inputs: layers, axis }));
};

interface Range {
  readonly axis: number;
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

/** Elements of a range by ONNX's (and NumPy's) rules. */
export function rangeLength({ start, end, step }: Range, size: number): number {
  const [low, high] = step > 0 ? [0, size] : [-1, size - 1];
  const clamped = (place: number) => Math.min(high, Math.max(low, place < 0 ? place + size : place));
  return Math.max(0, Math.ceil((clamped(end) - clamped(start)) / step));
}

/** The ranges of a slice; null after telling that they are not known. */
export function rangesOf(op: Operation, rank: number): Range[] | null {
  if (!op.has('starts') && [1, 2, 3, 4].some((index) => op.isOpen(index))) return null;
  const starts = op.listOf('starts', 1) ?? op.fail('starts are missing.');
  const ends = op.listOf('ends', 2) ?? op.fail('ends are missing.');
  const axes = op.listOf('axes', 3) ?? starts.map((_, index) => index);
  const steps = op.listOf('steps', 4) ?? starts.map(() => 1);
  if ([ends, axes, steps].some((list) => list.length !== starts.length) || steps.includes(0)) {
    op.fail('starts, ends, axes and steps must have one length, and no step may be 0.');
  }
  const most = 2 ** 29;
  const bounded = (place: number) => Math.max(-most, Math.min(most, place));
  return starts.map((start, index) => ({
    axis: frontAxis(op, axes[index] as number, rank),
    start: bounded(start),
    end: bounded(Number.isNaN(ends[index]) ? most : (ends[index] as number)),
    step: bounded(steps[index] as number),
  }));
}

const slice: Converter = (op) => {
  const x = op.layer();
  const shape = op.shape(x);
  const ranges = rangesOf(op, shape.length);
  if (!ranges) return null;
  const result = [...shape];
  for (const range of ranges) result[range.axis] = rangeLength(range, shape[range.axis] as number);
  if (result.includes(0)) return empty(op, result);
  if (op.builder.isBatched(x) && ranges.some(({ axis }) => axis === 0)) {
    const whole = ranges.every((range) => range.axis !== 0 || (range.start === 0 && range.step === 1 && range.end > 0));
    if (!whole) return op.problem('slices the batch');
  }
  const own = ranges.filter(({ axis }) => axis !== 0 || !op.builder.isBatched(x));
  return op.value(
    op.add({
      kind: 'slice',
      inputs: [x],
      axes: own.map(({ axis }) => axis),
      starts: own.map(({ start }) => start),
      ends: own.map(({ end }) => end),
      steps: own.map(({ step }) => step),
    }),
  );
};

/** Sizes of the parts: given, or as equal as they can be, the last one the smallest. */
export function partSizes(op: Operation, size: number): number[] | null {
  if (!op.has('split') && op.isOpen(1)) return null;
  const list = op.listOf('split', 1);
  if (list) {
    if (
      list.length !== op.node.outputs.length ||
      list.some((part) => !(part >= 0)) ||
      list.reduce((a, b) => a + b, 0) !== size
    ) {
      op.fail(`parts of ${show(list)} do not make up ${size}.`);
    }
    return [...list];
  }
  const count = op.int('num_outputs', op.node.outputs.length);
  if (count !== op.node.outputs.length || count < 1)
    op.fail(`num_outputs = ${count} for ${op.node.outputs.length} outputs.`);
  const each = Math.ceil(size / count);
  return Array.from({ length: count }, (_, i) => Math.max(0, Math.min(each, size - i * each)));
}

const split: Converter = (op) => {
  const x = op.layer();
  const shape = op.shape(x);
  const axis = frontAxis(op, op.int('axis', 0), shape.length);
  const sizes = partSizes(op, shape[axis] as number);
  if (!sizes) return null;
  let start = 0;
  return sizes.map((size, index): Value => {
    const from = start;
    start += size;
    if (size === 0) return empty(op, shape.with(axis, 0), index);
    const inputs = [x];
    const range = { axes: [axis], starts: [from], ends: [from + size], steps: [1] };
    return op.value(op.step(`part${index}`, { kind: 'slice', inputs, ...range }));
  });
};

const expand: Converter = (op) => {
  if (op.isOpen(1)) return null;
  const target = [...op.required(1).data];
  const x = op.layer();
  const own = op.shape(x);
  const rank = Math.max(own.length, target.length);
  const shape = Array.from({ length: rank }, (_, axis) => {
    const size = target[axis - rank + target.length] ?? 1;
    return Number.isNaN(size) ? 0 : size;
  });
  const result = shape.map((size, axis) => (size <= 1 ? (own[axis - rank + own.length] ?? 1) : size));
  if (target.includes(0))
    return empty(
      op,
      result.map((size, axis) => (shape[axis] === 0 ? 0 : size)),
    );
  if (result.join() === own.join()) return op.value(x);
  return op.value(op.add({ kind: 'expand', inputs: [x], shape }));
};

/** Each axis is split in two, the new one repeats, and both become one again. */
const tile: Converter = (op) => {
  if (op.isOpen(1)) return null;
  const repeats = [...op.required(1).data];
  let x = op.layer();
  repeats.forEach((times, axis) => {
    const shape = op.shape(x);
    if (times === 1) return;
    if (!(times >= 1)) op.fail(`repeats ${show(repeats)} must be 1 or more.`);
    const apart = reshaped(op, `apart${axis}`, x, [...shape.slice(0, axis), 1, ...shape.slice(axis)]);
    const wide = shape.map(() => 1).toSpliced(axis, 0, times);
    const repeated = op.step(`repeated${axis}`, { kind: 'expand', inputs: [apart], shape: wide });
    x = reshaped(op, `joined${axis}`, repeated, shape.with(axis, (shape[axis] as number) * times));
  });
  return op.value(x);
};

const pad: Converter = (op) => {
  if ((!op.has('pads') && op.isOpen(1)) || (!op.has('value') && op.isOpen(2)) || op.isOpen(3)) return null;
  const x = op.layer();
  const rank = op.shape(x).length;
  const pads = op.listOf('pads', 1) ?? op.listOf('paddings', 1) ?? op.fail('pads are missing.');
  const value = op.has('value') ? op.float('value', 0) : (op.constant(2)?.data[0] ?? 0);
  const given = op.constant(3)?.data;
  const axes = given
    ? [...given].map((axis) => frontAxis(op, axis, rank))
    : Array.from({ length: rank }, (_, axis) => axis);
  if (pads.length !== 2 * axes.length) op.fail(`pads must be ${2 * axes.length} numbers; got ${show(pads)}.`);
  const sides = axes.map((axis, i) => ({ axis, before: pads[i] as number, after: pads[i + axes.length] as number }));
  const own = sides.filter(({ before, after }) => before !== 0 || after !== 0);
  if (own.length === 0) return op.value(x);
  const mode = op.text('mode', 'constant');
  if (mode !== 'constant' && mode !== 'reflect' && mode !== 'edge' && mode !== 'wrap')
    return op.problem(`mode = ${mode}`);
  const isPlain = own.every(({ axis, before, after }) => axis >= 2 && before >= 0 && after >= 0);
  if (rank === 4 && isPlain && mode === 'constant' && value === 0) {
    const [vertical, horizontal] = [2, 3].map((axis) => own.find((side) => side.axis === axis));
    const padding = {
      top: vertical?.before ?? 0,
      left: horizontal?.before ?? 0,
      bottom: vertical?.after ?? 0,
      right: horizontal?.after ?? 0,
    };
    return op.value(op.add({ kind: 'zeroPad', inputs: [x], padding }));
  }
  if (!Number.isFinite(value)) return op.problem(`value = ${value}`);
  const layer = op.add({
    kind: 'pad',
    inputs: [x],
    axes: own.map(({ axis }) => axis),
    before: own.map(({ before }) => before),
    after: own.map(({ after }) => after),
    mode,
    value,
  });
  return op.value(layer);
};

/** Channels as blocks of pixels: (block, block, channel), or (channel, block, block) in mode CRD. */
const depthToSpace: Converter = (op) => {
  const x = op.layer();
  const [n, c, h, w] = op.shape(x) as [number, number, number, number];
  const block = op.int('blocksize', 1);
  const channels = c / (block * block);
  const isCrd = op.text('mode', 'DCR') === 'CRD';
  const parts = isCrd ? [n, channels, block, block, h, w] : [n, block, block, channels, h, w];
  const order = isCrd ? [0, 1, 4, 2, 5, 3] : [0, 3, 4, 1, 5, 2];
  const turned = transposed(op, 'turned', reshaped(op, 'blocks', x, parts), order);
  return op.value(reshaped(op, 'pixels', turned, [n, channels, h * block, w * block]));
};

const spaceToDepth: Converter = (op) => {
  const x = op.layer();
  const [n, c, h, w] = op.shape(x) as [number, number, number, number];
  const block = op.int('blocksize', 1);
  const parts = reshaped(op, 'blocks', x, [n, c, h / block, block, w / block, block]);
  const turned = transposed(op, 'turned', parts, [0, 3, 5, 1, 2, 4]);
  return op.value(reshaped(op, 'channels', turned, [n, c * block * block, h / block, w / block]));
};

export const ARRANGEMENTS: Converters = {
  Reshape: reshape,
  Flatten: flatten,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Transpose: transpose,
  Concat: concat,
  Slice: slice,
  Split: split,
  Expand: expand,
  Tile: tile,
  Pad: pad,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
};
