import { type Binding, f32, linearGrid, MAX_GROUPS, read, write } from '../../dispatch.js';
import type { PlanBuilder } from '../../planBuilder.js';
import type { Tensor } from '../../tensor.js';
import { reductionLanes } from '../sumRows/sumRows.js';
import { axisUniforms, type CopyAxis, joinAxes } from '../view/copyView.js';
import { walkSource } from '../view/walkSource.js';
import lanesSource from './lanes.wgsl.js';
import reducedSource from './reduced.wgsl.js';
import serialSource from './serial.wgsl.js';

/** What is put together: t(x) of each element, combined, then finished. */
interface Formula {
  readonly term: string;
  readonly combine: string;
  readonly finish: string;
  readonly start: number;
}

/** `ties` counts the elements that equal a given result. */
export type ReductionKind = 'sum' | 'product' | 'l2' | 'max' | 'min' | 'ties';

const FORMULAS: Readonly<Record<ReductionKind, Formula>> = {
  sum: { term: 'value', combine: 'a + b', finish: 'total * p.scale', start: 0 },
  product: { term: 'value', combine: 'a * b', finish: 'total', start: 1 },
  l2: { term: 'value * value', combine: 'a + b', finish: 'sqrt(total)', start: 0 },
  max: { term: 'value', combine: 'max(a, b)', finish: 'total', start: Number.NEGATIVE_INFINITY },
  min: { term: 'value', combine: 'min(a, b)', finish: 'total', start: Number.POSITIVE_INFINITY },
  ties: { term: 'select(0.0, 1.0, value == f32(given[at]))', combine: 'a + b', finish: 'total', start: 0 },
};

export interface Reduction {
  readonly label: string;
  readonly kind: ReductionKind;
  readonly x: Tensor;
  readonly y: Tensor;
  /** The dimensions that stay: their strides in `x` (from) and in `y` (to). */
  readonly kept: readonly CopyAxis[];
  /** The dimensions that go, with their strides in `x`. */
  readonly reduced: readonly { readonly size: number; readonly stride: number }[];
  /** `sum` only: what the sum is multiplied by. */
  readonly scale?: number;
  /** `ties` only: the results, laid out as `y`. */
  readonly given?: Tensor;
}

/** Results from which on one invocation for each keeps the device busy. */
const ENOUGH_RESULTS = { subgroup8: 64, workgroup: 8192 } as const;
/** Workgroups that keep it busy, where each works on one result or a part of one. */
const ENOUGH_GROUPS = { subgroup8: 8, workgroup: 256 } as const;
const SHORT = 8;
const SHORTEST_PART = 1024;
const MOST_PARTS = 256;

/** Adds the reduction to the plan: one invocation or one workgroup for each result; few long ones in two steps. */
export function reduction(b: PlanBuilder, options: Reduction): void {
  const { kind } = options;
  const family = b.engine.kernelFamily;
  const kept = joinAxes(options.kept);
  const reduced = joinAxes(options.reduced.map(({ size, stride }) => ({ size, from: stride, to: stride })));
  const count = product(kept);
  const length = product(reduced);
  const formula = FORMULAS[kind];
  if (count >= ENOUGH_RESULTS[family] || length <= SHORT) {
    dispatchReduction(b, options, { formula, kept, reduced, parts: null });
    return;
  }
  const wanted = Math.min(MOST_PARTS, Math.ceil(ENOUGH_GROUPS[family] / count), Math.floor(length / SHORTEST_PART));
  // Rounding a part's length up may leave nothing for the last ones.
  const parts = wanted > 1 ? Math.ceil(length / Math.ceil(length / wanted)) : 1;
  if (parts === 1) {
    dispatchReduction(b, options, { formula, kept, reduced, parts });
    return;
  }
  const totals = b.temporary(`${options.label} parts`, [count, parts], { layout: 'dense' });
  dispatchReduction(b, { ...options, y: totals }, { formula, kept, reduced, parts });
  let next = count * parts;
  const between = kept.map((axis): CopyAxis => {
    next /= axis.size;
    return { ...axis, from: next };
  });
  const whole = { formula: { ...formula, term: 'value' }, kept: between, parts: null };
  const along = [{ size: parts, from: 1, to: 1 }];
  dispatchReduction(b, { ...options, x: totals }, { ...whole, reduced: along });
}

const product = (axes: readonly CopyAxis[]): number => axes.reduce((sizes, { size }) => sizes * size, 1);

/** WGSL: where element k of the reduced range lies, counted from its first one. Unrolled as `walkSource` is. */
function reducedAtSource(rank: number): string {
  const steps = Array.from({ length: rank - 1 }, (_, i) => {
    const axis = rank - 1 - i;
    return `next = rest / u32(p.reduced[${axis}].x);
  at += i32(rest - next * u32(p.reduced[${axis}].x)) * p.reduced[${axis}].y;
  rest = next;`;
  });
  return `fn reducedAt(k: u32) -> i32 {
  var rest = k;
  var next = 0u;
  var at = 0;
  ${steps.join('\n  ')}
  return at + i32(rest) * p.reduced[0].y;
}`;
}

interface Loops {
  readonly formula: Formula;
  readonly kept: readonly CopyAxis[];
  readonly reduced: readonly CopyAxis[];
  /** Workgroups for each result; null for an invocation each. */
  readonly parts: number | null;
}

function dispatchReduction(
  b: PlanBuilder,
  { label, kind, x, y, scale = 1, given }: Reduction,
  { formula, kept, reduced, parts }: Loops,
): void {
  const count = product(kept);
  const usesGiven = given && formula.term.includes('given');
  const bindings: Binding[] = [read(x), write(y), ...(usesGiven ? [read(given)] : [])];
  const rows = Math.ceil(count / MAX_GROUPS);
  const code = `@group(0) @binding(0) var<storage, read> x: array<T0>;
@group(0) @binding(1) var<storage, read_write> y: array<T1>;
${usesGiven ? '@group(0) @binding(2) var<storage, read> given: array<T2>;' : ''}
@group(0) @binding(${bindings.length}) var<uniform> p: Parameters;
alias Result = T1;
fn term(value: f32, at: i32) -> f32 { return ${formula.term}; }
fn combine(a: f32, b: f32) -> f32 { return ${formula.combine}; }
fn innermost() -> vec2i { return p.reduced[${reduced.length - 1}].xy; }
fn finish(total: f32) -> f32 { return ${formula.finish}; }
${reducedSource}
${reducedAtSource(reduced.length)}
${walkSource(kept.length)}
${parts === null ? serialSource : lanesSource}`;
  b.dispatch({
    label,
    program: {
      label: `reduce ${kind} ${kept.length} by ${reduced.length} loops, ${parts === null ? 'by invocations' : 'by workgroups'}`,
      code,
      ...(parts === null ? {} : { constants: reductionLanes(b) }),
    },
    bindings,
    uniforms: [
      count,
      kept.length,
      0,
      0,
      product(reduced),
      reduced.length,
      parts ?? 1,
      f32(scale),
      f32(formula.start),
      0,
      0,
      0,
      ...axisUniforms(kept, label),
      ...axisUniforms(reduced, label),
    ],
    workgroups: parts === null ? linearGrid(count) : [Math.ceil(count / rows), rows, parts],
  });
}
