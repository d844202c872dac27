import type {
  BatchNormLayer,
  Conv2dLayer,
  DenseLayer,
  Layer,
  Network,
  PoolLayer,
  Weights,
} from '../../src/models/network.js';
import { inferShapes } from '../../src/models/shapes.js';

/**
 * A network evaluated in float64, layer by layer, with the plainest loops that say what each layer is: batch norms with
 * their running statistics, dropout as identity. Values are N, C, H, W (or N, F), row-major. For tests only: slow.
 */
export interface ReferenceValue {
  /** With the batch. */
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

const product = (shape: readonly number[]): number => shape.reduce((result, size) => result * size, 1);

/** Outputs of all layers by name. `input` holds `batch` pictures. */
export function referenceForward(
  network: Network,
  weights: Weights,
  input: ArrayLike<number>,
  batch = 1,
): Map<string, ReferenceValue> {
  const shapes = inferShapes(network);
  const values = new Map<string, ReferenceValue>();
  for (const layer of network.layers) {
    const inputs = layer.inputs.map((name) => values.get(name) as ReferenceValue);
    const shape = [batch, ...(shapes.get(layer.name) as number[])];
    const get = (name: string): ArrayLike<number> => {
      const weight = weights.get(name);
      if (!weight) throw new Error(`no weight ${name}`);
      return weight.data;
    };
    const data = layer.kind === 'input' ? Float64Array.from(input) : referenceLayer(layer, inputs, shape, get);
    if (data.length !== product(shape))
      throw new Error(`${layer.name}: ${data.length} values for [${shape.join(', ')}]`);
    values.set(layer.name, { shape, data });
  }
  return values;
}

/** The network's output. */
export function referenceOutput(
  network: Network,
  weights: Weights,
  input: ArrayLike<number>,
  batch = 1,
): ReferenceValue {
  const last = network.layers.at(-1) as Layer;
  return referenceForward(network, weights, input, batch).get(last.name) as ReferenceValue;
}

/** One layer's output of a given shape (with the batch). `get` gives weights by name. */
export function referenceLayer(
  layer: Layer,
  inputs: readonly ReferenceValue[],
  shape: readonly number[],
  get: (name: string) => ArrayLike<number>,
): Float64Array {
  const x = inputs[0] as ReferenceValue;
  switch (layer.kind) {
    case 'input':
      return x.data;
    case 'conv2d':
      return conv2d(layer, x, shape, get(layer.weight), layer.bias === null ? null : get(layer.bias));
    case 'dense':
      return dense(layer, x, get(layer.weight), layer.bias === null ? null : get(layer.bias));
    case 'batchNorm':
      return batchNorm(layer, x, get);
    case 'activation':
      return x.data.map((v) => Math.max(0, layer.activation === 'relu6' ? Math.min(6, v) : v));
    case 'maxPool':
    case 'averagePool':
      return pool(layer, x, shape);
    case 'globalAveragePool':
      return globalAveragePool(x);
    case 'add':
      return x.data.map((_, i) => inputs.reduce((sum, value) => sum + (value.data[i] as number), 0));
    case 'concat':
      return concat(inputs, shape);
    case 'softmax':
      return softmax(x);
    case 'zeroPad':
      return zeroPad(x, shape, layer.padding.top, layer.padding.left);
    case 'flatten':
    case 'dropout':
      return x.data;
    default:
      throw new Error(`The reference computes no ${layer.kind}.`);
  }
}

const sizes = (shape: readonly number[]): [number, number, number, number] => {
  const [n = 1, c = 1, h = 1, w = 1] = shape;
  return [n, c, h, w];
};

function conv2d(
  layer: Conv2dLayer,
  x: ReferenceValue,
  shape: readonly number[],
  weight: ArrayLike<number>,
  bias: ArrayLike<number> | null,
): Float64Array {
  const [, channels, height, width] = sizes(x.shape);
  const [batch, outputs, outHeight, outWidth] = sizes(shape);
  const [kh, kw] = layer.kernel;
  const perGroup = channels / layer.groups;
  const y = new Float64Array(product(shape));
  let at = 0;
  for (let n = 0; n < batch; n++) {
    for (let o = 0; o < outputs; o++) {
      const first = Math.floor(o / (outputs / layer.groups)) * perGroup;
      for (let oy = 0; oy < outHeight; oy++) {
        for (let ox = 0; ox < outWidth; ox++) {
          let sum = bias ? (bias[o] as number) : 0;
          for (let c = 0; c < perGroup; c++) {
            for (let ky = 0; ky < kh; ky++) {
              const iy = oy * layer.stride[0] - layer.padding.top + ky * layer.dilation[0];
              if (iy < 0 || iy >= height) continue;
              for (let kx = 0; kx < kw; kx++) {
                const ix = ox * layer.stride[1] - layer.padding.left + kx * layer.dilation[1];
                if (ix < 0 || ix >= width) continue;
                const value = x.data[((n * channels + first + c) * height + iy) * width + ix] as number;
                sum += value * (weight[((o * perGroup + c) * kh + ky) * kw + kx] as number);
              }
            }
          }
          y[at++] = sum;
        }
      }
    }
  }
  return y;
}

function dense(
  layer: DenseLayer,
  x: ReferenceValue,
  weight: ArrayLike<number>,
  bias: ArrayLike<number> | null,
): Float64Array {
  const batch = x.shape[0] as number;
  const inputs = x.data.length / batch;
  return Float64Array.from({ length: batch * layer.outFeatures }, (_, index) => {
    const [n, o] = [Math.floor(index / layer.outFeatures), index % layer.outFeatures];
    let sum = bias ? (bias[o] as number) : 0;
    for (let i = 0; i < inputs; i++) sum += (x.data[n * inputs + i] as number) * (weight[o * inputs + i] as number);
    return sum;
  });
}

function batchNorm(layer: BatchNormLayer, x: ReferenceValue, get: (name: string) => ArrayLike<number>): Float64Array {
  const [, channels, height, width] = sizes(x.shape);
  const [mean, variance] = [get(layer.runningMean), get(layer.runningVariance)];
  return x.data.map((v, i) => {
    const c = Math.floor(i / (height * width)) % channels;
    const gamma = layer.weight === null ? 1 : (get(layer.weight)[c] as number);
    const beta = layer.bias === null ? 0 : (get(layer.bias)[c] as number);
    return ((v - (mean[c] as number)) / Math.sqrt((variance[c] as number) + layer.epsilon)) * gamma + beta;
  });
}

function pool(layer: PoolLayer, x: ReferenceValue, shape: readonly number[]): Float64Array {
  const [, , height, width] = sizes(x.shape);
  const [batch, channels, outHeight, outWidth] = sizes(shape);
  const { kernel, stride, padding } = layer;
  const y = new Float64Array(product(shape));
  let at = 0;
  for (let plane = 0; plane < batch * channels; plane++) {
    for (let oy = 0; oy < outHeight; oy++) {
      for (let ox = 0; ox < outWidth; ox++) {
        const [top, left] = [oy * stride[0] - padding.top, ox * stride[1] - padding.left];
        let [max, sum, seen] = [Number.NEGATIVE_INFINITY, 0, 0];
        for (let iy = Math.max(0, top); iy < Math.min(height, top + kernel[0]); iy++) {
          for (let ix = Math.max(0, left); ix < Math.min(width, left + kernel[1]); ix++) {
            const value = x.data[(plane * height + iy) * width + ix] as number;
            max = Math.max(max, value);
            sum += value;
            seen++;
          }
        }
        // With padding counted, the divisor is the part of the window inside the padded picture (PyTorch).
        const inside =
          (Math.min(top + kernel[0], height + padding.bottom) - top) *
          (Math.min(left + kernel[1], width + padding.right) - left);
        y[at++] = layer.kind === 'maxPool' ? max : sum / (layer.countIncludePad ? inside : seen);
      }
    }
  }
  return y;
}

function globalAveragePool(x: ReferenceValue): Float64Array {
  const [batch, channels, height, width] = sizes(x.shape);
  const pixels = height * width;
  return Float64Array.from({ length: batch * channels }, (_, plane) => {
    const values = x.data.subarray(plane * pixels, (plane + 1) * pixels);
    return values.reduce((sum, value) => sum + value, 0) / pixels;
  });
}

function concat(inputs: readonly ReferenceValue[], shape: readonly number[]): Float64Array {
  const batch = shape[0] as number;
  const y = new Float64Array(product(shape));
  let at = 0;
  for (let n = 0; n < batch; n++) {
    for (const { data } of inputs) {
      const part = data.subarray((n * data.length) / batch, ((n + 1) * data.length) / batch);
      y.set(part, at);
      at += part.length;
    }
  }
  return y;
}

function softmax(x: ReferenceValue): Float64Array {
  const [batch, channels, height, width] = sizes(x.shape);
  const pixels = height * width;
  const y = new Float64Array(x.data.length);
  for (let n = 0; n < batch; n++) {
    for (let p = 0; p < pixels; p++) {
      const at = (c: number) => (n * channels + c) * pixels + p;
      let [max, sum] = [Number.NEGATIVE_INFINITY, 0];
      for (let c = 0; c < channels; c++) max = Math.max(max, x.data[at(c)] as number);
      for (let c = 0; c < channels; c++) sum += Math.exp((x.data[at(c)] as number) - max);
      for (let c = 0; c < channels; c++) y[at(c)] = Math.exp((x.data[at(c)] as number) - max) / sum;
    }
  }
  return y;
}

function zeroPad(x: ReferenceValue, shape: readonly number[], top: number, left: number): Float64Array {
  const [, , height, width] = sizes(x.shape);
  const [batch, channels, outHeight, outWidth] = sizes(shape);
  const y = new Float64Array(product(shape));
  for (let plane = 0; plane < batch * channels; plane++) {
    for (let iy = 0; iy < height; iy++) {
      const from = (plane * height + iy) * width;
      y.set(x.data.subarray(from, from + width), (plane * outHeight + iy + top) * outWidth + left);
    }
  }
  return y;
}
