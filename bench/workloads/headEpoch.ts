import { EngineError } from '../../src/kernels/errors.js';
import type { Network, Weights } from '../../src/models/network.js';
import { ahead, batchesOf } from '../../src/training/ahead.js';
import { FeatureTable } from '../../src/training/featureTable.js';
import { TrainableHead } from '../../src/training/head.js';
import { partitionNetwork } from '../../src/training/partition.js';
import { RecordLayout } from '../../src/training/recordLayout.js';
import { epochOrder } from '../../src/training/shuffle.js';
import { DEFAULT_TRAINING_OPTIONS } from '../../src/training/types.js';
import { randomIndices, randomValues } from '../random.js';
import type { HeadEpochSpec } from '../specs.js';
import type { Workload } from '../workload.js';

/** One dense layer above features that the input stands for. */
function headAlone({ features, classes }: HeadEpochSpec, seed: number): { network: Network; weights: Weights } {
  const network: Network = {
    architecture: 'head alone',
    layers: [
      {
        kind: 'input',
        name: 'input',
        inputs: [],
        learningRateFactor: 1,
        shape: [features, 1, 1],
        batched: true,
        type: 'float32',
      },
      { kind: 'flatten', axis: 1, name: 'features', inputs: ['input'], learningRateFactor: 1 },
      {
        kind: 'dense',
        name: 'classifier',
        inputs: ['features'],
        learningRateFactor: 1,
        outFeatures: classes,
        weight: 'weight',
        bias: 'bias',
      },
    ],
    preprocessing: {
      height: 1,
      width: 1,
      fit: 'stretch',
      cropFraction: 1,
      interpolation: 'bilinear',
      channelOrder: 'RGB',
      scale: 1,
      mean: [0, 0, 0],
      std: [1, 1, 1],
    },
    classes: null,
    auxiliary: [],
  };
  const weights: Weights = new Map([
    ['weight', { shape: [classes, features], data: randomValues(classes * features, seed, 'weight') }],
    ['bias', { shape: [classes], data: new Float32Array(classes) }],
  ]);
  return { network, weights };
}

export function headEpochWorkload(
  batch = 32,
  pictures = 10_000,
  features = 1280,
  classes = 10,
): Workload<HeadEpochSpec> {
  const spec: HeadEpochSpec = { kind: 'headEpoch', pictures, features, classes, batch };
  const steps = Math.ceil(pictures / batch);
  return {
    name: `head-epoch-${pictures}-${batch}`,
    spec,
    pictures,
    // Logits and the gradient of the weights; the update is small beside them.
    flops: 4 * pictures * features * classes,
    // Each feature once; in each step gradient, weight and two moments are read, weight and moments written.
    traffic: 4 * (pictures * features + 7 * steps * features * classes),
    async prepare(engine, seed) {
      const { network, weights } = headAlone(spec, seed);
      const layout = new RecordLayout(new Map([['features', [features]]]), 'f32');
      const table = await FeatureTable.create(engine, layout, pictures, Number.POSITIVE_INFINITY);
      if (!table) throw new EngineError('OUT_OF_MEMORY', `The device cannot hold ${pictures} x ${features} features.`);
      const samples = Array.from(randomIndices(pictures, classes, seed, 'labels'), (label, i) => ({
        hash: `${i}`,
        label,
      }));
      for (const { hash } of samples) {
        table.add(hash, layout.encode({ features: randomValues(features, seed, `features ${hash}`) }, 1));
      }
      table.flush();
      const options = { ...DEFAULT_TRAINING_OPTIONS, batchSize: batch };
      const head = new TrainableHead(engine, network, weights, partitionNetwork(network), table, options);
      const rest = pictures % batch;
      const { dispatchesPerStep } = await head.compile(rest === 0 ? [batch] : [batch, rest], false);
      let epoch = 0;
      const run = async () => {
        epoch++;
        const order = Array.from(epochOrder(pictures, seed, epoch), (at) => samples[at] as (typeof samples)[number]);
        const load = async (part: typeof samples) => table.inputs(part.map(({ hash }) => hash));
        let pending: (() => Promise<unknown>) | null = null;
        for await (const [part, inputs] of ahead(batchesOf(order, batch), 2, load)) {
          const labels = Uint32Array.from(part, ({ label }) => label);
          const finish = head.trainStep(inputs, labels, options.learningRate);
          await pending?.();
          pending = finish;
        }
        await pending?.();
      };
      return {
        dispatches: dispatchesPerStep,
        run,
        results: async () => ({}),
        dispose: () => {
          head.dispose();
          table.dispose();
        },
      };
    },
    reference: () => null,
  };
}
