import { LIMITS } from '../../limits.js';
import { asList, asObject, asText, fail, type JsonObject } from './json.js';
import { type Argument, inboundNodes, type Node, type Reference, references } from './nodes.js';

/** One use of a layer of a Keras model, nested models dissolved. */
export interface KerasLayer {
  /** Unique; layers of nested models have the name of the nested model and a slash before their own. */
  readonly id: string;
  /** The layer's own name: what its weights are called after. */
  readonly name: string;
  readonly className: string;
  /** An operation of keras.ops or a TFOpLambda (`x + y` in the code that built the model), which is no layer. */
  readonly isOperation: boolean;
  readonly config: JsonObject;
  /** What it is called with, in order: ids of layers, or constants. */
  readonly inputs: readonly Operand[];
  readonly named: ReadonlyMap<string, Operand>;
  /** Where Keras 3 stores its weights, e.g. `layers/functional/layers/conv2d_1`. */
  readonly storePath: string;
  /** How often the model uses it. */
  readonly uses: number;
}

export type Operand = { readonly layer: string } | { readonly value: unknown };

export interface KerasTopology {
  readonly name: string;
  /** In topological order. */
  readonly layers: readonly KerasLayer[];
  readonly outputs: readonly string[];
}

const MODELS = new Set(['Model', 'Functional', 'Sequential']);
const MAX_NESTING = 8;

/**
 * Reads the JSON of a Keras model as Keras 2, Keras 3 and TF.js write it. Throws INVALID_FILE where it is damaged, loops or is nested
 * deeper than 8 models.
 */
export function readTopology(value: unknown): KerasTopology {
  const topology = asObject(value, 'the topology');
  const model = asObject(topology.model_config ?? topology, 'model_config');
  const className = asText(model.class_name, 'class_name of the model');
  if (!MODELS.has(className)) {
    fail(`the model is a ${className}, code that the file does not hold; known are ${[...MODELS].join(', ')}.`);
  }
  const flattener = new Flattener();
  const outputs = flattener.model(className, model.config, '', '', null, 0);
  const name = Array.isArray(model.config) ? undefined : asObject(model.config, 'config').name;
  return { name: typeof name === 'string' && name !== '' ? name : 'model', layers: flattener.layers, outputs };
}

/** A layer of a model's list, with all of its uses. */
interface Entry {
  readonly layer: JsonObject;
  readonly name: string;
  readonly className: string;
  readonly storePath: string;
  readonly nodes: readonly Node[];
}

/** One use of an entry. */
interface Use {
  readonly entry: Entry;
  readonly node: Node;
  readonly index: number;
}

class Flattener {
  readonly layers: KerasLayer[] = [];
  private readonly ids = new Set<string>();

  /** Adds a model's layers and returns the ids of its outputs. `outer` takes the place of a nested model's own inputs. */
  model(
    className: string,
    config: unknown,
    prefix: string,
    storePrefix: string,
    outer: readonly string[] | null,
    depth: number,
  ): readonly string[] {
    if (depth > MAX_NESTING) fail(`models are nested deeper than ${MAX_NESTING}.`);
    return className === 'Sequential'
      ? this.sequential(config, prefix, storePrefix, outer, depth)
      : this.functional(asObject(config, `config of ${prefix || 'the model'}`), prefix, storePrefix, outer, depth);
  }

  private sequential(
    config: unknown,
    prefix: string,
    storePrefix: string,
    outer: readonly string[] | null,
    depth: number,
  ): readonly string[] {
    const model: JsonObject = Array.isArray(config) ? { layers: config } : asObject(config, 'config');
    const entries = readEntries(model.layers, storePrefix);
    let inputs = outer;
    for (const entry of entries) {
      if (entry.className === 'InputLayer' && inputs !== null) continue;
      if (inputs === null && entry.className !== 'InputLayer' && !MODELS.has(entry.className)) {
        inputs = [this.impliedInput(entry, model, prefix)];
      }
      const operands = (inputs ?? []).map((layer) => ({ layer }));
      inputs = this.use(entry, prefix, { inputs: operands, named: new Map() }, 0, depth);
    }
    return inputs ?? fail('a Sequential model has no layers.');
  }

