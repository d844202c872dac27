import { mkdir, writeFile } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { GraftClient } from './client.js';
import { confusionLines, metricLines } from './confusion.js';
import type { Console } from './console.js';
import { formatCount, formatMillions, formatPercent, formatSeconds } from './format.js';
import type { Dataset, Device, Evaluation } from './operations.js';
import * as operations from './operations.js';
import * as report from './report.js';
import { type FinishedRun, train } from './trainingRun.js';

/** What --json prints. Accuracies are shares of right answers on the held-out pictures, 0 to 1. */
export interface DemoResult {
  readonly adapter: string;
  readonly network: string;
  readonly dataset: string;
  readonly classes: readonly string[];
  readonly trainImages: number;
  readonly testImages: number;
  readonly accuracyBefore: number;
  readonly accuracyTransfer: number;
  readonly accuracyScratch: number;
  readonly secondsFeatures: number;
  readonly secondsTrain: number;
  readonly secondsTotal: number;
}

export interface DemoSetting {
  readonly client: GraftClient;
  readonly console: Console;
  /** For people. The pictures are the folder that the server may import from. */
  readonly datasetName: string;
  /** Where the trained network goes. */
  readonly outputFolder: string;
  /** `performance.now()` when the demo began. */
  readonly started: number;
}

const NETWORK = 'mobilenet_v2_nsfw';
const SEED = 1;
const PREDICTED_PICTURES = 6;
const HEAD_PREFIX = 'head.';
/** Where the pictures come without folders for them. */
const SHARES = { validationShare: 0.15, testShare: 0.2 };

const TRANSFER = {
  epochs: 40,
  batchSize: 32,
  learningRate: 0.005,
  optimizer: 'ADAMW',
  weightDecay: 0.01,
  seed: SEED,
} as const;
/** Small batches, because steps are what the time runs out of. */
const SCRATCH = { epochs: 10_000, batchSize: 8, learningRate: 0.001, optimizer: 'ADAM', seed: SEED } as const;

/** The whole demonstration, as a client of a server that runs already. Throws where it cannot go on. */
export async function runDemo(setting: DemoSetting): Promise<DemoResult> {
  const { client, console } = setting;
  const device = await waitForDevice(client);
  console.print(`  ${report.deviceLine(device)}`);

  console.heading('The zoo: networks that Graft creates by itself');
  console.print(...report.zooLines((await client.request(operations.ZOO, {})).zoo));

  const dataset = await importPictures(setting);
  const network = await graft(setting, dataset);
  const target = { networkId: network.id, datasetId: dataset.id };

  console.heading('Before training');
  const before = await evaluate(setting, target);
  console.print(`  Accuracy on the ${formatCount(before.pictures)} test pictures: ${formatPercent(before.accuracy)}`);

  console.heading('Training the new head');
  const run = await train(client, console, target, TRANSFER);
  console.print(...report.runLines(run, imagesOf(dataset, 'train') + imagesOf(dataset, 'validation')));

  console.heading('After training: test pictures, true classes down, predictions across');
  const after = await evaluate(setting, { ...target, revisionId: run.bestRevision.id });
  const labels = dataset.classes.map(({ label }) => label);
  const indented = (lines: readonly string[]) => lines.map((line) => `  ${line}`);
  console.print(...indented(confusionLines(labels, after.confusion)), '', ...indented(metricLines(after.classes)));
  console.print('', `  Accuracy on the ${formatCount(after.pictures)} test pictures: ${formatPercent(after.accuracy)}`);

  await predict(setting, dataset, network.id, run.bestRevision.id);
  await exportNetwork(setting, run.bestRevision.id);
  const scratch = await trainFromScratch(setting, dataset, network.revisionId, run);
  compare(setting, dataset, { before, after, run, scratch });

  return {
    adapter: run.adapter ?? report.deviceLine(device),
    network: NETWORK,
    dataset: setting.datasetName,
    classes: labels,
    trainImages: imagesOf(dataset, 'train'),
    testImages: after.pictures,
    accuracyBefore: before.accuracy,
    accuracyTransfer: after.accuracy,
    accuracyScratch: scratch.accuracy,
    secondsFeatures: run.secondsFeatures ?? 0,
    secondsTrain: run.secondsTrain ?? 0,
    secondsTotal: (performance.now() - setting.started) / 1000,
  };
}

