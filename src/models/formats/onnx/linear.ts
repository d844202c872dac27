import { asType, binary, type Converter, type Converters, reshaped, transposed } from './converter.js';
import { centred, weight } from './convolution.js';
import type { Operation } from './node.js';
import type { Constant } from './value.js';

/** [in, out] -> [out, in], times `factor`. */
function turned(data: Constant['data'], inputs: number, outputs: number, factor: number): Float32Array {
  const result = new Float32Array(data.length);
  for (let row = 0; row < inputs; row++) {
    for (let column = 0; column < outputs; column++) {
      result[column * inputs + row] = (data[row * outputs + column] as number) * factor;
    }
  }
  return result;
}

const scaled = (constant: Constant, factor: number): Constant =>
  factor === 1 ? constant : { ...constant, data: Float32Array.from(constant.data, (item) => item * factor) };

/** What is added to all rows, as one number for each feature; null where it differs from row to row. */
function asFeatures(constant: Constant, size: number): Constant | null {
  if (constant.shape.at(-1) === size && constant.data.length === size) return constant;
  if (constant.data.length !== 1) return null;
  return { ...constant, shape: [size], data: new Float32Array(size).fill(constant.data[0] as number) };
}

/** A product with constant weights [in, out], or [out, in], as a dense layer; null where it is none. */
function dense(op: Operation, matrix: Constant, isOutIn: boolean, alpha: number, bias: Constant | null): string | null {
  const [first, second] = matrix.shape;
  const x = op.layer();
  if (first === undefined || second === undefined || matrix.shape.length !== 2 || op.shape(x).length !== 2) return null;
  const [outFeatures, inFeatures] = isOutIn ? [first, second] : [second, first];
  if (op.shape(x)[1] !== inFeatures) op.fail(`${matrix.name} [${first}, ${second}] does not fit its input.`);
  const data = isOutIn ? scaled(matrix, alpha).data : turned(matrix.data, first, second, alpha);
  const features = bias && asFeatures(bias, outFeatures);
  return op.add({
    kind: 'dense',
    inputs: [x],
    outFeatures,
    weight: weight(op, { ...matrix, data }, [outFeatures, inFeatures]),
    bias: features ? weight(op, features, [outFeatures]) : null,
  });
}

/** alpha A B + beta C, A and B perhaps transposed. */
const gemm: Converter = (op) => {
  const [alpha, beta] = [op.float('alpha', 1), op.float('beta', 1)];
  const [transA, transB] = [op.int('transA', 0) === 1, op.int('transB', 0) === 1];
  const [a, b] = [op.given(0), op.constant(1)];
  const c = op.inputs[2] ? op.constant(2) : null;
  const features = c && b ? asFeatures(c, b.shape[transB ? 0 : 1] ?? 0) : null;
  if (a.kind === 'layer' && b && !transA && (c === null || features)) {
    const layer = dense(op, b, transB, alpha, features && scaled(features, beta));
    if (layer) return op.value(layer);
  }
  const left = transA ? transposed(op, 'a', op.layer(0), [1, 0]) : op.layer(0);
  const right = transB ? transposed(op, 'b', op.layer(1), [1, 0]) : op.layer(1);
  const matrix = op.add({ kind: 'matmul', inputs: [left, right] });
  const times = (part: string, x: string, factor: number) =>
    factor === 1 ? x : binary(op, part, 'mul', x, op.numbers(`${part}Factor`, [factor]));
  const first = times('scaled', matrix, alpha);
  if (!op.inputs[2]) return op.value(first);
  return op.value(binary(op, 'sum', 'add', first, times('offset', op.layer(2), beta)));
};

/** NumPy's product: a vector is a row on the left and a column on the right, and its dimension goes. */
export function matrixProduct(op: Operation, left: string, right: string): string {
  const [a, b] = [op.shape(left), op.shape(right)];
  if (a.length === 0 || b.length === 0) op.fail('its inputs must not be single numbers.');
  const rows = a.length === 1 ? reshaped(op, 'row', left, [1, ...a]) : left;
  const columns = b.length === 1 ? reshaped(op, 'column', right, [...b, 1]) : right;
  const layer = op.add({ kind: 'matmul', inputs: [rows, columns] });
  const shape = op.shape(layer);
  const kept = shape.filter((_, axis) => {
    const isRow = a.length === 1 && axis === shape.length - 2;
    const isColumn = b.length === 1 && axis === shape.length - 1;
    return !isRow && !isColumn;
  });
  return reshaped(op, 'result', layer, kept);
}

const matMul: Converter = (op) => {
  const b = op.constant(1);
  const layer = op.given(0).kind === 'layer' && b ? dense(op, b, false, 1, null) : null;
  return op.value(layer ?? asType(op, matrixProduct(op, op.layer(0), op.layer(1)), op.type()));
};

/** A layer minus a zero point that is a constant or a layer. */
export function minusZero(op: Operation, x: string, index: number): string {
  const zero = op.inputs[index];
  if (!zero || (zero.kind === 'constant' && zero.data.every((value) => value === 0))) return x;
  return binary(op, `centred${index}`, 'sub', x, op.layer(index));
}

const matMulInteger: Converter = (op) => {
  const b = op.constant(1);
  const zero = op.constant(3);
  const right =
    b && (!op.inputs[3] || zero)
      ? op.parameter(centred(op, b, zero, b.shape.length - 1))
      : minusZero(op, op.layer(1), 3);
  return op.value(asType(op, matrixProduct(op, minusZero(op, op.layer(0), 2), right), 'int32'), 'int32');
};

export const LINEAR: Converters = { Gemm: gemm, MatMul: matMul, MatMulInteger: matMulInteger };
