import { FLOATS } from '../../kernels/ops/roundTo/numberTypes.js';
import type { ValueType } from '../layers/input.js';

/** Bits of the types that share bytes. */
export const SMALL_BITS: Readonly<Partial<Record<ValueType, number>>> = {
  int4: 4,
  uint4: 4,
  float4e2m1: 4,
  int2: 2,
  uint2: 2,
};

/** The value of a code of a small floating-point type. */
function decodeFloat(code: number, type: keyof typeof FLOATS): number {
  const { exponent, fraction, bias, infinity, nan, negativeZero, largest } = FLOATS[type];
  const sign = code >> (exponent + fraction) ? -1 : 1;
  const magnitude = code & (2 ** (exponent + fraction) - 1);
  if (sign < 0 && magnitude === 0 && !negativeZero) return Number.NaN;
  const [e, f] = [magnitude >> fraction, magnitude % 2 ** fraction];
  const value = e === 0 ? f * 2 ** (1 - bias - fraction) : (1 + f / 2 ** fraction) * 2 ** (e - bias);
  if (value <= largest) return sign * value;
  const isInfinity = infinity && f === 0;
  return isInfinity ? sign * Number.POSITIVE_INFINITY : nan ? Number.NaN : sign * largest;
}

/** The value of a code of a type of 16 bits or less; further bits of the code do not count. */
export function smallValue(code: number, type: ValueType): number {
  const bits = SMALL_BITS[type] ?? (type === 'bfloat16' || type === 'float16' ? 16 : 8);
  const own = code & (2 ** bits - 1);
  if (type === 'float8e8m0') return own === 255 ? Number.NaN : 2 ** (own - 127);
  if (type in FLOATS) return decodeFloat(own, type as keyof typeof FLOATS);
  return type.startsWith('int') && own >= 2 ** (bits - 1) ? own - 2 ** bits : own;
}
