import { f32, type Grid, read, write } from '../../dispatch.js';
import { EngineError } from '../../errors.js';
import type { PlanBuilder } from '../../planBuilder.js';
import { elementCount, rowLayout, type Tensor } from '../../tensor.js';
import { channelsOf, type Normalization, ORDER_CODES } from '../pictures/pictures.js';
import { reductionLanes } from '../sumRows/sumRows.js';
import colourSource from './colour.wgsl.js';
import finishSource from './finish.wgsl.js';
import greyMeansSource from './greyMeans.wgsl.js';
import { AUGMENTATION_COLUMNS } from './parameters.js';
import warpSource from './warp.wgsl.js';

export interface Augmentation extends Normalization {
  /** Of the result. */
  readonly height: number;
  readonly width: number;
  /** What shows where a turned or shifted picture has nothing: RGB, 0 to 255. */
  readonly fill: readonly [number, number, number];
}

/** Pixels a workgroup of warp.wgsl and finish.wgsl. */
const PIXELS_PER_GROUP = 256;

/**
 * Augmented and normalised pictures, rows [N, 3, height, width] ([N, 1, height, width] where they become grey), of uint8 pictures, dense [N, H, W, 3] in RGB, each as its row of
 * `table` says: `augmentationTable` makes it, a dense float32 [N, AUGMENTATION_COLUMNS]. Cropping, resizing,
 * flips and the affine map are one interpolation, antialiased where the crop shrinks; either alone gives what torchvision gives
 * of float pictures, and so do the colours (nothing is rounded to bytes on the way).
 */
export function augmentPictures(b: PlanBuilder, bytes: Tensor, table: Tensor, options: Augmentation): Tensor {
  const { height, width, fill, channelOrder, scale, mean, std } = options;
  checkInputs(bytes, table);
  const [n, sourceHeight, sourceWidth] = bytes.shape as [number, number, number, number];
  const shape = [n, 3, height, width];
  const finished = [n, channelsOf(options), height, width];
  const warped = b.temporary('warped pictures', shape);
  const means = b.temporary('grey means', [n], { layout: 'dense' });
  const y = b.temporary('augmented pictures', finished);
  const { stride } = rowLayout(shape);
  const grid: Grid = [Math.ceil((height * width) / PIXELS_PER_GROUP), n, 1];
  const lastWord = Math.ceil(elementCount(bytes.shape) / 4) - 1;
  b.dispatch({
    label: 'warp pictures',
    program: { label: 'warp pictures', code: warpSource },
    bindings: [read(bytes), read(table), write(warped)],
    uniforms: [height, width, sourceHeight, sourceWidth, ...fill.map(f32), stride, lastWord],
    workgroups: grid,
  });
  b.dispatch({
    label: 'grey means',
    program: { label: 'grey means', code: `${colourSource}\n${greyMeansSource}`, constants: reductionLanes(b) },
    bindings: [read(warped), read(table), write(means)],
    uniforms: [height * width, stride],
    workgroups: [n, 1, 1],
  });
  const factor = std.map((deviation) => f32(255 / (scale * deviation)));
  const offset = std.map((deviation, channel) => f32(-(mean[channel] as number) / deviation));
  b.dispatch({
    label: 'finish pictures',
    program: { label: 'finish pictures', code: `${colourSource}\n${finishSource}` },
    bindings: [read(warped), read(table), read(means), write(y)],
    uniforms: [height, width, stride, ORDER_CODES[channelOrder], ...factor, 0, ...offset, 0],
    workgroups: grid,
  });
  return y;
}

function checkInputs(bytes: Tensor, table: Tensor): void {
  const n = bytes.shape[0] as number;
  if (bytes.dtype !== 'u8' || bytes.layout !== 'dense' || bytes.shape.length !== 4 || bytes.shape[3] !== 3) {
    throw new EngineError(
      'INVALID_SHAPE',
      `Pictures are dense uint8 [N, H, W, 3]; got ${bytes.dtype} [${bytes.shape.join(', ')}].`,
    );
  }
  const isTable = table.shape.length === 2 && table.shape[0] === n && table.shape[1] === AUGMENTATION_COLUMNS;
  if (!isTable || table.layout !== 'dense' || table.dtype !== 'f32') {
    throw new EngineError(
      'INVALID_SHAPE',
      `The augmentations of ${n} pictures are dense float32 [${n}, ${AUGMENTATION_COLUMNS}]; got ${table.dtype} [${table.shape.join(', ')}].`,
    );
  }
}
