import { type Binding, linearGrid, read, readWrite, write } from '../../dispatch.js';
import { EngineError } from '../../errors.js';
import { type PlanBuilder } from '../../planBuilder.js';
import { rowLayout, type Tensor } from '../../tensor.js';
import source from './copyRows.wgsl.js';

/** Concatenation along channels. All other sizes have to agree. */
export function concat(b: PlanBuilder, xs: readonly Tensor[]): Tensor {
  const [first] = xs;
  if (!first) throw new EngineError('INVALID_ARGUMENT', 'Nothing to concatenate.');
  const others = (tensor: Tensor) => [tensor.shape[0], ...tensor.shape.slice(2)].join();
  for (const x of xs) {
    if (others(x) !== others(first)) {
      throw new EngineError(
        'INVALID_SHAPE',
        `concat: [${first.shape.join(', ')}] and [${x.shape.join(', ')}] differ besides channels.`,
      );
    }
  }
  if (xs.length === 1) return first;
  const channels = xs.reduce((sum, x) => sum + (x.shape[1] as number), 0);
  const y = b.temporary('concat', [first.shape[0] as number, channels, ...first.shape.slice(2)]);
  const quadsPerRow = rowLayout(y.shape).stride / 4;
  const copy = (from: Binding, to: Binding, fromRow: number, toRow: number, rows: number) =>
    b.dispatch({
      label: 'concat',
      program: { label: 'copy rows', code: source },
      bindings: [from, to],
      uniforms: [rows * quadsPerRow, fromRow * quadsPerRow, toRow * quadsPerRow],
      workgroups: linearGrid(rows * quadsPerRow),
    });
  const starts: number[] = [];
  let row = 0;
  for (const x of xs) {
    starts.push(row);
    const rows = x.shape[1] as number;
    copy(read(x), readWrite(y), 0, row, rows);
    row += rows;
  }
  return b.differentiable(xs, y, (dy, needs) =>
    xs.map((x, index) => {
      if (!needs[index]) return null;
      const dx = b.temporary(`d ${x.label}`, x.shape);
      copy(read(dy), write(dx), starts[index] as number, 0, x.shape[1] as number);
      return dx;
    }),
  );
}
