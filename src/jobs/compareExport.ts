import { channelsOf } from '../kernels/ops/pictures/pictures.js';
import type { Engine } from '../kernels/engine.js';
import { largestDifference, softmaxRows, TOLERANCE } from '../models/comparison.js';
import { withOutputs } from '../models/formats/onnx/addOutputs.js';
import type { Model } from '../models/graph.js';
import type { Network } from '../models/network.js';
import { normalized } from '../models/preprocessing.js';
import { Random } from '../models/random.js';
import type { Comparison } from '../models/receipt.js';
import { graphShapes } from '../models/shapes.js';
import type { EngineInput, OtherEngine } from '../runtime/onnxRuntime.js';
import { layerValues } from '../training/layerValues.js';
import type { ExportedGraph } from './protocol.js';

/** A picture at the size of the network's input: H x W x 3 bytes. */
export interface NamedPicture {
  readonly name: string;
  readonly pixels: Uint8Array;
}

const GENERATED_SEED = 1;

/** Pictures that are always at hand: noise, and colours that change smoothly. */
export function generatedPictures({ preprocessing: { height, width } }: Network): NamedPicture[] {
  const random = new Random(GENERATED_SEED);
  const noise = Uint8Array.from({ length: height * width * 3 }, () => Math.floor(256 * random.uniform()));
  const waves = Array.from({ length: 3 }, () => [random.uniform(), random.uniform(), random.uniform()] as const);
  const smooth = Uint8Array.from({ length: height * width * 3 }, (_, index) => {
    const [x, y] = [(Math.floor(index / 3) % width) / width, Math.floor(index / (3 * width)) / height];
    const [across, down, phase] = waves[index % 3] as readonly [number, number, number];
    return Math.round(127.5 + 127.5 * Math.sin(2 * Math.PI * (across * x * 3 + down * y * 3 + phase)));
  });
  return [
    { name: `generated picture 1 (noise, seed ${GENERATED_SEED})`, pixels: noise },
    { name: `generated picture 2 (smooth, seed ${GENERATED_SEED})`, pixels: smooth },
  ];
}

function joined(pictures: readonly NamedPicture[]): Uint8Array {
  const bytes = new Uint8Array(pictures.reduce((sum, { pixels }) => sum + pixels.length, 0));
  pictures.forEach(({ pixels }, index) => bytes.set(pixels, index * pixels.length));
  return bytes;
}

/** What the graph reads of these pictures. */
function graphInput(
  { preprocessing }: Network,
  { pictures }: ExportedGraph,
  all: readonly NamedPicture[],
): EngineInput {
  const { height, width } = preprocessing;
  const bytes = joined(all);
  if (!pictures) {
    const shape = [all.length, channelsOf(preprocessing), height, width];
    return { shape, data: normalized(bytes, preprocessing) };
  }
  const { type, layout } = pictures;
  const plain = { ...preprocessing, channelOrder: 'RGB', scale: 1, mean: [0, 0, 0], std: [1, 1, 1] } as const;
  const values = layout === 'NHWC' ? bytes : normalized(bytes, plain);
  const shape = layout === 'NHWC' ? [all.length, height, width, 3] : [all.length, 3, height, width];
  return { shape, data: type === 'uint8' ? Uint8Array.from(values) : Float32Array.from(values) };
}

/** The first layer at which our engine and the other part, for one picture. */
async function findDivergence(
  engine: Engine,
  model: Model,
  exported: ExportedGraph & { readonly file: Uint8Array },
  other: OtherEngine,
  picture: NamedPicture,
): Promise<Comparison['divergingLayer']> {
  const { batched } = graphShapes(model.network);
  const values = new Map(exported.values);
  const layers = model.network.layers.map(({ name }) => name).filter((name) => batched.has(name) && values.has(name));
  const input = model.network.layers[0]?.name as string;
  const computed = layers.filter((name) => name !== input);
  const ours = await layerValues(engine, model, picture.pixels, 1, computed);
  ours.set(input, normalized(picture.pixels, model.network.preprocessing));
  // The graph's own input, and what is an output already, are there without being asked for.
  const wanted = new Set(layers.map((name) => values.get(name) as string));
  wanted.delete(exported.input);
  wanted.delete(exported.output);
  const feed = graphInput(model.network, exported, [picture]);
  const theirs = await other.run(withOutputs(exported.file, [...wanted]), { [exported.input]: feed });
  for (const name of layers) {
    const expected = theirs[values.get(name) as string];
    const actual = ours.get(name);
    if (!expected || actual?.length !== expected.length) continue;
    const { relative } = largestDifference(actual, expected, 1);
    if (relative > TOLERANCE) return { name, relativeDifference: relative };
  }
  return null;
}

/** Runs an exported graph by another engine and the network by ours, on the same pictures. */
export async function compareExport(
  engine: Engine,
  model: Model,
  exported: ExportedGraph & { readonly file: Uint8Array },
  other: OtherEngine,
  pictures: readonly NamedPicture[],
): Promise<Comparison> {
  const last = model.network.layers.at(-1)?.name as string;
  const endsInSoftmax = model.network.layers.at(-1)?.kind === 'softmax';
  const count = pictures.length;
  const pixels = joined(pictures);
  const values = (await layerValues(engine, model, pixels, count, [last])).get(last) as Float32Array;
  const ours = exported.softmax && !endsInSoftmax ? softmaxRows(values, count) : values;
  const feed = graphInput(model.network, exported, pictures);
  const theirs = (await other.run(exported.file, { [exported.input]: feed }))[exported.output];
  if (theirs?.length !== ours.length) {
    throw new Error(`${other.name} gives ${theirs?.length} values; the network has ${ours.length}.`);
  }
  const { absolute, relative, row } = largestDifference(theirs, ours, count);
  const worst = pictures[row] as NamedPicture;
  const divergingLayer = relative > TOLERANCE ? await findDivergence(engine, model, exported, other, worst) : null;
  return {
    against: other.name,
    inputs: count,
    values: exported.softmax || endsInSoftmax ? 'probabilities' : 'logits',
    largestDifference: absolute,
    relativeDifference: relative,
    input: worst.name,
    tolerance: TOLERANCE,
    divergingLayer,
  };
}
