import type { BinaryLayer } from '../../../layers/elementwise.js';
import type { LogSoftmaxLayer, SoftmaxLayer } from '../../../layers/reduction.js';
import type { ActivationLayer, Layer } from '../../../network.js';
import { inexpressible, type KerasValue, type KerasWriter, plain } from './kerasWriter.js';
import { affine, distinctInputs } from './weighted.js';

const NAMES = {
  relu: 'relu',
  relu6: 'relu6',
  sigmoid: 'sigmoid',
  tanh: 'tanh',
  softplus: 'softplus',
  silu: 'swish',
  gelu: 'gelu',
  mish: 'mish',
} as const;

export function activation(w: KerasWriter, layer: ActivationLayer): KerasValue {
  const { activation: kind, name } = layer;
  const { name: input, flat } = w.value(layer);
  if (typeof kind === 'string') {
    if (kind === 'hardSwish') {
      const gate = gated(w, layer, w.input(layer), 1 / 6, 0.5, `${name}_gate`);
      return plain(w.add(name, 'Multiply', {}, [w.input(layer), gate]));
    }
    if (kind === 'geluTanh') return plain(geluTanh(w, layer));
    const known = Object.hasOwn(NAMES, kind) ? NAMES[kind as keyof typeof NAMES] : inexpressible(kind);
    return { name: w.add(name, 'Activation', { activation: known }, [input]), flat };
  }
  switch (kind.kind) {
    case 'clip':
      if (kind.min !== 0) return inexpressible(`clip from ${kind.min}`);
      return plain(w.add(name, 'ReLU', { max_value: kind.max }, [w.input(layer)]));
    case 'leakyRelu':
      return plain(w.add(name, 'LeakyReLU', { alpha: kind.slope }, [w.input(layer)]));
    case 'elu':
      if (kind.alpha !== 1) return inexpressible(`elu with alpha ${kind.alpha}`);
      return plain(w.add(name, 'Activation', { activation: 'elu' }, [w.input(layer)]));
    case 'hardSigmoid':
      return plain(gated(w, layer, w.input(layer), kind.alpha, kind.beta, name));
    default:
      return inexpressible(kind.kind);
  }
}

/**
 * 0.5 x (1 + tanh(u)) = x sigmoid(2 u) with u = sqrt(2 / pi) (x + 0.044715 x^3), from what TF.js has: it cannot read its own name for
 * this activation (4.22).
 */
function geluTanh(w: KerasWriter, layer: ActivationLayer): string {
  const { name } = layer;
  const channels = w.shape(layer)[1] as number;
  const x = w.input(layer);
  const factor = 2 * Math.sqrt(2 / Math.PI);
  const fill = (value: number) => new Float32Array(channels).fill(value);
  const copy = affine(w, `${name}_copy`, x, fill(1), fill(0));
  const square = w.add(`${name}_square`, 'Multiply', {}, [x, copy]);
  const line = affine(w, `${name}_line`, square, fill(factor * 0.044715), fill(factor));
  const twice = w.add(`${name}_argument`, 'Multiply', {}, [x, line]);
  const gate = w.add(`${name}_gate`, 'Activation', { activation: 'sigmoid' }, [twice]);
  return w.add(name, 'Multiply', {}, [x, gate]);
}

/** min(max(alpha x + beta, 0), 1). */
function gated(w: KerasWriter, layer: Layer, input: string, alpha: number, beta: number, name: string): string {
  const channels = w.shape(layer)[1] as number;
  const fill = (value: number) => new Float32Array(channels).fill(value);
  const line = affine(w, `${name}_line`, input, fill(alpha), fill(beta));
  return w.add(name, 'ReLU', { max_value: 1 }, [line]);
}

/** Over features, or over channels at each pixel. */
export function softmax(w: KerasWriter, layer: SoftmaxLayer | LogSoftmaxLayer): KerasValue {
  const rank = w.shape(layer).length;
  const isLast = rank === 4 ? layer.axis === 1 : layer.axis === rank - 1;
  if (!isLast) return inexpressible(`axis ${layer.axis}`);
  if (layer.kind === 'softmax') return plain(w.add(layer.name, 'Softmax', { axis: -1 }, [w.input(layer)]));
  return plain(w.add(layer.name, 'Activation', { activation: 'logSoftmax' }, [w.input(layer)]));
}

const MERGES = { add: 'Add', mul: 'Multiply', max: 'Maximum', min: 'Minimum' } as const;

/** Of two values with one number of axes, or of a value and a parameter for each channel or for all. */
export function binary(w: KerasWriter, layer: BinaryLayer): KerasValue {
  const { operator } = layer;
  const parameters = layer.inputs.map((input) => w.layer(input)).map((input) => input.kind === 'parameter');
  if (parameters[0] || parameters[1]) return withParameter(w, layer, parameters[0] ? 0 : 1);
  const ranks = [0, 1].map((index) => w.inputShape(layer, index).length);
  const merge = Object.hasOwn(MERGES, operator) ? MERGES[operator as keyof typeof MERGES] : null;
  if (merge === null || ranks[0] !== ranks[1]) return inexpressible(operator);
  return plain(w.add(layer.name, merge, {}, distinctInputs(w, layer)));
}

function withParameter(w: KerasWriter, layer: BinaryLayer, place: 0 | 1): KerasValue {
  const parameter = w.layer(layer.inputs[place] as string);
  const other = place === 0 ? 1 : 0;
  const shape = w.inputShape(layer, other);
  if (parameter.kind !== 'parameter' || w.layer(layer.inputs[other] as string).kind === 'parameter') {
    return inexpressible('two parameters');
  }
  const { data } = w.weight(parameter.weight);
  const channels = shape[1] as number;
  const own = [...Array(Math.max(0, shape.length - parameter.shape.length)).fill(1), ...parameter.shape];
  const isPerChannel =
    own.length === shape.length && own.every((size, axis) => size === 1 || (axis === 1 && size === channels));
  if (!isPerChannel || (shape.length !== 2 && shape.length !== 4)) {
    return inexpressible(`${layer.operator} with a parameter [${parameter.shape.join(', ')}]`);
  }
  const each = (value: (parameter: number) => number) =>
    Float32Array.from({ length: channels }, (_, channel) => value(data[data.length === 1 ? 0 : channel] as number));
  const input = w.input(layer, other);
  const line = (gamma: (p: number) => number, beta: (p: number) => number) =>
    plain(affine(w, layer.name, input, each(gamma), each(beta)));
  const key = `${layer.operator}${place}`;
  const lines: Readonly<Record<string, () => KerasValue>> = {
    add0: () =>
      line(
        () => 1,
        (p) => p,
      ),
    add1: () =>
      line(
        () => 1,
        (p) => p,
      ),
    sub0: () =>
      line(
        () => -1,
        (p) => p,
      ),
    sub1: () =>
      line(
        () => 1,
        (p) => -p,
      ),
    mul0: () =>
      line(
        (p) => p,
        () => 0,
      ),
    mul1: () =>
      line(
        (p) => p,
        () => 0,
      ),
    div1: () =>
      line(
        (p) => 1 / p,
        () => 0,
      ),
  };
  return lines[key]?.() ?? inexpressible(`${layer.operator} with a parameter`);
}