  /** A Sequential model without InputLayer says its input's shape on its first layer (Keras 2) or beside its layers (Keras 3). */
  private impliedInput({ layer, name }: Entry, model: JsonObject, prefix: string): string {
    const config = asObject(layer.config, 'config');
    const shape = config.batch_input_shape ?? config.batch_shape ?? model.build_input_shape;
    const id = `${prefix}${name}_input`;
    this.push({
      id,
      name: `${name}_input`,
      className: 'InputLayer',
      isOperation: false,
      config: { batch_input_shape: shape },
      inputs: [],
      named: new Map(),
      storePath: '',
      uses: 1,
    });
    return id;
  }

  private functional(
    config: JsonObject,
    prefix: string,
    storePrefix: string,
    outer: readonly string[] | null,
    depth: number,
  ): readonly string[] {
    /** Ids of the outputs by use of a layer. */
    const values = new Map<string, readonly string[]>();
    const inputNames = references(config.input_layers, 'input_layers').map(({ layer }) => layer);
    if (outer && outer.length !== inputNames.length) {
      fail(`the nested model ${prefix} has ${inputNames.length} inputs and is called with ${outer.length}.`);
    }
    const entries = readEntries(config.layers, storePrefix);
    const actual = singleUses(entries);
    const uses = new Map<string, Use>();
    for (const entry of entries) {
      const position = inputNames.indexOf(entry.name);
      if (outer && position >= 0) {
        values.set(key(entry.name, 0), [outer[position] as string]);
        continue;
      }
      const nodes = entry.nodes.length > 0 ? entry.nodes.map((node) => withReferences(node, actual)) : [UNCALLED];
      nodes.forEach((node, index) => {
        const use = key(entry.name, index);
        if (uses.has(use)) fail(`two layers are named ${entry.name}.`);
        uses.set(use, { entry, node, index });
      });
    }
    const find = ({ layer, node, tensor }: Reference): string =>
      values.get(key(layer, node))?.[tensor] ??
      fail(`output ${tensor} of use ${node} of the layer ${layer} is read, which does not exist.`);
    for (const use of inOrder(uses, (name) => values.has(name))) {
      const { entry, node, index } = uses.get(use) as Use;
      const operand = (argument: Argument): Operand =>
        'layer' in argument ? { layer: find(argument) } : { value: argument.value };
      const call = {
        inputs: node.args.map(operand),
        named: new Map([...node.named].map(([name, argument]) => [name, operand(argument)])),
      };
      values.set(use, this.use(entry, prefix, call, index, depth));
    }
    return references(config.output_layers, 'output_layers').map((reference) => find(actual(reference)));
  }

  /** Adds one use of a layer, or all layers of a nested model. */
  private use(
    { layer, name, className, storePath, nodes }: Entry,
    prefix: string,
    call: Pick<KerasLayer, 'inputs' | 'named'>,
    index: number,
    depth: number,
  ): readonly string[] {
    const id = index === 0 ? `${prefix}${name}` : `${prefix}${name}_${index}`;
    if (MODELS.has(className)) {
      if (nodes.length > 1)
        fail(`the nested model ${name} is used ${nodes.length} times; Graft takes models used once.`);
      const outer = call.inputs.flatMap((operand) => ('layer' in operand ? [operand.layer] : []));
      const inputs = outer.length > 0 ? outer : null;
      return this.model(className, layer.config, `${id}/`, `${storePath}/`, inputs, depth + 1);
    }
    const config = asObject(layer.config, `config of ${name}`);
    const isOperation = isOperationClass(layer, className);
    this.push({ id, name, className, isOperation, config, ...call, storePath, uses: Math.max(1, nodes.length) });
    return [id];
  }

