import type { Activation } from '../../network.js';
import type { ImportBuilder } from '../importBuilder.js';
import { activation } from '../tensorflow/elementwise.js';
import { type Operand, OperatorContext } from '../tensorflow/operatorContext.js';
import { notMapped, type Value } from '../tensorflow/value.js';
import type { Window } from '../tensorflow/weighted.js';
import type { Table } from './flatbuffer.js';
import type { TfliteOperator } from './schema.js';

const FUSED: Readonly<Record<number, Activation>> = {
  1: 'relu',
  2: { kind: 'clip', min: -1, max: 1 },
  3: 'relu6',
  4: 'tanh',
};

const EMPTY = { i8: (_: number, otherwise = 0) => otherwise } as const;

/** What the converter of one operator works with. */
export class Context extends OperatorContext {
  constructor(
    builder: ImportBuilder,
    name: string,
    readonly operator: TfliteOperator,
    operands: readonly (Operand | null)[],
  ) {
    super(builder, name, operands);
  }

  get attributes(): Table {
    return this.operator.options ?? notMapped('its options are missing');
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
