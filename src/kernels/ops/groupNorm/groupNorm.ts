import { type Binding, f32, type Grid, read, write } from '../../dispatch.js';
import { EngineError } from '../../errors.js';
import { type PlanBuilder } from '../../planBuilder.js';
import { rowLayout, type Tensor } from '../../tensor.js';
import { reductionKernel } from '../axis/axis.js';
import { checkNormParameters, type NormParameters } from '../layerNorm/normParameters.js';
import combineSource from './combineMoments.wgsl.js';
import gradientSource from './groupNormGradient.wgsl.js';
import gradientSumsSource from './gradientSums.wgsl.js';
import normalizeSource from './groupNorm.wgsl.js';
import combineGradientsSource from './combineGradients.wgsl.js';
import momentsSource from './planeMoments.wgsl.js';

const WORKGROUP = 64;
/** So that what is loaded per channel and picture pays. */
const QUADS_PER_INVOCATION = 4;
const WEIGHT = 1;
const BIAS = 2;

/**
 * Group normalisation (Wu and He 2018): each picture's channels, cut into `groups` groups of neighbours, are normalised by the
 * group's mean and biased variance over channels and pixels; weight and bias are [C]. x is [N, C] or [N, C, H, W] in `rows`.
 * One group is layer normalisation over (C, H, W) with weights per channel, C groups are instance normalisation.
 */
export function groupNorm(b: PlanBuilder, x: Tensor, groups: number, parameters: NormParameters): Tensor {
  const { rows: channels, columns, stride } = rowLayout(x.shape);
  if (x.layout !== 'rows' || !Number.isInteger(groups) || groups < 1 || channels % groups !== 0) {
    throw new EngineError(
      'INVALID_ARGUMENT',
      `Group norm takes rows and a number of groups that divides the channels; got ${x.layout} [${x.shape.join(', ')}] and ${groups}.`,
    );
  }
  checkNormParameters(parameters, [channels], 'Group norm');
  const { weight, bias, epsilon } = parameters;
  const batch = x.shape[0] as number;
  const pixels = columns / batch;
  const perGroup = channels / groups;
  const quadsPerRow = stride / 4;
  const dense = { layout: 'dense' } as const;
  const planes = { size: Math.ceil(pixels / 4), groups: channels * batch };

  // (mean, 1 / deviation) of each picture's groups, [N, G]; where a group has several channels, through those of its planes.
  let moments = b.temporary(`plane moments ${x.label}`, [channels, batch, 2], dense);
  b.dispatch({
    ...reductionKernel(b, 'plane moments', momentsSource, 'f32', planes),
    bindings: [read(x), write(moments)],
    uniforms: [channels, batch, pixels, quadsPerRow, perGroup === 1 ? 1 : 0, f32(epsilon)],
  });
  if (perGroup > 1) {
    const combined = b.temporary(`group moments ${x.label}`, [groups, batch, 2], dense);
    b.dispatch({
      ...reductionKernel(b, 'group moments', combineSource, 'f32', { size: perGroup, groups: groups * batch }),
      bindings: [read(moments), write(combined)],
      uniforms: [groups, batch, perGroup, pixels, f32(epsilon)],
    });
    moments = combined;
  }

  const affine = (weight ? WEIGHT : 0) | (bias ? BIAS : 0);
  const orAny = (tensor: Tensor | null): Binding => read(tensor ?? moments);
  const isAligned = pixels % 4 === 0;
  const quads = isAligned ? pixels / 4 : quadsPerRow;
  const workgroups: Grid = [Math.ceil(quads / (WORKGROUP * QUADS_PER_INVOCATION)), channels, isAligned ? batch : 1];
  const elementwise = { uniforms: [quadsPerRow, batch, pixels, perGroup, affine], workgroups };
  const aligned = { aligned: isAligned ? 1 : 0 };
  const like = { dtype: x.dtype };
  const y = b.temporary(`group norm ${x.label}`, x.shape, like);
  b.dispatch({
    label: `group norm ${x.label}`,
    program: { label: 'group norm', code: normalizeSource, constants: aligned },
    bindings: [read(x), read(moments), orAny(weight), orAny(bias), write(y)],
    ...elementwise,
  });

  const inputs = [x, weight, bias].filter((tensor) => tensor !== null);
  return b.differentiable(inputs, y, (dy) => {
    const sums = b.temporary(`gradient sums ${x.label}`, [channels, batch, 2], dense);
    b.dispatch({
      ...reductionKernel(b, 'group norm sums', gradientSumsSource, 'vec2f', planes),
      bindings: [read(x), read(dy), read(moments), write(sums)],
      uniforms: [channels, batch, pixels, quadsPerRow, perGroup],
    });
    const means = b.temporary(`gradient means ${x.label}`, [groups, batch, 2], dense);
    const dWeight = b.temporary(`d weight ${x.label}`, [channels], dense);
    const dBias = b.temporary(`d bias ${x.label}`, [channels], dense);
    b.dispatch({
      ...reductionKernel(b, 'group norm means', combineGradientsSource, 'vec2f', {
        size: Math.max(perGroup, batch),
        groups: groups * batch + channels,
      }),
      bindings: [read(sums), orAny(weight), write(means), write(dWeight), write(dBias)],
      uniforms: [groups, batch, perGroup, affine, f32(perGroup * pixels)],
    });
    let dx: Tensor | null = null;
    if (x.requiresGradient) {
      dx = b.temporary(`d ${x.label}`, x.shape, like);
      b.dispatch({
        label: `group norm gradient ${x.label}`,
        program: { label: 'group norm gradient', code: gradientSource, constants: aligned },
        bindings: [read(x), read(dy), read(moments), read(means), orAny(weight), write(dx)],
        ...elementwise,
      });
    }
    const gradients = new Map<Tensor | null, Tensor | null>([
      [bias, dBias],
      [weight, dWeight],
      [x, dx],
    ]);
    return inputs.map((input) => gradients.get(input) ?? null);
  });
}

/** Instance normalisation (Ulyanov et al. 2016): each channel of each picture by its own mean and biased variance. */
export const instanceNorm = (b: PlanBuilder, x: Tensor, parameters: NormParameters): Tensor =>
  groupNorm(b, x, x.shape[1] as number, parameters);
