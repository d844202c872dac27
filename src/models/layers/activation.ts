import { activation as activationOp } from '../../kernels/ops/activation/activation.js';
import type { Activation as KernelActivation } from '../../kernels/ops/activation/kinds.js';
import { prelu as preluOp } from '../../kernels/ops/prelu/prelu.js';
import type { LayerBase, LayerShape } from '../network.js';
import { channelsOf, define, fail, ONE_INPUT, type Inputs } from './definition.js';
import { anyNumber, type Field, integer, orNull, positive, weightName } from './fields.js';
import { LIMITS } from '../limits.js';

const PLAIN = [
  'relu',
  'relu6',
  'sigmoid',
  'tanh',
  'softplus',
  'silu',
  'hardSwish',
  'gelu',
  'geluTanh',
  'mish',
  'softsign',
] as const;

/** Elementwise functions; see `Activation` of the kernels for formulas and sources. An open bound of `clip` is null. */
export type Activation =
  | (typeof PLAIN)[number]
  | { readonly kind: 'clip'; readonly min: number | null; readonly max: number | null }
  | { readonly kind: 'leakyRelu'; readonly slope: number }
  | { readonly kind: 'elu'; readonly alpha: number }
  | { readonly kind: 'hardSigmoid'; readonly alpha: number; readonly beta: number }
  | { readonly kind: 'selu'; readonly alpha: number; readonly gamma: number }
  | { readonly kind: 'celu'; readonly alpha: number }
  | { readonly kind: 'thresholdedRelu'; readonly alpha: number }
  | { readonly kind: 'shrink'; readonly lambda: number; readonly bias: number };

const PARAMETRIC = ['clip', 'leakyRelu', 'elu', 'hardSigmoid', 'selu', 'celu', 'thresholdedRelu', 'shrink'] as const;

const activationField: Field<Activation> = {
  read(json) {
    if (typeof json.value === 'string') return json.oneOf(...PLAIN);
    const kind = json.get('kind').oneOf(...PARAMETRIC);
    switch (kind) {
      case 'clip': {
        const bound = orNull(anyNumber);
        const [min, max] = [bound.read(json.get('min')), bound.read(json.get('max'))];
        if (min !== null && max !== null && min > max) json.fail('a clip whose min does not exceed its max');
        return { kind, min, max };
      }
      case 'leakyRelu':
        return { kind, slope: anyNumber.read(json.get('slope')) };
      case 'elu':
      case 'celu':
        return { kind, alpha: positive.read(json.get('alpha')) };
      case 'hardSigmoid':
        return { kind, alpha: anyNumber.read(json.get('alpha')), beta: anyNumber.read(json.get('beta')) };
      case 'selu':
        return { kind, alpha: anyNumber.read(json.get('alpha')), gamma: anyNumber.read(json.get('gamma')) };
      case 'thresholdedRelu':
        return { kind, alpha: anyNumber.read(json.get('alpha')) };
      case 'shrink':
        return { kind, lambda: anyNumber.read(json.get('lambda')), bias: anyNumber.read(json.get('bias')) };
    }
  },
};

/** The same for kernels, where an open bound is infinite. */
export function kernelActivation(activation: Activation): KernelActivation {
  if (typeof activation === 'string' || activation.kind !== 'clip') return activation;
  return {
    kind: 'clip',
    min: activation.min ?? Number.NEGATIVE_INFINITY,
    max: activation.max ?? Number.POSITIVE_INFINITY,
  };
}

export interface ActivationLayer extends LayerBase {
  readonly kind: 'activation';
  readonly activation: Activation;
}

export const activation = define<ActivationLayer>({
  kind: 'activation',
  inputs: ONE_INPUT,
  fields: { activation: activationField },
  shape: (_, [input]) => [...input],
  build: ({ b }, layer, [x]) => activationOp(b, x, kernelActivation(layer.activation)),
});

/** x where x > 0, else slope x with a learned slope (He et al. 2015): one for each channel, or one for all. */
export interface PreluLayer extends LayerBase {
  readonly kind: 'prelu';
  /** Name in the weights: `[slopes]`. */
  readonly weight: string;
  /** 1, or the number of channels. */
  readonly slopes: number;
}

export const prelu = define<PreluLayer>({
  kind: 'prelu',
  inputs: ONE_INPUT,
  fields: { weight: weightName('weight'), slopes: integer(1, LIMITS.channels) },
  shape(layer, [input]: Inputs<LayerShape>) {
    const channels = channelsOf(layer, input);
    if (layer.slopes !== 1 && layer.slopes !== channels) {
      fail(layer, `slopes must be 1 or its ${channels} channels; got ${layer.slopes}.`);
    }
    return [...input];
  },
  weightShapes: (layer) => ({ weight: [layer.slopes] }),
  build: (context, layer, [x]) => preluOp(context.b, x, context.parameter(layer.weight)),
});
