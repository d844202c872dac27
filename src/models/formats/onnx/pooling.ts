import { elementCount } from '../../../kernels/tensor.js';
import { NO_PADDING } from '../../graph.js';
import { binary, type Converter, type Converters, reshaped, unary } from './converter.js';
import type { Operation } from './node.js';
import { asPlane, pairOf, paddingOf, type Window, windowOf } from './window.js';

type Kind = 'maxPool' | 'averagePool';

interface Options {
  readonly ceilMode: boolean;
  readonly countIncludePad: boolean;
}

const plane = (window: Window, { ceilMode, countIncludePad }: Options) => ({
  kernel: pairOf(window.kernel),
  stride: pairOf(window.stride),
  padding: paddingOf(window),
  dilation: pairOf(window.dilation),
  ceilMode,
  countIncludePad,
});

/** The parts of a window along some of its dimensions. */
const along = (window: Window, axes: readonly number[]): Window => {
  const pick = (list: readonly number[]) => axes.map((axis) => list[axis] as number);
  const { kernel, stride, dilation, before, after } = window;
  return {
    kernel: pick(kernel),
    stride: pick(stride),
    dilation: pick(dilation),
    before: pick(before),
    after: pick(after),
  };
};

/**
 * Pooling of [N, C, ...] with 1 to 3 spatial dimensions. Volumes are pooled over height and width first, then over depth: the
 * largest value of a box is that of its lines' largest ones, and the mean that of its slices' means, as all of them count equally
 * many values.
 */
function pooled(op: Operation, kind: Kind, x: string, window: Window, options: Options): string {
  const [n, c, ...sizes] = op.shape(x) as [number, number, ...number[]];
  if (sizes.length === 2) return op.add({ kind, inputs: [x], ...plane(window, options) });
  if (sizes.length === 1) {
    const map = reshaped(op, 'map', x, [n, c, 1, ...sizes]);
    const layer = op.add({ kind, inputs: [map], ...plane(asPlane(window), options) });
    return reshaped(op, 'line', layer, [n, c, op.shape(layer)[3] as number]);
  }
  const [depth = 1, height = 1, width = 1] = sizes;
  const slices = reshaped(op, 'slices', x, [n, c * depth, height, width]);
  const flat = op.step('slice', { kind, inputs: [slices], ...plane(along(window, [1, 2]), options) });
  const [, , h = 1, w = 1] = op.shape(flat);
  const columns = reshaped(op, 'columns', flat, [n, c, depth, h * w]);
  const last = along(window, [0]);
  const column: Window = {
    kernel: [...last.kernel, 1],
    stride: [...last.stride, 1],
    dilation: [...last.dilation, 1],
    before: [...last.before, 0],
    after: [...last.after, 0],
  };
  const layer = op.add({ kind, inputs: [columns], ...plane(column, options) });
  return reshaped(op, 'volume', layer, [n, c, op.shape(layer)[2] as number, h, w]);
}

/** Spatial window of a pooling operator; null after telling of what is not known. */
function poolWindow(op: Operation): Window | null {
  const sizes = op.shape(op.layer()).slice(2);
  if (sizes.length < 1 || sizes.length > 3) return op.problem(`${sizes.length} spatial dimensions; known are 1 to 3`);
  const kernel = op.ints('kernel_shape') ?? op.fail('kernel_shape is missing.');
  if (kernel.length !== sizes.length)
    op.fail(`kernel_shape must be ${sizes.length} numbers; got [${kernel.join(', ')}].`);
  const window = windowOf(op, sizes, kernel);
  const reach = kernel.map((size, axis) => (size - 1) * (window.dilation[axis] as number) + 1);
  if (reach.some((size, axis) => Math.max(window.before[axis] as number, window.after[axis] as number) >= size)) {
    return op.problem('pads as large as the window');
  }
  return window;
}

const maxPool: Converter = (op) => {
  const window = poolWindow(op);
  if (!window) return null;
  const options = { ceilMode: op.int('ceil_mode', 0) === 1, countIncludePad: false };
  const x = op.layer();
  const values = op.value(pooled(op, 'maxPool', x, window, options));
  if (!op.node.outputs[1]) return values;
  if (op.shape(x).length !== 4) return op.problem('indices of a pooling that is not 2-D');
  const order = op.int('storage_order', 0) === 1 ? 'columnMajor' : 'rowMajor';
  const indices = op.step('indices', { kind: 'maxPoolIndices', inputs: [x], ...plane(window, options), order });
  return [values, op.value(indices, 'int64')];
};

const averagePool: Converter = (op) => {
  const window = poolWindow(op);
  if (!window) return null;
  const countIncludePad = op.int('count_include_pad', 0) === 1;
  return op.value(
    pooled(op, 'averagePool', op.layer(), window, { ceilMode: op.int('ceil_mode', 0) === 1, countIncludePad }),
  );
};

/** |x|^p summed over `sum`, to the power 1 / p. */
function powerMean(op: Operation, sum: (powers: string) => string): string {
  const p = op.int('p', 2);
  const size = unary(op, 'abs', 'abs', op.layer());
  const powers = p === 1 ? size : binary(op, 'powers', 'pow', size, op.numbers('p', [p]));
  const total = sum(powers);
  return p === 1 ? total : binary(op, 'root', 'pow', total, op.numbers('root', [1 / p]));
}

const lpPool: Converter = (op) => {
  const window = poolWindow(op);
  if (!window) return null;
  if (op.int('ceil_mode', 0) === 1) return op.problem('ceil_mode = 1');
  const options = { ceilMode: false, countIncludePad: true };
  const norm = powerMean(op, (powers) => {
    const mean = pooled(op, 'averagePool', powers, window, options);
    return binary(op, 'sum', 'mul', mean, op.numbers('elements', [elementCount(window.kernel)]));
  });
  return op.value(norm);
};

/** All pixels as one window. */
function globalPool(kind: Kind): Converter {
  return (op) => {
    const x = op.layer();
    const [n, c, ...sizes] = op.shape(x) as [number, number, ...number[]];
    if (sizes.length === 2 && kind === 'averagePool') {
      return op.value(op.add({ kind: 'globalAveragePool', inputs: [x], flatten: false }));
    }
    const map = reshaped(op, 'map', x, sizes.length === 2 ? [n, c, ...sizes] : [n, c, 1, elementCount(sizes)]);
    const [height, width] = op.shape(map).slice(2) as [number, number];
    const layer =
      kind === 'averagePool'
        ? op.add({ kind: 'globalAveragePool', inputs: [map], flatten: false })
        : op.add({
            kind,
            inputs: [map],
            kernel: [height, width],
            stride: [1, 1],
            padding: NO_PADDING,
            dilation: [1, 1],
            ceilMode: false,
            countIncludePad: false,
          });
    return op.value(reshaped(op, 'pixel', layer, [n, c, ...sizes.map(() => 1)]));
  };
}

const globalLpPool: Converter = (op) => {
  const axes = op
    .shape(op.layer())
    .slice(2)
    .map((_, index) => index + 2);
  const norm = powerMean(op, (powers) =>
    op.step('sum', { kind: 'reduce', inputs: [powers], operator: 'sum', axes, keepDims: true }),
  );
  return op.value(norm);
};

export const POOLINGS: Converters = {
  MaxPool: maxPool,
  AveragePool: averagePool,
  LpPool: lpPool,
  GlobalAveragePool: globalPool('averagePool'),
  GlobalMaxPool: globalPool('maxPool'),
  GlobalLpPool: globalLpPool,
};
