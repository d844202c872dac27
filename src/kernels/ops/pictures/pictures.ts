import { f32, linearGrid, read, write } from '../../dispatch.js';
import { EngineError } from '../../errors.js';
import { type PlanBuilder } from '../../planBuilder.js';
import { rowLayout, type Tensor } from '../../tensor.js';
import source from './pictures.wgsl.js';

export interface Normalization {
  /** `GREY` is one channel: the luma of the normalised colours, 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601). */
  readonly channelOrder: 'RGB' | 'BGR' | 'GREY';
  /** value = (byte / scale - mean[c]) / std[c], channels in `channelOrder`; for GREY they are R, G, B. */
  readonly scale: number;
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

/** What the kernels know the orders by. */
export const ORDER_CODES = { RGB: 0, BGR: 1, GREY: 2 } as const;

/** Parts of red, green and blue in grey. */
export const LUMA = [0.299, 0.587, 0.114] as const;

export const channelsOf = ({ channelOrder }: Normalization): number => (channelOrder === 'GREY' ? 1 : 3);

/** uint8 pictures, dense [N, H, W, 3] in RGB -> normalised float32 rows [N, 3, H, W], or [N, 1, H, W] where they become grey. */
export function normalizePictures(b: PlanBuilder, bytes: Tensor, p: Normalization): Tensor {
  const [n, h, w, channels] = bytes.shape as [number, number, number, number];
  if (bytes.dtype !== 'u8' || bytes.layout !== 'dense' || bytes.shape.length !== 4 || channels !== 3) {
    throw new EngineError(
      'INVALID_SHAPE',
      `Pictures are dense uint8 [N, H, W, 3]; got ${bytes.dtype} [${bytes.shape.join(', ')}].`,
    );
  }
  const y = b.temporary('normalised pictures', [n, channelsOf(p), h, w]);
  const { columns, stride } = rowLayout(y.shape);
  const factor = p.std.map((std) => f32(1 / (p.scale * std)));
  const offset = p.std.map((std, c) => f32(-(p.mean[c] as number) / std));
  b.dispatch({
    label: 'normalise pictures',
    program: { label: 'normalise pictures', code: source },
    bindings: [read(bytes), write(y)],
    uniforms: [columns, stride, ORDER_CODES[p.channelOrder], 0, ...factor, 0, ...offset, 0],
    workgroups: linearGrid(stride / 4),
  });
  return y;
}
