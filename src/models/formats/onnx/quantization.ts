import type { NumberType } from '../../../kernels/ops/roundTo/numberTypes.js';
import type { ValueType } from '../../layers/input.js';
import { binary, type Converter, type Converters, frontAxis, reshaped, unary } from './converter.js';
import { centred, integerConvolution } from './convolution.js';
import { matrixProduct, minusZero } from './linear.js';
import type { Operation } from './node.js';
import { isInteger, valueType } from './types.js';

/** The scale or zero point at an input as it broadcasts to a value: one for all, one for each of an axis, or one a block. */
function alongAxis(op: Operation, part: string, index: number, shape: readonly number[], axis: number): string {
  const layer = op.layer(index);
  const own = op.shape(layer);
  if (own.every((size) => size === 1)) return reshaped(op, part, layer, []);
  if (own.length === 1) {
    const target = shape.map((_, i) => (i === axis ? (own[0] as number) : 1)).slice(axis);
    return reshaped(op, part, layer, target);
  }
  const blocks = own[axis] as number;
  const size = op.int('block_size', 0) || Math.ceil((shape[axis] as number) / blocks);
  const apart = reshaped(op, `${part}Apart`, layer, own.toSpliced(axis + 1, 0, 1));
  const wide = own.map(() => 1).toSpliced(axis + 1, 0, size);
  const repeated = op.step(`${part}Repeated`, { kind: 'expand', inputs: [apart], shape: wide });
  const joined = reshaped(op, part, repeated, own.with(axis, blocks * size));
  if (blocks * size === shape[axis]) return joined;
  const range = { axes: [axis], starts: [0], ends: [shape[axis] as number], steps: [1] };
  return op.step(`${part}Cut`, { kind: 'slice', inputs: [joined], ...range });
}

const isNumberType = (type: ValueType): type is NumberType => type !== 'float32' && type !== 'float64';

const axisOf = (op: Operation, rank: number): number => {
  const axis = op.int('axis', 1);
  return rank === 0 || axis >= rank ? 0 : frontAxis(op, axis, rank);
};

/** (x - zero) scale. */
const dequantize: Converter = (op) => {
  const x = op.layer();
  const shape = op.shape(x);
  const axis = axisOf(op, shape.length);
  const centre = op.inputs[2] ? binary(op, 'centred', 'sub', x, alongAxis(op, 'zero', 2, shape, axis)) : x;
  return op.value(binary(op, 'scaled', 'mul', centre, alongAxis(op, 'scale', 1, shape, axis)), op.type(1));
};

/** round(x / scale) + zero, saturated to the type; halves to even. */
function quantized(op: Operation, scaled: string, zero: string | null, type: NumberType): string {
  const whole = isInteger(type) ? unary(op, 'rounded', 'round', scaled) : scaled;
  const shifted = zero === null ? whole : binary(op, 'shifted', 'add', whole, zero);
  const saturate = isInteger(type) || op.int('saturate', 1) === 1;
  return op.add({ kind: 'roundTo', inputs: [shifted], type, saturate, powers: 'up' });
}

const quantize: Converter = (op) => {
  const x = op.layer();
  const shape = op.shape(x);
  const axis = axisOf(op, shape.length);
  const asked = op.int('output_dtype', 0);
  const type = op.inputs[2] ? op.type(2) : asked ? valueType(asked) : 'uint8';
  if (!type || !isNumberType(type)) return op.problem(`the output type ${type ?? asked}`);
  const scaled = binary(op, 'scaled', 'div', x, alongAxis(op, 'scale', 1, shape, axis));
  const zero = op.inputs[2] ? alongAxis(op, 'zero', 2, shape, axis) : null;
  return op.value(quantized(op, scaled, zero, type), type);
};

/** Scale and zero point from the range of the values, 0 included (uint8). */
const dynamicQuantize: Converter = (op) => {
  const x = op.layer();
  const zero = op.numbers('zero', [0]);
  const axes = op.shape(x).map((_, axis) => axis);
  const extreme = (operator: 'max' | 'min') => {
    const all = op.step(operator, { kind: 'reduce', inputs: [x], operator, axes, keepDims: false });
    return binary(op, `${operator}With0`, operator, all, zero);
  };
  const [most, least] = [extreme('max'), extreme('min')];
  const scale = binary(op, 'scale', 'div', binary(op, 'range', 'sub', most, least), op.numbers('steps', [255]));
  const place = binary(op, 'place', 'div', binary(op, 'below', 'sub', zero, least), scale);
  const uint8 = { kind: 'roundTo', type: 'uint8', saturate: true, powers: 'up' } as const;
  const point = op.step('zeroPoint', { ...uint8, inputs: [unary(op, 'whole', 'round', place)] });
  const y = quantized(op, binary(op, 'scaled', 'div', x, scale), point, 'uint8');
  return [op.value(y, 'uint8'), op.value(scale), op.value(point, 'uint8')];
};

/** Sums of integers with scales a and b as integers with the scale and zero point of the result. */
function requantized(
  op: Operation,
  sums: string,
  at: { scales: [number, number]; scale: number; zero: number },
): string {
  const shape = op.shape(sums);
  const factor = binary(
    op,
    'factor',
    'mul',
    op.layer(at.scales[0]),
    alongAxis(op, 'weightScale', at.scales[1], shape, 1),
  );
  const ratio = binary(op, 'ratio', 'div', factor, op.layer(at.scale));
  const scaled = binary(op, 'scaled', 'mul', sums, ratio);
  const type = op.type(at.zero);
  return isNumberType(type) ? quantized(op, scaled, op.layer(at.zero), type) : op.fail(`results of type ${type}.`);
}

const qLinearConv: Converter = (op) => {
  if (op.isOpen(3) || op.isOpen(5) || op.isOpen(8)) return null;
  const kernels = centred(op, op.required(3), op.constant(5), 0);
  const sums = integerConvolution(op, minusZero(op, op.layer(0), 2), kernels, op.constant(8));
  return op.value(requantized(op, sums, { scales: [1, 4], scale: 6, zero: 7 }), op.type(7));
};

const qLinearMatMul: Converter = (op) => {
  const sums = matrixProduct(op, minusZero(op, op.layer(0), 2), minusZero(op, op.layer(3), 5));
  const factor = binary(op, 'factor', 'mul', op.layer(1), op.layer(4));
  const scaled = binary(op, 'scaled', 'mul', sums, binary(op, 'ratio', 'div', factor, op.layer(6)));
  const type = op.type(7);
  if (!isNumberType(type)) return op.problem(`results of type ${type}`);
  return op.value(quantized(op, scaled, op.layer(7), type), type);
};

export const QUANTIZATIONS: Converters = {
  DequantizeLinear: dequantize,
  QuantizeLinear: quantize,
  DynamicQuantizeLinear: dynamicQuantize,
  QLinearConv: qLinearConv,
  QLinearMatMul: qLinearMatMul,
};
