import { importOnnx } from '../../src/models/formats/onnx.js';
import type { Model } from '../../src/models/graph.js';
import { type NodeSpec, onnxFile, valueInfo } from './onnxWriter.js';
import { referenceOutput } from './reference.js';

/** The input x of shape [N, ...dims]. */
export const picture = (...dims: (number | string)[]) => valueInfo('x', ['N', ...dims]);
/** A node; inputs and outputs are names with spaces between, `-` is an input left out. */
export const node = (
  op: string,
  inputs: string,
  attributes: NodeSpec['attributes'] = {},
  outputs = 'y',
  name = '',
): NodeSpec => ({
  op,
  inputs: inputs.split(' ').map((input) => (input === '-' ? '' : input)),
  outputs: outputs.split(' '),
  attributes,
  name,
});
/** A network of these nodes on a picture [N, 3, 6, 5] unless told otherwise. */
export const network = (
  nodes: readonly NodeSpec[],
  initializers: readonly Uint8Array[] = [],
  opset = 13,
  dims = [3, 6, 5],
): Model => importOnnx(onnxFile({ nodes, initializers, inputs: [picture(...dims)], opset }));
export const kinds = ({ network: { layers } }: Model): string[] => layers.map((layer) => layer.kind);
export const run = ({ network: net, weights }: Model, x: ArrayLike<number>) => [
  ...referenceOutput(net, weights, x).data,
];
/** 0, 1, 2 ... */
export const count = (length: number) => Float32Array.from({ length }, (_, index) => index);
