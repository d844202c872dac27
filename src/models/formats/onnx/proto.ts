import { WireType } from '@bufbuild/protobuf/wire';
import { ModelError } from '../../errors.js';
import { bytes, expect, fail, int, integer, numbers, readMessage, text } from './message.js';

/**
 * The part of ONNX's protobuf schema (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, proto3) that a network
 * needs, read without copying tensors. Field numbers are the schema's.
 */
export interface OnnxTensor {
  readonly name: string;
  readonly dims: readonly number[];
  readonly dataType: number;
  readonly rawData: Uint8Array | null;
  /** float_data, int32_data, int64_data, double_data or uint64_data, whichever is there. */
  readonly typedData: readonly number[];
  /** location, offset, length where the values lie in a file of their own. */
  readonly external: ReadonlyMap<string, string> | null;
}

export interface OnnxAttribute {
  readonly name: string;
  readonly float: number;
  readonly int: number;
  readonly text: string;
  readonly tensor: OnnxTensor | null;
  readonly floats: readonly number[];
  readonly ints: readonly number[];
  readonly hasGraph: boolean;
}

export interface OnnxNode {
  readonly name: string;
  readonly operator: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, OnnxAttribute>;
}

export interface OnnxValueInfo {
  readonly name: string;
  /** TensorProto.DataType; 0 for values that are no tensors. */
  readonly dataType: number;
  /** Null for sizes that are open (or named). */
  readonly dims: readonly (number | null)[];
  /** Without it, not even the rank is known. */
  readonly hasShape: boolean;
}

export interface OnnxGraph {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly OnnxTensor[];
  readonly inputs: readonly OnnxValueInfo[];
  readonly outputs: readonly OnnxValueInfo[];
}

export interface OnnxModel {
  readonly producer: string;
  readonly metadata: ReadonlyMap<string, string>;
  /** Version by domain; '' is ONNX's own. */
  readonly opsets: ReadonlyMap<string, number>;
  readonly graph: OnnxGraph;
}

const MAX_DIMS = 16;
/** Far above what any network has; each node takes some hundred bytes. */
const MAX_NODES = 100_000;

function readTensor(source: Uint8Array): OnnxTensor {
  const dims: number[] = [];
  const typedData: number[] = [];
  const external = new Map<string, string>();
  let [name, dataType, isExternal] = ['', 0, false];
  let rawData: Uint8Array | null = null;
  const varints = numbers(typedData, WireType.Varint, integer);
  readMessage(source, {
    1: numbers(dims, WireType.Varint, integer),
    2: int((value) => {
      dataType = value;
    }),
    4: numbers(typedData, WireType.Bit32, (reader) => reader.float()),
    5: varints,
    7: varints,
    8: text((value) => {
      name = value;
    }),
    9: bytes((value) => {
      rawData = value;
    }),
    10: numbers(typedData, WireType.Bit64, (reader) => reader.double()),
    11: varints,
    13: bytes((entry) => {
      const [key, value] = readPair(entry);
      external.set(key, value);
    }),
    14: int((value) => {
      isExternal = value === 1;
    }),
  });
  if (dims.length > MAX_DIMS) fail(`the tensor ${name} has ${dims.length} dimensions.`);
  return { name, dims, dataType, rawData, typedData, external: isExternal ? external : null };
}

/** StringStringEntryProto. */
function readPair(source: Uint8Array): [string, string] {
  const pair: [string, string] = ['', ''];
  readMessage(source, {
    1: text((value) => {
      pair[0] = value;
    }),
    2: text((value) => {
      pair[1] = value;
    }),
  });
  return pair;
}

function readAttribute(source: Uint8Array): OnnxAttribute {
  const floats: number[] = [];
  const ints: number[] = [];
  const attribute = { name: '', float: 0, int: 0, text: '', tensor: null as OnnxTensor | null, hasGraph: false };
  readMessage(source, {
    1: text((value) => {
      attribute.name = value;
    }),
    2: (reader, wireType) => {
      expect(wireType, WireType.Bit32);
      attribute.float = reader.float();
    },
    3: int((value) => {
      attribute.int = value;
    }),
    4: bytes((value) => {
      attribute.text = new TextDecoder().decode(value);
    }),
    5: bytes((value) => {
      attribute.tensor = readTensor(value);
    }),
    6: bytes(() => {
      attribute.hasGraph = true;
    }),
    7: numbers(floats, WireType.Bit32, (reader) => reader.float()),
    8: numbers(ints, WireType.Varint, integer),
  });
  return { ...attribute, floats, ints };
}

