import type { Conversion } from '../../conversion.js';
import { channelsOf, LUMA } from '../../../kernels/ops/pictures/pictures.js';
import { ModelError } from '../../errors.js';
import { ancestors, type Model } from '../../graph.js';
import type { InputLayer, Layer, Network, Preprocessing } from '../../network.js';
import { GraphWriter, operation } from './write/graphWriter.js';
import { writeLayer } from './write/layers.js';
import { Message, type OnnxType } from './write/message.js';

/** The oldest operator set of which nothing that Graft needs is missing: as many runtimes as possible read the file. */
export const EXPORTED_OPSET = 17;
/** The first version of the file format with that operator set. */
const IR_VERSION = 8;
/** Protobuf's own limit; runtimes refuse longer files. */
const MAX_BYTES = 2 ** 31 - 1;
/** Name of the open dimension of inputs and outputs. */
const BATCH = 'batch';

export interface OnnxExportOptions {
  /**
   * The graph takes pictures, RGB with values 0..255, already at the input's size, and does the rest of the preprocessing
   * (channel order, scale, mean, deviation) itself. Default: it takes what the network reads.
   */
  readonly pictures?: { readonly type: 'uint8' | 'float32'; readonly layout: 'NHWC' | 'NCHW' } | null;
  /** Ends the graph in probabilities where the network ends in logits. Default: the network's own output. */
  readonly softmax?: boolean;
}

/** Keys of the file's metadata. */
export const METADATA_KEYS = {
  architecture: 'graft.architecture',
  /** JSON: a list of the outputs' labels. */
  classes: 'graft.classes',
  /** JSON of what has to be done to a picture before it goes into the graph. */
  preprocessing: 'graft.preprocessing',
} as const;

interface GraphInput {
  readonly name: string;
  readonly type: OnnxType;
  readonly dims: readonly (number | string)[];
}

function inputOf(network: Network): InputLayer {
  const [first] = network.layers;
  if (first?.kind === 'input') return first;
  throw new ModelError('INVALID_NETWORK', 'The first layer of a network is its input.');
}

/** Adds the preprocessing of pictures that have the input's size; the network's input is what comes out. */
function addPictures(
  graph: GraphWriter,
  layer: InputLayer,
  preprocessing: Preprocessing,
  { type, layout }: NonNullable<OnnxExportOptions['pictures']>,
): GraphInput {
  const { channelOrder, scale, mean, std } = preprocessing;
  const [channels, height, width] = layer.shape as [number, number, number];
  const made = channelsOf(preprocessing);
  if (channels !== made) {
    throw new ModelError(
      'UNSUPPORTED',
      `The preprocessing makes ${made} channel(s); the network's input has ${channels}.`,
    );
  }
  const name = graph.input('pictures');
  const sizes = layout === 'NHWC' ? [height, width, 3] : [3, height, width];
  graph.add(layer, () => {
    let value = name;
    if (type === 'uint8') value = graph.step('Cast', [value], { to: 1 });
    if (layout === 'NHWC') value = graph.step('Transpose', [value], { perm: [0, 3, 1, 2] });
    if (channelOrder === 'BGR') value = graph.step('Gather', [value, graph.integers('order', [2, 1, 0])], { axis: 1 });
    const perChannel = (what: string, values: readonly number[]) =>
      graph.constant(
        what,
        Float32Array.from(values, (item) => item * scale),
        [1, 3, 1, 1],
      );
    const centred = graph.step('Sub', [value, perChannel('mean', mean)]);
    if (channelOrder !== 'GREY') return operation('Div', [centred, perChannel('std', std)]);
    const colours = graph.step('Div', [centred, perChannel('std', std)]);
    return operation('Conv', [colours, graph.constant('luma', Float32Array.from(LUMA), [1, 3, 1, 1])]);
  });
  return { name, type, dims: [BATCH, ...sizes] };
}

/** What is left to do to a picture outside of the graph. */
function remaining(preprocessing: Preprocessing, options: OnnxExportOptions): Preprocessing {
  if (!options.pictures) return preprocessing;
  return { ...preprocessing, channelOrder: 'RGB', scale: 1, mean: [0, 0, 0], std: [1, 1, 1] };
}

