import type * as Tf from '@tensorflow/tfjs-core';
import type { Network } from '../../src/models/network.js';
import { inferShapes } from '../../src/models/shapes.js';
import { inputLayer } from '../../src/training/inference.js';
import { partitionNetwork, trainedWeights } from '../../src/training/partition.js';
import { benchNetwork } from '../networks.js';
import { normalised } from '../reference/network.js';
import type { InferenceSpec, TrainingStepSpec } from '../specs.js';
import { benchPictures } from '../workloads/inference.js';
import {
  benchLabels,
  checkedBatch,
  checkedWeights,
  LEARNING_RATE,
  MOMENTUM,
  type StepInputs,
  stepInputs,
  stepNetwork,
} from '../workloads/training.js';
import { foldedLayers } from './folded.js';
import type { PreparedPeer } from './peer.js';
import type { Tfjs } from './tfjs.js';
import { forward, isDepthwise, toTfjs } from './tfjsNetwork.js';
import { channelsLast, weightOrder } from './tfjsOperations.js';

/** The network on normalised pictures that are on the device already; batch norms folded as tfjs's converter folds them. */
export async function prepareInference(
  { tf, read, idle }: Tfjs,
  spec: InferenceSpec,
  name: string,
  seed: number,
): Promise<PreparedPeer> {
  const original = benchNetwork(spec, seed);
  const { network, weights } = foldedLayers(original.network, original.weights);
  const variables = new Map([...weights.keys()].map((key) => [key, toTfjs(tf, network, weights, key)]));
  const x = feed(tf, network, { pictures: benchPictures(spec, name, seed) }, spec.batch);
  const logits = () => tf.tidy(() => forward(tf, network.layers, variables, x, false));
  const run = async () => {
    const tensor = logits();
    const values = await read(tensor);
    tensor.dispose();
    return values;
  };
  return { run, idle, results: async () => ({ logits: await run() }) };
}

/** One step of tf.train.momentum by tf.variableGrads. */
export async function prepareTraining(
  { tf, read, idle }: Tfjs,
  spec: TrainingStepSpec,
  name: string,
  seed: number,
): Promise<PreparedPeer> {
  const { network, weights } = stepNetwork(spec, seed);
  const { head } = partitionNetwork(network);
  const trained = head.flatMap((layer) => trainedWeights(layer).parameters);
  const variables = new Map(trained.map((key) => [key, tf.variable(toTfjs(tf, network, weights, key))]));
  const given = stepInputs(spec, network, name, seed);
  const labels = benchLabels(spec, name, seed);
  const batchOf = (inputs: StepInputs, classes: Uint32Array) => ({
    values: feed(tf, network, inputs, spec.batch),
    targets: tf.oneHot(tf.tensor1d([...classes], 'int32'), spec.classes),
  });
  const stepOn = ({ values, targets }: ReturnType<typeof batchOf>) =>
    tf.variableGrads(() => {
      const logits = forward(tf, head, variables, values, true);
      return tf.neg(tf.mean(tf.sum(tf.mul(targets, tf.logSoftmax(logits)), 1))) as Tf.Scalar;
    }, [...variables.values()]);
  const timed = batchOf(given, labels);
  const optimizer = tf.train.momentum(LEARNING_RATE, MOMENTUM);
  let before: Tf.Scalar | null = null;
  return {
    // A step's loss is read once the next one is on its way, as our own workload does.
    async run() {
      const { value, grads } = stepOn(timed);
      optimizer.applyGradients(grads as Parameters<typeof optimizer.applyGradients>[0]);
      tf.dispose(grads);
      if (before) await read(before);
      before?.dispose();
      before = value;
    },
    idle,
    async results() {
      const checked = checkedBatch(spec, given, labels);
      const { value, grads } = stepOn(batchOf(checked.inputs, checked.labels));
      const results: Record<string, ArrayLike<number>> = { loss: await read(value) };
      for (const key of checkedWeights(network)) {
        const gradient = grads[(variables.get(key) as Tf.Variable).name] as Tf.Tensor;
        results[key] = await read(inOurOrder(tf, gradient, isDepthwise(network, weights, key)));
      }
      return results;
    },
  };
}

function inOurOrder(tf: typeof Tf, gradient: Tf.Tensor, depthwise: boolean): Tf.Tensor {
  if (gradient.rank === 4) return tf.transpose(gradient, weightOrder(depthwise));
  return gradient.rank === 2 ? tf.transpose(gradient) : gradient;
}

/** What the network's layers read, by layer, on the device and in tfjs's layout. */
function feed(tf: typeof Tf, network: Network, inputs: StepInputs, batch: number): Map<string, Tf.Tensor> {
  const shapes = inferShapes(network);
  return new Map(
    Object.entries(inputs).map(([key, values]): [string, Tf.Tensor] => {
      if (values instanceof Uint8Array) {
        const { shape, data } = normalised(network, values);
        return [inputLayer(network).name, channelsLast(tf, Float32Array.from(data), shape)];
      }
      const shape = [batch, ...(shapes.get(key) as number[])];
      return [key, shape.length === 4 ? channelsLast(tf, values, shape) : tf.tensor(values, shape)];
    }),
  );
}
