import { Message } from './write/message.js';
import { readOnnxModel } from './proto.js';
import { readConstant } from './tensor.js';

/** Values of a file that holds one TensorProto, as the tests of ONNX have their inputs and outputs. Throws INVALID_FILE. */
export function readTensorFile(file: Uint8Array): Float32Array {
  // A model whose only initializer it is.
  const graph = new Message().bytes(5, file);
  const model = readOnnxModel(new Message().message(7, graph).finish());
  const [tensor] = model.graph.initializers;
  return Float32Array.from(readConstant(tensor as NonNullable<typeof tensor>, 'the tensor', () => undefined).data);
}
