import { binary, type Converter, type Converters, unary } from './converter.js';
import type { Operation } from './node.js';
import { classesOf } from './selection.js';
import type { Value } from './value.js';

/** -w_t log p_t of each place, weighted and reduced; the classes lie along axis 1. */
function logLikelihood(op: Operation, logarithms: string): Value {
  const classes = op.shape(logarithms)[1] as number;
  const target = op.layer(1);
  const isClass = classesOf(op, target, 1, classes, false);
  const sumOver = (part: string, x: string, axes: number[]) =>
    op.step(part, { kind: 'reduce', inputs: [x], operator: 'sum', axes, keepDims: false });
  const perClass = op.inputs[2] ? weighted(op, isClass, classes, op.shape(logarithms).length) : isClass;
  const counted = sumOver('counted', perClass, [1]);
  // Places whose target is to be left out weigh nothing.
  const ignored = op.has('ignore_index')
    ? binary(op, 'ignored', 'equal', target, op.numbers('ignore', [op.int('ignore_index', 0)]))
    : null;
  const weights = ignored ? binary(op, 'weights', 'mul', counted, unary(op, 'kept', 'not', ignored)) : counted;
  // Of classes that are not the target, 0 instead of 0 times what may be infinite.
  const chosen = op.step('chosen', { kind: 'where', inputs: [isClass, logarithms, op.numbers('none', [0])] });
  const picked = unary(op, 'negative', 'neg', sumOver('picked', chosen, [1]));
  const losses = binary(op, 'losses', 'mul', picked, weights);
  const reduction = op.text('reduction', 'mean');
  if (reduction === 'none') return op.value(losses);
  const axes = op.shape(losses).map((_, axis) => axis);
  const sum = sumOver('sum', losses, axes);
  return op.value(reduction === 'sum' ? sum : binary(op, 'mean', 'div', sum, sumOver('total', weights, axes)));
}

function weighted(op: Operation, isClass: string, classes: number, rank: number): string {
  const shape = [classes, ...Array<number>(rank - 2).fill(1)];
  const column = op.step('classWeights', { kind: 'reshape', inputs: [op.layer(2)], shape });
  return binary(op, 'weighted', 'mul', isClass, column);
}

const negativeLogLikelihood: Converter = (op) => logLikelihood(op, op.layer());

const softmaxCrossEntropy: Converter = (op) => {
  const logarithms = op.step('logSoftmax', { kind: 'logSoftmax', inputs: [op.layer()], axis: 1 });
  return [logLikelihood(op, logarithms), op.value(logarithms)];
};

export const LOSSES: Converters = {
  NegativeLogLikelihoodLoss: negativeLogLikelihood,
  SoftmaxCrossEntropyLoss: softmaxCrossEntropy,
};
