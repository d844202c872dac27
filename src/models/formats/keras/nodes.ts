import { LIMITS } from '../../limits.js';
import { asList, asObject, asText, fail, type JsonObject, show } from './json.js';

/** An output of one use of a layer. */
export interface Reference {
  readonly layer: string;
  /** Which of the layer's uses. */
  readonly node: number;
  /** Which of its outputs. */
  readonly tensor: number;
}

export type Argument = Reference | { readonly value: unknown };

/** One use of a layer: what it is called with. */
export interface Node {
  readonly args: readonly Argument[];
  readonly named: ReadonlyMap<string, Argument>;
}

/** `[["name", 0, 0], ...]`, `["name", 0, 0]` for one, or an object of them. */
export function references(value: unknown, what: string): Reference[] {
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
    return Object.values(value).map((item) => reference(asList(item, what), what));
  }
  const list = asList(value, what);
  const items = typeof list[0] === 'string' ? [list] : list;
  return items.map((item) => reference(asList(item, what), what));
}

function reference(item: readonly unknown[], what: string): Reference {
  const [name, node = 0, tensor = 0] = item;
  const layer = asText(name, `a layer's name in ${what}`);
  if (!isIndex(node) || !isIndex(tensor)) fail(`${what} has ${show(item)}, which is no output of a layer.`);
  return { layer, node, tensor };
}

const isIndex = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value < LIMITS.layers;

/**
 * The uses of a layer. Keras 2 and TF.js: `[[["name", 0, 0, {named}], ...], ...]`. Keras 3: `[{args, kwargs}, ...]` with
 * `__keras_tensor__` objects. Throws INVALID_FILE.
 */
export function inboundNodes(value: unknown, name: string): Node[] {
  const nodes = value === undefined || value === null ? [] : asList(value, `inbound_nodes of ${name}`);
  return nodes.map((node) => {
    const result = Array.isArray(node) ? kerasTwo(node, name) : kerasThree(asObject(node, `a node of ${name}`), name);
    if (result.args.length + result.named.size > LIMITS.inputs) fail(`${name} has more than ${LIMITS.inputs} inputs.`);
    return result;
  });
}

function kerasTwo(node: readonly unknown[], name: string): Node {
  const what = `inbound_nodes of ${name}`;
  const items = typeof node[0] === 'string' ? [node] : node;
  const named = new Map<string, Argument>();
  const args = items.map((value): Argument => {
    const item = asList(value, `an input of ${name}`);
    const options = item[3];
    if (options !== null && typeof options === 'object' && !Array.isArray(options)) {
      for (const [option, given] of Object.entries(options)) named.set(option, kerasTwoArgument(given, what));
    }
    return item[0] === '_CONSTANT_VALUE' ? { value: item[2] } : reference(item, what);
  });
  return { args, named };
}

const kerasTwoArgument = (value: unknown, what: string): Argument =>
  Array.isArray(value) && typeof value[0] === 'string' && isIndex(value[1]) ? reference(value, what) : { value };

function kerasThree(node: JsonObject, name: string): Node {
  const args = asList(node.args ?? [], `args of ${name}`).flatMap((item) => kerasThreeArguments(item, name));
  const named = new Map<string, Argument>();
  for (const [option, value] of Object.entries(asObject(node.kwargs ?? {}, `kwargs of ${name}`))) {
    const [first, ...rest] = kerasThreeArguments(value, name);
    named.set(option, first && rest.length === 0 ? first : { value });
  }
  return { args, named };
}

/** A tensor, a list of tensors, or any other value. */
function kerasThreeArguments(value: unknown, name: string): Argument[] {
  const items = Array.isArray(value) && value.some(isTensor) ? value : [value];
  return items.map((item) => {
    if (!isTensor(item)) return { value: item };
    const config = asObject(item.config, `an input of ${name}`);
    return reference(asList(config.keras_history, 'keras_history'), `inbound_nodes of ${name}`);
  });
}

const isTensor = (value: unknown): value is JsonObject =>
  value !== null && typeof value === 'object' && (value as JsonObject).class_name === '__keras_tensor__';
