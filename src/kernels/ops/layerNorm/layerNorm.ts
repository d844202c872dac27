import { type Binding, f32, read, write } from '../../dispatch.js';
import { EngineError } from '../../errors.js';
import { type PlanBuilder } from '../../planBuilder.js';
import { elementCount, type Tensor } from '../../tensor.js';
import { type AxisGroups, axisGroups, axisKernel, denseGroups, elementTypes, spread } from '../axis/axis.js';
import gradientSource from './layerNormGradient.wgsl.js';
import normalizeSource from './layerNorm.wgsl.js';
import parameterSource from './parameterGradient.wgsl.js';

export interface NormParameters {
  /** Scale and offset, dense; null stands for 1 and 0. */
  readonly weight: Tensor | null;
  readonly bias: Tensor | null;
  /** Added to the variance, which is the biased one. */
  readonly epsilon: number;
}

const WEIGHT = 1;
const BIAS = 2;

/**
 * Layer normalisation (Ba et al. 2016): (x - mean) / sqrt(variance + epsilon) weight + bias with the moments of the last `axes`
 * axes of a dense tensor; weight and bias have the shape of these axes. PyTorch's `layer_norm`.
 */
export function layerNorm(b: PlanBuilder, x: Tensor, axes: number, parameters: NormParameters): Tensor {
  const rank = x.shape.length;
  if (x.layout !== 'dense' || !Number.isInteger(axes) || axes < 1 || axes > rank) {
    throw new EngineError(
      'INVALID_ARGUMENT',
      `Layer norm over the last axes takes a dense tensor and 1..${rank} of its axes; got ${x.layout} [${x.shape.join(', ')}] and ${axes}. For feature maps there are layerNorm2d and groupNorm.`,
    );
  }
  const normalized = x.shape.slice(rank - axes);
  const before = elementCount(x.shape.slice(0, rank - axes));
  return normalize(b, x, normalized, denseGroups(before, elementCount(normalized), 1), parameters);
}

/** Layer normalisation over the channels of [N, C] or, at each pixel, of [N, C, H, W] in `rows`; weight and bias are [C]. */
export function layerNorm2d(b: PlanBuilder, x: Tensor, parameters: NormParameters): Tensor {
  if (x.layout !== 'rows') {
    throw new EngineError('INVALID_ARGUMENT', `Layer norm over channels takes rows; ${x.label} is ${x.layout}.`);
  }
  return normalize(b, x, [x.shape[1] as number], axisGroups(x, 1, 'layer norm'), parameters);
}

/** Throws `INVALID_SHAPE` unless weight and bias, where they are, are dense of `shape`. */
export function checkNormParameters({ weight, bias }: NormParameters, shape: readonly number[], what: string): void {
  for (const tensor of [weight, bias]) {
    if (tensor && (tensor.layout !== 'dense' || tensor.shape.join() !== shape.join())) {
      throw new EngineError(
        'INVALID_SHAPE',
        `${what}: weight and bias are dense [${shape.join(', ')}]; ${tensor.label} is ${tensor.layout} [${tensor.shape.join(', ')}].`,
      );
    }
  }
}

function normalize(
  b: PlanBuilder,
  x: Tensor,
  normalized: readonly number[],
  groups: AxisGroups,
  parameters: NormParameters,
): Tensor {
  const { weight, bias, epsilon } = parameters;
  checkNormParameters(parameters, normalized, 'Layer norm');
  const like = { layout: x.layout, dtype: x.dtype };
  const width = groups.quads ? 4 : 1;
  // Mean and 1 / deviation of each group.
  const moments = b.temporary(`moments ${x.label}`, [2, groups.groups * width], { layout: 'dense' });
  const y = b.temporary(`layer norm ${x.label}`, x.shape, like);
  const orAny = (tensor: Tensor | null): Binding => read(tensor ?? moments);
  const affine = (weight ? WEIGHT : 0) | (bias ? BIAS : 0);
  // x stands in for what is absent: moments is written here.
  const forward = [read(x), read(weight ?? x), read(bias ?? x), write(y), write(moments)];
  b.dispatch(axisKernel(b, 'layer norm', normalizeSource, groups, forward, [affine, f32(epsilon)]));
  const inputs = [x, weight, bias].filter((tensor) => tensor !== null);
  return b.differentiable(inputs, y, (dy) => {
    let dx: Tensor | null = null;
    if (x.requiresGradient) {
      dx = b.temporary(`d ${x.label}`, x.shape, like);
      const bindings = [read(x), read(dy), orAny(weight), read(moments), write(dx)];
      b.dispatch(axisKernel(b, 'layer norm gradient', gradientSource, groups, bindings, [affine]));
    }
    const gradients = new Map<Tensor | null, Tensor | null>([[x, dx]]);
    if (weight?.requiresGradient || bias?.requiresGradient) {
      const { dWeight, dBias } = parameterGradients(b, x, dy, moments, groups, normalized);
      gradients.set(weight, dWeight).set(bias, dBias);
    }
    return inputs.map((input) => gradients.get(input) ?? null);
  });
}

function parameterGradients(
  b: PlanBuilder,
  x: Tensor,
  dy: Tensor,
  moments: Tensor,
  groups: AxisGroups,
  normalized: readonly number[],
): { dWeight: Tensor; dBias: Tensor } {
  const dWeight = b.temporary(`d weight ${x.label}`, normalized, { layout: 'dense' });
  const dBias = b.temporary(`d bias ${x.label}`, normalized, { layout: 'dense' });
  const bindings = [read(x), read(dy), read(moments), write(dWeight), write(dBias)];
  // Elements that lie side by side are taken so: those of one group, or the groups at one element.
  const lines = groups.inner === 1 && !groups.quads;
  const onSoftware = b.engine.kernelFamily === 'subgroup8';
  const columns = lines ? 8 : 1;
  const lanes = lines ? (onSoftware ? 1 : 32) : onSoftware ? 8 : 64;
  const count = x.layout === 'rows' ? elementCount(x.shape) / groups.size : groups.groups;
  b.dispatch({
    label: 'layer norm parameters',
    program: {
      label: 'layer norm parameters',
      code: `${elementTypes(groups.quads, bindings.length)}const quads = ${groups.quads};\n${parameterSource}`,
      constants: { lanes, columns },
    },
    bindings,
    uniforms: [groups.size, groups.groups, groups.inner, groups.outer, groups.stride, count],
    workgroups: spread(Math.ceil(groups.size / columns)),
  });
  return { dWeight, dBias };
}
