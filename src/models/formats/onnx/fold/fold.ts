import type { Operation } from '../node.js';
import type { Constant } from '../value.js';
import { ARRANGEMENT_FOLDS } from './arrangement.js';
import { ELEMENTWISE_FOLDS } from './elementwise.js';
import type { Budget, Fold } from './folder.js';
import { REDUCTION_FOLDS } from './reduction.js';

const FOLDS: Readonly<Record<string, Fold>> = { ...ARRANGEMENT_FOLDS, ...ELEMENTWISE_FOLDS, ...REDUCTION_FOLDS };

export const FOLDED_OPERATORS: readonly string[] = Object.keys(FOLDS);

/**
 * What a node computes from constants (and from shapes) only: how exporters write reshapes, clip bounds and weights. Null where an
 * input is not known or the operator is none that is computed here.
 */
export function fold(op: Operation, budget: Budget): readonly Constant[] | null {
  const { operator } = op.node;
  const known = op.inputs.every((input, index) => input === undefined || (input !== null && op.constant(index)));
  if (!known || !Object.hasOwn(FOLDS, operator)) return null;
  const result = (FOLDS[operator] as Fold)(op, budget);
  if (result === null) return null;
  return Array.isArray(result) ? (result as readonly Constant[]) : [result as Constant];
}
