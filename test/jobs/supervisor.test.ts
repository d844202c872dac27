import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import { JobError, type PredictJob } from '../../src/jobs/protocol.js';
import { Supervisor } from '../../src/jobs/supervisor.js';
import { networkToJson } from '../../src/models/networkJson.js';
import { FAKE_EXECUTOR } from '../services/fixtures.js';
import { temporaryFolder } from '../store/fixtures.js';
import { seeded, smallNetwork } from '../training/fixtures.js';

const hasCode = (code: string) => (error: unknown) => error instanceof JobError && error.code === code;

/** A prediction whose class label says which accident the fake worker has. */
function prediction(label = 'none'): PredictJob {
  const { network } = smallNetwork([label], seeded(1));
  const model = { networkJson: networkToJson(network), weightsHash: '0'.repeat(64) };
  return { kind: 'predict', model, hashes: ['a'], topK: 1 };
}

async function supervised(
  work: (supervisor: Supervisor) => Promise<void>,
  limits: Partial<ConstructorParameters<typeof Supervisor>[0]['limits']> = {},
): Promise<void> {
  const folder = await temporaryFolder();
  const supervisor = new Supervisor({
    settings: {
      executor: FAKE_EXECUTOR.href,
      blobs: folder.path,
      features: null,
      checkpoints: null,
      adapter: null,
      tuning: { mode: 'off', budgetMs: 1000, folder: folder.path },
    },
    limits: { memoryMb: 256, startMs: 10_000, silenceMs: 10_000, stopMs: 2000, ...limits },
    logger: pino({ level: 'silent' }),
    backoffMs: 20,
  });
  try {
    await work(supervisor);
  } finally {
    await supervisor.stop();
    assert.equal(supervisor.pid, undefined);
    await folder.remove();
  }
}

describe('the supervisor', () => {
  test('starts a worker with the first job only, and keeps it', () =>
    supervised(async (supervisor) => {
      assert.equal(supervisor.pid, undefined);
      assert.equal(supervisor.status().state, 'STARTING');
      await supervisor.run(prediction());
      const { pid } = supervisor;
      await Promise.all(Array.from({ length: 10 }, () => supervisor.run(prediction())));
      assert.equal(supervisor.pid, pid);
      assert.equal(supervisor.status().state, 'READY');
    }));

  test('gives a measurement of speed the worker to itself', () =>
    supervised(async (supervisor) => {
      const order: string[] = [];
      const done = (name: string) => () => void order.push(name);
      const abort = new AbortController();
      const training = supervisor
        .run({ ...prediction('slow'), kind: 'train' } as never, abort.signal)
        .catch(() => order.push('training'));
      const asked = supervisor.run(prediction()).then(done('prediction'));
      const measuring = supervisor.run({ kind: 'measure', networkJson: '', batchSize: 8, seconds: 1 });
      const measured = measuring.then(done('measurement'));
      const later = supervisor.run(prediction()).then(done('later'));
      await Promise.all([asked, training, measured, later]);
      assert.ok(order.indexOf('measurement') > order.indexOf('training'), order.join());
      assert.ok(order.indexOf('measurement') > order.indexOf('prediction'), order.join());
    }));

  test('kills a worker that hangs', () =>
    supervised(
      async (supervisor) => {
        await assert.rejects(supervisor.run(prediction('hang')), (error: unknown) => {
          return hasCode('WORKER_CRASHED')(error) && /said nothing/.test((error as Error).message);
        });
        await supervisor.run(prediction());
      },
      { silenceMs: 1500 },
    ));

  test('ends a job whose caller gives up, and what waits behind it runs', () =>
    supervised(async (supervisor) => {
      const abort = new AbortController();
      const slow = supervisor.run(prediction('slow'), abort.signal);
      const waiting = new AbortController();
      const cancelled = supervisor.run(prediction(), waiting.signal);
      const next = supervisor.run(prediction());
      await supervisor.ready();
      const { pid } = supervisor;
      await sleep(50);
      waiting.abort();
      await assert.rejects(cancelled, hasCode('ABORTED'));
      abort.abort();
      await assert.rejects(slow, hasCode('ABORTED'));
      await next;
      assert.equal(supervisor.pid, pid, 'the worker obeyed');
    }));

  test('kills a worker that does not heed a cancellation', () =>
    supervised(
      async (supervisor) => {
        await supervisor.ready();
        const abort = new AbortController();
        const hanging = supervisor.run(prediction('hang'), abort.signal);
        await sleep(50);
        abort.abort();
        await assert.rejects(hanging, hasCode('WORKER_CRASHED'));
        await supervisor.run(prediction());
      },
      { stopMs: 300 },
    ));

  test('lets a limited number of requests wait', () =>
    supervised(async (supervisor) => {
      const slow = supervisor.run(prediction('slow')).catch((error: unknown) => error);
      const waiting = Array.from({ length: 64 }, () => supervisor.run(prediction()).catch((error: unknown) => error));
      await assert.rejects(supervisor.run(prediction()), hasCode('QUEUE_FULL'));
      await supervisor.stop();
      for (const error of await Promise.all([slow, ...waiting])) assert.ok(hasCode('STOPPED')(error));
      await assert.rejects(supervisor.run(prediction()), hasCode('STOPPED'));
    }));

  test('says why no device can be opened, at once when asked again, and tries again later', () =>
    supervised(async (supervisor) => {
      process.env.FAKE_EXECUTOR = 'no adapter';
      try {
        await assert.rejects(supervisor.run(prediction()), hasCode('NO_ADAPTER'));
        await assert.rejects(supervisor.run(prediction()), hasCode('NO_ADAPTER'));
        assert.equal(supervisor.status().state, 'DOWN');
        assert.match(supervisor.status().error ?? '', /No adapter on purpose/);
      } finally {
        delete process.env.FAKE_EXECUTOR;
      }
      await sleep(100);
      await supervisor.run(prediction());
      assert.equal(supervisor.status().error, null);
    }));

  test('stops while it waits for a worker', () =>
    supervised(async (supervisor) => {
      const run = supervisor.run(prediction());
      const rejected = assert.rejects(run, hasCode('STOPPED'));
      await supervisor.stop();
      await rejected;
    }));
});
