import { Message } from './write/message.js';

/**
 * The same file with more of its values as outputs of the graph. Protobuf puts the lists of a message that comes twice behind each
 * other, so that nothing of the file has to be written again.
 */
export function withOutputs(file: Uint8Array, values: readonly string[]): Uint8Array {
  const graph = new Message();
  // A ValueInfoProto without a type: the runtime infers it.
  for (const name of values) graph.message(12, new Message().text(1, name));
  const added = new Message().message(7, graph).finish();
  const bytes = new Uint8Array(file.byteLength + added.byteLength);
  bytes.set(file);
  bytes.set(added, file.byteLength);
  return bytes;
}