function metadata(network: Network, options: OnnxExportOptions): Map<string, string> {
  const entries = new Map<string, string>([
    [METADATA_KEYS.architecture, network.architecture],
    [METADATA_KEYS.preprocessing, JSON.stringify(remaining(network.preprocessing, options))],
  ]);
  if (network.classes) entries.set(METADATA_KEYS.classes, JSON.stringify(network.classes));
  return entries;
}

/** The graph's value that is its output. An output has to be computed: the input itself, or a weight, is passed on. */
function addOutput(graph: GraphWriter, last: Layer, softmax: boolean): string {
  const value = graph.valueOf(last.name);
  if (softmax && last.kind !== 'softmax')
    return graph.node('probabilities', operation('Softmax', [value], { axis: 1 }));
  return last.inputs.length > 0 ? value : graph.node('output', operation('Identity', [value]));
}

export interface OnnxExport {
  readonly file: Uint8Array;
  /** Names of the graph's one input and one output. */
  readonly input: string;
  readonly output: string;
  /** Names of the layers' values in the graph. */
  readonly values: ReadonlyMap<string, string>;
  readonly conversion: Conversion;
}

/**
 * Writes a model as an ONNX file for inference: operator set 17, any batch size, layers and weights under their own names.
 * Labels and preprocessing are in the metadata. Resizing and cropping pictures is not in the graph.
 *
 * Throws UNSUPPORTED for files above 2 GiB, which ONNX cannot hold, and for layers that its operators do not say.
 */
export function writeOnnx(model: Model, options: OnnxExportOptions = {}): OnnxExport {
  const { network } = model;
  const graph = new GraphWriter(model);
  const first = inputOf(network);
  const last = network.layers.at(-1) as Layer;
  const input: GraphInput = options.pictures
    ? addPictures(graph, first, network.preprocessing, options.pictures)
    : { name: graph.input(first.name), type: 'float32', dims: [BATCH, ...first.shape] };
  if (!options.pictures) graph.define(first.name, input.name);
  // Auxiliary classifiers are part of the training alone.
  const needed = ancestors(network.layers, last.name);
  const [kept, left] = [true, false].map((isKept) => network.layers.filter(({ name }) => needed.has(name) === isKept));
  for (const layer of kept as Layer[]) if (layer.kind !== 'input') writeLayer(layer, graph);
  const output = addOutput(graph, last, options.softmax ?? false);
  const outputs = [{ name: output, dims: [BATCH, ...graph.shape(last.name).slice(1)] }];
  const file = new Message().int(1, IR_VERSION).text(2, 'graft');
  file.message(7, graph.write(new Message(), network.architecture, [input], outputs));
  file.message(8, new Message().text(1, '').int(2, EXPORTED_OPSET));
  for (const [key, value] of metadata(network, options)) file.message(14, new Message().text(1, key).text(2, value));
  if (file.byteLength > MAX_BYTES) {
    throw new ModelError(
      'UNSUPPORTED',
      `The network takes ${file.byteLength} bytes as ONNX; a file has at most ${MAX_BYTES}. Export it as safetensors.`,
    );
  }
  const conversion: Conversion = {
    format: 'ONNX',
    version: `operator set ${EXPORTED_OPSET}`,
    mapped: graph.mapped,
    folded: [
      ...(options.pictures ? ['channel order, scale, mean and deviation of the preprocessing are in the graph'] : []),
      ...(options.softmax && last.kind !== 'softmax' ? ['a softmax was added at the end'] : []),
    ],
    ignored: [
      ...(left as Layer[]).map(({ name }) => `${name}: used in training alone`),
      options.pictures
        ? 'resizing and cropping: to be done before, see graft.preprocessing in the metadata'
        : 'preprocessing: to be done before, see graft.preprocessing in the metadata',
    ],
  };
  return { file: file.finish(), input: input.name, output, values: graph.layerValues, conversion };
}

/** The file alone; see `writeOnnx`. */
export const exportOnnx = (model: Model, options: OnnxExportOptions = {}): Uint8Array => writeOnnx(model, options).file;
