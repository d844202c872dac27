import type { ActivationLayer, BatchNormLayer, DenseLayer, PoolLayer } from '../../src/models/network.js';
import type { Tape, Value } from './tape.js';

/** The layers of a reference pass but for the convolution, in float64: values forward, gradients backward. */

/** y = f(x) element by element, dx = dy f'(x). */
export function activation(tape: Tape, layer: ActivationLayer, x: Value): Value {
  const upper = layer.activation === 'relu6' ? 6 : Infinity;
  const y = tape.value(
    x.shape,
    x.data.map((value) => Math.min(upper, Math.max(0, value))),
  );
  tape.onBackward(() => {
    y.gradient.forEach((gradient, i) => {
      const value = x.data[i] as number;
      if (value > 0 && value < upper) x.gradient[i] = (x.gradient[i] as number) + gradient;
    });
  });
  return y;
}

export function dense(tape: Tape, layer: DenseLayer, x: Value): Value {
  const [batch = 1] = x.shape;
  const inputs = x.data.length / batch;
  const outputs = layer.outFeatures;
  const weight = tape.weight(layer.weight);
  const bias = layer.bias === null ? null : tape.weight(layer.bias);
  const y = tape.value([batch, outputs]);
  const each = (visit: (n: number, o: number) => void) => {
    for (let n = 0; n < batch; n++) for (let o = 0; o < outputs; o++) visit(n, o);
  };
  each((n, o) => {
    let sum = bias?.[o] ?? 0;
    for (let i = 0; i < inputs; i++) sum += (x.data[n * inputs + i] as number) * (weight[o * inputs + i] as number);
    y.data[n * outputs + o] = sum;
  });
  tape.onBackward(() => {
    const dWeight = tape.gradient(layer.weight);
    const dBias = layer.bias === null ? null : tape.gradient(layer.bias);
    each((n, o) => {
      const dy = y.gradient[n * outputs + o] as number;
      if (dBias) dBias[o] = (dBias[o] as number) + dy;
      for (let i = 0; i < inputs; i++) {
        const [from, at] = [n * inputs + i, o * inputs + i];
        dWeight[at] = (dWeight[at] as number) + dy * (x.data[from] as number);
        x.gradient[from] = (x.gradient[from] as number) + dy * (weight[at] as number);
      }
    });
  });
  return y;
}

/** Ioffe and Szegedy 2015, section 3: by the batch's mean and biased variance where the pass trains, else by the running ones. */
export function batchNorm(tape: Tape, layer: BatchNormLayer, x: Value): Value {
  const [batch = 1, channels = 1] = x.shape;
  const pixels = x.data.length / (batch * channels);
  const count = batch * pixels;
  const y = tape.value(x.shape);
  const usesBatch = tape.trains && layer.learningRateFactor > 0;
  for (let c = 0; c < channels; c++) {
    const sum = (term: (i: number) => number): number => {
      let total = 0;
      for (let n = 0; n < batch; n++) {
        const from = (n * channels + c) * pixels;
        for (let i = from; i < from + pixels; i++) total += term(i);
      }
      return total;
    };
    const mean = usesBatch ? sum((i) => x.data[i] as number) / count : (tape.weight(layer.runningMean)[c] as number);
    const variance = usesBatch
      ? sum((i) => ((x.data[i] as number) - mean) ** 2) / count
      : (tape.weight(layer.runningVariance)[c] as number);
    const factor = 1 / Math.sqrt(variance + layer.epsilon);
    const scale = layer.weight === null ? 1 : (tape.weight(layer.weight)[c] as number);
    const offset = layer.bias === null ? 0 : (tape.weight(layer.bias)[c] as number);
    const normalised = (i: number): number => ((x.data[i] as number) - mean) * factor;
    sum((i) => (y.data[i] = normalised(i) * scale + offset));
    tape.onBackward(() => {
      const gradient = (i: number): number => y.gradient[i] as number;
      const total = sum(gradient);
      const product = sum((i) => gradient(i) * normalised(i));
      if (layer.bias !== null) tape.gradient(layer.bias)[c] = total;
      if (layer.weight !== null) tape.gradient(layer.weight)[c] = product;
      sum((i) => {
        const throughMoments = usesBatch ? (total + normalised(i) * product) / count : 0;
        return (x.gradient[i] = (x.gradient[i] as number) + scale * factor * (gradient(i) - throughMoments));
      });
    });
  }
  return y;
}

