import type { Activation, PreluLayer } from '../../../layers/activation.js';
import type { ActivationLayer } from '../../../network.js';
import { type GraphWriter, type Operation, operation } from './graphWriter.js';

const plain = (operator: string) => (x: string) => operation(operator, [x]);

/** Activations that operator set 17 has under a name of their own, or that take a few of its operators. */
const PLAIN: Readonly<Record<Extract<Activation, string>, (x: string, graph: GraphWriter) => Operation>> = {
  relu: plain('Relu'),
  relu6: (x, graph) => operation('Clip', [x, graph.constant('min', 0), graph.constant('max', 6)]),
  sigmoid: plain('Sigmoid'),
  tanh: plain('Tanh'),
  softplus: plain('Softplus'),
  softsign: plain('Softsign'),
  hardSwish: plain('HardSwish'),
  silu: (x, graph) => operation('Mul', [x, graph.step('Sigmoid', [x])]),
  mish: (x, graph) => operation('Mul', [x, graph.step('Tanh', [graph.step('Softplus', [x])])]),
  // x / 2 (1 + erf(x / sqrt(2))).
  gelu(x, graph) {
    const scaled = graph.step('Mul', [x, graph.constant('scale', Math.SQRT1_2)]);
    return halved(x, graph.step('Erf', [scaled]), graph);
  },
  // x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))).
  geluTanh(x, graph) {
    const cube = graph.step('Pow', [x, graph.constant('exponent', 3)]);
    const sum = graph.step('Add', [x, graph.step('Mul', [cube, graph.constant('cubic', 0.044715)])]);
    const scaled = graph.step('Mul', [sum, graph.constant('scale', Math.sqrt(2 / Math.PI))]);
    return halved(x, graph.step('Tanh', [scaled]), graph);
  },
};

/** x / 2 (1 + y). */
function halved(x: string, y: string, graph: GraphWriter): Operation {
  const factor = graph.step('Add', [y, graph.constant('one', 1)]);
  return operation('Mul', [graph.step('Mul', [x, graph.constant('half', 0.5)]), factor]);
}

export function activation(layer: ActivationLayer, graph: GraphWriter): Operation {
  const x = graph.value(layer);
  const kind = layer.activation;
  if (typeof kind === 'string') return PLAIN[kind](x, graph);
  switch (kind.kind) {
    case 'clip': {
      const min = kind.min === null ? '' : graph.constant('min', kind.min);
      const max = kind.max === null ? [] : [graph.constant('max', kind.max)];
      return operation('Clip', [x, min, ...max]);
    }
    case 'leakyRelu':
      return operation('LeakyRelu', [x], { alpha: { float: kind.slope } });
    case 'elu':
      return operation('Elu', [x], { alpha: { float: kind.alpha } });
    case 'hardSigmoid':
      return operation('HardSigmoid', [x], { alpha: { float: kind.alpha }, beta: { float: kind.beta } });
    case 'selu':
      return operation('Selu', [x], { alpha: { float: kind.alpha }, gamma: { float: kind.gamma } });
    case 'celu':
      return operation('Celu', [x], { alpha: { float: kind.alpha } });
    case 'thresholdedRelu':
      return operation('ThresholdedRelu', [x], { alpha: { float: kind.alpha } });
    case 'shrink':
      return operation('Shrink', [x], { lambd: { float: kind.lambda }, bias: { float: kind.bias } });
  }
}

/** Slopes broadcast from the last dimensions: one for each channel needs a dimension of 1 for each behind the channels. */
export function prelu(layer: PreluLayer, graph: GraphWriter): Operation {
  const behind = graph.inputShape(layer).slice(2);
  const shape = layer.slopes === 1 ? [1] : [layer.slopes, ...behind.map(() => 1)];
  return operation('PRelu', [graph.value(layer), graph.weight(layer.weight, shape)]);
}
