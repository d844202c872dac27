import type { Activation } from '../../network.js';
import type { ImportBuilder, ImportOptions } from '../importBuilder.js';
import { activation } from '../tensorflow/elementwise.js';
import { isSharedOut } from '../tensorflow/dilated.js';
import { type Constant, isConstant, notMapped, Target, type Value } from '../tensorflow/value.js';
import type { Window } from '../tensorflow/weighted.js';
import type { Table } from './flatbuffer.js';
import type { TfliteOperator } from './schema.js';

export type Operand = Value | Constant;

const FUSED: Readonly<Record<number, Activation>> = {
  1: 'relu',
  2: { kind: 'clip', min: -1, max: 1 },
  3: 'relu6',
  4: 'tanh',
};

const EMPTY = { i8: (_: number, otherwise = 0) => otherwise } as const;

/** What the converter of one operator works with. */
export class Context extends Target {
  constructor(
    builder: ImportBuilder,
    name: string,
    readonly operator: TfliteOperator,
    /** Null for inputs that are left out. */
    readonly operands: readonly (Operand | null)[],
    readonly options: ImportOptions,
  ) {
    super(builder, name);
  }

  get attributes(): Table {
    return this.operator.options ?? notMapped('its options are missing');
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

  /** padding 0, strideW 1, strideH 2, and dilation where the operator has it. */
  window(dilation: { readonly w: number; readonly h: number } | null): Window {
    const { attributes } = this;
    const positive = (value: number) => (value >= 1 ? value : notMapped(`a stride or dilation of ${value}`));
    return {
      padding: attributes.i8(0) === 0 ? 'same' : 'valid',
      strides: [positive(attributes.i32(2)), positive(attributes.i32(1))],
      dilation: dilation ? [positive(attributes.i32(dilation.h, 1)), positive(attributes.i32(dilation.w, 1))] : [1, 1],
    };
  }

  /** Appends the activation that the operator has in field `field` of its options. */
  fused(value: Value, field: number): Value {
    const code = (this.operator.options ?? EMPTY).i8(field);
    if (code === 0) return value;
    const kind = FUSED[code] ?? notMapped(`fused_activation_function = ${code}`);
    const suffix = typeof kind === 'string' ? kind : kind.kind;
    return activation(this, value, kind, `${this.name}/${suffix}`);
  }
}
