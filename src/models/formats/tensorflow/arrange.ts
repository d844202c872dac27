import { elementCount } from '../../../kernels/tensor.js';
import type { Constant, MapShape } from './value.js';

/** Copies a tensor with its axes permuted: axis i of the result is axis `permutation[i]` of `constant`. */
export function permuted({ shape, data }: Constant, permutation: readonly number[]): Constant {
  const strides = shape.map((_, axis) => elementCount(shape.slice(axis + 1)));
  const sizes = permutation.map((axis) => shape[axis] as number);
  const steps = permutation.map((axis) => strides[axis] as number);
  const result = new Float32Array(data.length);
  const place = sizes.map(() => 0);
  let from = 0;
  for (let to = 0; to < result.length; to++) {
    result[to] = data[from] as number;
    for (let axis = sizes.length - 1; axis >= 0; axis--) {
      from += steps[axis] as number;
      place[axis] = (place[axis] as number) + 1;
      if ((place[axis] as number) < (sizes[axis] as number)) break;
      from -= (steps[axis] as number) * (sizes[axis] as number);
      place[axis] = 0;
    }
  }
  return { shape: sizes, data: result };
}

/** Kernel [kh, kw, in, out] -> [out, in, kh, kw]. */
export const kernelToOihw = (kernel: Constant): Constant => permuted(kernel, [3, 2, 0, 1]);

/** Depthwise kernel [kh, kw, C, M] -> [C * M, 1, kh, kw]: TensorFlow's output channel c * M + m reads channel c. */
export function depthwiseToOihw({ shape, data }: Constant): Constant {
  const [height, width, channels, multiplier] = shape as [number, number, number, number];
  return kernelToOihw({ shape: [height, width, 1, channels * multiplier], data });
}

/** Values per feature of flattened maps, from TensorFlow's order H, W, C to ours, C, H, W. */
export function flatToChw(data: Float32Array, [channels, height, width]: MapShape): Float32Array {
  return permuted({ shape: [height, width, channels], data }, [2, 0, 1]).data;
}

/**
 * Dense kernel [in, out] -> [out, in]. `map` is the [C, H, W] whose flattening is the input: TensorFlow flattens it as
 * H, W, C, Graft as C, H, W.
 */
export function denseToOutIn({ shape, data }: Constant, map: MapShape | null): Constant {
  const [inputs, outputs] = shape as [number, number];
  if (!map) return permuted({ shape, data }, [1, 0]);
  const [channels, height, width] = map;
  const arranged = permuted({ shape: [height, width, channels, outputs], data }, [3, 2, 0, 1]);
  return { shape: [outputs, inputs], data: arranged.data };
}
