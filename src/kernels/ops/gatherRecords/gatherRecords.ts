import { linearGrid, read, write } from '../../dispatch.js';
import { EngineError } from '../../errors.js';
import type { PlanBuilder } from '../../planBuilder.js';
import { elementCount, rowLayout, type Shape, type Tensor } from '../../tensor.js';
import mapsSource from './gatherMaps.wgsl.js';
import vectorsSource from './gatherVectors.wgsl.js';

/** A value within each record of a table. */
export interface RecordField {
  readonly name: string;
  /** Of one record: [C] or [C, H, W], row-major. */
  readonly shape: Shape;
  /** Elements before it in the record; a multiple of 4. */
  readonly offset: number;
}

/**
 * Picks records of a table that stays on the device: table dense [P, elements] and indices dense uint32 [N] -> rows [N, ...shape]
 * that hold `field` of record indices[n]. Elements must be a multiple of 4. An index from P on gives some record or zeros, never
 * memory of others. Constants: neither input gets a gradient. Throws `INVALID_SHAPE`.
 */
export function gatherRecords(b: PlanBuilder, table: Tensor, indices: Tensor, field: RecordField): Tensor {
  const [, elements] = table.shape as [number, number];
  const { shape, offset } = field;
  const size = elementCount(shape);
  if (table.shape.length !== 2 || table.layout !== 'dense' || elements % 4 !== 0) {
    throw new EngineError(
      'INVALID_SHAPE',
      `gatherRecords reads a dense table [records, a multiple of 4]; got ${table.layout} [${table.shape.join(', ')}].`,
    );
  }
  if (indices.shape.length !== 1 || indices.dtype !== 'u32' || indices.layout !== 'dense') {
    throw new EngineError(
      'INVALID_SHAPE',
      `gatherRecords takes dense uint32 indices [N]; got ${indices.layout} ${indices.dtype} [${indices.shape.join(', ')}].`,
    );
  }
  if (offset % 4 !== 0 || offset < 0 || offset + size > elements) {
    throw new EngineError(
      'INVALID_SHAPE',
      `${field.name}: ${size} elements from ${offset} do not lie in records of ${elements}, or not at a multiple of 4.`,
    );
  }
  const count = indices.shape[0] as number;
  const y = b.temporary(field.name, [count, ...shape]);
  const { columns, stride } = rowLayout(y.shape);
  const channels = shape[0] as number;
  const pixels = size / channels;
  const quads = stride / 4;
  const isVector = pixels === 1;
  b.dispatch({
    label: `gather ${field.name}`,
    program: isVector ? { label: 'gather vectors', code: vectorsSource } : { label: 'gather maps', code: mapsSource },
    bindings: [read(table), read(indices), write(y)],
    uniforms: isVector
      ? [channels, count, quads, elements / 4, offset / 4]
      : [channels, columns, quads, pixels, elements, offset],
    workgroups: linearGrid(quads * (isVector ? Math.ceil(channels / 4) : channels)),
  });
  return y;
}
