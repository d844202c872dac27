import { f32, type Float32Uniform } from '../../dispatch.js';
import type { Tensor } from '../../tensor.js';
import functions from '../pointwise/functions.wgsl.js';
import { type Activation, activationFunction } from './kinds.js';

/** What a kernel needs in order to apply an activation to its results. */
export interface FusedActivation {
  /** 0: there is none. */
  readonly isFused: 0 | 1;
  /** Uniforms `p.lower` and `p.upper` of a clamp. */
  readonly lower: Float32Uniform;
  readonly upper: Float32Uniform;
  /** WGSL with `fn activate(value: vec4f) -> vec4f`, which reads `p.lower` and `p.upper` where the activation is a clamp. */
  readonly source: string;
  /** WGSL with `fn activationGradient(value: vec4f, dy: vec4f) -> vec4f`, `value` being what goes into the activation. */
  readonly gradientSource: string;
}

const CLAMP = `
fn activate(value: vec4f) -> vec4f {
  return clamp(value, vec4f(p.lower), vec4f(p.upper));
}`;
const CLAMP_GRADIENT = `
fn activationGradient(value: vec4f, dy: vec4f) -> vec4f {
  return select(vec4f(), dy, (value > vec4f(p.lower)) & (value < vec4f(p.upper)));
}`;

/** ReLU, ReLU6, clip and none share one program; each other activation has one of its own. */
export function fusedActivation(activation: Activation | null | undefined): FusedActivation {
  const f = activation ? activationFunction(activation) : null;
  const { lower, upper } = f?.bounds ?? { lower: 0, upper: 0 };
  const common = { isFused: f ? 1 : 0, lower: f32(lower), upper: f32(upper) } as const;
  if (!f || f.bounds) return { ...common, source: CLAMP, gradientSource: CLAMP_GRADIENT };
  return {
    ...common,
    source: `${functions}
fn activate(x: vec4f) -> vec4f {
  return ${f.value};
}`,
    gradientSource: `${functions}
fn activationGradient(x: vec4f, dy: vec4f) -> vec4f {
  ${f.gradientOf === 'output' ? `let y = ${f.value};` : ''}
  return ${f.gradient};
}`,
  };
}

/**
 * Which activation a kernel applies itself and which is left to a dispatch of its own: the latter where a gradient is needed
 * that hangs on the activation's input, because a fused kernel keeps the output only.
 */
export function splitActivation(
  activation: Activation | null | undefined,
  inputs: readonly Tensor[],
): { fused: Activation | null; separate: Activation | null } {
  if (!activation) return { fused: null, separate: null };
  const needsInput = activationFunction(activation).gradientOf === 'input';
  const fuses = !needsInput || !inputs.some((input) => input.requiresGradient);
  return fuses ? { fused: activation, separate: null } : { fused: null, separate: activation };
}