const imagesOf = ({ classes }: Dataset, split: 'train' | 'validation' | 'test'): number =>
  classes.reduce((sum, counts) => sum + counts[split], 0);

async function waitForDevice(client: GraftClient): Promise<Device> {
  for (;;) {
    const { device } = await client.request(operations.DEVICE, {});
    if (device.state === 'DOWN') {
      throw new Error(
        `No GPU can be used: ${device.error ?? 'no reason given'}\nSee what is missing: npx graft doctor`,
      );
    }
    if (device.state !== 'STARTING') return device;
    await sleep(200);
  }
}

async function importPictures({ client, console, datasetName }: DemoSetting): Promise<Dataset> {
  console.heading(`The pictures: ${datasetName}`);
  const input = { name: datasetName, folder: '.', seed: SEED, ...SHARES };
  const { createDataset: dataset } = await client.requestLong(operations.CREATE_DATASET, { input });
  console.print(...report.datasetLines(dataset));
  if (dataset.classes.length < 2) {
    throw new Error('There are pictures of fewer than two classes. Put a folder for each class into the folder given.');
  }
  for (const [split, name] of [
    ['train', 'to train on'],
    ['test', 'to test on'],
  ] as const) {
    if (imagesOf(dataset, split) === 0)
      throw new Error(`There are no pictures ${name}. Add some: about ten a class will do.`);
  }
  return dataset;
}

/** The pretrained network with a new head and nothing else that trains. */
async function graft({ client, console, datasetName }: DemoSetting, dataset: Dataset) {
  console.heading('Grafting: a new head onto a frozen trunk');
  const input = { zooId: NETWORK, name: datasetName };
  const { createNetwork: network } = await client.request(operations.CREATE_NETWORK, { input });
  const headInput = { networkId: network.id, datasetId: dataset.id, seed: SEED };
  const { replaceHead } = await client.request(operations.REPLACE_HEAD, { input: headInput });
  const trunk = replaceHead.layers.filter((layer) => !layer.name.startsWith(HEAD_PREFIX));
  const upTo = trunk.at(-1)?.name ?? '';
  const { freeze } = await client.request(operations.FREEZE, { input: { networkId: network.id, layers: { upTo } } });
  console.print(
    `  ${NETWORK}: ${replaceHead.layers.length} layers, ${trunk.length} of them frozen (up to ${upTo})`,
    `  New head: ${dataset.classes.length} outputs; ${formatCount(freeze.trainableParameters)} of ${formatMillions(freeze.parameters)} parameters train`,
  );
  return { id: network.id, revisionId: freeze.id };
}

async function evaluate(
  { client, console }: DemoSetting,
  target: { networkId: string; datasetId: string; revisionId?: string },
): Promise<Evaluation> {
  console.progress('  Measuring on the test pictures ...');
  const { evaluate: evaluation } = await client.requestLong(operations.EVALUATE, {
    input: { ...target, split: 'TEST' },
  });
  console.clear();
  return evaluation;
}

