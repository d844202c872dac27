import { keepAuxiliaryHeads } from './auxiliaryHeads.js';
import { findClassifier } from './classifier.js';
import { ModelError } from './errors.js';
import { type Model, uniqueName } from './graph.js';
import { filled, heUniform } from './initialize.js';
import type { Layer, Network, WeightTensor } from './network.js';
import { Random } from './random.js';
import { inferShapes, vectorLength } from './shapes.js';
import { truncateAt } from './surgery.js';
import { LIMITS } from './limits.js';

export interface ReplaceHeadOptions {
  /** Labels of the new outputs, in order; unique, at least one. */
  readonly classes: readonly string[];
  /** True (default) replaces the classifier only; false drops every layer after the last pooling first. */
  readonly keepLayersAfterPooling?: boolean;
  /** Rate of a dropout before the classifier, in place of one that is already there; 0 removes that one. */
  readonly dropout?: number;
  /** Adds a dense layer of this many units and a ReLU before the classifier. */
  readonly hiddenUnits?: number;
  /** Keeps auxiliary heads (GoogLeNet's, Inception-v3's), with new classifiers too; else they go. */
  readonly keepAuxiliaryHeads?: boolean;
  readonly seed: number;
}

/** What the new head reads, and the rate of the dropout that was there before the old classifier. */
interface Features {
  readonly layer: string;
  readonly dropout: number;
}

const POOLING: readonly Layer['kind'][] = ['globalAveragePool', 'adaptiveAveragePool', 'averagePool', 'maxPool'];

function checkOptions({ classes, dropout = 0, hiddenUnits = 1, seed }: ReplaceHeadOptions): void {
  const fail = (message: string): never => {
    throw new ModelError('INVALID_ARGUMENT', message);
  };
  if (classes.length < 1 || classes.length > LIMITS.classes) {
    fail(`A head has 1 to ${LIMITS.classes} classes; got ${classes.length}.`);
  }
  const seen = new Set<string>();
  for (const label of classes) {
    if (seen.has(label)) fail(`The class ${label} is listed twice: labels must be unique.`);
    seen.add(label);
  }
  if (!(dropout >= 0 && dropout < 1)) fail(`dropout is a rate of at least 0 and below 1; got ${dropout}.`);
  if (!Number.isSafeInteger(hiddenUnits) || hiddenUnits < 1 || hiddenUnits > LIMITS.side) {
    fail(`hiddenUnits is an integer from 1 to ${LIMITS.side}; got ${hiddenUnits}.`);
  }
  if (!Number.isSafeInteger(seed)) fail(`seed is an integer; got ${seed}.`);
}

/** Walks back from `name` to the last pooling: through layers that work on vectors (or 1x1 maps), never through a map. */
function lastPooling(network: Network, name: string): string {
  const layers = new Map(network.layers.map((layer) => [layer.name, layer]));
  const shapes = inferShapes(network);
  let layer = layers.get(name) as Layer;
  while (!POOLING.includes(layer.kind)) {
    const isVector = vectorLength(shapes.get(layer.name) as number[]) !== null;
    const [input] = layer.inputs;
    if (!isVector || layer.inputs.length !== 1 || input === undefined || layer.kind === 'input') break;
    layer = layers.get(input) as Layer;
  }
  return layer.name;
}

function findFeatures(network: Network, keepLayersAfterPooling: boolean): Features {
  const layers = new Map(network.layers.map((layer) => [layer.name, layer]));
  const classifier = findClassifier(network);
  const end = classifier ? classifier.inputs[0] : network.layers.at(-1)?.name;
  let layer = layers.get(end ?? '') as Layer;
  let dropout = 0;
  while (layer.kind === 'dropout' || layer.kind === 'softmax') {
    if (layer.kind === 'dropout') dropout = layer.rate;
    layer = layers.get(layer.inputs[0] ?? '') as Layer;
  }
  if (keepLayersAfterPooling) return { layer: layer.name, dropout };
  return { layer: lastPooling(network, layer.name), dropout: 0 };
}

