import { frontAxes } from '../converter.js';
import type { Operation } from '../node.js';
import { type Fold, stridesOf, walk } from './folder.js';

interface Rule {
  readonly start: number;
  readonly term?: (x: number) => number;
  readonly combine: (sum: number, term: number) => number;
  readonly finish?: (total: number, count: number) => number;
}

function reduced({ start, term = (x) => x, combine, finish = (total) => total }: Rule): Fold {
  return (op: Operation, budget) => {
    const source = op.required(0);
    const rank = source.shape.length;
    const list = op.listOf('axes', 1);
    const isNothing = (!list || list.length === 0) && op.int('noop_with_empty_axes', 0) === 1;
    const all = source.shape.map((_, axis) => axis);
    const axes = isNothing ? [] : list && list.length > 0 ? frontAxes(op, list, rank) : all;
    const kept = source.shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
    const strides = stridesOf(kept).map((stride, axis) => (axes.includes(axis) ? 0 : stride));
    const keepDims = op.int('keepdims', 1) === 1;
    const shape = keepDims ? kept : kept.filter((_, axis) => !axes.includes(axis));
    return budget.make(op, shape, source.type, (data) => {
      data.fill(start);
      walk(source.shape, [{ start: 0, strides }], (index, [place]) => {
        data[place as number] = combine(data[place as number] as number, term(source.data[index] as number));
      });
      const count = source.data.length / Math.max(1, data.length);
      for (let i = 0; i < data.length; i++) data[i] = finish(data[i] as number, count);
    });
  };
}

const add = (a: number, b: number): number => a + b;

export const REDUCTION_FOLDS: Readonly<Record<string, Fold>> = {
  ReduceSum: reduced({ start: 0, combine: add }),
  ReduceMean: reduced({ start: 0, combine: add, finish: (total, count) => total / count }),
  ReduceProd: reduced({ start: 1, combine: (a, b) => a * b }),
  ReduceMax: reduced({ start: Number.NEGATIVE_INFINITY, combine: Math.max }),
  ReduceMin: reduced({ start: Number.POSITIVE_INFINITY, combine: Math.min }),
  ReduceL1: reduced({ start: 0, term: Math.abs, combine: add }),
  ReduceL2: reduced({ start: 0, term: (x) => x * x, combine: add, finish: Math.sqrt }),
  ReduceSumSquare: reduced({ start: 0, term: (x) => x * x, combine: add }),
};