function readNode(source: Uint8Array): OnnxNode {
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes = new Map<string, OnnxAttribute>();
  const node = { name: '', operator: '', domain: '' };
  readMessage(source, {
    1: text((value) => inputs.push(value)),
    2: text((value) => outputs.push(value)),
    3: text((value) => {
      node.name = value;
    }),
    4: text((value) => {
      node.operator = value;
    }),
    5: bytes((value) => {
      const attribute = readAttribute(value);
      attributes.set(attribute.name, attribute);
    }),
    7: text((value) => {
      node.domain = value;
    }),
  });
  return { ...node, inputs, outputs, attributes };
}

/** TensorShapeProto.Dimension: a number, or a name, which leaves it open. */
function readDimension(source: Uint8Array): number | null {
  let size: number | null = null;
  readMessage(source, {
    1: int((value) => {
      size = value >= 0 ? value : null;
    }),
  });
  return size;
}

function readValueInfo(source: Uint8Array): OnnxValueInfo {
  let name = '';
  let [dataType, hasShape] = [0, false];
  const dims: (number | null)[] = [];
  const shape = (value: Uint8Array) => {
    hasShape = true;
    readMessage(value, { 1: bytes((item) => dims.push(readDimension(item))) });
  };
  const tensorType = (value: Uint8Array) =>
    readMessage(value, {
      1: int((item) => {
        dataType = item;
      }),
      2: bytes(shape),
    });
  readMessage(source, {
    1: text((value) => {
      name = value;
    }),
    2: bytes((type) => readMessage(type, { 1: bytes(tensorType) })),
  });
  if (dims.length > MAX_DIMS) fail(`${name} has ${dims.length} dimensions.`);
  return { name, dataType, dims, hasShape };
}

function readGraph(source: Uint8Array): OnnxGraph {
  const nodes: OnnxNode[] = [];
  const initializers: OnnxTensor[] = [];
  const inputs: OnnxValueInfo[] = [];
  const outputs: OnnxValueInfo[] = [];
  let name = '';
  readMessage(source, {
    1: bytes((value) => {
      if (nodes.length >= MAX_NODES) fail(`the graph has more than ${MAX_NODES} nodes.`);
      nodes.push(readNode(value));
    }),
    2: text((value) => {
      name = value;
    }),
    5: bytes((value) => initializers.push(readTensor(value))),
    11: bytes((value) => inputs.push(readValueInfo(value))),
    12: bytes((value) => outputs.push(readValueInfo(value))),
    15: () => fail('sparse initializers are not supported; export the weights dense.'),
  });
  return { name, nodes, initializers, inputs, outputs };
}

/** Reads a ModelProto. Throws INVALID_FILE for anything that is not one. */
export function readOnnxModel(source: Uint8Array): OnnxModel {
  const opsets = new Map<string, number>();
  const metadata = new Map<string, string>();
  let producer = '';
  let graph: OnnxGraph | null = null;
  const opset = (value: Uint8Array) => {
    let [domain, version] = ['', 0];
    readMessage(value, {
      1: text((item) => {
        domain = item;
      }),
      2: int((item) => {
        version = item;
      }),
    });
    opsets.set(domain === 'ai.onnx' ? '' : domain, version);
  };
  try {
    readMessage(source, {
      2: text((value) => {
        producer = value;
      }),
      7: bytes((value) => {
        graph = readGraph(value);
      }),
      8: bytes(opset),
      14: bytes((entry) => metadata.set(...readPair(entry))),
    });
  } catch (error) {
    if (error instanceof ModelError) throw error;
    fail(`the file is damaged or truncated: ${error instanceof Error ? error.message : String(error)}.`, error);
  }
  return { producer, opsets, metadata, graph: graph ?? fail('the file holds no graph.') };
}
