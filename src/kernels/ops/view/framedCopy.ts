import { f32, linearGrid, read, write } from '../../dispatch.js';
import { EngineError } from '../../errors.js';
import type { PlanBuilder } from '../../planBuilder.js';
import type { Tensor } from '../../tensor.js';
import { wholeLength } from './copyView.js';
import { framedSource, type LoopKind } from './framedSource.js';
import { stridesOf } from './view.js';

/** What lies outside of the source: a constant, its outermost elements, its mirror image around them, or itself once more. */
export type Border = 'constant' | 'edge' | 'reflect' | 'wrap';

/** Where a dimension of the target meets the source: at source index (i - start) / step. */
export interface Frame {
  readonly start: number;
  readonly step: number;
}

const MAX_LOOPS = 6;

interface Loop extends Frame {
  readonly size: number;
  readonly from: number;
  readonly to: number;
  readonly limit: number;
}

const coversAll = ({ start, step, size, limit }: Loop) => start === 0 && step === 1 && size === limit;

function joinLoops(loops: readonly Loop[]): Loop[] {
  const joined: Loop[] = [];
  for (const loop of [...loops].sort((a, b) => b.to - a.to || b.size - a.size)) {
    const outer = joined.at(-1);
    const isNext = outer && outer.from === loop.from * loop.size && outer.to === loop.to * loop.size;
    if (outer && isNext && coversAll(outer) && coversAll(loop)) {
      const size = outer.size * loop.size;
      joined[joined.length - 1] = { ...loop, size, limit: size };
    } else joined.push(loop);
  }
  return joined;
}

/**
 * Writes all of `target` from a smaller, larger or shifted `from` of the same rank and layout, one frame per dimension, with a
 * border where the source has no such element. A gradient of a slice is one with steps and zeros around.
 */
export function framedCopy(
  b: PlanBuilder,
  label: string,
  from: Tensor,
  target: Tensor,
  frames: readonly Frame[],
  border: { readonly kind: Border; readonly value?: number },
): void {
  const [fromStrides, toStrides] = [stridesOf(from), stridesOf(target)];
  const all = target.shape.map((size, axis): Loop => {
    const frame = frames[axis] as Frame;
    const [stride, to, limit] = [fromStrides[axis] as number, toStrides[axis] as number, from.shape[axis] as number];
    return { ...frame, size, from: stride, to, limit };
  });
  let loops = joinLoops(all.filter((loop) => loop.size > 1 || !coversAll(loop)));
  if (loops.length === 0) loops = [{ size: 1, from: 1, to: 1, start: 0, step: 1, limit: 1 }];
  const inner = loops.at(-1) as Loop;
  let isQuads = false;
  if (coversAll(inner) && inner.from === 1 && inner.to === 1) {
    const size = wholeLength(inner.size, from, target);
    const outer = loops.slice(0, -1);
    if ([size, ...outer.flatMap((loop) => [loop.from, loop.to])].every((value) => value % 4 === 0)) {
      isQuads = true;
      loops = [
        ...outer.map((loop) => ({ ...loop, from: loop.from / 4, to: loop.to / 4 })),
        { ...inner, size: size / 4, limit: size / 4 },
      ];
    }
  }
  if (loops.length > MAX_LOOPS) {
    throw new EngineError('LIMIT_EXCEEDED', `${label}: rank ${target.shape.length}; at most ${MAX_LOOPS}.`);
  }
  const uniforms = loops.flatMap((loop) => [
    loop.size,
    loop.from,
    loop.to,
    loop.start,
    loop.step,
    loop.limit - 1,
    0,
    0,
  ]);
  const count = loops.reduce((product, { size }) => product * size, 1);
  const kinds = loops.map((loop): LoopKind => (coversAll(loop) ? 'whole' : loop.step === 1 ? 'shifted' : 'stepped'));
  b.dispatch({
    label,
    program: {
      label: `framed copy by ${isQuads ? 'quads' : 'elements'}, ${border.kind}, ${kinds.join(' ')}`,
      code: framedSource(
        kinds,
        border.kind,
        isQuads,
        loops.map(({ size }) => size),
      ),
    },
    bindings: [read(from), write(target)],
    uniforms: [
      count,
      f32(border.value ?? 0),
      0,
      0,
      ...uniforms,
      ...Array.from({ length: 8 * MAX_LOOPS - uniforms.length }, () => 0),
    ],
    workgroups: linearGrid(count),
  });
}
