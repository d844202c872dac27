import type { ReduceLayer } from '../../layers/reduction.js';
import { asType, binary, type Converter, type Converters, frontAxes, frontAxis, reshaped, unary } from './converter.js';
import type { Operation } from './node.js';
import { isInteger } from './types.js';

/** Axes that go; null where there are none, so that the values stay; undefined after telling that they are not known. */
function reducedAxes(op: Operation, rank: number): number[] | null | undefined {
  if (!op.has('axes') && op.isOpen(1)) return undefined;
  const axes = op.listOf('axes', 1);
  if (axes && axes.length > 0) return frontAxes(op, axes, rank);
  return op.int('noop_with_empty_axes', 0) === 1 ? null : Array.from({ length: rank }, (_, axis) => axis);
}

/** Whether the axis stays. */
const keeps = (op: Operation): boolean => op.int('keepdims', 1) === 1;

function reduced(
  operator: ReduceLayer['operator'],
  before: (op: Operation, x: string) => string = (_, x) => x,
  after: (op: Operation, y: string) => string = (_, y) => y,
): Converter {
  return (op) => {
    const x = op.layer();
    const rank = op.shape(x).length;
    const axes = reducedAxes(op, rank);
    if (axes === undefined) return null;
    const terms = before(op, x);
    if (axes === null || axes.length === 0) return op.value(after(op, terms));
    const isPlain = operator === 'mean' && rank === 4 && axes.join() === '2,3';
    const layer = isPlain
      ? op.add({ kind: 'globalAveragePool', inputs: [terms], flatten: !keeps(op) })
      : op.add({ kind: 'reduce', inputs: [terms], operator, axes, keepDims: keeps(op) });
    const type = op.type();
    const whole = operator === 'mean' && isInteger(type) ? unary(op, 'whole', 'trunc', layer) : layer;
    return op.value(asType(op, after(op, whole), type));
  };
}

/** log sum exp(x - largest) + largest. */
const logSumExp: Converter = (op) => {
  const x = op.layer();
  const axes = reducedAxes(op, op.shape(x).length);
  if (axes === undefined) return null;
  if (axes === null || axes.length === 0) return op.given(0);
  const largest = op.step('largest', { kind: 'reduce', inputs: [x], operator: 'max', axes, keepDims: true });
  const shifted = unary(op, 'exp', 'exp', binary(op, 'shifted', 'sub', x, largest));
  const sum = op.step('sum', { kind: 'reduce', inputs: [shifted], operator: 'sum', axes, keepDims: true });
  const y = op.add({ kind: 'binary', operator: 'add', inputs: [unary(op, 'log', 'log', sum), largest] });
  if (keeps(op)) return op.value(y);
  return op.value(
    reshaped(
      op,
      'result',
      y,
      op.shape(y).filter((_, axis) => !axes.includes(axis)),
    ),
  );
};

const square = (op: Operation, x: string): string => binary(op, 'square', 'mul', x, x);

function argExtreme(extreme: 'max' | 'min'): Converter {
  return (op) => {
    const x = op.layer();
    const axis = frontAxis(op, op.int('axis', 0), op.shape(x).length);
    const select = op.int('select_last_index', 0) === 1 ? 'last' : 'first';
    const layer = op.add({ kind: 'argExtreme', inputs: [x], extreme, axis, keepDims: keeps(op), select });
    return op.value(layer, 'int64');
  };
}

/** Before operator set 13 over all axes from `axis` on, which was 1 unless given. */
function softmax(kind: 'softmax' | 'logSoftmax'): Converter {
  return (op) => {
    const x = op.layer();
    const shape = op.shape(x);
    const axis = frontAxis(op, op.int('axis', op.opset < 13 ? 1 : -1), shape.length);
    const behind = shape.slice(axis + 1).every((size) => size === 1);
    if (op.opset >= 13 || behind) return op.value(op.add({ kind, inputs: [x], axis }));
    const flat = op.step('flat', { kind: 'flatten', inputs: [x], axis });
    const layer = op.add({ kind, inputs: [flat], axis: 1 });
    return op.value(reshaped(op, 'result', layer, shape));
  };
}

const topK: Converter = (op) => {
  if (!op.has('k') && op.isOpen(1)) return null;
  const x = op.layer();
  const axis = frontAxis(op, op.int('axis', -1), op.shape(x).length);
  const k = op.has('k') ? op.int('k', 1) : (op.required(1).data[0] as number);
  const largest = op.int('largest', 1) === 1;
  const output = (part: 'values' | 'indices') =>
    op.step(part, { kind: 'topK', inputs: [x], k, axis, largest, output: part });
  return [op.value(output('values')), op.node.outputs[1] ? op.value(output('indices'), 'int64') : null];
};

const cumSum: Converter = (op) => {
  if (op.isOpen(1)) return null;
  const x = op.layer();
  const axis = frontAxis(op, op.required(1).data[0] as number, op.shape(x).length);
  const layer = op.add({
    kind: 'cumulativeSum',
    inputs: [x],
    axis,
    exclusive: op.int('exclusive', 0) === 1,
    reverse: op.int('reverse', 0) === 1,
  });
  return op.value(asType(op, layer, op.type()));
};

export const REDUCTIONS: Converters = {
  ReduceSum: reduced('sum'),
  ReduceMean: reduced('mean'),
  ReduceMax: reduced('max'),
  ReduceMin: reduced('min'),
  ReduceProd: reduced('product'),
  ReduceL1: reduced('sum', (op, x) => unary(op, 'abs', 'abs', x)),
  ReduceL2: reduced('l2'),
  ReduceSumSquare: reduced('sum', square),
  ReduceLogSum: reduced('sum', undefined, (op, y) => unary(op, 'log', 'log', y)),
  ReduceLogSumExp: logSumExp,
  ArgMax: argExtreme('max'),
  ArgMin: argExtreme('min'),
  Softmax: softmax('softmax'),
  LogSoftmax: softmax('logSoftmax'),
  TopK: topK,
  CumSum: cumSum,
};
