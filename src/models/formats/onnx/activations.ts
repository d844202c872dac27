import type { Activation } from '../../layers/activation.js';
import { binary, type Converter, type Converters } from './converter.js';
import type { Operation } from './node.js';

function activation(make: (op: Operation) => Activation | null): Converter {
  return (op) => {
    const kind = make(op);
    return kind === null ? null : op.value(op.add({ kind: 'activation', inputs: [op.layer()], activation: kind }));
  };
}

const plain = (kind: Extract<Activation, string>): Converter => activation(() => kind);

/** Defaults are those of the operators' schemas. */
export const ACTIVATIONS: Converters = {
  Relu: plain('relu'),
  Sigmoid: plain('sigmoid'),
  Tanh: plain('tanh'),
  Softplus: plain('softplus'),
  Softsign: plain('softsign'),
  HardSwish: plain('hardSwish'),
  Mish: plain('mish'),
  Gelu: activation((op) => (op.text('approximate', 'none') === 'tanh' ? 'geluTanh' : 'gelu')),
  LeakyRelu: activation((op) => ({ kind: 'leakyRelu', slope: op.float('alpha', 0.01) })),
  Elu: activation((op) => {
    const alpha = op.float('alpha', 1);
    return alpha > 0 ? { kind: 'elu', alpha } : op.problem(`alpha = ${alpha}`);
  }),
  Celu: activation((op) => {
    const alpha = op.float('alpha', 1);
    return alpha > 0 ? { kind: 'celu', alpha } : op.problem(`alpha = ${alpha}`);
  }),
  Selu: activation((op) => ({
    kind: 'selu',
    alpha: op.float('alpha', 1.67326319217681884765625),
    gamma: op.float('gamma', 1.05070102214813232421875),
  })),
  HardSigmoid: activation((op) => ({
    kind: 'hardSigmoid',
    alpha: op.float('alpha', 0.2),
    beta: op.float('beta', 0.5),
  })),
  ThresholdedRelu: activation((op) => ({ kind: 'thresholdedRelu', alpha: op.float('alpha', 1) })),
  Shrink: activation((op) => ({ kind: 'shrink', lambda: op.float('lambd', 0.5), bias: op.float('bias', 0) })),
  // x sigmoid(alpha x).
  Swish(op) {
    const alpha = op.float('alpha', 1);
    if (alpha === 1) return plain('silu')(op);
    const x = op.layer();
    const scaled = binary(op, 'scaled', 'mul', x, op.numbers('alpha', [alpha]));
    const gate = op.step('gate', { kind: 'activation', inputs: [scaled], activation: 'sigmoid' });
    return op.value(op.add({ kind: 'binary', operator: 'mul', inputs: [x, gate] }));
  },
};
