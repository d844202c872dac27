import { LIMITS } from '../../limits.js';
import { FlatBuffer, type Table } from './flatbuffer.js';

/**
 * A TensorFlow Lite model as far as the import needs it. Fields have the numbers of the public schema
 * (tensorflow/compiler/mlir/lite/schema/schema.fbs).
 */
export interface TfliteModel {
  readonly file: FlatBuffer;
  readonly version: number;
  readonly description: string;
  readonly tensors: readonly TfliteTensor[];
  readonly operators: readonly TfliteOperator[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** How many networks the file holds; the first is the one that is run. */
  readonly subgraphs: number;
}

export interface TfliteTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** The same with -1 for sizes that are open; empty where all are known. */
  readonly signature: readonly number[];
  readonly type: number;
  /** Empty for what operators compute. */
  readonly data: Uint8Array;
  readonly quantization: Quantization | null;
  readonly isSparse: boolean;
}

/** value = scale (stored - zeroPoint), for all or for each place along `dimension`. */
export interface Quantization {
  readonly scales: readonly number[];
  readonly zeroPoints: readonly number[];
  readonly dimension: number;
}

export interface TfliteOperator {
  /** A number of `BuiltinOperator`. */
  readonly code: number;
  /** Of an operator that is not built in. */
  readonly custom: string;
  /** -1 for inputs that are left out. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly options: Table | null;
}

const IDENTIFIER = 'TFL3';

export const looksLikeTflite = (bytes: Uint8Array): boolean => new FlatBuffer(bytes).isAt(4, IDENTIFIER);

/** Throws INVALID_FILE. */
export function readTflite(bytes: Uint8Array): TfliteModel {
  const file = new FlatBuffer(bytes);
  if (!file.isAt(4, IDENTIFIER)) file.fail(`the identifier ${IDENTIFIER} is missing.`);
  const { root } = file;
  const subgraphs = root.tables(2);
  const [graph] = subgraphs;
  if (!graph) return file.fail('it holds no network.');
  const buffers = root.tables(4);
  const codes = root.tables(1);
  const operators = graph.tables(3);
  if (operators.length > LIMITS.layers) file.fail(`it has more than ${LIMITS.layers} operators.`);
  return {
    file,
    version: root.u32(0),
    description: root.text(3),
    tensors: graph.tables(0).map((table) => readTensor(file, table, buffers)),
    operators: operators.map((table) => readOperator(file, table, codes)),
    inputs: graph.i32s(1),
    outputs: graph.i32s(2),
    subgraphs: subgraphs.length,
  };
}

function readTensor(file: FlatBuffer, table: Table, buffers: readonly Table[]): TfliteTensor {
  const name = table.text(3);
  const shape = table.i32s(0);
  if (shape.length > LIMITS.rank) file.fail(`the tensor ${name.slice(0, 80)} has ${shape.length} dimensions.`);
  const quantization = table.table(4);
  const scales = quantization?.f32s(2) ?? [];
  const buffer = table.u32(2);
  return {
    name,
    shape,
    signature: table.i32s(7),
    type: table.i8(1),
    data: bufferBytes(file, buffers[buffer] ?? file.fail(`there is no buffer ${buffer}.`)),
    quantization:
      quantization && scales.length > 0
        ? { scales, zeroPoints: quantization.i64s(3), dimension: quantization.i32(6) }
        : null,
    isSparse: table.table(6) !== null,
  };
}

/** Inside the buffer's table, or, in files of more than 2 GiB, at a place behind all tables. */
function bufferBytes(file: FlatBuffer, table: Table): Uint8Array {
  const offset = table.u64(1);
  return offset > 1 ? file.slice(offset, table.u64(2)) : table.bytes(0);
}

function readOperator(file: FlatBuffer, table: Table, codes: readonly Table[]): TfliteOperator {
  const index = table.u32(0);
  const code = codes[index] ?? file.fail(`there is no operator code ${index}.`);
  const [inputs, outputs] = [table.i32s(1), table.i32s(2)];
  if (inputs.length > LIMITS.inputs || outputs.length > LIMITS.inputs) {
    file.fail(`an operator has more than ${LIMITS.inputs} inputs or outputs.`);
  }
  // Codes above 127 did not fit into the first field; older files have that one alone.
  return {
    code: Math.max(code.i8(0), code.i32(3)),
    custom: code.text(1),
    inputs,
    outputs,
    options: table.table(4),
  };
}
