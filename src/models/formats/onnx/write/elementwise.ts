import type { BinaryLayer, UnaryLayer } from '../../../layers/elementwise.js';
import { type GraphWriter, type Operation, operation } from './graphWriter.js';

/** TensorProto.DataType. */
const [FLOAT, INT64, BOOL] = [1, 7, 9];

/** In which type ONNX computes an operator where it is not float32, on both sides. */
interface Typed {
  readonly operator: string;
  readonly takes?: number;
  readonly gives?: number;
  readonly attributes?: Record<string, number>;
}

const BINARY: { readonly [K in BinaryLayer['operator']]: Typed } = {
  add: { operator: 'Add' },
  sub: { operator: 'Sub' },
  mul: { operator: 'Mul' },
  div: { operator: 'Div' },
  max: { operator: 'Max' },
  min: { operator: 'Min' },
  pow: { operator: 'Pow' },
  fmod: { operator: 'Mod', attributes: { fmod: 1 } },
  integerDiv: { operator: 'Div', takes: INT64, gives: INT64 },
  integerPow: { operator: 'Pow', takes: INT64, gives: INT64 },
  integerMod: { operator: 'Mod', takes: INT64, gives: INT64 },
  equal: { operator: 'Equal', gives: BOOL },
  less: { operator: 'Less', gives: BOOL },
  lessOrEqual: { operator: 'LessOrEqual', gives: BOOL },
  greater: { operator: 'Greater', gives: BOOL },
  greaterOrEqual: { operator: 'GreaterOrEqual', gives: BOOL },
  and: { operator: 'And', takes: BOOL, gives: BOOL },
  or: { operator: 'Or', takes: BOOL, gives: BOOL },
  xor: { operator: 'Xor', takes: BOOL, gives: BOOL },
};

const UNARY: { readonly [K in Exclude<UnaryLayer['operator'], 'trunc'>]: Typed } = {
  exp: { operator: 'Exp' },
  log: { operator: 'Log' },
  sqrt: { operator: 'Sqrt' },
  neg: { operator: 'Neg' },
  abs: { operator: 'Abs' },
  reciprocal: { operator: 'Reciprocal' },
  erf: { operator: 'Erf' },
  sign: { operator: 'Sign' },
  floor: { operator: 'Floor' },
  ceil: { operator: 'Ceil' },
  round: { operator: 'Round' },
  not: { operator: 'Not', takes: BOOL, gives: BOOL },
  isNaN: { operator: 'IsNaN', gives: BOOL },
  isInf: { operator: 'IsInf', gives: BOOL },
};

function typed({ operator, takes, gives, attributes = {} }: Typed, values: string[], graph: GraphWriter): Operation {
  const inputs = takes === undefined ? values : values.map((value) => graph.step('Cast', [value], { to: takes }));
  if (gives === undefined) return operation(operator, inputs, attributes);
  return operation('Cast', [graph.step(operator, inputs, attributes)], { to: FLOAT as number });
}

export const binary = (layer: BinaryLayer, graph: GraphWriter): Operation =>
  typed(BINARY[layer.operator], graph.allValues(layer), graph);

export function unary(layer: UnaryLayer, graph: GraphWriter): Operation {
  const x = graph.value(layer);
  if (layer.operator !== 'trunc') return typed(UNARY[layer.operator], [x], graph);
  return operation('Mul', [graph.step('Sign', [x]), graph.step('Floor', [graph.step('Abs', [x])])]);
}