/** Max pooling; of equal values the first takes the gradient. Average pooling by the pixels that are there. */
export function pool(tape: Tape, layer: PoolLayer, x: Value, shape: readonly number[]): Value {
  const [, , height = 1, width = 1] = x.shape;
  const [batch = 1, channels = 1, outHeight = 1, outWidth = 1] = shape;
  if (layer.countIncludePad) throw new Error('The reference has no average pooling that counts padding.');
  const y = tape.value(shape);
  const takesMax = layer.kind === 'maxPool';
  for (let map = 0; map < batch * channels; map++) {
    for (let out = 0; out < outHeight * outWidth; out++) {
      const top = Math.floor(out / outWidth) * layer.stride[0] - layer.padding.top;
      const left = (out % outWidth) * layer.stride[1] - layer.padding.left;
      const places: number[] = [];
      for (let iy = Math.max(0, top); iy < Math.min(height, top + layer.kernel[0]); iy++) {
        for (let ix = Math.max(0, left); ix < Math.min(width, left + layer.kernel[1]); ix++) {
          places.push((map * height + iy) * width + ix);
        }
      }
      const at = map * outHeight * outWidth + out;
      if (takesMax) {
        const largest = places.reduce((best, place) =>
          (x.data[place] as number) > (x.data[best] as number) ? place : best,
        );
        y.data[at] = x.data[largest] as number;
        tape.onBackward(() => {
          x.gradient[largest] = (x.gradient[largest] as number) + (y.gradient[at] as number);
        });
      } else {
        y.data[at] = places.reduce((sum, place) => sum + (x.data[place] as number), 0) / places.length;
        tape.onBackward(() => {
          const share = (y.gradient[at] as number) / places.length;
          for (const place of places) x.gradient[place] = (x.gradient[place] as number) + share;
        });
      }
    }
  }
  return y;
}

export function globalAveragePool(tape: Tape, x: Value, shape: readonly number[]): Value {
  const y = tape.value(shape);
  const pixels = x.data.length / y.data.length;
  x.data.forEach((value, i) => {
    const at = Math.floor(i / pixels);
    y.data[at] = (y.data[at] as number) + value / pixels;
  });
  tape.onBackward(() => {
    for (let i = 0; i < x.data.length; i++) {
      x.gradient[i] = (x.gradient[i] as number) + (y.gradient[Math.floor(i / pixels)] as number) / pixels;
    }
  });
  return y;
}

export function add(tape: Tape, inputs: readonly Value[]): Value {
  const [first] = inputs as [Value];
  const y = tape.value(first.shape);
  for (const { data } of inputs) data.forEach((value, i) => (y.data[i] = (y.data[i] as number) + value));
  tape.onBackward(() => {
    for (const { gradient } of inputs) {
      for (let i = 0; i < gradient.length; i++) gradient[i] = (gradient[i] as number) + (y.gradient[i] as number);
    }
  });
  return y;
}

/** Along channels. */
export function concat(tape: Tape, inputs: readonly Value[], shape: readonly number[]): Value {
  const [batch = 1] = shape;
  const y = tape.value(shape);
  const perPicture = y.data.length / batch;
  let offset = 0;
  for (const { data, gradient } of inputs) {
    const size = data.length / batch;
    const start = offset;
    for (let n = 0; n < batch; n++) y.data.set(data.subarray(n * size, (n + 1) * size), n * perPicture + start);
    tape.onBackward(() => {
      for (let i = 0; i < gradient.length; i++) {
        const at = Math.floor(i / size) * perPicture + start + (i % size);
        gradient[i] = (gradient[i] as number) + (y.gradient[at] as number);
      }
    });
    offset += size;
  }
  return y;
}
