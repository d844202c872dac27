import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Writable } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import pino from 'pino';
import sharp from 'sharp';
import { readModel } from '../../src/models/formats/safetensors.js';
import type { Weights } from '../../src/models/network.js';
import type { NetworkRecord, RunRecord, Services } from '../../src/services/api.js';
import { createServices } from '../../src/services/createServices.js';
import { NO_AUGMENTATION } from '../../src/training/augmentation/policy.js';
import type { TrainingOptions } from '../../src/training/types.js';
import { collect, ended, importSmall, testConfig, underWay, upload } from '../services/fixtures.js';
import { zip } from '../services/zip.js';
import { temporaryFolder } from '../store/fixtures.js';
import { freshSeed, seeded } from '../training/fixtures.js';

const CLASSES = ['blue', 'green', 'red'];
const PER_CLASS = 30;
const SIDE = 12;

/** Noise in which one colour is brighter: an archive of class folders. */
async function colourArchive(random: () => number): Promise<Buffer> {
  const files: Record<string, Uint8Array> = {};
  for (const [label, channel] of [
    ['blue', 2],
    ['green', 1],
    ['red', 0],
  ] as const) {
    for (let i = 0; i < PER_CLASS; i++) {
      const pixels = Buffer.from(
        Array.from({ length: SIDE * SIDE * 3 }, (_, at) => Math.floor(random() * 150) + (at % 3 === channel ? 90 : 0)),
      );
      const picture = sharp(pixels, { raw: { width: SIDE, height: SIDE, channels: 3 } });
      files[`${label}/${i}.png`] = await picture.png().toBuffer();
    }
  }
  files['red/broken.png'] = Buffer.from('no picture');
  return zip(files);
}

