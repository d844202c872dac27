import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunEvent, RunRecord, Services } from '../../src/services/api.js';
import { ServiceError } from '../../src/services/api.js';
import {
  collect,
  ended,
  fakeServices,
  importSmall,
  insertPictures,
  testConfig,
  underWay,
  upload,
} from '../services/fixtures.js';
import { temporaryFolder } from '../store/fixtures.js';

const CLASSES = ['red', 'green', 'blue'];

const hasCode = (code: string) => (error: unknown) => error instanceof ServiceError && error.code === code;

/** The fake device's description names the process that it is in. */
async function workerPid(services: Services): Promise<number> {
  const { description } = await services.device();
  return Number(/\d+/.exec(description ?? '')?.[0]);
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

function assertGapless(events: readonly RunEvent[], from = 1): void {
  assert.deepEqual(
    events.map(({ sequence }) => sequence),
    events.map((_, index) => from + index),
  );
}

describe('runs', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let services: Services;
  let datasetId: string;
  let networkId: string;

  before(async () => {
    folder = await temporaryFolder();
  });
  after(() => folder.remove());
  beforeEach(async () => {
    services = await fakeServices(testConfig(folder.path));
    datasetId = await insertPictures(folder.path, CLASSES);
    networkId = (await importSmall(services, CLASSES)).id;
  });
  afterEach(() => services.close());

  const train = (options: { epochs?: number; maxSeconds?: number; seed?: number } = {}): Promise<RunRecord> =>
    services.train({ networkId, datasetId, options: { epochs: 5, ...options } });

  /** A network and a data set whose class label makes the fake worker have an accident. */
  async function accident(label: string): Promise<{ networkId: string; datasetId: string }> {
    const classes = [label, 'other'];
    return {
      networkId: (await importSmall(services, classes)).id,
      datasetId: await insertPictures(folder.path, classes),
    };
  }

  test('a run is queued, trained, and makes the newest revision; its record can repeat it', async () => {
    const [before] = await services.networksById([networkId]);
    const queued = await train({ seed: 7 });
    assert.equal(queued.state, 'QUEUED');
    const run = await ended(services, queued.id);
    assert.equal(run.state, 'SUCCEEDED');
    assert.equal(run.revisionId, before?.headRevisionId);
    assert.equal(run.options.seed, 7);
    assert.equal(run.options.optimizer, 'adam');
    assert.match(run.adapter ?? '', /^fake/);
    assert.equal(run.codeVersion, '0.1.0');
    assert.ok((run.startedAt ?? 0) >= run.createdAt && (run.finishedAt ?? 0) >= (run.startedAt ?? 0));
    const [network] = await services.networksById([networkId]);
    assert.equal(network?.headRevisionId, run.bestRevisionId);
    const [revision] = await services.revisionsById([run.bestRevisionId as string]);
    assert.equal(revision?.parentId, run.revisionId);
    assert.deepEqual(revision?.classes, CLASSES);
  });

  test('a late watcher, a reconnecting one and one from the start see the same events, each once', async () => {
    const { id } = await train({ epochs: 30, maxSeconds: 0.6 });
    const whole = collect(services.watchRun(id, 0));
    const first: RunEvent[] = [];
    for await (const event of services.watchRun(id, 0)) {
      first.push(event);
      if (first.length === 9) break;
    }
    const rest = collect(services.watchRun(id, 9));
    await sleep(100);
    const late = await collect(services.watchRun(id, 0));
    assertGapless(late);
    assert.equal(late.filter(({ progress }) => progress?.type === 'epoch').length, 30);
    assert.deepEqual(
      late.slice(0, 2).map(({ state }) => state),
      ['QUEUED', 'RUNNING'],
    );
    assert.equal(late.at(-1)?.state, 'SUCCEEDED');
    assert.deepEqual(await whole, late);
    assert.deepEqual([...first, ...(await rest)], late);
    assert.deepEqual(await collect(services.watchRun(id, late.length)), [], 'nothing is left, and it does not wait');
    assert.deepEqual(await services.runEvents(id, 3, 4), late.slice(3, 7));
    const [ofRun] = await services.eventsOfRuns([id]);
    assert.deepEqual(ofRun, late.slice(1), 'the events of its only try');
  });

  test('runs wait for each other, in order', async () => {
    const runs = [await train(), await train(), await train()];
    for (const { id } of runs) assert.equal((await ended(services, id)).state, 'SUCCEEDED');
    const done = (await services.runsById(runs.map(({ id }) => id))) as RunRecord[];
    for (const [i, run] of done.entries()) {
      const previous = done[i - 1];
      if (previous) assert.ok((run.startedAt ?? 0) >= (previous.finishedAt ?? Number.POSITIVE_INFINITY));
    }
  });

  test('cancelling ends a run under way after its step, and a waiting one at once', async () => {
    const going = await train({ epochs: 1000, maxSeconds: 60 });
    const waiting = await train();
    await underWay(services, going.id);
    assert.equal((await services.cancelRun(waiting.id)).state, 'CANCELLED');
    await services.cancelRun(going.id);
    const run = await ended(services, going.id);
    assert.equal(run.state, 'CANCELLED');
    assert.equal((await ended(services, waiting.id)).state, 'CANCELLED');
    const [network] = await services.networksById([networkId]);
    assert.equal(network?.headRevisionId, run.revisionId, 'a cancelled run does not change the network');
    assert.notEqual(run.lastRevisionId, null, 'its weights are kept');
    assert.equal((await services.cancelRun(going.id)).state, 'CANCELLED', 'cancelling twice is no error');
    const next = await train();
    assert.equal((await ended(services, next.id)).state, 'SUCCEEDED');
    await assert.rejects(services.cancelRun(next.id), hasCode('CONFLICT'));
    await assert.rejects(services.cancelRun('nothing'), hasCode('NOT_FOUND'));
  });

  test('a worker killed in mid-run: the server lives, the run is tried again and succeeds, without a gap', async () => {
    const { id } = await train({ epochs: 40, maxSeconds: 1 });
    const watched = collect(services.watchRun(id, 0));
    await underWay(services, id);
    const pid = await workerPid(services);
    process.kill(pid, 'SIGKILL');
    const run = await ended(services, id);
    assert.equal(run.state, 'SUCCEEDED');
    const events = await watched;
    assertGapless(events);
    const states = events.filter(({ progress }) => progress === null).map(({ state }) => state);
    assert.deepEqual(states, ['QUEUED', 'RUNNING', 'QUEUED', 'RUNNING', 'SUCCEEDED']);
    const [lastTry] = await services.eventsOfRuns([id]);
    assert.equal(
      lastTry?.filter(({ progress }) => progress?.type === 'epoch').length,
      40,
      'only the second try counts',
    );
    const device = await services.device();
    assert.equal(device.workerRestarts, 1);
    assert.notEqual(await workerPid(services), pid);
    assert.equal((await ended(services, (await train()).id)).state, 'SUCCEEDED');
  });

  for (const label of ['kill', 'exit', 'lost']) {
    test(`a job that always ends the worker (${label}) is tried twice and fails with a code`, async () => {
      const run = await ended(services, (await services.train(await accident(label))).id);
      assert.equal(run.state, 'FAILED');
      assert.equal(run.error?.code, label === 'lost' ? 'DEVICE_LOST' : 'WORKER_CRASHED');
      assert.match(run.error?.message ?? '', /try 2 of 2/);
      assert.equal((await ended(services, (await train()).id)).state, 'SUCCEEDED', 'the next run works');
    });
  }

  test('an error of the engine ends the run with its code, and not the worker', async () => {
    const pid = await workerPid(services);
    const run = await ended(services, (await services.train(await accident('out of memory'))).id);
    assert.equal(run.state, 'FAILED');
    assert.equal(run.error?.code, 'OUT_OF_MEMORY');
    assert.equal(await workerPid(services), pid);
  });

  test('predictions and evaluations of a worker that dies are rejected, and the next ones work', async () => {
    const { id } = await upload(services, 'a.png', Buffer.from('a'));
    const fatal = await accident('kill');
    await assert.rejects(
      services.predict({ networkId: fatal.networkId, uploadIds: [id] }),
      hasCode('WORKER_UNAVAILABLE'),
    );
    await assert.rejects(services.evaluate({ ...fatal, split: 'test' }), hasCode('WORKER_UNAVAILABLE'));
    const broke = await accident('out of memory');
    await assert.rejects(services.predict({ networkId: broke.networkId, uploadIds: [id] }), (error: unknown) => {
      return hasCode('JOB_FAILED')(error) && /OUT_OF_MEMORY/.test((error as Error).message);
    });
    const [prediction] = await services.predict({ networkId, uploadIds: [id] });
    assert.equal(prediction?.filename, 'a.png');
    assert.equal((await services.evaluate({ networkId, datasetId, split: 'test' })).result.accuracy, 1);
  });

  test('a prediction does not wait for a training to end', async () => {
    const { id } = await upload(services, 'a.png', Buffer.from('a'));
    const run = await train({ epochs: 1000, maxSeconds: 60 });
    await underWay(services, run.id);
    await services.predict({ networkId, uploadIds: [id] });
    const [now] = await services.runsById([run.id]);
    assert.equal(now?.state, 'RUNNING');
    assert.equal((await services.device()).state, 'BUSY');
    await services.cancelRun(run.id);
    await ended(services, run.id);
  });

  test('stopping the server releases its run, ends the worker and its watchers; the next start takes the run up', async () => {
    const { id } = await train({ epochs: 40, maxSeconds: 1 });
    await underWay(services, id);
    const pid = await workerPid(services);
    const watched = collect(services.watchRun(id, 0));
    await services.close();
    assert.ok(!isAlive(pid), 'no process is left');
    const before = await watched;
    assertGapless(before);
    services = await fakeServices(testConfig(folder.path));
    const rest = await collect(services.watchRun(id, before.length));
    assertGapless([...before, ...rest]);
    assert.equal(rest.at(-1)?.state, 'SUCCEEDED');
    assert.ok(rest.some(({ state }) => state === 'RUNNING'));
  });

  test('a run of a server that was killed is taken up by the next', async () => {
    const child = fork(new URL('./doomedServer.js', import.meta.url), [folder.path, networkId, datasetId]);
    const [{ runId, pid }] = (await once(child, 'message')) as [{ runId: string; pid: number }];
    child.kill('SIGKILL');
    await once(child, 'exit');
    await services.close();
    services = await fakeServices(testConfig(folder.path));
    const run = await ended(services, runId);
    assert.equal(run.state, 'SUCCEEDED');
    const events = await services.runEvents(runId, 0, 1000);
    assertGapless(events);
    assert.equal(events.filter(({ state, progress }) => state === 'RUNNING' && progress === null).length, 2);
    for (let i = 0; isAlive(pid) && i < 100; i++) await sleep(50);
    assert.ok(!isAlive(pid), "the dead server's worker is gone too");
  });

  test('a watcher that returns while it waits is gone at once', async () => {
    const blocker = await train({ epochs: 1000, maxSeconds: 60 });
    const { id } = await train();
    const iterator = services.watchRun(id, 0);
    assert.equal((await iterator.next()).value?.state, 'QUEUED');
    const pending = iterator.next();
    await iterator.return?.();
    assert.equal((await pending).done, true);
    await services.cancelRun(id);
    await services.cancelRun(blocker.id);
    await ended(services, blocker.id);
  });

  test('watching what does not exist says so', async () => {
    await assert.rejects(services.watchRun('nothing', 0).next(), hasCode('NOT_FOUND'));
    assert.throws(() => services.watchRun('nothing', -1), hasCode('BAD_USER_INPUT'));
  });

  test('networks and data sets in use are not deleted', async () => {
    const run = await train({ epochs: 1000, maxSeconds: 60 });
    await assert.rejects(services.deleteNetwork(networkId), hasCode('CONFLICT'));
    await assert.rejects(services.deleteDataset(datasetId), hasCode('CONFLICT'));
    await services.cancelRun(run.id);
    await ended(services, run.id);
    assert.equal(await services.deleteNetwork(networkId), true);
    assert.equal(await services.deleteNetwork(networkId), false);
    assert.deepEqual(await services.runsById([run.id]), [null], 'its runs went with it');
    assert.equal(await services.deleteDataset(datasetId), true);
  });
});
