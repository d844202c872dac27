import type { ImportBuilder, ImportOptions } from '../../importBuilder.js';
import { type Operand, OperatorContext } from '../../tensorflow/operatorContext.js';
import { notMapped } from '../../tensorflow/value.js';
import type { Window } from '../../tensorflow/weighted.js';
import type { GraphAttributes, GraphNode } from './nodes.js';

/** What the converter of one node works with. */
export class Context extends OperatorContext {
  constructor(
    builder: ImportBuilder,
    readonly node: GraphNode,
    operands: readonly (Operand | null)[],
    readonly options: ImportOptions,
    /** How many nodes read this input. */
    readonly readersOf: (place: number) => number,
  ) {
    super(builder, node.name, operands);
  }

  get attributes(): GraphAttributes {
    return this.node.attributes;
  }

  /** Height and width of an attribute [1, height, width, 1]. */
  sides(key: string): [number, number] {
    const sizes = this.attributes.integers(key);
    if (sizes.length === 0) return [1, 1];
    const [batch, height, width, channels] = sizes;
    const isPlain = sizes.length === 4 && batch === 1 && channels === 1 && sizes.every((size) => size >= 1);
    return isPlain ? [height as number, width as number] : notMapped(`${key} = [${sizes.join(', ')}]`);
  }

  window(): Window {
    const format = this.attributes.text('data_format', 'NHWC');
    if (format !== 'NHWC') notMapped(`data_format = ${format}`);
    const given = this.attributes.text('padding', 'VALID');
    return { strides: this.sides('strides'), dilation: this.sides('dilations'), padding: this.padding(given) };
  }

  private padding(given: string): Window['padding'] {
    if (given === 'SAME' || given === 'VALID') return given === 'SAME' ? 'same' : 'valid';
    const margins = this.attributes.integers('explicit_paddings');
    const [, , top, bottom, left, right] = margins;
    const isSpatial = margins.length === 8 && [0, 1, 6, 7].every((place) => margins[place] === 0);
    if (given !== 'EXPLICIT' || !isSpatial) return notMapped(`padding = ${given}`);
    return { top: top as number, bottom: bottom as number, left: left as number, right: right as number };
  }
}
