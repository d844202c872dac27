import { ModelError } from './errors.js';
import { fail, type Inputs, show } from './layers/definition.js';
import { definitionOf, namedWeights } from './layers/registry.js';
import type { Graph, Layer, LayerShape, Network } from './network.js';
import type { WeightRole } from './layers/fields.js';

export type { LayerShape };

/** Number of features of a vector `[F]` or of a 1x1 map `[F, 1, 1]`, which is the same in memory; null for larger maps. */
export function vectorLength(shape: LayerShape): number | null {
  const [features, height = 1, width = 1] = shape;
  return features !== undefined && height === 1 && width === 1 ? features : null;
}

/** The complete output shape of one layer from those of its inputs. Throws INVALID_NETWORK where they do not fit. */
export function layerShape(layer: Layer, inputs: readonly LayerShape[]): number[] {
  const definition = definitionOf(layer.kind);
  const { least, most } = definition.inputs;
  if (inputs.length < least || inputs.length > most) {
    const allowed = least === most ? `${least} input(s)` : `at least ${least} inputs`;
    fail(layer, `it takes ${allowed}; got ${inputs.length}.`);
  }
  const shape = definition.shape(layer, inputs as Inputs<LayerShape>);
  if (!shape.every((size) => Number.isSafeInteger(size) && size >= 1)) {
    fail(layer, `its output would be ${show(shape)}: the input ${inputs.map(show).join(', ')} is too small for it.`);
  }
  return shape;
}

/** Complete shapes of all values by layer, and which of them have the batch as their first dimension. */
export interface Shapes {
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly batched: ReadonlySet<string>;
}

/**
 * Shapes of a graph at a batch size, which inputs that are `batched` have in front. Throws INVALID_NETWORK where a layer reads what
 * is not there or does not fit.
 */
export function graphShapes({ layers }: Pick<Graph, 'layers'>, batchSize = 1): Shapes {
  const shapes = new Map<string, number[]>();
  const batched = new Set<string>();
  for (const layer of layers) {
    const inputs = layer.inputs.map(
      (name) => shapes.get(name) ?? fail(layer, `it reads ${name}, which does not exist or comes later.`),
    );
    const shape = layerShape(layer, inputs);
    if (layer.kind === 'input' && layer.batched) shape[0] = batchSize;
    shapes.set(layer.name, shape);
    const hasBatch = layer.kind === 'input' ? layer.batched : layer.inputs.some((name) => batched.has(name));
    if (hasBatch) batched.add(layer.name);
  }
  return { shapes, batched };
}

/**
 * Output shapes of all layers by name, without the batch: [C, H, W] or [F]; parameters have none, so theirs are whole. Throws
 * INVALID_NETWORK as `graphShapes`.
 */
export function inferShapes(
  network: Pick<Network, 'layers'>,
  { shapes, batched }: Shapes = graphShapes(network),
): Map<string, number[]> {
  return new Map([...shapes].map(([name, shape]) => [name, batched.has(name) ? shape.slice(1) : [...shape]]));
}

/**
 * Throws INVALID_NETWORK where a layer mixes the pictures of a batch: where what its shape is at two pictures is not twice what it is
 * at one.
 */
export function checkBatch(network: Pick<Network, 'layers'>): void {
  const one = graphShapes(network, 1);
  let two: Shapes;
  try {
    two = graphShapes(network, 2);
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    throw new ModelError('INVALID_NETWORK', `The network takes one picture at a time only. ${error.message}`);
  }
  for (const layer of network.layers) {
    const [first, second] = [one, two].map(({ shapes }) => shapes.get(layer.name) as readonly number[]);
    const expected = one.batched.has(layer.name) ? [2, ...(first as number[]).slice(1)] : first;
    if (first?.[0] !== (one.batched.has(layer.name) ? 1 : first?.[0]) || second?.join() !== expected?.join()) {
      fail(layer, `its output ${show(first as number[])} does not keep the pictures of a batch apart.`);
    }
  }
}

export interface WeightSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly layer: Layer;
  readonly role: WeightRole;
}

/** Every weight that the layers name, in layer order, with the shape that it must have. */
export function weightSpecs(graph: Pick<Graph, 'layers'>, { shapes }: Shapes = graphShapes(graph)): WeightSpec[] {
  return graph.layers.flatMap((layer) => {
    const names = namedWeights(layer);
    if (names.length === 0) return [];
    const inputs = layer.inputs.map((input) => shapes.get(input) as LayerShape) as unknown as Inputs<LayerShape>;
    const expected = definitionOf(layer.kind).weightShapes?.(layer, inputs) ?? {};
    return names.map(({ field, name, role }) => ({ name, role, layer, shape: expected[field] as readonly number[] }));
  });
}
