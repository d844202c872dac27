import type { ImportBuilder } from '../importBuilder.js';
import { isSharedOut } from './dilated.js';
import { type Constant, isConstant, notMapped, Target, type Value } from './value.js';

export type Operand = Value | Constant;

/** What the converter of one operator of a graph works with, TensorFlow's or TensorFlow Lite's. */
export class OperatorContext extends Target {
  constructor(
    builder: ImportBuilder,
    name: string,
    /** Null for inputs that are left out. */
    readonly operands: readonly (Operand | null)[],
  ) {
    super(builder, name);
  }

  operand(place: number): Operand {
    const operand = this.operands[place] ?? notMapped(`input ${place} is missing`);
    return isConstant(operand) ? operand : this.value(place);
  }

  value(place: number): Value {
    const value = this.anyValue(place);
    return isSharedOut(value) ? notMapped('maps that are shared out for something else than a convolution') : value;
  }

  /** Also one that is shared out for a dilated convolution. */
  anyValue(place: number): Value {
    const operand = this.operands[place] ?? notMapped(`input ${place} is missing`);
    return isConstant(operand) ? notMapped(`input ${place} is a constant`) : operand;
  }

  values(count = this.operands.length): Value[] {
    return Array.from({ length: count }, (_, place) => this.value(place));
  }

  constant(place: number): Constant {
    const operand = this.operand(place);
    return isConstant(operand) ? operand : notMapped(`input ${place} is computed; it has to be a constant`);
  }

  optionalConstant(place: number): Constant | null {
    return this.operands[place] ? this.constant(place) : null;
  }

  integers(place: number): number[] {
    return [...this.constant(place).data];
  }
}