/** Appends layers to a network, each reading the last. */
class HeadBuilder {
  private readonly layers: Layer[];
  private readonly weights: Map<string, WeightTensor>;

  constructor(
    private readonly base: Model,
    private readonly seed: number,
  ) {
    this.layers = [...base.network.layers];
    this.weights = new Map(base.weights);
  }

  private next(name: string): { name: string; inputs: string[]; learningRateFactor: number } {
    const unique = uniqueName(name, (taken) => this.layers.some((layer) => layer.name === taken));
    return { name: unique, inputs: [(this.layers.at(-1) as Layer).name], learningRateFactor: 1 };
  }

  append(
    name: string,
    layer:
      | { kind: 'globalAveragePool'; flatten: true }
      | { kind: 'flatten'; axis: 1 }
      | { kind: 'activation'; activation: 'relu' }
      | { kind: 'dropout'; rate: number },
  ): void {
    this.layers.push({ ...this.next(name), ...layer });
  }

  dense(name: string, inFeatures: number, outFeatures: number, slope: number): void {
    const base = this.next(name);
    const unused = (suffix: string) => uniqueName(`${base.name}.${suffix}`, (taken) => this.weights.has(taken));
    const [weight, bias] = [unused('weight'), unused('bias')];
    this.weights.set(weight, heUniform([outFeatures, inFeatures], slope, new Random(this.seed, weight)));
    this.weights.set(
      bias,
      filled([outFeatures], () => 0),
    );
    this.layers.push({ ...base, kind: 'dense', outFeatures, weight, bias });
  }

  build(classes: readonly string[]): Model {
    return { network: { ...this.base.network, layers: this.layers, classes: [...classes] }, weights: this.weights };
  }
}

/**
 * Grafts a new classifier onto a network: the old one goes (the last dense layer, or SqueezeNet's last convolution with
 * its pooling; see `findClassifier`), as do a softmax and all that only they needed; then come, as needed, a global
 * average pooling, `head.hidden` with `head.relu`, `head.dropout`, and `head.classifier`, the new output of logits.
 *
 * A dropout before the old classifier stays, behind the pooling, unless `dropout` is given or the layers after the pooling
 * go. A network that already ends in features gets the head on its last layer. New layers are not frozen (factor 1) and
 * hold weights by `heUniform` from `seed`, with biases 0; all other layers keep their factors. Auxiliary heads go, too, unless
 * `keepAuxiliaryHeads` asks for them. Throws INVALID_ARGUMENT.
 */
export function replaceHead(model: Model, options: ReplaceHeadOptions): Model {
  checkOptions(options);
  const { classes, keepLayersAfterPooling = true, hiddenUnits, seed } = options;
  const features = findFeatures(model.network, keepLayersAfterPooling);
  const trunk = truncateAt(model.network, model.weights, features.layer);
  const shape = inferShapes(trunk.network).get(features.layer) as number[];
  const base = options.keepAuxiliaryHeads ? keepAuxiliaryHeads(trunk, model, classes.length, seed) : trunk;
  const head = new HeadBuilder(base, seed);
  if (vectorLength(shape) === null) head.append('head.pool', { kind: 'globalAveragePool', flatten: true });
  else if (shape.length > 1) head.append('head.flatten', { kind: 'flatten', axis: 1 });
  let width = shape[0] as number;
  if (hiddenUnits !== undefined) {
    head.dense('head.hidden', width, hiddenUnits, 0);
    head.append('head.relu', { kind: 'activation', activation: 'relu' });
    width = hiddenUnits;
  }
  const dropout = options.dropout ?? features.dropout;
  if (dropout > 0) head.append('head.dropout', { kind: 'dropout', rate: dropout });
  head.dense('head.classifier', width, classes.length, Math.sqrt(5));
  return head.build(classes);
}
