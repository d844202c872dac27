import { type Binding, f32, read, write } from '../../dispatch.js';
import { EngineError } from '../../errors.js';
import { type PlanBuilder } from '../../planBuilder.js';
import { elementCount, type Tensor } from '../../tensor.js';
import { type AxisGroups, axisGroups, axisKernel, denseGroups, elementTypes, spread } from '../axis/axis.js';
import { add, binary } from '../binary/binary.js';
import { groupNorm } from '../groupNorm/groupNorm.js';
import gradientSource from './layerNormGradient.wgsl.js';
import normalizeSource from './layerNorm.wgsl.js';
import { checkNormParameters, type NormParameters } from './normParameters.js';
import parameterSource from './parameterGradient.wgsl.js';

const WEIGHT = 1;
const BIAS = 2;

/**
 * Layer normalisation (Ba et al. 2016): (x - mean) / sqrt(variance + epsilon) weight + bias with the moments of the last `axes`
 * axes; weight and bias have the shape of these axes. PyTorch's `layer_norm`. x is dense, or in `rows`: [N, C] over its last
 * axis, [N, C, H, W] over its last three.
 */
export function layerNorm(b: PlanBuilder, x: Tensor, axes: number, parameters: NormParameters): Tensor {
  const rank = x.shape.length;
  const inRows = x.layout === 'rows';
  const fits = inRows ? axes === rank - 1 : Number.isInteger(axes) && axes >= 1 && axes <= rank;
  if (!fits) {
    throw new EngineError(
      'INVALID_ARGUMENT',
      `Layer norm takes 1..${rank} of the last axes of a dense tensor, all but the first of one in rows; got ${axes} of ${x.layout} [${x.shape.join(', ')}]. Over the channels alone there is layerNorm2d.`,
    );
  }
  if (inRows) return rank === 2 ? layerNorm2d(b, x, parameters) : layerNormOfPictures(b, x, parameters);
  const normalized = x.shape.slice(rank - axes);
  const before = elementCount(x.shape.slice(0, rank - axes));
  return normalize(b, x, normalized, denseGroups(before, elementCount(normalized), 1), parameters);
}

/** Over (C, H, W), with a weight for each element. */
function layerNormOfPictures(b: PlanBuilder, x: Tensor, parameters: NormParameters): Tensor {
  checkNormParameters(parameters, x.shape.slice(1), 'Layer norm');
  const { weight, bias, epsilon } = parameters;
  const normalized = groupNorm(b, x, 1, { weight: null, bias: null, epsilon });
  const scaled = weight ? binary(b, 'mul', normalized, weight) : normalized;
  return bias ? add(b, scaled, bias) : scaled;
}

/** Layer normalisation over the channels of [N, C] or, at each pixel, of [N, C, H, W] in `rows`; weight and bias are [C]. */
export function layerNorm2d(b: PlanBuilder, x: Tensor, parameters: NormParameters): Tensor {
  if (x.layout !== 'rows') {
    throw new EngineError('INVALID_ARGUMENT', `Layer norm over channels takes rows; ${x.label} is ${x.layout}.`);
  }
  return normalize(b, x, [x.shape[1] as number], axisGroups(x, 1, 'layer norm'), parameters);
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
