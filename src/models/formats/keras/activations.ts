import type { Activation } from '../../network.js';
import { activation, binary, softmax, unary } from '../tensorflow/elementwise.js';
import { notMapped, type Target, type Value } from '../tensorflow/value.js';
import { type JsonObject, show } from './json.js';

/** What computes a model: each has some functions of one name that differ in constants or places. */
export type Dialect = 'tfjs' | 'keras2' | 'keras3';

const SIXTH = 1 / 6;

const PLAIN: Readonly<Record<string, Activation>> = {
  relu: 'relu',
  relu6: 'relu6',
  sigmoid: 'sigmoid',
  tanh: 'tanh',
  softplus: 'softplus',
  silu: 'silu',
  swish: 'silu',
  mish: 'mish',
  gelu: 'gelu',
  gelu_new: 'geluTanh',
  hard_silu: 'hardSwish',
  hard_swish: 'hardSwish',
  elu: { kind: 'elu', alpha: 1 },
  leaky_relu: { kind: 'leakyRelu', slope: 0.2 },
};

/** SELU is lambda times an ELU with this alpha (Klambauer et al. 2017, section 2). */
const SELU = { alpha: 1.6732632423543772, lambda: 1.0507009873554805 };

/** The name of an activation: text, or an object of a function or class that Keras has registered. */
function nameOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value === null || value === undefined) return 'linear';
  const { class_name: className, config } = value as JsonObject;
  const name = className === 'function' ? config : className;
  return typeof name === 'string' ? snake(name) : show(value);
}

const snake = (name: string): string =>
  name
    .replace(/([a-z0-9])([A-Z])/g, (_, before: string, after: string) => `${before}_${after.toLowerCase()}`)
    .toLowerCase();

/** Whether `activate` knows an activation. */
export function isKnownActivation(value: unknown): boolean {
  const name = nameOf(value);
  return Object.hasOwn(PLAIN, name) || OTHERS.has(name);
}

const OTHERS = new Set(['linear', 'softmax', 'log_softmax', 'hard_sigmoid', 'exponential', 'selu', 'softsign']);

/** Applies an activation that is named in a layer's configuration. `name` is that of the layer it becomes. */
export function activate(target: Target, input: Value, given: unknown, dialect: Dialect, name = target.name): Value {
  const kind = nameOf(given);
  switch (kind) {
    case 'linear':
      return input;
    case 'softmax':
    case 'log_softmax':
      return softmax(target, input, -1, kind === 'softmax' ? 'softmax' : 'logSoftmax', name);
    case 'hard_sigmoid':
      return activation(
        target,
        input,
        { kind: 'hardSigmoid', alpha: dialect === 'keras3' ? SIXTH : 0.2, beta: 0.5 },
        name,
      );
    case 'exponential':
      return unary(target, 'exp', input, name);
    case 'selu': {
      const elu = activation(target, input, { kind: 'elu', alpha: SELU.alpha }, `${name}_elu`);
      return binary(target, 'mul', elu, { shape: [], data: Float32Array.of(SELU.lambda) }, name);
    }
    case 'softsign': {
      const one = { shape: [], data: Float32Array.of(1) };
      const divisor = binary(target, 'add', unary(target, 'abs', input, `${name}_abs`), one, `${name}_sum`);
      return binary(target, 'div', input, divisor, name);
    }
    default: {
      const known = Object.hasOwn(PLAIN, kind) ? PLAIN[kind] : undefined;
      return known ? activation(target, input, known, name) : notMapped(`activation = ${show(given)}`);
    }
  }
}
