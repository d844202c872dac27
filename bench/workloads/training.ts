import type { Engine } from '../../src/kernels/engine.js';
import { EngineError } from '../../src/kernels/errors.js';
import type { Network, Weights } from '../../src/models/network.js';
import { inferShapes } from '../../src/models/shapes.js';
import { TrainableHead } from '../../src/training/head.js';
import { type HeadInputs, uploadedPictures, uploadedValues } from '../../src/training/headInputs.js';
import { partitionNetwork } from '../../src/training/partition.js';
import { DEFAULT_TRAINING_OPTIONS, type TrainingOptions } from '../../src/training/types.js';
import { benchNetwork, networkCost, withFrozenTrunk } from '../networks.js';
import { randomIndices, randomValues } from '../random.js';
import type { TrainingStepSpec } from '../specs.js';
import type { Prepared, Workload } from '../workload.js';
import { benchPictures } from './inference.js';

export const MOMENTUM = 0.9;
/** Small, so that random labels do not drive the weights off while the clock runs. */
export const LEARNING_RATE = 1e-4;

const OPTIONS: TrainingOptions = { ...DEFAULT_TRAINING_OPTIONS, optimizer: 'sgd', momentum: MOMENTUM };

export const benchLabels = ({ classes, batch }: TrainingStepSpec, name: string, seed: number) =>
  randomIndices(batch, classes, seed, `${name} labels`);

function inputs(spec: TrainingStepSpec, network: Network, name: string, seed: number): HeadInputs {
  if (spec.kind === 'fineTuning') return { pictures: benchPictures(spec, name, seed) };
  const shapes = inferShapes(network);
  return Object.fromEntries(
    partitionNetwork(network).boundary.map((layer) => {
      const count = spec.batch * (shapes.get(layer) as number[]).reduce((product, size) => product * size, 1);
      return [layer, randomValues(count, seed, `${name} ${layer}`)];
    }),
  );
}

async function compileHead(
  engine: Engine,
  network: Network,
  weights: Weights,
  spec: TrainingStepSpec,
): Promise<{ readonly head: TrainableHead; readonly dispatches: number }> {
  const partition = partitionNetwork(network);
  const shapes = inferShapes(network);
  const source =
    spec.kind === 'fineTuning'
      ? uploadedPictures(network)
      : uploadedValues(new Map(partition.boundary.map((name) => [name, shapes.get(name) as readonly number[]])));
  const head = new TrainableHead(engine, network, weights, partition, source, OPTIONS);
  const { dispatchesPerStep, parts } = await head.compile([spec.batch], false);
  if (parts > 1) {
    head.dispose();
    throw new EngineError(
      'OUT_OF_MEMORY',
      `${spec.architecture} does not fit the device with ${spec.batch} pictures at a time.`,
    );
  }
  return { head, dispatches: dispatchesPerStep };
}

function trainingWorkload(spec: TrainingStepSpec): Workload<TrainingStepSpec> {
  const { architecture, kind, batch } = spec;
  const name = kind === 'fineTuning' ? `${architecture}-step-${batch}` : `${architecture}-head-step-${batch}`;
  const make = (seed: number) => {
    const { network, weights } = benchNetwork(spec, seed);
    return { network: kind === 'headStep' ? withFrozenTrunk(network) : network, weights };
  };
  const { network } = make(0);
  const { head } = partitionNetwork(network);
  const cost = networkCost(network, head);
  // The gradient of the lowest layer's input is not needed.
  const lowest = networkCost(
    network,
    head.filter(({ kind: layer }) => layer === 'conv2d' || layer === 'dense').slice(0, 1),
  );
  return {
    name,
    spec,
    flops: batch * (3 * cost.flops - lowest.flops),
    // The update reads the gradient and reads and writes the weight and its velocity.
    traffic: batch * (3 * cost.activationBytes - lowest.activationBytes) + 8 * cost.weightBytes,
    async prepare(engine, seed): Promise<Prepared> {
      const { weights } = make(seed);
      const { head: trained, dispatches } = await compileHead(engine, network, weights, spec);
      const given = inputs(spec, network, name, seed);
      const labels = benchLabels(spec, name, seed);
      return {
        dispatches,
        run: () => trained.trainStep(given, labels, LEARNING_RATE)(),
        results: async () => ({}),
        dispose: () => trained.dispose(),
      };
    },
    reference: () => null,
  };
}

export const fineTuningWorkload = (architecture: string, batch = 8, side = 224): Workload<TrainingStepSpec> =>
  trainingWorkload({ kind: 'fineTuning', architecture, side, classes: 10, batch });

export const headStepWorkload = (architecture: string, batch = 32, side = 224): Workload<TrainingStepSpec> =>
  trainingWorkload({ kind: 'headStep', architecture, side, classes: 10, batch });
