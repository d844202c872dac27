import { elementCount } from '../../kernels/tensor.js';
import type { ImportReport } from '../conversion.js';
import { type ImportProblem, ModelError, unsupported } from '../errors.js';
import { ancestors, keepWeights, type Model } from '../graph.js';
import type { Graph, Layer, Network, Preprocessing, WeightTensor } from '../network.js';
import { imagenetPreprocessing, withChannels } from '../preprocessing.js';
import { JsonReader } from '../jsonReader.js';
import { readLayer } from '../layers/readLayer.js';
import { layerShape } from '../shapes.js';
import { LIMITS } from '../limits.js';
import { validateNetwork } from '../validate.js';

/** What the person who imports knows better than the file. */
export interface ImportOptions {
  /** Default: ImageNet's (torchvision), at the input's size. The sizes are always the network's own. */
  readonly preprocessing?: Partial<Preprocessing>;
  /** Labels of the outputs, in order. */
  readonly classes?: readonly string[];
  /** Side of the input in pixels where the file leaves it open. Default 224. */
  readonly inputSize?: number;
  /** The built-in architecture of a file that holds weights alone; by default it is recognised. */
  readonly architecture?: string;
  /** Is told what the import does. */
  readonly report?: ImportReport;
}

type OmitFromEach<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
/** A layer before its name is made unique. Its learning-rate factor is 1 unless it says otherwise. */
export type LayerDraft = OmitFromEach<Layer, 'learningRateFactor'> & { readonly learningRateFactor?: number };

function checkSize(layer: Layer, shape: readonly number[]): void {
  const elements = elementCount(shape);
  if (elements <= LIMITS.elementsPerTensor && shape.length <= LIMITS.rank) return;
  const most = `at most ${LIMITS.elementsPerTensor} values in at most ${LIMITS.rank} dimensions are allowed`;
  throw new ModelError(
    'INVALID_NETWORK',
    `Layer ${layer.name} (${layer.kind}) puts out [${shape.join(', ')}]; ${most}.`,
  );
}

/** Collects the layers, weights and problems of a file that is being imported, in topological order. */
export class ImportBuilder {
  /** In the order of insertion, which is topological. */
  private readonly layers = new Map<string, Layer>();
  private readonly read = new Set<string>();
  private readonly numbers = new Map<string, number>();
  private readonly shapes = new Map<string, number[]>();
  private readonly batched = new Set<string>();
  private readonly weights = new Map<string, WeightTensor>();
  /** Of all layers that were added. */
  private readonly kinds: string[] = [];
  readonly problems: ImportProblem[] = [];

  constructor(private readonly format: string) {}

  /** Appends a layer and returns its name, unique. Throws INVALID_NETWORK where its inputs do not fit. */
  add(draft: LayerDraft): string {
    if (this.layers.size >= LIMITS.layers) {
      throw new ModelError('INVALID_FILE', `This ${this.format} model has more than ${LIMITS.layers} layers.`);
    }
    const name = this.unique(draft.name || draft.kind, (taken) => this.layers.has(taken));
    const layer: Layer = { learningRateFactor: 1, ...draft, name };
    readLayer(new JsonReader(layer, `Layer ${name}`));
    const shape = layerShape(
      layer,
      layer.inputs.map((input) => this.completeShape(input)),
    );
    checkSize(layer, shape);
    this.layers.set(name, layer);
    this.kinds.push(layer.kind);
    this.shapes.set(name, shape);
    if (layer.kind === 'input' ? layer.batched : layer.inputs.some((input) => this.batched.has(input))) {
      this.batched.add(name);
    }
    for (const input of layer.inputs) this.read.add(input);
    return name;
  }

  /** Runs the conversion of an operator or layer of the file and tells the report what it became. */
  converting<T>(from: string, report: ImportReport | undefined, convert: () => T): T {
    const before = this.kinds.length;
    const result = convert();
    report?.converted(from, this.kinds.slice(before));
    return result;
  }

  /** `wanted`, or `wanted_1`, `wanted_2` ...; the last number is kept, so that many equal names take linear time. */
  private unique(wanted: string, isTaken: (name: string) => boolean): string {
    if (!isTaken(wanted)) return wanted;
    let number = (this.numbers.get(wanted) ?? 0) + 1;
    while (isTaken(`${wanted}_${number}`)) number++;
    this.numbers.set(wanted, number);
    return `${wanted}_${number}`;
  }

  /** Shape without the batch, where the value has one. */
  shape(layer: string): number[] {
    const shape = this.completeShape(layer);
    return this.batched.has(layer) ? shape.slice(1) : shape;
  }

  /** Whether the value has the batch, whose size is open, as its first dimension. */
  isBatched(layer: string): boolean {
    return this.batched.has(layer);
  }

  /** Shape with the batch, which is 1 here. */
  completeShape(layer: string): number[] {
    const shape = this.shapes.get(layer);
    if (!shape) throw new ModelError('INVALID_FILE', `This ${this.format} model reads ${layer}, which does not exist.`);
    return shape;
  }

  /** Adds a weight; returns its name, unique. */
  weight(name: string, shape: readonly number[], data: Float32Array): string {
    const unique = this.unique(name, (taken) => this.weights.has(taken));
    this.weights.set(unique, { shape: [...shape], data });
    return unique;
  }

  /** Values of a weight that was added. */
  weightData(name: string): Float32Array | undefined {
    return this.weights.get(name)?.data;
  }

  problem(layer: string, kind: string, attribute: string | null): void {
    this.problems.push({ layer, kind, attribute });
  }

  /** Throws UNSUPPORTED with everything that `problem` was told, if anything. */
  throwProblems(): void {
    if (this.problems.length > 0) throw unsupported(this.format, this.problems);
  }

  layer(name: string): Layer {
    return this.layers.get(name) as Layer;
  }

  /** Whether some layer already reads `name`. */
  isRead(name: string): boolean {
    return this.read.has(name);
  }

  /** Replaces a layer that nothing reads yet, keeping its name. */
  replace(layer: Layer): void {
    this.layers.set(layer.name, layer);
    this.shapes.set(
      layer.name,
      layerShape(
        layer,
        layer.inputs.map((input) => this.completeShape(input)),
      ),
    );
  }

  /** The layers that outputs need, and all inputs, with their weights. */
  graph(outputs: Graph['outputs']): { graph: Graph; weights: Map<string, WeightTensor> } {
    const all = [...this.layers.values()];
    const needed = new Set(outputs.flatMap(({ layer }) => [...ancestors(all, layer)]));
    const layers = all.filter(({ name }) => needed.has(name));
    return { graph: { layers, outputs }, weights: keepWeights(layers, this.weights) };
  }

  /** The finished model, ending in `output`; layers that it does not need are left out. */
  build(architecture: string, output: string, options: ImportOptions): Model {
    const all = [...this.layers.values()];
    const needed = ancestors(all, output);
    const layers = all.filter((layer) => needed.has(layer.name));
    const [input] = layers;
    if (input?.kind !== 'input') {
      throw new ModelError('INVALID_FILE', `The output of this ${this.format} model does not depend on its input.`);
    }
    const [channels = 3, height = 1, width = 1] = input.shape;
    const network: Network = {
      architecture,
      layers,
      preprocessing: withChannels(
        { ...imagenetPreprocessing(height, width), ...options.preprocessing, height, width },
        channels,
      ),
      classes: options.classes ?? null,
      auxiliary: [],
    };
    const weights = keepWeights(layers, this.weights);
    validateNetwork(network, weights);
    return { network, weights };
  }
}
