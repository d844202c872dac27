/** Kernel [kh, kw, in, out] (TensorFlow) -> [out, in, kh, kw]. */
export function kernelToOihw(data: Float32Array, shape: readonly [number, number, number, number]): Float32Array {
  const [height, width, inputs, outputs] = shape;
  const result = new Float32Array(data.length);
  let from = 0;
  for (let pixel = 0; pixel < height * width; pixel++) {
    for (let input = 0; input < inputs; input++) {
      for (let output = 0; output < outputs; output++) {
        result[(output * inputs + input) * height * width + pixel] = data[from++] as number;
      }
    }
  }
  return result;
}

/** Depthwise kernel [kh, kw, C, M] -> [C * M, 1, kh, kw]: Keras's output channel c * M + m reads channel c. */
export function depthwiseToOihw(data: Float32Array, shape: readonly [number, number, number, number]): Float32Array {
  const [height, width, channels, multiplier] = shape;
  return kernelToOihw(data, [height, width, 1, channels * multiplier]);
}

/**
 * Dense kernel [in, out] -> [out, in]. `map` is the [C, H, W] whose flattening is the input: TensorFlow flattens it as
 * H, W, C, Graft as C, H, W.
 */
export function denseToOutIn(
  data: Float32Array,
  inputs: number,
  outputs: number,
  map: readonly number[] | null,
): Float32Array {
  const [channels = inputs, height = 1, width = 1] = map ?? [];
  const pixels = height * width;
  const result = new Float32Array(data.length);
  for (let pixel = 0; pixel < pixels; pixel++) {
    for (let channel = 0; channel < channels; channel++) {
      const from = (pixel * channels + channel) * outputs;
      const to = channel * pixels + pixel;
      for (let output = 0; output < outputs; output++) result[output * inputs + to] = data[from + output] as number;
    }
  }
  return result;
}
