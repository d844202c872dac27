import { ModelError } from './errors.js';
import type { Layer, Network, Weights } from './network.js';
import { inferShapes, weightSpecs } from './shapes.js';

/** Far above what any published network needs, and low enough that a hostile file cannot exhaust the machine. */
export const LIMITS = {
  layers: 10_000,
  inputs: 1_024,
  nameLength: 1_024,
  side: 1 << 16,
  channels: 1 << 22,
  elementsPerTensor: 2 ** 29,
  classes: 1 << 22,
} as const;

function fail(message: string): never {
  throw new ModelError('INVALID_NETWORK', message);
}

function checkInteger(layer: Layer, what: string, value: number, least: number, most: number): void {
  if (!Number.isSafeInteger(value) || value < least || value > most) {
    fail(`Layer ${layer.name} (${layer.kind}): ${what} must be an integer from ${least} to ${most}; got ${value}.`);
  }
}

function checkNumber(
  layer: Layer,
  what: string,
  value: number,
  isAllowed: (value: number) => boolean,
  allowed: string,
): void {
  if (!Number.isFinite(value) || !isAllowed(value)) {
    fail(`Layer ${layer.name} (${layer.kind}): ${what} must be ${allowed}; got ${value}.`);
  }
}

function checkAttributes(layer: Layer): void {
  checkNumber(layer, 'learningRateFactor', layer.learningRateFactor, (value) => value >= 0, 'a number of at least 0');
  if ('padding' in layer) {
    for (const [side, value] of Object.entries(layer.padding)) {
      checkInteger(layer, `padding.${side}`, value, 0, LIMITS.side);
    }
  }
  if ('kernel' in layer) {
    layer.kernel.forEach((size) => checkInteger(layer, 'kernel', size, 1, LIMITS.side));
    layer.stride.forEach((size) => checkInteger(layer, 'stride', size, 1, LIMITS.side));
  }
  switch (layer.kind) {
    case 'input':
      checkInteger(layer, 'channels', layer.shape[0], 1, LIMITS.channels);
      checkInteger(layer, 'height', layer.shape[1], 1, LIMITS.side);
      checkInteger(layer, 'width', layer.shape[2], 1, LIMITS.side);
      break;
    case 'conv2d':
      layer.dilation.forEach((size) => checkInteger(layer, 'dilation', size, 1, LIMITS.side));
      checkInteger(layer, 'outChannels', layer.outChannels, 1, LIMITS.channels);
      checkInteger(layer, 'groups', layer.groups, 1, LIMITS.channels);
      break;
    case 'dense':
      checkInteger(layer, 'outFeatures', layer.outFeatures, 1, LIMITS.channels);
      break;
    case 'batchNorm':
      checkNumber(layer, 'epsilon', layer.epsilon, (value) => value >= 0, 'a number of at least 0');
      checkNumber(layer, 'momentum', layer.momentum, (value) => value >= 0 && value <= 1, 'from 0 to 1');
      break;
    case 'dropout':
      checkNumber(layer, 'rate', layer.rate, (value) => value >= 0 && value < 1, 'at least 0 and below 1');
      break;
    default:
  }
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
    checkAttributes(layer);
    seen.add(layer.name);
  });
}

function checkPreprocessing(network: Network): void {
  const { preprocessing } = network;
  const [input] = network.layers;
  if (input?.kind !== 'input') return;
  const [, height, width] = input.shape;
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

/** Checks the layers alone; returns their output shapes. Throws INVALID_NETWORK. */
export function validateLayers(network: Network): Map<string, number[]> {
  checkGraph(network);
  checkPreprocessing(network);
  const shapes = inferShapes(network);
  for (const [name, shape] of shapes) {
    const elements = shape.reduce((product, size) => product * size, 1);
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
  const shapes = validateLayers(network);
  const owners = new Map<string, string>();
  for (const { name, shape, layer } of weightSpecs(network, shapes)) {
    const weight = weights.get(name);
    const where = `Layer ${layer.name} (${layer.kind})`;
    if (!weight) throw new ModelError('INVALID_WEIGHTS', `${where} needs the weight ${name}, which is missing.`);
    const owner = owners.get(name);
    if (owner !== undefined) {
      throw new ModelError('INVALID_WEIGHTS', `${where} and ${owner} both use ${name}: a weight belongs to one layer.`);
    }
    owners.set(name, layer.name);
    const elements = shape.reduce((product, size) => product * size, 1);
    if (weight.shape.join() !== shape.join() || weight.data.length !== elements) {
      const got = `[${weight.shape.join(', ')}] with ${weight.data.length} values`;
      throw new ModelError('INVALID_WEIGHTS', `${where}: ${name} must be [${shape.join(', ')}]; got ${got}.`);
    }
  }
}
