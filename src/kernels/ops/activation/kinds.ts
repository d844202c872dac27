import { EngineError } from '../../errors.js';
import { fromHalf, toHalf } from '../../half.js';
import type { PointwiseFunction } from '../pointwise/pointwise.js';

/** Activations without parameters. */
export type PlainActivation = 'relu' | 'relu6' | keyof typeof PLAIN;

/**
 * An elementwise activation.
 *
 * - `relu`: max(x, 0). `relu6`: min(max(x, 0), 6) (Krizhevsky 2010, Convolutional Deep Belief Networks on CIFAR-10).
 * - `clip`: min(max(x, min), max); a bound may be infinite.
 * - `leakyRelu`: x where x > 0, else slope x (Maas, Hannun and Ng 2013).
 * - `elu`: x where x > 0, else alpha (exp(x) - 1), alpha > 0 (Clevert, Unterthiner and Hochreiter 2016).
 * - `sigmoid`: 1 / (1 + exp(-x)). `hardSigmoid`: min(max(alpha x + beta, 0), 1); alpha is 0.2 in ONNX, 1/6 in PyTorch, beta 0.5.
 * - `tanh`. `softplus`: ln(1 + exp(x)).
 * - `silu`, or swish: x sigmoid(x) (Ramachandran, Zoph and Le 2017). `hardSwish`: x min(max(x / 6 + 0.5, 0), 1) (Howard et al.
 *   2019, MobileNetV3).
 * - `gelu`: x Phi(x), Phi being the normal distribution; `geluTanh` has 0.5 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) for
 *   Phi(x) (Hendrycks and Gimpel 2016). `mish`: x tanh(softplus(x)) (Misra 2019).
 * - `softsign`: x / (1 + |x|). `selu`: gamma x where x > 0, else gamma alpha (exp(x) - 1) (Klambauer et al. 2017). `celu`: x where
 *   x > 0, else alpha (exp(x / alpha) - 1), alpha > 0 (Barron 2017).
 * - `thresholdedRelu`: x where x > alpha, else 0 (Konda, Memisevic and Krueger 2015). `shrink`: x - bias where x > lambda, x + bias
 *   where x < -lambda, else 0; with bias = lambda >= 0 the soft threshold.
 */
export type Activation =
  | PlainActivation
  | { readonly kind: PlainActivation }
  | { readonly kind: 'clip'; readonly min: number; readonly max: number }
  | { readonly kind: 'leakyRelu'; readonly slope: number }
  | { readonly kind: 'elu'; readonly alpha: number }
  | { readonly kind: 'hardSigmoid'; readonly alpha: number; readonly beta: number }
  | { readonly kind: 'selu'; readonly alpha: number; readonly gamma: number }
  | { readonly kind: 'celu'; readonly alpha: number }
  | { readonly kind: 'thresholdedRelu'; readonly alpha: number }
  | { readonly kind: 'shrink'; readonly lambda: number; readonly bias: number };

/** An activation as WGSL. Where it is a clamp, `bounds` says so: kernels that fuse it then share one program. */
export interface ActivationFunction extends PointwiseFunction {
  readonly kind: string;
  readonly bounds: { readonly lower: number; readonly upper: number } | null;
}

/** WGSL has no infinities; the largest float32 stands for "no bound". */
const LARGEST = 3.4028234663852886e38;
const finite = (value: number): number => Math.max(-LARGEST, Math.min(LARGEST, Math.fround(value)));

const PLAIN = {
  sigmoid: { value: 'sigmoid(x)', gradient: 'dy * y * (1.0 - y)', gradientOf: 'output' },
  tanh: { value: 'hyperbolicTangent(x)', gradient: 'dy * (1.0 - y * y)', gradientOf: 'output' },
  softplus: { value: 'softplus(x)', gradient: 'dy * (1.0 - exp(-y))', gradientOf: 'output' },
  hardSwish: { value: 'hardSwish(x)', gradient: 'dy * hardSwishDerivative(x)', gradientOf: 'input' },
  silu: { value: 'x * sigmoid(x)', gradient: 'dy * siluDerivative(x)', gradientOf: 'input' },
  gelu: { value: 'x * normalDistribution(x)', gradient: 'dy * geluDerivative(x)', gradientOf: 'input' },
  geluTanh: {
    value: '0.5 * x * (1.0 + geluTanhFactor(x))',
    gradient: 'dy * geluTanhDerivative(x)',
    gradientOf: 'input',
  },
  softsign: { value: 'x / (1.0 + abs(x))', gradient: 'dy / ((1.0 + abs(x)) * (1.0 + abs(x)))', gradientOf: 'input' },
  mish: { value: 'x * mishFactor(x)', gradient: 'dy * mishDerivative(x)', gradientOf: 'input' },
} as const satisfies Record<string, PointwiseFunction>;

