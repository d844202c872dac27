/**
 * Jobs without a GPU, for the tests of the queue and the worker process. The class labels and options of a job say what it
 * does: `maxSeconds` is how long a training takes, the labels name accidents.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type {
  Job,
  JobContext,
  JobResult,
  MeasureJob,
  OpenExecutor,
  TrainJob,
  TrainOutcome,
} from '../../src/jobs/protocol.js';
import { EngineError } from '../../src/kernels/errors.js';
import { readSafetensors, writeSafetensors } from '../../src/models/formats/safetensors.js';
import { networkFromJson } from '../../src/models/networkJson.js';
import { BlobStore } from '../../src/store/blobs.js';

const STEP_MS = 20;

const FAKE_COMPARISON = {
  against: 'a fake engine',
  inputs: 1,
  values: 'logits',
  largestDifference: 1,
  input: 'a fake picture',
  tolerance: 1e-4,
  divergingLayer: { name: 'conv2', relativeDifference: 0.25 },
} as const;

export const openExecutor: OpenExecutor = async (settings) => {
  if (process.env.FAKE_EXECUTOR === 'no adapter') throw new EngineError('NO_ADAPTER', 'No adapter on purpose.');
  const blobs = await BlobStore.open(settings.blobs);
  let loseDevice: (error: Error) => void = () => undefined;
  const lost = new Promise<Error>((resolve) => {
    loseDevice = resolve;
  });

  async function accident(job: Exclude<Job, MeasureJob>): Promise<void> {
    const classes = networkFromJson(job.model.networkJson).classes ?? [];
    if (classes.includes('exit')) process.exit(3);
    if (classes.includes('kill')) process.kill(process.pid, 'SIGKILL');
    if (classes.includes('out of memory')) throw new EngineError('OUT_OF_MEMORY', 'The GPU is out of memory.');
    if (classes.includes('hang')) for (;;);
    if (classes.includes('lost')) {
      const error = new EngineError('DEVICE_LOST', 'The device was lost.');
      loseDevice(error);
      throw error;
    }
  }

  async function train(job: TrainJob, { signal, onProgress }: JobContext): Promise<TrainOutcome> {
    const { epochs, maxSeconds } = job.options;
    const started = Date.now();
    let steps = 0;
    await onProgress({ type: 'phase', phase: 'training' });
    for (let epoch = 1; epoch <= epochs && !signal.aborted; epoch++) {
      await sleep(((maxSeconds ?? 0) * 1000) / epochs || STEP_MS);
      steps++;
      await onProgress({
        type: 'epoch',
        epoch,
        epochs,
        trainLoss: 1 / epoch,
        trainAccuracy: 0.5,
        validationLoss: null,
        validationAccuracy: null,
        seconds: 0,
      });
    }
    const { tensors } = readSafetensors(await blobs.read(job.model.weightsHash));
    const trained = new Map([...tensors].map(([name, { shape }]) => [name, { shape, data: random(shape) }]));
    const { hash } = await blobs.put(writeSafetensors({ metadata: new Map(), tensors: trained }));
    const secondsTrain = (Date.now() - started) / 1000;
    return {
      bestWeights: hash,
      lastWeights: hash,
      bestEpoch: steps,
      steps,
      secondsFeatures: 0,
      secondsTrain,
      cancelled: signal.aborted,
    };
  }

  return {
    device: {
      vendor: 'fake',
      architecture: 'none',
      description: `fake in ${process.pid}`,
      isSoftware: true,
      kernelFamily: 'none',
      features: [],
    },
    lost,
    async run(job: Job, context: JobContext): Promise<JobResult> {
      if (job.kind === 'measure') {
        if (job.networkJson.includes('alexnet')) throw new EngineError('OUT_OF_MEMORY', 'The GPU is out of memory.');
        return { millisecondsPerPicture: 12.5, picturesPerSecond: 100, batchSize: job.batchSize };
      }
      await accident(job);
      if (job.kind === 'train') return train(job, context);
      if (job.kind === 'evaluate') {
        return { pictures: job.samples.length, loss: 0, accuracy: 1, topK: [], classes: [], confusion: [] };
      }
      if (job.kind === 'compareExport' || job.kind === 'compareReference') {
        const differs = networkFromJson(job.model.networkJson).classes?.includes('differs') ?? false;
        return { comparison: { ...FAKE_COMPARISON, relativeDifference: differs ? 0.5 : 0 } };
      }
      if (networkFromJson(job.model.networkJson).classes?.includes('slow')) {
        await sleep(60_000, undefined, { signal: context.signal });
      }
      return job.hashes.map((hash) => ({ predictions: [{ label: hash, index: 0, probability: 1 }], error: null }));
    },
    close: async () => undefined,
  };
};

const random = (shape: readonly number[]): Float32Array => {
  const size = shape.reduce((product, n) => product * n, 1);
  return Float32Array.from(randomBytes(size), (byte) => byte / 255);
};
