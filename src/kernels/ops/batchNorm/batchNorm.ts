import { type Binding, f32, type Grid, linearGrid, read, readWrite, write } from '../../dispatch.js';
import { EngineError } from '../../errors.js';
import { type PlanBuilder } from '../../planBuilder.js';
import { rowLayout, type Tensor } from '../../tensor.js';
import { fusedActivation } from '../activation/fused.js';
import type { Activation } from '../activation/kinds.js';
import { reductionLanes } from '../sumRows/sumRows.js';
import gradientSumsSource from './gradientSums.wgsl.js';
import inputGradientSource from './inputGradient.wgsl.js';
import normalizeSource from './normalize.wgsl.js';
import runningSource from './runningStatistics.wgsl.js';
import statisticsSource from './statistics.wgsl.js';
import wholeRowsSource from './wholeRows.wgsl.js';
import wholeRowsGradientSource from './wholeRowsGradient.wgsl.js';

const WORKGROUP = 64;
/** So that what is loaded per channel pays. */
const QUADS_PER_INVOCATION = 4;
/** With so many channels for each core of a software adapter, one subgroup for each channel leaves no core idle for long. */
const ROWS_PER_CORE = 4;

export interface BatchNormParameters {
  /** Scale and offset per channel, dense [C]; null stands for 1 and 0. */
  readonly weight: Tensor | null;
  readonly bias: Tensor | null;
  /** Dense [C]. */
  readonly runningMean: Tensor;
  readonly runningVariance: Tensor;
  readonly epsilon: number;
  /** Weight of this batch in the running statistics. */
  readonly momentum: number;
}

/**
 * Batch normalisation per channel (Ioffe and Szegedy 2015), then the activation. Mode `batch` normalises by this batch's mean
 * and biased variance and moves the running statistics (with the unbiased variance, as PyTorch); mode `running` normalises by
 * the running statistics and leaves them alone.
 */
export function batchNorm(
  b: PlanBuilder,
  x: Tensor,
  parameters: BatchNormParameters,
  mode: 'batch' | 'running',
  options: { activation?: Activation | null } = {},
): Tensor {
  const { rows: channels, columns, stride } = rowLayout(x.shape);
  const quadsPerRow = stride / 4;
  const { weight, bias, runningMean, runningVariance, epsilon, momentum } = parameters;
  for (const tensor of [weight, bias, runningMean, runningVariance]) {
    if (tensor && (tensor.shape.length !== 1 || tensor.shape[0] !== channels)) {
      throw new EngineError(
        'INVALID_SHAPE',
        `Batch norm of ${channels} channels: ${tensor.label} is [${tensor.shape.join(', ')}].`,
      );
    }
  }
  const moments = b.temporary(`moments ${x.label}`, [channels, 2], { layout: 'dense' });
  const affine = (weight ? 1 : 0) | (bias ? 2 : 0);
  // An absent scale or offset is masked in the kernel; the binding still needs some tensor of at least C values.
  const orAny = (tensor: Tensor | null): Binding => read(tensor ?? x);
  // The backward pass computes the normalised value again, so that every activation can be fused.
  const { isFused, lower, upper, source, gradientSource } = fusedActivation(options.activation);
  const rowGrid: Grid = [Math.ceil(quadsPerRow / (WORKGROUP * QUADS_PER_INVOCATION)), channels, 1];
  const y = b.temporary(`batch norm ${x.label}`, x.shape);
  const wholeRows = b.engine.kernelFamily === 'subgroup8' && channels >= ROWS_PER_CORE * b.engine.cores;
  // Computed again for the backward pass, the same batch must not move the running statistics again.
  const weightOfBatch = f32(b.isReplaying ? 0 : momentum);
  if (mode === 'batch' && wholeRows) {
    b.dispatch({
      label: `batch norm ${x.label}`,
      program: { label: 'batch norm of rows', code: `${wholeRowsSource}${source}`, enables: ['subgroups'] },
      bindings: [
        read(x),
        orAny(weight),
        orAny(bias),
        write(moments),
        readWrite(runningMean),
        readWrite(runningVariance),
        write(y),
      ],
      uniforms: [columns, quadsPerRow, affine, isFused, lower, upper, f32(epsilon), weightOfBatch],
      workgroups: [channels, 1, 1],
    });
  } else {
    if (mode === 'batch') {
      b.dispatch({
        label: `batch statistics ${x.label}`,
        program: { label: 'batch statistics', code: statisticsSource, constants: reductionLanes(b) },
        bindings: [read(x), write(moments), readWrite(runningMean), readWrite(runningVariance)],
        uniforms: [columns, quadsPerRow, f32(epsilon), weightOfBatch],
        workgroups: [channels, 1, 1],
      });
    } else {
      b.dispatch({
        label: `running statistics ${x.label}`,
        program: { label: 'running statistics', code: runningSource },
        bindings: [read(runningMean), read(runningVariance), write(moments)],
        uniforms: [channels, f32(epsilon)],
        workgroups: linearGrid(channels),
      });
    }
    b.dispatch({
      label: `batch norm ${x.label}`,
      program: { label: 'batch norm', code: `${normalizeSource}${source}` },
      bindings: [read(x), read(moments), orAny(weight), orAny(bias), write(y)],
      uniforms: [quadsPerRow, affine, isFused, lower, upper],
      workgroups: rowGrid,
    });
  }
  const inputs = [x, weight, bias].filter((tensor) => tensor !== null);
  return b.differentiable(inputs, y, (dy) => {
    const dWeight = b.temporary(`d weight ${x.label}`, [channels], { layout: 'dense' });
    const dBias = b.temporary(`d bias ${x.label}`, [channels], { layout: 'dense' });
    const dx = x.requiresGradient ? b.temporary(`d ${x.label}`, x.shape) : null;
    const gradients = new Map<Tensor | null, Tensor | null>([
      [bias, dBias],
      [weight, dWeight],
      [x, dx],
    ]);
    const results = inputs.map((input) => gradients.get(input) ?? null);
    const usesBatch = mode === 'batch' ? 1 : 0;
    if (dx && wholeRows) {
      b.dispatch({
        label: `batch norm gradient ${x.label}`,
        program: {
          label: 'batch norm gradient of rows',
          code: `${wholeRowsGradientSource}${gradientSource}`,
          enables: ['subgroups'],
        },
        bindings: [
          read(x),
          read(dy),
          read(moments),
          orAny(weight),
          orAny(bias),
          write(dWeight),
          write(dBias),
          write(dx),
        ],
        uniforms: [columns, quadsPerRow, affine, isFused, lower, upper, usesBatch],
        workgroups: [channels, 1, 1],
      });
      return results;
    }
    b.dispatch({
      label: `batch norm sums ${x.label}`,
      program: {
        label: 'batch norm sums',
        code: `${gradientSumsSource}${gradientSource}`,
        constants: reductionLanes(b),
      },
      bindings: [read(x), read(dy), read(moments), orAny(weight), orAny(bias), write(dWeight), write(dBias)],
      uniforms: [columns, quadsPerRow, affine, isFused, lower, upper],
      workgroups: [channels, 1, 1],
    });
    if (dx) {
      b.dispatch({
        label: `batch norm gradient ${x.label}`,
        program: { label: 'batch norm gradient', code: `${inputGradientSource}${gradientSource}` },
        bindings: [read(x), read(dy), read(moments), orAny(weight), orAny(bias), read(dWeight), read(dBias), write(dx)],
        uniforms: [quadsPerRow, affine, isFused, lower, upper, usesBatch, f32(columns)],
        workgroups: rowGrid,
      });
    }
    return results;
  });
}
