import type { ImportReport } from './conversion.js';
import { ModelError } from './errors.js';
import type { ImportOptions } from './formats/importBuilder.js';
import { ancestors, keepWeights, type Model } from './graph.js';
import type { ValueType } from './layers/input.js';
import type { Graph, InputLayer, Weights } from './network.js';
import { imagenetPreprocessing, withChannels } from './preprocessing.js';
import { validateNetwork } from './validate.js';

/** An input by the name that the file gives it. */
export interface GraphInput {
  readonly name: string;
  readonly type: ValueType;
  /** Sizes by the file; null where they are open, or where not even the rank is known. */
  readonly shape: readonly (number | null)[] | null;
  /** Null where its values went into the graph as constants, or where it has none. */
  readonly layer: string | null;
}

/** An output: what a layer computes, or values that are known without running anything. */
export interface GraphOutput {
  readonly name: string;
  readonly type: ValueType;
  readonly layer: string | null;
  readonly constant: { readonly shape: readonly number[]; readonly data: Float32Array | Float64Array } | null;
}

/** A general graph with all that a file says of it. */
export interface GraphModel {
  /** The file's name for it. */
  readonly name: string;
  readonly graph: Graph;
  readonly weights: Weights;
  readonly inputs: readonly GraphInput[];
  readonly outputs: readonly GraphOutput[];
}

/** What is known of an input when a graph is imported in order to run it. */
export interface GivenInput {
  readonly shape: readonly number[];
  /** In row-major order; where they decide about shapes (axes, target shapes), they become constants of the graph. */
  readonly data?: Float32Array | Float64Array;
}

export interface GraphImportOptions {
  /**
   * What is given, by name, for the inputs that the file has. Inputs that are not given keep the batch open where the file leaves the
   * first size open.
   */
  readonly given?: (inputs: readonly Omit<GraphInput, 'layer'>[]) => ReadonlyMap<string, GivenInput>;
  /** Side of pictures where the file leaves it open. Default 224. */
  readonly inputSize?: number;
  /** Is told what the import does. */
  readonly report?: ImportReport;
}

function fail(message: string): never {
  throw new ModelError('INVALID_FILE', message);
}

/** A graph with one picture input [N, C, H, W] and one output as a network. Throws INVALID_FILE for others, INVALID_NETWORK. */
export function asNetwork({ name, graph, weights, inputs, outputs }: GraphModel, options: ImportOptions): Model {
  const [given, ...otherInputs] = inputs;
  if (!given || otherInputs.length > 0) {
    const names = inputs.map((input) => input.name).join(', ');
    fail(`The graph has ${inputs.length} inputs (${names}); a network for pictures has 1.`);
  }
  const [output, ...others] = outputs;
  if (!output || others.length > 0) fail(`The graph has ${outputs.length} outputs; a network for pictures has 1.`);
  const input = graph.layers.find((layer): layer is InputLayer => layer.kind === 'input');
  if (!input || output.layer === null) return fail(`The output ${output.name} does not depend on the input.`);
  if (!input.batched || input.shape.length !== 3) {
    const shape = given.shape?.map((size) => size ?? '?').join(', ') ?? 'of unknown rank';
    fail(`The input ${given.name} is [${shape}]; pictures are [N, channels, height, width].`);
  }
  const last = graph.layers.findIndex((layer) => layer.name === output.layer);
  const behind = graph.layers.filter((layer) => layer !== input);
  // The input comes first and the output last, whatever else the file has in between.
  const layers = [
    input,
    ...behind.filter((layer) => layer !== graph.layers[last]),
    ...behind.filter((layer) => layer === graph.layers[last]),
  ];
  const [channels = 3, height = 1, width = 1] = input.shape;
  const network = {
    architecture: name || 'onnx',
    layers,
    preprocessing: withChannels(
      { ...imagenetPreprocessing(height, width), ...options.preprocessing, height, width },
      channels,
    ),
    classes: options.classes ?? null,
    auxiliary: [],
  };
  const kept = keepWeights(layers, weights);
  validateNetwork(network, kept);
  return { network, weights: kept };
}

/** A network as a graph: one input of any batch size, one output, both called as their layers. */
export function networkGraph({ network, weights }: Model): GraphModel {
  const input = network.layers.find((layer): layer is InputLayer => layer.kind === 'input');
  const last = network.layers.at(-1);
  if (!input || !last) return fail('The network has no input or no output.');
  const { name, type, shape } = input;
  const needed = ancestors(network.layers, last.name);
  return {
    name: network.architecture,
    graph: {
      layers: network.layers.filter((layer) => needed.has(layer.name)),
      outputs: [{ name: last.name, layer: last.name }],
    },
    weights,
    inputs: [{ name, type, shape: [null, ...shape], layer: name }],
    outputs: [{ name: last.name, type: 'float32', layer: last.name, constant: null }],
  };
}
