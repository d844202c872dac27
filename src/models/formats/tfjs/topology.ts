import { LIMITS } from '../../limits.js';
import { asList, asObject, asText, fail, type JsonObject, show } from './json.js';

/** One layer of a Keras model, nested models dissolved. */
export interface KerasLayer {
  /** Unique; layers of nested models have the name of the nested model and a slash before their own. */
  readonly id: string;
  /** The layer's own name: what its weights are called after. */
  readonly name: string;
  readonly className: string;
  readonly config: JsonObject;
  /** Ids of the layers that it reads. */
  readonly inputs: readonly string[];
}

export interface KerasTopology {
  readonly name: string;
  /** In topological order. */
  readonly layers: readonly KerasLayer[];
  readonly output: string;
}

const MODELS = new Set(['Model', 'Functional', 'Sequential']);
const MAX_NESTING = 8;

/** Reads `modelTopology`: with `model_config` as Keras writes it, or without as TF.js does. Throws INVALID_FILE. */
export function readTopology(value: unknown): KerasTopology {
  const topology = asObject(value, 'modelTopology');
  if ('node' in topology) fail('this is a graph model; convert it with --output_format=tfjs_layers_model.');
  const model = asObject(topology.model_config ?? topology, 'model_config');
  const className = asText(model.class_name, 'class_name of the model');
  if (!MODELS.has(className)) fail(`the model is a ${className}; known are ${[...MODELS].join(', ')}.`);
  const layers: KerasLayer[] = [];
  const output = new Flattener(layers).model(className, model.config, '', null, 0);
  const name = Array.isArray(model.config) ? undefined : asObject(model.config, 'config').name;
  return { name: typeof name === 'string' ? name : 'model', layers: inTopologicalOrder(layers), output };
}

class Flattener {
  constructor(private readonly layers: KerasLayer[]) {}

  /** Adds a model's layers and returns the id of its output. `outerInputs` take the place of a nested model's own input. */
  model(
    className: string,
    config: unknown,
    prefix: string,
    outerInputs: readonly string[] | null,
    depth: number,
  ): string {
    if (depth > MAX_NESTING) fail(`models are nested deeper than ${MAX_NESTING}.`);
    return className === 'Sequential'
      ? this.sequential(config, prefix, outerInputs, depth)
      : this.functional(asObject(config, `config of ${prefix || 'the model'}`), prefix, outerInputs, depth);
  }

  private sequential(config: unknown, prefix: string, outerInputs: readonly string[] | null, depth: number): string {
    const list = asList(Array.isArray(config) ? config : asObject(config, 'config').layers, 'layers');
    let inputs = outerInputs;
    for (const value of list) {
      const layer = asObject(value, 'a layer');
      const layerConfig = asObject(layer.config, 'config');
      if (layer.class_name === 'InputLayer' && inputs !== null) continue;
      const name = asText(layerConfig.name, 'name of a layer');
      if (inputs === null && layer.class_name !== 'InputLayer') {
        inputs = this.sequentialInput(layer, layerConfig, prefix, name);
      }
      inputs = [this.layer(layer, name, prefix, inputs ?? [], depth)];
    }
    return inputs?.[0] ?? fail('a Sequential model has no layers.');
  }

  /** A Sequential model without InputLayer says its input's shape on its first layer, or that is a model that does. */
  private sequentialInput(layer: JsonObject, config: JsonObject, prefix: string, name: string): string[] | null {
    if (MODELS.has(asText(layer.class_name, 'class_name'))) return null;
    const id = `${prefix}${name}_input`;
    const shape = { batch_input_shape: config.batch_input_shape ?? config.batch_shape };
    this.push({ id, name: `${name}_input`, className: 'InputLayer', config: shape, inputs: [] });
    return [id];
  }

