import { elementCount } from '../kernels/tensor.js';
import { ModelError } from './errors.js';
import { JsonReader } from './jsonReader.js';
import { readLayer } from './layers/readLayer.js';
import { LIMITS } from './limits.js';
import type { Layer, Network, Weights } from './network.js';
import { checkBatch, inferShapes, weightSpecs } from './shapes.js';

function fail(message: string): never {
  throw new ModelError('INVALID_NETWORK', message);
}

function checkGraph(network: Network): void {
  const { layers } = network;
  if (layers.length < 1 || layers.length > LIMITS.layers) {
    fail(`A network has 1 to ${LIMITS.layers} layers; got ${layers.length}.`);
  }
  const seen = new Set<string>();
  layers.forEach((layer, index) => {
    if (layer.name.length < 1 || layer.name.length > LIMITS.nameLength) {
      fail(`Layer ${index}: its name must have 1 to ${LIMITS.nameLength} characters; got ${layer.name.length}.`);
    }
    if (seen.has(layer.name)) fail(`Two layers are named ${layer.name}: names must be unique.`);
    if ((layer.kind === 'input') !== (index === 0)) {
      fail(`The first layer, and no other, is the input; layer ${index} (${layer.name}) is ${layer.kind}.`);
    }
    if (layer.inputs.length > LIMITS.inputs) {
      fail(`Layer ${layer.name} reads ${layer.inputs.length} layers; at most ${LIMITS.inputs} are allowed.`);
    }
    for (const input of layer.inputs) {
      if (!seen.has(input)) fail(`Layer ${layer.name} reads ${input}, which does not exist or comes later.`);
    }
    readLayer(new JsonReader(layer, `Layer ${index}`));
    seen.add(layer.name);
  });
}

function checkPreprocessing(network: Network): void {
  const { preprocessing } = network;
  const [input] = network.layers;
  if (input?.kind !== 'input') return;
  const [channels, height, width, ...rest] = input.shape;
  if (channels === undefined || height === undefined || width === undefined || rest.length > 0 || !input.batched) {
    fail(`The input takes a batch of pictures [C, H, W]; got [${input.shape.join(', ')}].`);
  }
  if (preprocessing.height !== height || preprocessing.width !== width) {
    fail(
      `The preprocessing makes ${preprocessing.height} x ${preprocessing.width} pictures; the input takes ${height} x ${width}.`,
    );
  }
  const { scale, mean, std, cropFraction } = preprocessing;
  if (!Number.isFinite(scale) || scale === 0 || ![...mean, ...std].every(Number.isFinite) || std.includes(0)) {
    fail('The preprocessing needs finite numbers, and neither scale nor std may be 0.');
  }
  if (!(cropFraction > 0 && cropFraction <= 1)) {
    fail(`The preprocessing's cropFraction is above 0 and at most 1; got ${cropFraction}.`);
  }
}

function checkAuxiliary({ layers, auxiliary }: Network, shapes: ReadonlyMap<string, readonly number[]>): void {
  const output = (layers.at(-1) as Layer).name;
  const logits = shapes.get(output);
  const seen = new Set([output]);
  for (const { layer, lossWeight } of auxiliary) {
    if (seen.has(layer)) fail(`The auxiliary output ${layer} is an output already: they are different layers.`);
    seen.add(layer);
    const shape = shapes.get(layer);
    if (!shape) fail(`The auxiliary output ${layer} is no layer.`);
    if (shape.join() !== logits?.join()) {
      fail(
        `The auxiliary output ${layer} is [${shape.join(', ')}]; it must be as the network's own, [${logits?.join(', ')}].`,
      );
    }
    if (!(lossWeight > 0 && Number.isFinite(lossWeight))) {
      fail(`The loss weight of the auxiliary output ${layer} is a number above 0; got ${lossWeight}.`);
    }
  }
}

/** Checks the layers alone; returns their output shapes. Throws INVALID_NETWORK. */
export function validateLayers(network: Network): Map<string, number[]> {
  checkGraph(network);
  checkPreprocessing(network);
  const shapes = inferShapes(network);
  checkBatch(network);
  checkAuxiliary(network, shapes);
  for (const [name, shape] of shapes) {
    const elements = elementCount(shape);
    if (elements > LIMITS.elementsPerTensor) {
      fail(`Layer ${name} puts out ${elements} values a picture; at most ${LIMITS.elementsPerTensor} are allowed.`);
    }
  }
  const output = network.layers.at(-1) as Layer;
  const size = (shapes.get(output.name) as number[])[0] as number;
  if (network.classes && network.classes.length !== size) {
    fail(`The network has ${network.classes.length} class labels but ${size} outputs.`);
  }
  return shapes;
}

/**
 * Checks that layers and weights make a network that can be compiled: names unique, topological order, shapes that fit,
 * every weight there once and with its shape. Throws INVALID_NETWORK or INVALID_WEIGHTS.
 */
export function validateNetwork(network: Network, weights: Weights): void {
  validateLayers(network);
  const owners = new Map<string, string>();
  for (const { name, shape, layer } of weightSpecs(network)) {
    const weight = weights.get(name);
    const where = `Layer ${layer.name} (${layer.kind})`;
    if (!weight) throw new ModelError('INVALID_WEIGHTS', `${where} needs the weight ${name}, which is missing.`);
    const owner = owners.get(name);
    if (owner !== undefined) {
      throw new ModelError('INVALID_WEIGHTS', `${where} and ${owner} both use ${name}: a weight belongs to one layer.`);
    }
    owners.set(name, layer.name);
    const elements = elementCount(shape);
    if (weight.shape.join() !== shape.join() || weight.data.length !== elements) {
      const got = `[${weight.shape.join(', ')}] with ${weight.data.length} values`;
      throw new ModelError('INVALID_WEIGHTS', `${where}: ${name} must be [${shape.join(', ')}]; got ${got}.`);
    }
  }
}
