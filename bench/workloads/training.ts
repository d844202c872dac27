import type { Engine } from '../../src/kernels/engine.js';
import { EngineError } from '../../src/kernels/errors.js';
import type { Network, Weights } from '../../src/models/network.js';
import { inferShapes } from '../../src/models/shapes.js';
import { TrainableHead } from '../../src/training/head.js';
import { weightOf } from '../../src/training/fold.js';
import { inputLayer } from '../../src/training/inference.js';
import { uploadedPictures, uploadedValues } from '../../src/training/headInputs.js';
import { partitionNetwork } from '../../src/training/partition.js';
import { DEFAULT_TRAINING_OPTIONS, type TrainingOptions } from '../../src/training/types.js';
import { benchNetwork, networkCost, withFrozenTrunk } from '../networks.js';
import { randomIndices, randomValues } from '../random.js';
import { type GivenValue, normalised, referenceStep } from '../reference/network.js';
import { everything, sample } from '../reference/samples.js';
import { elements } from '../reference/tape.js';
import type { TrainingStepSpec } from '../specs.js';
import type { Prepared, Workload } from '../workload.js';
import { benchPictures } from './inference.js';

export const MOMENTUM = 0.9;
/** Pictures or features by the name of the plan's input. */
export type StepInputs = Readonly<Record<string, Uint8Array | Float32Array>>;

/** Small, so that random labels do not drive the weights off while the clock runs. */
export const LEARNING_RATE = 1e-4;

const OPTIONS: TrainingOptions = { ...DEFAULT_TRAINING_OPTIONS, optimizer: 'sgd', momentum: MOMENTUM };

export const benchLabels = ({ classes, batch }: TrainingStepSpec, name: string, seed: number) =>
  randomIndices(batch, classes, seed, `${name} labels`);

/** What a step reads: uint8 pictures, or the trunk's features by layer. */
export function stepInputs(spec: TrainingStepSpec, network: Network, name: string, seed: number): StepInputs {
  if (spec.kind === 'fineTuning') return { pictures: benchPictures(spec, name, seed) };
  const shapes = inferShapes(network);
  return Object.fromEntries(
    partitionNetwork(network).boundary.map((layer) => {
      const count = spec.batch * elements(shapes.get(layer) as number[]);
      return [layer, randomValues(count, seed, `${name} ${layer}`)];
    }),
  );
}

/**
 * Of gradients below a ReLU: where a unit lies within rounding of the corner, two right engines take different slopes, and with so few
 * pictures one such unit moves a gradient by percents (a change of the weights by 1.2e-7 moved MobileNet-v2's by up to 0.15).
 */
const CORNER_TOLERANCE = 0.25;

/** How many different pictures the batch of the check has: the float64 reference of a whole network takes a second for each. */
const CHECKED_PICTURES = 2;

/**
 * The batch of the check: of whole networks the first two pictures, again and again. Means over the batch, batch norms' too, are then
 * those of the two, so the reference's batch is two.
 */
export function checkedBatch(spec: TrainingStepSpec, given: StepInputs, labels: Uint32Array) {
  if (spec.kind === 'headStep' || spec.batch % CHECKED_PICTURES !== 0) {
    return { inputs: given, labels, distinct: { inputs: given, labels, batch: spec.batch } };
  }
  const repeat = <T extends Uint8Array | Float32Array | Uint32Array>(values: T): T => {
    const size = (values.length / spec.batch) * CHECKED_PICTURES;
    return values.map((_, i) => values[i % size] as number) as T;
  };
  const cut = <T extends Uint8Array | Float32Array | Uint32Array>(values: T): T =>
    values.subarray(0, (values.length / spec.batch) * CHECKED_PICTURES) as T;
  const all = (change: typeof repeat): StepInputs =>
    Object.fromEntries(Object.entries(given).map(([key, values]) => [key, change(values)]));
  return {
    inputs: all(repeat),
    labels: repeat(labels),
    distinct: { inputs: all(cut), labels: cut(labels), batch: CHECKED_PICTURES },
  };
}

/** The weights whose gradients are checked: a step's lowest, its highest and one half way. */
export function checkedWeights(network: Network): string[] {
  const names = partitionNetwork(network).head.flatMap((layer) =>
    layer.kind === 'conv2d' || layer.kind === 'dense' ? [layer.weight] : [],
  );
  return [...new Set([names[0], names[Math.floor(names.length / 2)], names.at(-1)])] as string[];
}

