import type { Engine } from '../kernels/engine.js';
import { PlanBuilder } from '../kernels/planBuilder.js';
import { elementCount, type Shape, type Tensor } from '../kernels/tensor.js';
import type { Graph, InputLayer, Weights } from '../models/network.js';
import { DeviceWeights } from './deviceWeights.js';
import { TrainingError } from './errors.js';
import { buildForward } from './forward.js';

/** A value at the edge of a graph, in row-major order. */
export interface GraphValue {
  readonly shape: Shape;
  readonly data: Float32Array;
}

function checkShape(layer: InputLayer, { shape, data }: GraphValue): void {
  const own = layer.batched ? shape.slice(1) : shape;
  const fits = own.join() === layer.shape.join() && shape.length === layer.shape.length + (layer.batched ? 1 : 0);
  if (fits && data.length === elementCount(shape)) return;
  const expected = layer.batched ? ['batch', ...layer.shape] : layer.shape;
  throw new TrainingError(
    'INVALID_OPTIONS',
    `The input ${layer.name} takes [${expected.join(', ')}]; got [${shape.join(', ')}] with ${data.length} values.`,
  );
}

/**
 * Computes a graph once, in evaluation mode, by the ops that training uses. `inputs` are given by the names of their layers,
 * results by the names of the graph's outputs. Throws TrainingError where an input is missing or does not fit, EngineError.
 */
export async function runGraph(
  engine: Engine,
  graph: Graph,
  weights: Weights,
  inputs: ReadonlyMap<string, GraphValue>,
): Promise<Map<string, GraphValue>> {
  const device = new DeviceWeights(engine, weights);
  try {
    const b = new PlanBuilder(engine);
    const given: Record<string, Float32Array> = {};
    const values = new Map<string, Tensor>();
    for (const layer of graph.layers) {
      if (layer.kind !== 'input') continue;
      const value = inputs.get(layer.name);
      if (!value) throw new TrainingError('INVALID_OPTIONS', `The input ${layer.name} is missing.`);
      checkShape(layer, value);
      const layout = value.shape.length === 2 || value.shape.length === 4 ? 'rows' : 'dense';
      values.set(layer.name, b.input(layer.name, value.shape, { layout }));
      given[layer.name] = value.data;
    }
    const keep = new Set(graph.outputs.map(({ layer }) => layer));
    const options = { layers: graph.layers, values, keep, mode: 'eval', weightsAreFixed: true } as const;
    const results = buildForward(b, graph, weights, device, options);
    const shapes = new Map<string, Shape>();
    for (const { name, layer } of graph.outputs) {
      const tensor = results.get(layer) as Tensor;
      shapes.set(name, tensor.shape);
      b.output(name, tensor);
    }
    const plan = await b.compile();
    try {
      const outputs = await plan.run(given)();
      return new Map([...shapes].map(([name, shape]) => [name, { shape, data: outputs[name] as Float32Array }]));
    } finally {
      plan.dispose();
    }
  } finally {
    device.dispose();
  }
}