/** Uploads some held-out pictures, of different classes, as a user would. */
async function predict({ client, console }: DemoSetting, dataset: Dataset, networkId: string, revisionId: string) {
  console.heading('Predicting held-out pictures');
  const tested = dataset.classes.filter(({ test }) => test > 0);
  const stride = Math.max(1, tested.length / PREDICTED_PICTURES);
  const chosen = Array.from(
    { length: Math.min(PREDICTED_PICTURES, tested.length) },
    (_, i) => tested[Math.floor(i * stride)],
  );
  const first = Math.floor(PREDICTED_PICTURES / chosen.length);
  const pages = await Promise.all(
    chosen.map((counts) => {
      const label = counts?.label ?? '';
      return client.request(operations.TEST_PICTURES, { id: dataset.id, label, first });
    }),
  );
  const pictures = pages.flatMap((page) => page.dataset?.pictures.nodes ?? []);
  const uploadIds = await Promise.all(
    pictures.map(async ({ url, path }) => client.upload(new Blob([await client.download(url)]), basename(path))),
  );
  const topK = Math.min(3, dataset.classes.length);
  const input = { networkId, revisionId, uploadIds, topK };
  const { predict: predictions } = await client.requestLong(operations.PREDICT, { input });
  const rows = pictures.flatMap((picture, index) => {
    const prediction = predictions[index];
    return prediction ? [{ ...picture, ...prediction }] : [];
  });
  console.print(...report.predictionLines(rows));
}

async function exportNetwork(setting: DemoSetting, revisionId: string): Promise<void> {
  const { client, console, outputFolder, datasetName } = setting;
  const { exportRevision } = await client.request(operations.EXPORT_REVISION, { input: { revisionId } });
  const name = datasetName.replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-|-$/g, '') || 'network';
  const file = join(outputFolder, `${name}.safetensors`);
  await mkdir(outputFolder, { recursive: true });
  await writeFile(file, await client.download(exportRevision.url));
  console.print('', `  The trained network: ${relative('', file)} (${formatMillions(exportRevision.bytes)}B)`);
}

interface Scratch extends Evaluation {
  readonly run: FinishedRun;
  readonly budget: number;
}

/** The same network from random weights, for as many seconds as the transfer took. */
async function trainFromScratch(
  setting: DemoSetting,
  dataset: Dataset,
  revisionId: string,
  { secondsFeatures, secondsTrain }: FinishedRun,
): Promise<Scratch> {
  const { client, console } = setting;
  const budget = Math.max(1, (secondsFeatures ?? 0) + (secondsTrain ?? 0));
  console.heading(
    `For comparison: the same network from random weights, every layer trained, ${formatSeconds(budget)} too`,
  );
  const forkInput = { revisionId, name: `${NETWORK} from random weights` };
  const { forkNetwork: network } = await client.request(operations.FORK_NETWORK, { input: forkInput });
  await client.request(operations.RANDOMIZE_WEIGHTS, { input: { networkId: network.id, seed: SEED } });
  const target = { networkId: network.id, datasetId: dataset.id };
  const run = await train(client, console, target, { ...SCRATCH, maxSeconds: budget });
  console.print(...report.runLines(run, 0));
  const evaluation = await evaluate(setting, { ...target, revisionId: run.bestRevision.id });
  return { ...evaluation, run, budget };
}

function compare(
  { console }: DemoSetting,
  dataset: Dataset,
  found: {
    readonly before: Evaluation;
    readonly after: Evaluation;
    readonly run: FinishedRun;
    readonly scratch: Scratch;
  },
): void {
  const { before, after, run, scratch } = found;
  console.heading(
    `The same ${formatCount(after.pictures)} test pictures, the same ${formatSeconds(scratch.budget)} of training`,
  );
  const steps = ({ stepsTaken }: FinishedRun, size: number) => `${formatCount(stepsTaken)} steps of ${size} pictures`;
  console.print(
    ...report.comparisonLines([
      { name: 'Transfer learning', accuracy: after.accuracy, note: steps(run, TRANSFER.batchSize) },
      { name: 'From random weights', accuracy: scratch.accuracy, note: steps(scratch.run, SCRATCH.batchSize) },
      { name: 'New head, untrained', accuracy: before.accuracy, note: '' },
      { name: 'Always one class', accuracy: report.guessingAccuracy(dataset), note: 'the most frequent one' },
    ]),
  );
}
