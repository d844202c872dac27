import { LIMITS } from '../../../limits.js';
import { asList, asObject, asText, fail, type JsonObject, show } from '../../keras/json.js';

/** An output of a node. */
export interface Reference {
  readonly node: string;
  readonly output: number;
}

export interface GraphNode {
  readonly name: string;
  readonly op: string;
  readonly inputs: readonly Reference[];
  readonly attributes: GraphAttributes;
}

/** Constants are nodes of their own. */
const MAX_NODES = 10 * LIMITS.layers;

/** Attributes of a node as TensorFlow's GraphDef has them in JSON: `{"i": "3"}`, `{"s": base64}`, `{"list": {"i": [...]}}`. */
export class GraphAttributes {
  constructor(
    private readonly node: string,
    private readonly attributes: JsonObject,
  ) {}

  private get(key: string, kind: string): unknown {
    const attribute = this.attributes[key];
    return attribute === undefined ? undefined : asObject(attribute, `${key} of ${this.node}`)[kind];
  }

  private list(key: string, kind: string): readonly unknown[] {
    const list = this.get(key, 'list');
    const items = list === undefined ? undefined : asObject(list, `${key} of ${this.node}`)[kind];
    return items === undefined ? [] : asList(items, `${key} of ${this.node}`);
  }

  private toNumber(value: unknown, key: string): number {
    const number = typeof value === 'string' ? Number(value) : value;
    if (typeof number === 'number' && Number.isFinite(number)) return number;
    return fail(`${key} of ${this.node} must be a number; got ${show(value)}.`);
  }

  integer(key: string, otherwise: number): number {
    const value = this.get(key, 'i');
    return value === undefined ? otherwise : this.toNumber(value, key);
  }

  number(key: string, otherwise: number): number {
    const value = this.get(key, 'f');
    return value === undefined ? otherwise : this.toNumber(value, key);
  }

  integers(key: string): number[] {
    return this.list(key, 'i').map((value) => this.toNumber(value, key));
  }

  flag(key: string): boolean {
    return this.get(key, 'b') === true;
  }

  text(key: string, otherwise: string): string {
    const value = this.get(key, 's');
    return value === undefined ? otherwise : this.decode(value, key);
  }

  texts(key: string): string[] {
    return this.list(key, 's').map((value) => this.decode(value, key));
  }

  /** Base64, or a list of bytes. */
  private decode(value: unknown, key: string): string {
    if (Array.isArray(value)) return String.fromCharCode(...value.slice(0, 100).map(Number));
    try {
      return atob(asText(value, `${key} of ${this.node}`)).slice(0, 100);
    } catch {
      return fail(`${key} of ${this.node} is no base64.`);
    }
  }

  /** Sizes of a shape, -1 for open ones; null where the shape is missing or open. */
  shape(key: string): number[] | null {
    const value = this.get(key, 'shape');
    if (value === undefined || asObject(value, key).unknownRank === true) return null;
    const dims = asObject(value, key).dim;
    return dims === undefined
      ? []
      : asList(dims, `${key} of ${this.node}`).map((dim) => this.toNumber(asObject(dim, 'dim').size ?? -1, key));
  }
}

/** `name`, `name:output`; `^name` only orders what is run and is left out. */
export function reference(text: string): Reference {
  const colon = text.lastIndexOf(':');
  const output = colon < 0 ? 0 : Number(text.slice(colon + 1));
  if (!Number.isSafeInteger(output) || output < 0) fail(`${text.slice(0, 80)} names no output of a node.`);
  return { node: colon < 0 ? text : text.slice(0, colon), output };
}

/** The nodes of a graph by name. Throws INVALID_FILE. */
export function readNodes(topology: JsonObject): ReadonlyMap<string, GraphNode> {
  const list = asList(topology.node, 'node');
  if (list.length > MAX_NODES) fail(`it has more than ${MAX_NODES} nodes.`);
  const nodes = new Map<string, GraphNode>();
  for (const item of list) {
    const node = asObject(item, 'a node');
    const name = asText(node.name, 'name of a node');
    if (nodes.has(name)) fail(`two nodes are named ${name}.`);
    const inputs = asList(node.input ?? [], `input of ${name}`).map((input) => asText(input, `an input of ${name}`));
    if (inputs.length > LIMITS.inputs) fail(`${name} has more than ${LIMITS.inputs} inputs.`);
    nodes.set(name, {
      name,
      op: asText(node.op, `op of ${name}`),
      inputs: inputs.filter((input) => !input.startsWith('^')).map(reference),
      attributes: new GraphAttributes(name, asObject(node.attr ?? {}, `attr of ${name}`)),
    });
  }
  return nodes;
}

/** Nodes that `outputs` need, each behind what it reads. Throws INVALID_FILE for loops and nodes that are missing. */
export function inOrder(nodes: ReadonlyMap<string, GraphNode>, outputs: readonly Reference[]): readonly GraphNode[] {
  const order: GraphNode[] = [];
  const states = new Map<string, 'open' | 'done'>();
  const stack = outputs.map(({ node }) => node).reverse();
  for (let name = stack.at(-1); name !== undefined; name = stack.at(-1)) {
    const node = nodes.get(name) ?? fail(`the node ${name} is read, which does not exist.`);
    const state = states.get(name);
    if (state !== undefined) {
      stack.pop();
      if (state === 'open') order.push(node);
      states.set(name, 'done');
      continue;
    }
    states.set(name, 'open');
    for (const input of [...node.inputs].reverse()) {
      const other = states.get(input.node);
      if (other === 'open') fail(`the node ${input.node} is in a loop.`);
      if (other === undefined) stack.push(input.node);
    }
  }
  return order;
}
