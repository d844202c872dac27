/** Numbers of eight bits: PyTorch's, safetensors' and ONNX's names are the same. */
export type Float8Type = 'f8e4m3fn' | 'f8e4m3fnuz' | 'f8e5m2' | 'f8e5m2fnuz' | 'f8e8m0fnu';

interface Float8Format {
  readonly fractionBits: number;
  readonly bias: number;
  /** `ieee`: infinities and NaNs in the last exponent; `fn`: NaN in the last code alone; `fnuz`: NaN instead of minus zero. */
  readonly special: 'ieee' | 'fn' | 'fnuz';
}

/** Micikevicius et al., "FP8 Formats for Deep Learning", 2022; the `fnuz` forms: Noune et al., "8-bit Numerical Formats", 2022. */
const FORMATS: Readonly<Record<Exclude<Float8Type, 'f8e8m0fnu'>, Float8Format>> = {
  f8e4m3fn: { fractionBits: 3, bias: 7, special: 'fn' },
  f8e4m3fnuz: { fractionBits: 3, bias: 8, special: 'fnuz' },
  f8e5m2: { fractionBits: 2, bias: 15, special: 'ieee' },
  f8e5m2fnuz: { fractionBits: 2, bias: 16, special: 'fnuz' },
};

/** Exact in float32. */
export function float8ToNumber(bits: number, type: Float8Type): number {
  // A power of two, as the scales of the OCP's microscaling formats.
  if (type === 'f8e8m0fnu') return bits === 0xff ? Number.NaN : 2 ** (bits - 127);
  const { fractionBits, bias, special } = FORMATS[type];
  const magnitude = bits & 0x7f;
  const sign = bits & 0x80 ? -1 : 1;
  if (special === 'fnuz' && bits === 0x80) return Number.NaN;
  if (special === 'fn' && magnitude === 0x7f) return Number.NaN;
  const exponent = magnitude >> fractionBits;
  const fraction = (magnitude & ((1 << fractionBits) - 1)) / (1 << fractionBits);
  if (special === 'ieee' && exponent === 0x7f >> fractionBits) return fraction > 0 ? Number.NaN : sign * Infinity;
  return sign * (exponent === 0 ? fraction * 2 ** (1 - bias) : (1 + fraction) * 2 ** (exponent - bias));
}