async function compileHead(
  engine: Engine,
  network: Network,
  weights: Weights,
  spec: TrainingStepSpec,
): Promise<{ readonly head: TrainableHead; readonly dispatches: number }> {
  const partition = partitionNetwork(network);
  const shapes = inferShapes(network);
  const reads =
    spec.kind === 'fineTuning'
      ? uploadedPictures(network)
      : uploadedValues(new Map(partition.boundary.map((name) => [name, shapes.get(name) as readonly number[]])));
  const head = new TrainableHead(engine, network, weights, partition, reads, OPTIONS);
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

/** The network whose step is timed, with random weights. */
export function stepNetwork(spec: TrainingStepSpec, seed: number): { network: Network; weights: Weights } {
  const { network, weights } = benchNetwork(spec, seed);
  return { network: spec.kind === 'headStep' ? withFrozenTrunk(network) : network, weights };
}

function trainingWorkload(spec: TrainingStepSpec): Workload<TrainingStepSpec> {
  const { architecture, kind, batch } = spec;
  const name = kind === 'fineTuning' ? `${architecture}-step-${batch}` : `${architecture}-head-step-${batch}`;
  const { network } = stepNetwork(spec, 0);
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
    pictures: batch,
    flops: batch * (3 * cost.flops - lowest.flops),
    // The update reads the gradient and reads and writes the weight and its velocity.
    traffic: batch * (3 * cost.activationBytes - lowest.activationBytes) + 8 * cost.weightBytes,
    async prepare(engine, seed): Promise<Prepared> {
      const { weights } = stepNetwork(spec, seed);
      const { head: trained, dispatches } = await compileHead(engine, network, weights, spec);
      const given = stepInputs(spec, network, name, seed);
      const labels = benchLabels(spec, name, seed);
      let before: (() => Promise<unknown>) | null = null;
      // Features are on the device, as those that the trainer keeps and those of the peers; pictures come with every step.
      let uploads = given;
      return {
        dispatches,
        // A step's loss is read while the next one runs, as the trainer does; peers are timed the same way.
        async run() {
          const finish = trained.trainStep(uploads, labels, LEARNING_RATE);
          if (kind === 'headStep') uploads = {};
          await before?.();
          before = finish;
        },
        async results() {
          const { head: fresh } = await compileHead(engine, network, weights, spec);
          try {
            const { inputs, labels: checkedLabels } = checkedBatch(spec, given, labels);
            // The first step of SGD at rate 1 takes the gradient itself off the weights.
            const { loss } = await fresh.trainStep(inputs, checkedLabels, 1)();
            const after = await fresh.snapshot();
            const gradients = checkedWeights(network).map((weight) => {
              const now = weightOf(after, weight).data;
              return [weight, weightOf(weights, weight).data.map((value, i) => value - (now[i] as number))] as const;
            });
            return { loss: [loss], ...Object.fromEntries(gradients) };
          } finally {
            fresh.dispose();
          }
        },
        dispose: () => trained.dispose(),
      };
    },
    reference(seed) {
      const { weights } = stepNetwork(spec, seed);
      const { distinct } = checkedBatch(spec, stepInputs(spec, network, name, seed), benchLabels(spec, name, seed));
      const shapes = inferShapes(network);
      const values = new Map<string, GivenValue>();
      for (const [key, data] of Object.entries(distinct.inputs)) {
        if (data instanceof Uint8Array) values.set(inputLayer(network).name, normalised(network, data));
        else values.set(key, { shape: [distinct.batch, ...(shapes.get(key) as number[])], data });
      }
      const highest = checkedWeights(network).at(-1);
      const { loss, gradients } = referenceStep(head, weights, values, distinct.labels);
      return {
        loss: everything([loss]),
        ...Object.fromEntries(
          checkedWeights(network).map((weight) => {
            const gradient = gradients.get(weight) as Float64Array;
            const samples = sample(gradient.length, seed, weight, (index) => gradient[index] as number);
            return [weight, weight === highest ? samples : { ...samples, tolerance: CORNER_TOLERANCE }];
          }),
        ),
      };
    },
  };
}

export const fineTuningWorkload = (architecture: string, batch = 8, side = 224): Workload<TrainingStepSpec> =>
  trainingWorkload({ kind: 'fineTuning', architecture, side, classes: 10, batch });

export const headStepWorkload = (architecture: string, batch = 32, side = 224): Workload<TrainingStepSpec> =>
  trainingWorkload({ kind: 'headStep', architecture, side, classes: 10, batch });
