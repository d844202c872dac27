import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import pino from 'pino';
import { Metrics } from '../../src/http/metrics.js';
import type { RunObserver } from '../../src/services/api.js';
import { createServices } from '../../src/services/createServices.js';
import { ended, FAKE_EXECUTOR, importSmall, insertPictures, testConfig } from '../services/fixtures.js';
import { databaseOf, temporaryFolder } from '../store/fixtures.js';
import { fakeServices, startTestServer, type TestServer } from './fixtures.js';

describe('operating a server', () => {
  let server: TestServer;
  let isBroken = false;
  before(async () => {
    server = await startTestServer(
      fakeServices({
        zoo: () => [],
        device: () => Promise.reject(new Error('unforeseen')),
        load: async () => ({ queued: 3, running: 1, workerRestarts: 2 }),
        checkReady: async () => {
          if (isBroken) throw new Error('the database is away');
        },
      }),
    );
  });
  after(() => server.stop());

  const read = async (path: string) => {
    const response = await fetch(`${server.url}${path}`);
    return { status: response.status, text: await response.text() };
  };

  test('metrics are in the format of Prometheus: operations, errors, queue', async () => {
    await server.query('query Anything { zoo { id } }');
    await server.query('query { ...Part } fragment Part on Query { zoo { id } }');
    await server.query('{ nonsense }');
    const { status, text } = await read('/metrics');
    assert.equal(status, 200);
    for (const line of [
      'graft_graphql_seconds_count{type="query",field="zoo",ok="true"} 2',
      'graft_graphql_errors_total{code="GRAPHQL_VALIDATION_FAILED"} 1',
      'graft_queue_depth{state="queued"} 3',
      'graft_queue_depth{state="running"} 1',
      'graft_worker_restarts 2',
    ]) {
      assert.ok(text.split('\n').includes(line), `${line} is not in\n${text}`);
    }
    assert.doesNotMatch(text, /Anything|nonsense/, 'clients choose no names of series');
  });

  test('readiness follows the stores', async () => {
    assert.equal((await read('/readyz')).status, 200);
    isBroken = true;
    const { status, text } = await read('/readyz');
    isBroken = false;
    assert.equal(status, 503);
    assert.doesNotMatch(text, /database is away/);
    assert.equal((await read('/readyz')).status, 200);
  });

  test('a request has an id, in its answer and in the log', async () => {
    const answers = ['my-id.1', 'no good\tid', 'x'.repeat(65)].map(async (id) => {
      const response = await fetch(`${server.url}/healthz`, { headers: { 'x-request-id': id } });
      return response.headers.get('x-request-id');
    });
    const [own, ...made] = await Promise.all(answers);
    assert.equal(own, 'my-id.1');
    for (const id of made) assert.match(id ?? '', /^[\da-f-]{36}$/);
    await server.query('{ device { state } }', {}, { 'x-request-id': 'find-me' });
    assert.ok(server.log.some(({ request, level }) => request === 'find-me' && level === 50));
  });
});

test('what becomes of runs is told as it is committed', async () => {
  const folder = await temporaryFolder();
  const metrics = new Metrics();
  const states: string[] = [];
  const observer: RunObserver = {
    stateChanged(state, times) {
      states.push(state);
      metrics.observer.stateChanged(state, times);
    },
    progress: (event) => metrics.observer.progress(event),
  };
  const config = testConfig(folder.path);
  const services = await createServices(
    { ...config, databaseUrl: (await databaseOf(config.dataDir)).url },
    { logger: pino({ level: 'silent' }), executor: FAKE_EXECUTOR, observer },
  );
  try {
    const classes = ['a', 'b'];
    const datasetId = await insertPictures(folder.path, classes);
    const { id: networkId } = await importSmall(services, classes);
    const { id } = await services.train({ networkId, datasetId, options: { epochs: 2 } });
    await ended(services, id);
    assert.deepEqual(states, ['RUNNING', 'SUCCEEDED']);
    assert.deepEqual(await services.load(), { queued: 0, running: 0, workerRestarts: 0 });
    await services.checkReady();
    metrics.watch(services);
    const text = await metrics.text();
    for (const line of ['graft_runs_total{state="SUCCEEDED"} 1', 'graft_run_seconds_count 1']) {
      assert.ok(text.split('\n').includes(line), `${line} is not in\n${text}`);
    }
  } finally {
    await services.close();
    await folder.remove();
  }
});