describe('jobs on the GPU, in a worker process', () => {
  const seed = freshSeed();
  const random = seeded(seed);
  const pids: number[] = [];
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let services: Services;
  let datasetId: string;

  before(async () => {
    folder = await temporaryFolder();
    const log = new Writable({
      write(line: Buffer, _encoding, done) {
        const { worker, msg } = JSON.parse(line.toString()) as { worker?: number; msg?: string };
        if (worker !== undefined && msg === 'worker ready') pids.push(worker);
        done();
      },
    });
    services = await createServices(testConfig(folder.path, { checkpointMs: 1 }), {
      logger: pino({ level: 'info' }, log),
    });
    const { id } = await upload(services, 'colours.zip', await colourArchive(random));
    const dataset = await services.createDataset({ name: 'colours', uploadId: id, testShare: 0.3 });
    assert.deepEqual(
      dataset.skipped.map(({ path }) => path),
      ['red/broken.png'],
    );
    datasetId = dataset.id;
  });
  after(async () => {
    await services.close();
    await folder.remove();
  });

  const weightsOf = async (revisionId: string): Promise<Weights> => {
    const { hash } = await services.exportRevision(revisionId, 'SAFETENSORS');
    const chunks: Buffer[] = [];
    for await (const chunk of (await services.openBlob(hash)).stream) chunks.push(chunk as Buffer);
    return readModel(Buffer.concat(chunks)).weights;
  };

  async function train(network: NetworkRecord, options: Partial<TrainingOptions>): Promise<RunRecord> {
    return services.train({
      networkId: network.id,
      datasetId,
      options: { batchSize: 16, learningRate: 0.02, ...options },
    });
  }

  test('a network learns, above a frozen layer that does not move by one bit', async (t) => {
    t.diagnostic(`seed ${seed} (GRAFT_TEST_SEED repeats it)`);
    const network = await importSmall(services, CLASSES, seed);
    await services.freeze(network.id, { names: ['conv1', 'bn1'] });
    const untrained = await services.evaluate({ networkId: network.id, datasetId, split: 'test' });
    const run = await ended(services, (await train(network, { epochs: 25 })).id);
    assert.equal(run.state, 'SUCCEEDED', JSON.stringify(run.error));
    const trained = await services.evaluate({ networkId: network.id, datasetId, split: 'test' });
    assert.equal(trained.result.pictures, 3 * 9);
    t.diagnostic(
      `accuracy ${untrained.result.accuracy.toFixed(2)} before, ${trained.result.accuracy.toFixed(2)} after`,
    );
    assert.ok(trained.result.accuracy > 0.7);

    const [start, end] = [await weightsOf(run.revisionId), await weightsOf(run.lastRevisionId as string)];
    const moved = [...start.keys()].filter((name) =>
      start.get(name)?.data.some((v, i) => v !== end.get(name)?.data[i]),
    );
    assert.ok(!moved.some((name) => name.startsWith('conv1.') || name.startsWith('bn1.')), moved.join());
    assert.ok(moved.includes('fc.weight') && moved.includes('bn2.running_mean'));

    const events = await collect(services.watchRun(run.id, 0));
    assert.deepEqual(
      events.map(({ sequence }) => sequence),
      events.map((_, i) => i + 1),
    );
    const epochs = events.flatMap(({ progress }) => (progress?.type === 'epoch' ? [progress.epoch] : []));
    assert.deepEqual(
      epochs,
      Array.from({ length: 25 }, (_, i) => i + 1),
    );
    assert.equal(events.at(-1)?.state, 'SUCCEEDED');
  });

  test('a network learns from pictures that vary, with the parts of the policy that were left out being off', async (t) => {
    t.diagnostic(`seed ${seed} (GRAFT_TEST_SEED repeats it)`);
    const network = await importSmall(services, CLASSES, seed);
    await services.freeze(network.id, { names: ['conv1', 'bn1'] });
    const randomResizedCrop = { scale: { min: 0.5, max: 1 }, ratio: { min: 0.75, max: 4 / 3 } };
    const given = { randomResizedCrop, horizontalFlip: 0.5, cutmix: 1 } as TrainingOptions['augmentation'];
    const queued = await train(network, { epochs: 25, augmentation: given });
    assert.deepEqual(queued.options.augmentation, { ...NO_AUGMENTATION, ...given });
    const run = await ended(services, queued.id);
    assert.equal(run.state, 'SUCCEEDED', JSON.stringify(run.error));
    const { result } = await services.evaluate({ networkId: network.id, datasetId, split: 'test' });
    t.diagnostic(`accuracy ${result.accuracy.toFixed(2)}`);
    assert.ok(result.accuracy > 0.7);
  });

  test('what frozen layers make of the pictures is kept for the next run, which ends with the same bits', async () => {
    const runs: Weights[] = [];
    const shards = async () => {
      const files = await readdir(join(folder.path, 'features'), { recursive: true });
      return files.filter((file) => file.endsWith('.records')).sort();
    };
    const before = await shards();
    const kept: string[][] = [];
    for (let i = 0; i < 2; i++) {
      const network = await importSmall(services, CLASSES, 6);
      await services.freeze(network.id, { names: ['conv1', 'bn1', 'conv2', 'bn2'] });
      const run = await ended(services, (await train(network, { epochs: 2 })).id);
      assert.equal(run.state, 'SUCCEEDED', JSON.stringify(run.error));
      runs.push(await weightsOf(run.lastRevisionId as string));
      kept.push(await shards());
    }
    assert.equal(kept[0]?.length, before.length + 1);
    assert.deepEqual(kept[1], kept[0], 'the second run has nothing to add');
    for (const [name, { data }] of runs[0] as Weights) assert.deepEqual(runs[1]?.get(name)?.data, data, name);
  });

  test('uploaded pictures are predicted, and what is none says so', async () => {
    const network = await importSmall(services, CLASSES, 3);
    const red = await sharp({ create: { width: 40, height: 30, channels: 3, background: '#e01010' } })
      .jpeg()
      .toBuffer();
    const good = await upload(services, 'red.jpg', red);
    const bad = await upload(services, 'notes.txt', Buffer.from('notes'));
    const [first, second] = await services.predict({ networkId: network.id, uploadIds: [good.id, bad.id], topK: 2 });
    assert.deepEqual([first?.filename, first?.error, first?.predictions.length], ['red.jpg', null, 2]);
    const sum = (first?.predictions ?? []).reduce((total, { probability }) => total + probability, 0);
    assert.ok(sum > 2 / 3 && sum <= 1 + 1e-6);
    assert.deepEqual([second?.filename, second?.predictions], ['notes.txt', []]);
    assert.match(second?.error ?? '', /not a picture/);
  });

  test('a run is cancelled between two steps', async () => {
    const network = await importSmall(services, CLASSES, 4);
    const { id } = await train(network, { epochs: 10_000 });
    await underWay(services, id);
    await services.cancelRun(id);
    const run = await ended(services, id);
    assert.equal(run.state, 'CANCELLED');
    // What it had learned is kept.
    assert.ok(run.bestRevisionId);
  });

  test('a worker killed in mid-run takes neither the API nor the run down', async () => {
    const network = await importSmall(services, CLASSES, 5);
    const { id } = await train(network, { epochs: 400, seed: 9 });
    await underWay(services, id);
    const checkpoints = join(folder.path, 'checkpoints');
    while ((await readdir(checkpoints).catch(() => [])).length === 0) await sleep(20);
    const victim = pids.at(-1) as number;
    process.kill(victim, 'SIGKILL');
    // The API answers while there is no worker.
    assert.equal((await services.networksById([network.id]))[0]?.name, 'small');
    const run = await ended(services, id);
    assert.equal(run.state, 'SUCCEEDED', JSON.stringify(run.error));
    const events = await collect(services.watchRun(id, 0));
    const states = events.map(({ state }) => state).filter((state, index, all) => state !== all[index - 1]);
    assert.deepEqual(states, ['QUEUED', 'RUNNING', 'QUEUED', 'RUNNING', 'SUCCEEDED']);
    assert.notEqual(pids.at(-1), victim);
    assert.ok(
      events.some(({ progress }) => progress?.type === 'resumed'),
      'it goes on from a checkpoint',
    );
    const [story = []] = await services.eventsOfRuns([id]);
    const epochs = story.flatMap(({ progress }) => (progress?.type === 'epoch' ? [progress.epoch] : []));
    assert.deepEqual(
      epochs,
      Array.from({ length: 400 }, (_, i) => i + 1),
      'each epoch once',
    );
    // Nothing is left of a run that is over.
    while ((await readdir(checkpoints)).length > 0) await sleep(20);

    // It is the run that it would have been.
    const twin = await importSmall(services, CLASSES, 5);
    const same = await ended(services, (await train(twin, { epochs: 400, seed: 9 })).id);
    const [a, b] = [await weightsOf(run.lastRevisionId as string), await weightsOf(same.lastRevisionId as string)];
    for (const [name, tensor] of a) assert.deepEqual(b.get(name)?.data, tensor.data, name);
  });
});
