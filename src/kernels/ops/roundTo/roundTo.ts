import { f32, linearGrid, read, write } from '../../dispatch.js';
import type { PlanBuilder } from '../../planBuilder.js';
import { quadCount, type Tensor } from '../../tensor.js';
import exponentSource from './exponent.wgsl.js';
import floatSource from './float.wgsl.js';
import integerSource from './integer.wgsl.js';
import { FLOATS, INTEGERS, LARGEST_EXACT, type NumberType } from './numberTypes.js';

export interface RoundToAttributes {
  readonly type: NumberType;
  /**
   * What happens to values outside of the type's range: the nearest value in it, or else an infinity or NaN (floats), or the value
   * modulo 2^bits (integers).
   */
  readonly saturate: boolean;
  /** float8e8m0 only, which holds powers of two: the power above, below, or the nearest one. */
  readonly powers: 'up' | 'down' | 'nearest';
}

/**
 * The values that a number type makes of `x`, in float32, in x's layout (ONNX's Cast): floats are rounded to the nearest, halves to
 * even, integers towards zero, to bool all but 0 is 1. Integers of 32 and 64 bits beyond 2^24, which float32 does not tell apart,
 * become NaN. The gradient of a float type is passed through as if nothing had been rounded; integers and bool have none.
 */
export function roundTo(b: PlanBuilder, x: Tensor, attributes: RoundToAttributes): Tensor {
  const { type } = attributes;
  const y = b.temporary(`${type} ${x.label}`, x.shape, { layout: x.layout, dtype: 'f32' });
  const { name, code, own } = kernelOf(attributes);
  b.dispatch({
    label: y.label,
    program: { label: `round to ${name}`, code },
    bindings: [read(x), write(y)],
    uniforms: [quadCount(x), ...own],
    workgroups: linearGrid(quadCount(x)),
  });
  if (type in INTEGERS || type === 'bool') return y;
  return b.differentiable([x], y, (dy) => [dy]);
}

const MODES = { up: 0, down: 1, nearest: 2 } as const;

function kernelOf({ type, saturate, powers }: RoundToAttributes) {
  if (type === 'float8e8m0')
    return { name: 'powers of two', code: exponentSource, own: [saturate ? 1 : 0, MODES[powers]] };
  if (type in FLOATS) {
    const format = FLOATS[type as keyof typeof FLOATS];
    const own = [
      format.fraction,
      1 - format.bias,
      f32(format.largest),
      // IEEE types overflow to their infinity whatever is asked for.
      saturate && type !== 'float16' && type !== 'bfloat16' ? 1 : 0,
      format.infinity ? 1 : 0,
      format.nan ? 1 : 0,
      format.negativeZero ? 1 : 0,
    ];
    return { name: 'floats', code: floatSource, own };
  }
  if (type === 'bool') return { name: 'integers', code: integerSource, own: [0, 0, 2, f32(0), f32(1)] };
  const { bits, signed } = INTEGERS[type as keyof typeof INTEGERS];
  const wide = bits > 16;
  const [least, most] = signed ? [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] : [0, 2 ** bits - 1];
  const range = wide ? [signed ? -LARGEST_EXACT : 0, LARGEST_EXACT] : [least, most];
  const mode = wide ? 3 : saturate ? 0 : 1;
  return {
    name: 'integers',
    code: integerSource,
    own: [wide ? 0 : bits, signed ? 1 : 0, mode, f32(range[0] as number), f32(range[1] as number)],
  };
}