/** Whether float16 can hold a bound: in an output that was rounded, others do not show any more. */
const isExact = (bound: number): boolean => fromHalf(toHalf([bound]))[0] === bound || Math.abs(bound) === Infinity;

function clamp(kind: string, min: number, max: number): ActivationFunction {
  const [lower, upper] = [finite(min), finite(max)];
  const gradientOf = isExact(min) && isExact(max) ? 'output' : 'input';
  const value = gradientOf === 'output' ? 'y' : 'x';
  return {
    kind,
    value: `clamp(x, vec4f(${lower}), vec4f(${upper}))`,
    gradient: `select(vec4f(), dy, (${value} > vec4f(${lower})) & (${value} < vec4f(${upper})))`,
    gradientOf,
    bounds: { lower, upper },
  };
}

function invalid(activation: Activation, expected: string): EngineError {
  return new EngineError('INVALID_ARGUMENT', `${JSON.stringify(activation)}: ${expected}.`);
}

/** Throws `INVALID_ARGUMENT` for parameters with which the activation is no function, or has no gradient. */
export function activationFunction(activation: Activation): ActivationFunction {
  const given = typeof activation === 'string' ? { kind: activation } : activation;
  const { kind } = given;
  for (const [name, value] of Object.entries(given)) {
    if (name !== 'kind' && kind !== 'clip' && !Number.isFinite(value))
      throw invalid(activation, `${name} must be a finite number`);
  }
  switch (kind) {
    case 'relu':
      return clamp(kind, 0, Infinity);
    case 'relu6':
      return clamp(kind, 0, 6);
    case 'clip':
      if (!(given.min <= given.max)) throw invalid(activation, 'min must not exceed max');
      return clamp(kind, given.min, given.max);
    case 'leakyRelu': {
      const slope = `f32(${finite(given.slope)})`;
      // Below 0 the output has the sign of the input only where the slope is not negative.
      const gradientOf = given.slope < 0 ? 'input' : 'output';
      return {
        kind,
        value: `select(x * ${slope}, x, x > vec4f())`,
        gradient: `select(dy * ${slope}, dy, ${gradientOf === 'input' ? 'x' : 'y'} > vec4f())`,
        gradientOf,
        bounds: null,
      };
    }
    case 'elu': {
      if (!(given.alpha > 0)) throw invalid(activation, 'alpha must be above 0');
      const alpha = `f32(${finite(given.alpha)})`;
      return {
        kind,
        value: `select(${alpha} * (exp(min(x, vec4f())) - 1.0), x, x > vec4f())`,
        gradient: `dy * select(y + ${alpha}, vec4f(1.0), y > vec4f())`,
        gradientOf: 'output',
        bounds: null,
      };
    }
    case 'hardSigmoid':
      return {
        kind,
        value: `clamp(x * f32(${finite(given.alpha)}) + f32(${finite(given.beta)}), vec4f(), vec4f(1.0))`,
        gradient: `select(vec4f(), dy * f32(${finite(given.alpha)}), (y > vec4f()) & (y < vec4f(1.0)))`,
        gradientOf: 'output',
        bounds: null,
      };
    case 'selu': {
      const [alpha, gamma] = [`f32(${finite(given.alpha)})`, `f32(${finite(given.gamma)})`];
      return {
        kind,
        value: `${gamma} * select(${alpha} * (exp(min(x, vec4f())) - 1.0), x, x > vec4f())`,
        gradient: `dy * ${gamma} * select(${alpha} * exp(min(x, vec4f())), vec4f(1.0), x > vec4f())`,
        gradientOf: 'input',
        bounds: null,
      };
    }
    case 'celu': {
      if (!(given.alpha > 0)) throw invalid(activation, 'alpha must be above 0');
      const alpha = `f32(${finite(given.alpha)})`;
      return {
        kind,
        value: `select(${alpha} * (exp(min(x, vec4f()) / ${alpha}) - 1.0), x, x > vec4f())`,
        gradient: `dy * select(exp(min(x, vec4f()) / ${alpha}), vec4f(1.0), x > vec4f())`,
        gradientOf: 'input',
        bounds: null,
      };
    }
    case 'thresholdedRelu': {
      const isAbove = `x > vec4f(${finite(given.alpha)})`;
      return {
        kind,
        value: `select(vec4f(), x, ${isAbove})`,
        gradient: `select(vec4f(), dy, ${isAbove})`,
        gradientOf: 'input',
        bounds: null,
      };
    }
    case 'shrink': {
      const [lambda, bias] = [`vec4f(${finite(given.lambda)})`, `f32(${finite(given.bias)})`];
      return {
        kind,
        value: `select(select(vec4f(), x + ${bias}, x < -${lambda}), x - ${bias}, x > ${lambda})`,
        gradient: `select(vec4f(), dy, (x < -${lambda}) | (x > ${lambda}))`,
        gradientOf: 'input',
        bounds: null,
      };
    }
    default:
      return { kind, ...PLAIN[kind], bounds: null };
  }
}
