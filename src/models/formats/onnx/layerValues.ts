import type { OnnxNode } from './proto.js';

/**
 * Which values of an ONNX graph a layer that was imported from it may be: the output of the node that it is called after, and of
 * nodes right behind that have no layer of their own, because they were merged into it (a bias that is added).
 */
export function valuesOfLayers(nodes: readonly OnnxNode[], layers: readonly string[]): Map<string, readonly string[]> {
  const known = new Set(layers);
  const readers = new Map<string, OnnxNode[]>();
  for (const node of nodes) {
    for (const input of new Set(node.inputs)) readers.set(input, [...(readers.get(input) ?? []), node]);
  }
  const layerOf = ({ name, outputs }: OnnxNode): string | undefined =>
    [name, outputs[0]].find((candidate) => candidate !== undefined && candidate !== '' && known.has(candidate));
  const values = new Map<string, readonly string[]>();
  for (const node of nodes) {
    const layer = layerOf(node);
    const [first] = node.outputs;
    if (layer === undefined || first === undefined || values.has(layer)) continue;
    const candidates: string[] = [];
    for (let value: string | undefined = first; value !== undefined; ) {
      candidates.push(value);
      const [reader, ...others]: OnnxNode[] = readers.get(value) ?? [];
      value = reader && others.length === 0 && layerOf(reader) === undefined ? reader.outputs[0] : undefined;
    }
    values.set(layer, candidates);
  }
  return values;
}