  private push(layer: KerasLayer): void {
    if (this.layers.length >= LIMITS.layers) fail(`it has more than ${LIMITS.layers} layers.`);
    if (this.ids.has(layer.id)) fail(`two layers are named ${layer.id}.`);
    this.ids.add(layer.id);
    this.layers.push(layer);
  }
}

const UNCALLED: Node = { args: [], named: new Map() };

/**
 * Keras 2 counts the making of a model as its first use and does not write it down: where a layer has one use, every reference means
 * that one.
 */
function singleUses(entries: readonly Entry[]): (reference: Reference) => Reference {
  const single = new Set(entries.filter(({ nodes }) => nodes.length <= 1).map(({ name }) => name));
  return (reference) => (single.has(reference.layer) ? { ...reference, node: 0 } : reference);
}

function withReferences(node: Node, actual: (reference: Reference) => Reference): Node {
  const changed = (argument: Argument): Argument => ('layer' in argument ? actual(argument) : argument);
  return {
    args: node.args.map(changed),
    named: new Map([...node.named].map(([name, argument]) => [name, changed(argument)])),
  };
}

const key = (name: string, node: number): string => `${node}:${name}`;

/**
 * Operations of Keras 3 have the module keras.src.ops..., or none in .h5 files, where they lack what every layer has; those of Keras 2
 * are layers of a class of their own.
 */
function isOperationClass({ module, config }: JsonObject, className: string): boolean {
  if (className === 'TFOpLambda' || className === 'SlicingOpLambda') return true;
  if (typeof module === 'string') return /\.ops\b/.test(module);
  return className !== 'InputLayer' && !MODELS.has(className) && isBare(config);
}

const isBare = (config: unknown): boolean =>
  config !== null && typeof config === 'object' && !('trainable' in config) && !('dtype' in config);

/** Uses of layers behind what they read. Throws INVALID_FILE for loops. */
function inOrder(uses: ReadonlyMap<string, Use>, isThere: (use: string) => boolean): readonly string[] {
  const order: string[] = [];
  const states = new Map<string, 'open' | 'done'>();
  for (const start of uses.keys()) {
    const stack = [start];
    for (let use = stack.at(-1); use !== undefined; use = stack.at(-1)) {
      const state = states.get(use);
      if (state === 'done' || isThere(use)) {
        stack.pop();
        continue;
      }
      const found =
        uses.get(use) ?? fail(`the layer ${use.slice(use.indexOf(':') + 1)} is read, which does not exist.`);
      if (state === 'open') {
        states.set(use, 'done');
        order.push(use);
        stack.pop();
        continue;
      }
      states.set(use, 'open');
      for (const argument of [...found.node.args, ...found.node.named.values()]) {
        if (!('layer' in argument)) continue;
        const needed = key(argument.layer, argument.node);
        if (states.get(needed) === 'open') fail(`the layer ${argument.layer} is in a loop.`);
        if (states.get(needed) !== 'done') stack.push(needed);
      }
    }
  }
  return order;
}

function readEntries(value: unknown, storePrefix: string): Entry[] {
  const list = asList(value, 'layers');
  if (list.length > LIMITS.layers) fail(`it has more than ${LIMITS.layers} layers.`);
  const counts = new Map<string, number>();
  return list.map((item) => {
    const layer = asObject(item, 'a layer');
    const config = asObject(layer.config, 'config');
    const name = asText(layer.name ?? config.name, 'name of a layer');
    const className = asText(layer.class_name, `class_name of ${name}`);
    const stored = snakeCase(className);
    const count = counts.get(stored) ?? 0;
    if (!isOperationClass(layer, className)) counts.set(stored, count + 1);
    const storePath = `${storePrefix}layers/${stored}${count === 0 ? '' : `_${count}`}`;
    return { layer, name, className, storePath, nodes: inboundNodes(layer.inbound_nodes, name) };
  });
}

/** Keras's own rule (keras/src/utils/naming.py): what the groups of a .weights.h5 are called. */
function snakeCase(className: string): string {
  return className
    .replace(/\W+/g, '')
    .replace(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
}