  private functional(config: JsonObject, prefix: string, outerInputs: readonly string[] | null, depth: number): string {
    const outputs = new Map<string, string>();
    const inputNames = layerReferences(config.input_layers, 'input_layers');
    const list = asList(config.layers, 'layers');
    if (list.length > LIMITS.layers) fail(`it has more than ${LIMITS.layers} layers.`);
    const pending = list.map((value) => {
      const layer = asObject(value, 'a layer');
      const name = asText(layer.name ?? asObject(layer.config, 'config').name, 'name of a layer');
      const position = inputNames.indexOf(name);
      if (outerInputs && position >= 0) {
        outputs.set(name, outerInputs[position] ?? fail(`the nested model ${prefix} has ${inputNames.length} inputs.`));
      }
      return { layer, name, inputs: inboundNames(layer.inbound_nodes, name) };
    });
    let waiting = pending.filter(({ name }) => !outputs.has(name));
    while (waiting.length > 0) {
      const ready = waiting.filter(({ inputs }) => inputs.every((input) => outputs.has(input)));
      if (ready.length === 0) {
        const [first] = waiting;
        fail(`the layer ${first?.name} reads ${first?.inputs.join(', ')}: a layer that does not exist, or a loop.`);
      }
      for (const { layer, name, inputs } of ready) {
        if (outputs.has(name)) fail(`two layers are named ${name}.`);
        outputs.set(
          name,
          this.layer(
            layer,
            name,
            prefix,
            inputs.map((input) => outputs.get(input) as string),
            depth,
          ),
        );
      }
      waiting = waiting.filter(({ name }) => !outputs.has(name));
    }
    const names = layerReferences(config.output_layers, 'output_layers');
    if (names.length !== 1)
      fail(`the model has ${names.length} outputs (${names.join(', ')}); Graft takes networks with 1.`);
    return outputs.get(names[0] as string) ?? fail(`its output layer ${names[0]} does not exist.`);
  }

  private layer(layer: JsonObject, name: string, prefix: string, inputs: readonly string[], depth: number): string {
    const className = asText(layer.class_name, `class_name of ${name}`);
    const id = `${prefix}${name}`;
    if (MODELS.has(className)) {
      return this.model(className, layer.config, `${id}/`, inputs.length > 0 ? inputs : null, depth + 1);
    }
    this.push({ id, name, className, config: asObject(layer.config, `config of ${name}`), inputs });
    return id;
  }

  private push(layer: KerasLayer): void {
    if (this.layers.length >= LIMITS.layers) fail(`it has more than ${LIMITS.layers} layers.`);
    this.layers.push(layer);
  }
}

/** `[["name", 0, 0], ...]`, or `["name", 0, 0]` for one. */
function layerReferences(value: unknown, what: string): string[] {
  const list = asList(value, what);
  const references = typeof list[0] === 'string' ? [list] : list;
  return references.map((item) => reference(asList(item, what), what));
}

function reference(item: readonly unknown[], what: string): string {
  const [name, node = 0, tensor = 0] = item;
  if (node !== 0 || tensor !== 0)
    fail(`${what} has ${show(item)}: layers that are used more than once are not supported.`);
  return asText(name, `a layer's name in ${what}`);
}

/** Keras 2: `[[["name", 0, 0, {}], ...]]`. Keras 3: `[{args: [...__keras_tensor__...]}]`. One node per layer. */
function inboundNames(value: unknown, name: string): string[] {
  const nodes = value === undefined ? [] : asList(value, `inbound_nodes of ${name}`);
  if (nodes.length === 0) return [];
  if (nodes.length > 1) fail(`the layer ${name} is used ${nodes.length} times; Graft takes layers that are used once.`);
  const [node] = nodes;
  if (Array.isArray(node)) {
    return node.map((item) => reference(asList(item, `an input of ${name}`), `inbound_nodes of ${name}`));
  }
  const args = asList(asObject(node, `inbound_nodes of ${name}`).args, `args of ${name}`).flat();
  return args.map((item) => {
    const tensor = asObject(asObject(item, `an input of ${name}`).config, `an input of ${name}`);
    return reference(asList(tensor.keras_history, 'keras_history'), `inbound_nodes of ${name}`);
  });
}

/** The flattener visits layers only after what they read, so their order is topological already; ids must be unique. */
function inTopologicalOrder(layers: readonly KerasLayer[]): readonly KerasLayer[] {
  const seen = new Set<string>();
  for (const { id } of layers) {
    if (seen.has(id)) fail(`two layers are named ${id}.`);
    seen.add(id);
  }
  return layers;
}
