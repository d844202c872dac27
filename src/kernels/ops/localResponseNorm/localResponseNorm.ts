import { f32, read, write } from '../../dispatch.js';
import { EngineError } from '../../errors.js';
import { type PlanBuilder } from '../../planBuilder.js';
import { rowLayout, type Tensor } from '../../tensor.js';
import forwardSource from './localResponseNorm.wgsl.js';
import gradientSource from './localResponseNormGradient.wgsl.js';

const WORKGROUP = 64;
/** An invocation walks this many channels: each starts with `size` - 1 channels that its neighbour loads too. */
const CHANNELS_PER_INVOCATION = { subgroup8: 64, workgroup: 16 } as const;

export interface LocalResponseNormAttributes {
  /** Channels in the window. */
  readonly size: number;
  /**
   * How many of them lie before the channel itself, which matters where `size` is even: floor((size - 1) / 2) in ONNX and where
   * it is left out, floor(size / 2) in PyTorch.
   */
  readonly before?: number;
  readonly alpha: number;
  readonly beta: number;
  /** ONNX: bias. */
  readonly k: number;
}

/**
 * Local response normalisation across channels (Krizhevsky et al. 2012, section 3.3) with ONNX's and PyTorch's alpha, which is
 * divided by the size: y_c = x_c / (k + alpha / size sum over the window of x^2)^beta. [N, C] or [N, C, H, W] in `rows`.
 */
export function localResponseNorm(b: PlanBuilder, x: Tensor, attributes: LocalResponseNormAttributes): Tensor {
  const { size, alpha, beta, k, before = Math.floor((size - 1) / 2) } = attributes;
  const fits = Number.isInteger(size) && size >= 1 && Number.isInteger(before) && before >= 0 && before < size;
  if (!fits || x.layout !== 'rows') {
    throw new EngineError(
      'INVALID_ARGUMENT',
      `Local response norm takes rows and a window of at least 1 channel that has the channel itself in it; got ${x.layout} [${x.shape.join(', ')}], size ${size} with ${before} before.`,
    );
  }
  const { rows: channels, stride } = rowLayout(x.shape);
  const quadsPerRow = stride / 4;
  const perInvocation = CHANNELS_PER_INVOCATION[b.engine.kernelFamily];
  const grid = {
    uniforms: [channels, quadsPerRow, perInvocation, f32(alpha / size), f32(beta), f32(k)],
    workgroups: [Math.ceil(quadsPerRow / WORKGROUP), Math.ceil(channels / perInvocation), 1],
  } as const;
  // Constants rather than overrides: the window is kept in private arrays.
  const window = (first: number) => `const size = ${size}u;\nconst before = ${first}u;\n`;
  const y = b.temporary(`local response norm ${x.label}`, x.shape, { dtype: x.dtype });
  const bases = b.temporary(`local response ${x.label}`, x.shape, { dtype: 'f32' });
  b.dispatch({
    label: 'local response norm',
    program: { label: 'local response norm', code: window(before) + forwardSource },
    bindings: [read(x), write(y), write(bases)],
    ...grid,
  });
  return b.differentiable([x], y, (dy) => {
    const dx = b.temporary(`d ${x.label}`, x.shape, { dtype: x.dtype });
    b.dispatch({
      label: 'local response norm gradient',
      // A channel is in the windows of those channels in whose mirrored window they are.
      program: { label: 'local response norm gradient', code: window(size - 1 - before) + gradientSource },
      bindings: [read(x), read(dy), read(bases), write(dx)],
      ...grid,
    });
    return [dx];
  });
}
