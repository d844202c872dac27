import type { Layer, Network, Weights } from '../../src/models/network.js';
import { layerShape } from '../../src/models/shapes.js';
import { activation, add, batchNorm, concat, dense, globalAveragePool, pool } from './layers.js';
import { convolution } from './patches.js';
import { Tape, type Value } from './tape.js';

/** A layer's output with the batch, N, C, H, W or N, F. */
export interface GivenValue {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}
type GivenValues = ReadonlyMap<string, GivenValue>;

/** Output of the last of `layers` in float64, batch norms by their running statistics. */
export function referenceOutput(layers: readonly Layer[], weights: Weights, given: GivenValues): Float64Array {
  return evaluate(new Tape(weights, false), layers, given).last.data;
}

export interface ReferenceStep {
  /** Mean over the batch. */
  readonly loss: number;
  /** By weight. */
  readonly gradients: ReadonlyMap<string, Float64Array>;
  /** Outputs by layer. */
  readonly values: ReadonlyMap<string, Float64Array>;
}

/** Mean cross-entropy of a batch and its gradients in float64; batch norms that train use the batch's statistics. */
export function referenceStep(
  layers: readonly Layer[],
  weights: Weights,
  given: GivenValues,
  labels: ArrayLike<number>,
): ReferenceStep {
  const tape = new Tape(weights, true);
  const { last: logits, values } = evaluate(tape, layers, given);
  const classes = logits.data.length / labels.length;
  let loss = 0;
  for (let n = 0; n < labels.length; n++) {
    const row = logits.data.subarray(n * classes, (n + 1) * classes);
    const largest = row.reduce((max, value) => Math.max(max, value));
    const sum = row.reduce((total, value) => total + Math.exp(value - largest), 0);
    loss += (largest + Math.log(sum) - (row[labels[n] as number] as number)) / labels.length;
    row.forEach((value, c) => {
      const target = c === labels[n] ? 1 : 0;
      logits.gradient[n * classes + c] = (Math.exp(value - largest) / sum - target) / labels.length;
    });
  }
  tape.backward();
  const outputs = new Map([...values].map(([name, { data }]) => [name, data]));
  return { loss, gradients: tape.gradients, values: outputs };
}

/** N, C, H, W in float64 from uint8 pictures [N, H, W, 3], as the network's preprocessing has it. */
export function normalised({ preprocessing }: Network, pictures: Uint8Array): { shape: number[]; data: Float64Array } {
  const { height, width, scale, mean, std, channelOrder } = preprocessing;
  const pixels = height * width;
  const batch = pictures.length / (3 * pixels);
  const data = new Float64Array(pictures.length);
  for (let n = 0; n < batch; n++) {
    for (let c = 0; c < 3; c++) {
      const from = channelOrder === 'RGB' ? c : 2 - c;
      const [shift, deviation] = [mean[c] as number, std[c] as number];
      for (let i = 0; i < pixels; i++) {
        data[(n * 3 + c) * pixels + i] =
          ((pictures[(n * pixels + i) * 3 + from] as number) / scale - shift) / deviation;
      }
    }
  }
  return { shape: [batch, 3, height, width], data };
}

function evaluate(tape: Tape, layers: readonly Layer[], given: GivenValues) {
  const values = new Map(
    [...given].map(([name, { shape, data }]) => [name, tape.value(shape, Float64Array.from(data))]),
  );
  let last: Value | null = null;
  for (const layer of layers) {
    const inputs = layer.inputs.map((name) => values.get(name) as Value);
    last = values.get(layer.name) ?? evaluateLayer(tape, layer, inputs);
    values.set(layer.name, last);
  }
  if (!last) throw new Error('There are no layers.');
  return { last, values };
}

function evaluateLayer(tape: Tape, layer: Layer, inputs: readonly Value[]): Value {
  const [x] = inputs as [Value];
  const shape = layerShape(
    layer,
    inputs.map((input) => input.shape),
  );
  switch (layer.kind) {
    case 'conv2d':
      return convolution(tape, layer, x, shape);
    case 'dense':
      return dense(tape, layer, x);
    case 'batchNorm':
      return batchNorm(tape, layer, x);
    case 'activation':
      return activation(tape, layer, x);
    case 'maxPool':
    case 'averagePool':
      return pool(tape, layer, x, shape);
    case 'globalAveragePool':
      return globalAveragePool(tape, x, shape);
    case 'add':
      return add(tape, inputs);
    case 'concat':
      return concat(tape, inputs, shape);
    case 'flatten':
      // The same values in the same order, gradients included.
      return { ...x, shape };
    case 'dropout':
      if (layer.rate > 0) throw new Error('The reference has no dropout.');
      return x;
    default:
      throw new Error(`The reference has no layer ${layer.kind}.`);
  }
}
