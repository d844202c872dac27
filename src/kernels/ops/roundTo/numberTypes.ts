/** A type that values are rounded to: they stay float32, and become what the type can hold. */
export type NumberType = keyof typeof FLOATS | 'float8e8m0' | keyof typeof INTEGERS | 'bool';

/**
 * Small floating-point types: bits of exponent and fraction, the exponent's bias, the largest finite value, and what they have beside
 * numbers: infinities, a NaN, a negative zero. IEEE 754; bfloat16; OCP 8-bit floating point (Micikevicius et al. 2022); FNUZ
 * (Noune et al. 2022); OCP microscaling formats 1.0 for float4e2m1.
 */
export const FLOATS = {
  float16: { exponent: 5, fraction: 10, bias: 15, largest: 65504, infinity: true, nan: true, negativeZero: true },
  bfloat16: {
    exponent: 8,
    fraction: 7,
    bias: 127,
    largest: 3.3895313892515355e38,
    infinity: true,
    nan: true,
    negativeZero: true,
  },
  float8e4m3fn: { exponent: 4, fraction: 3, bias: 7, largest: 448, infinity: false, nan: true, negativeZero: true },
  float8e4m3fnuz: { exponent: 4, fraction: 3, bias: 8, largest: 240, infinity: false, nan: true, negativeZero: false },
  float8e5m2: { exponent: 5, fraction: 2, bias: 15, largest: 57344, infinity: true, nan: true, negativeZero: true },
  float8e5m2fnuz: {
    exponent: 5,
    fraction: 2,
    bias: 16,
    largest: 57344,
    infinity: false,
    nan: true,
    negativeZero: false,
  },
  float4e2m1: { exponent: 2, fraction: 1, bias: 1, largest: 6, infinity: false, nan: false, negativeZero: true },
} as const;

/** Integers up to this magnitude are exact in float32. */
export const LARGEST_EXACT = 2 ** 24;

/** Bits and sign of the integer types. Of 32 and 64 bits float32 holds those up to 2^24 exactly. */
export const INTEGERS = {
  int2: { bits: 2, signed: true },
  uint2: { bits: 2, signed: false },
  int4: { bits: 4, signed: true },
  uint4: { bits: 4, signed: false },
  int8: { bits: 8, signed: true },
  uint8: { bits: 8, signed: false },
  int16: { bits: 16, signed: true },
  uint16: { bits: 16, signed: false },
  int32: { bits: 32, signed: true },
  uint32: { bits: 32, signed: false },
  int64: { bits: 64, signed: true },
  uint64: { bits: 64, signed: false },
} as const;

export const NUMBER_TYPES = [
  ...Object.keys(FLOATS),
  'float8e8m0',
  ...Object.keys(INTEGERS),
  'bool',
] as readonly NumberType[];
