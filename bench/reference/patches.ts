import type { Conv2dLayer } from '../../src/models/network.js';
import { addDots, addProduct } from './products.js';
import type { Tape, Value } from './tape.js';

/** Convolution of a reference pass, in float64, by unrolled patches and matrix products. */
export function convolution(tape: Tape, layer: Conv2dLayer, x: Value, shape: readonly number[]): Value {
  const [, channels = 1, height = 1, width = 1] = x.shape;
  const [batch = 1, out = 1, outHeight = 1, outWidth = 1] = shape;
  const [perGroup, outPerGroup] = [channels / layer.groups, out / layer.groups];
  const depth = perGroup * layer.kernel[0] * layer.kernel[1];
  const length = outHeight * outWidth;
  const weight = tape.weight(layer.weight);
  const y = tape.value(shape);
  const source = patchSources(layer, [perGroup, height, width], [outHeight, outWidth]);
  const unroll = (from: number): Float64Array => {
    const patches = new Float64Array(depth * length);
    for (let i = 0; i < patches.length; i++) {
      const place = source[i] as number;
      if (place >= 0) patches[i] = x.data[from + place] as number;
    }
    return patches;
  };
  /** Visits each group of each picture with the places of its input, its output and its weight. */
  const each = (visit: (from: number, to: number, kernel: number) => void) => {
    for (let n = 0; n < batch; n++) {
      for (let group = 0; group < layer.groups; group++) {
        const from = (n * channels + group * perGroup) * height * width;
        visit(from, (n * out + group * outPerGroup) * length, group * outPerGroup * depth);
      }
    }
  };
  each((from, to, kernel) => {
    const sizes = { rows: outPerGroup, depth, length, rowStep: depth, columnStep: 1 };
    addProduct(y.data, weight, unroll(from), sizes, { c: to, a: kernel, b: 0 });
  });
  if (layer.bias !== null) addBias(tape, layer.bias, y);
  tape.onBackward(() => {
    const dWeight = tape.gradient(layer.weight);
    each((from, to, kernel) => {
      const rows = { rows: outPerGroup, depth, length };
      addDots(dWeight, y.gradient, unroll(from), rows, { c: kernel, a: to, b: 0 });
      const dPatches = new Float64Array(depth * length);
      const transposed = { rows: depth, depth: outPerGroup, length, rowStep: 1, columnStep: depth };
      addProduct(dPatches, weight, y.gradient, transposed, { c: 0, a: kernel, b: to });
      for (let i = 0; i < dPatches.length; i++) {
        const place = source[i] as number;
        if (place < 0) continue;
        x.gradient[from + place] = (x.gradient[from + place] as number) + (dPatches[i] as number);
      }
    });
  });
  return y;
}

/** For each element of the patches [perGroup, kh, kw][H', W'] the place of its pixel in a group's input; -1 for padding. */
function patchSources(
  { kernel, stride, dilation, padding }: Conv2dLayer,
  [channels, height, width]: readonly [number, number, number],
  [outHeight, outWidth]: readonly [number, number],
): Int32Array {
  const source = new Int32Array(channels * kernel[0] * kernel[1] * outHeight * outWidth);
  let at = 0;
  for (let c = 0; c < channels; c++) {
    for (let ky = 0; ky < kernel[0]; ky++) {
      for (let kx = 0; kx < kernel[1]; kx++) {
        for (let oy = 0; oy < outHeight; oy++) {
          const iy = oy * stride[0] - padding.top + ky * dilation[0];
          for (let ox = 0; ox < outWidth; ox++) {
            const ix = ox * stride[1] - padding.left + kx * dilation[1];
            const isInside = iy >= 0 && iy < height && ix >= 0 && ix < width;
            source[at++] = isInside ? (c * height + iy) * width + ix : -1;
          }
        }
      }
    }
  }
  return source;
}

function addBias(tape: Tape, name: string, y: Value): void {
  const [batch = 1, channels = 1] = y.shape;
  const bias = tape.weight(name);
  const pixels = y.data.length / (batch * channels);
  const channel = (i: number): number => Math.floor(i / pixels) % channels;
  for (let i = 0; i < y.data.length; i++) y.data[i] = (y.data[i] as number) + (bias[channel(i)] as number);
  tape.onBackward(() => {
    const dBias = tape.gradient(name);
    y.gradient.forEach((gradient, i) => (dBias[channel(i)] = (dBias[channel(i)] as number) + gradient));
  });
}
