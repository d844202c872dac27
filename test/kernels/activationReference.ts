import type { Activation } from '../../src/kernels/ops/activation/activation.js';

/** erf by its series exp(-z^2) 2 / sqrt(pi) sum 2^n z^(2n+1) / (2n+1)!!, whose terms all have one sign (DLMF 7.6.2). */
export function erf(z: number): number {
  if (Math.abs(z) > 6) return Math.sign(z);
  let term = z;
  let sum = z;
  for (let n = 1; n < 200; n++) {
    term *= (2 * z * z) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-z * z) * sum;
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const clamp = (x: number, low: number, high: number): number => Math.min(high, Math.max(low, x));

/** An activation in float64, and where its derivative jumps. */
export function activationReference(activation: Activation): { f: (x: number) => number; corners: readonly number[] } {
  const given = typeof activation === 'string' ? { kind: activation } : activation;
  switch (given.kind) {
    case 'relu':
      return { f: (x) => Math.max(0, x), corners: [0] };
    case 'relu6':
      return { f: (x) => clamp(x, 0, 6), corners: [0, 6] };
    case 'clip':
      return { f: (x) => clamp(x, given.min, given.max), corners: [given.min, given.max] };
    case 'leakyRelu':
      return { f: (x) => (x > 0 ? x : given.slope * x), corners: [0] };
    case 'elu':
      return { f: (x) => (x > 0 ? x : given.alpha * Math.expm1(x)), corners: [0] };
    case 'hardSigmoid': {
      const { alpha, beta } = given;
      return { f: (x) => clamp(alpha * x + beta, 0, 1), corners: [-beta / alpha, (1 - beta) / alpha] };
    }
    case 'hardSwish':
      return { f: (x) => (x * clamp(x + 3, 0, 6)) / 6, corners: [-3, 3] };
    case 'sigmoid':
      return { f: sigmoid, corners: [] };
    case 'tanh':
      return { f: Math.tanh, corners: [] };
    case 'softplus':
      return { f: (x) => Math.log1p(Math.exp(x)), corners: [] };
    case 'silu':
      return { f: (x) => x * sigmoid(x), corners: [] };
    case 'gelu':
      return { f: (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)), corners: [] };
    case 'geluTanh':
      return {
        f: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
        corners: [],
      };
    case 'softsign':
      return { f: (x) => x / (1 + Math.abs(x)), corners: [] };
    case 'selu':
      return { f: (x) => given.gamma * (x > 0 ? x : given.alpha * Math.expm1(x)), corners: [0] };
    case 'celu':
      return { f: (x) => (x > 0 ? x : given.alpha * Math.expm1(x / given.alpha)), corners: [0] };
    case 'thresholdedRelu':
      return { f: (x) => (x > given.alpha ? x : 0), corners: [given.alpha] };
    case 'shrink': {
      const { lambda, bias } = given;
      const f = (x: number) => (x < -lambda ? x + bias : x > lambda ? x - bias : 0);
      return { f, corners: [-lambda, lambda] };
    }
    case 'mish':
      return { f: (x) => x * Math.tanh(Math.log1p(Math.exp(x))), corners: [] };
  }
}
