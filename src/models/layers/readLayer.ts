import { JsonReader } from '../jsonReader.js';
import type { Layer, LayerKind } from '../network.js';
import { atLeastZero, type Field } from './fields.js';
import { definitionOf, LAYER_KINDS } from './registry.js';

/** One layer, every field checked. Throws INVALID_NETWORK. */
export function readLayer(json: JsonReader): Layer {
  const kind: LayerKind = json.get('kind').oneOf(...LAYER_KINDS);
  const name = json.get('name').string();
  const own = new JsonReader(json.value, `Layer ${name.slice(0, 200)} (${kind})`, ': ');
  const fields = definitionOf(kind).fields as Readonly<Record<string, Field<unknown>>>;
  const entries = Object.entries(fields).map(([key, field]) => [key, field.read(own.get(key))]);
  return {
    kind,
    name,
    inputs: own
      .get('inputs')
      .list()
      .map((input) => input.string()),
    learningRateFactor: atLeastZero.read(own.get('learningRateFactor')),
    ...Object.fromEntries(entries),
  } as unknown as Layer;
}
