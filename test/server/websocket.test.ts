import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, beforeEach, describe, test } from 'node:test';
import type { Client, FormattedExecutionResult } from 'graphql-ws';
import WebSocket from 'ws';
import type { RunEvent, RunRecord } from '../../src/services/api.js';
import { fakeServices, startTestServer, type TestServer } from './fixtures.js';

const PROGRESS = `subscription ($run: ID!, $after: Int) {
  runProgress(runId: $run, after: $after) { sequence state kind epoch epochs step loss accuracy validationAccuracy phase etaSeconds }
}`;

function event(sequence: number, state: RunEvent['state'], progress: RunEvent['progress']): RunEvent {
  return { runId: 'run', sequence, at: sequence, state, progress };
}

const EVENTS: readonly RunEvent[] = [
  event(1, 'QUEUED', null),
  event(2, 'RUNNING', { type: 'phase', phase: 'features' }),
  event(3, 'RUNNING', { type: 'pictures', done: 5, total: 10, picturesPerSecond: 2, etaSeconds: 2.5 }),
  event(4, 'RUNNING', {
    type: 'step',
    epoch: 1,
    epochs: 2,
    step: 3,
    steps: 4,
    loss: 0.5,
    accuracy: 0.75,
    learningRate: 0.1,
    picturesPerSecond: 8,
    etaSeconds: 1.5,
  }),
  event(5, 'RUNNING', {
    type: 'epoch',
    epoch: 1,
    epochs: 2,
    trainLoss: 0.4,
    trainAccuracy: 0.8,
    validationLoss: 0.6,
    validationAccuracy: 0.7,
    seconds: 3,
  }),
  event(6, 'SUCCEEDED', null),
];

/** A stream that waits for `next` events and says when its reader left. */
class LiveEvents implements AsyncIterableIterator<RunEvent> {
  left = false;
  private wake: (result: IteratorResult<RunEvent>) => void = () => {};
  [Symbol.asyncIterator](): this {
    return this;
  }
  next(): Promise<IteratorResult<RunEvent>> {
    return new Promise((resolve) => {
      this.wake = resolve;
    });
  }
  push(value: RunEvent): void {
    this.wake({ value, done: false });
  }
  async return(): Promise<IteratorResult<RunEvent>> {
    this.left = true;
    this.wake({ value: undefined, done: true });
    return { value: undefined, done: true };
  }
}

async function* stored(after: number): AsyncGenerator<RunEvent> {
  for (const each of EVENTS) if (each.sequence > after) yield each;
}

async function collect(client: Client, variables: Record<string, unknown>): Promise<FormattedExecutionResult[]> {
  const results: FormattedExecutionResult[] = [];
  for await (const result of client.iterate({ query: PROGRESS, variables })) results.push(result as never);
  return results;
}

const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
};

describe('GraphQL over WebSocket', () => {
  let server: TestServer;
  let client: Client;
  let live = new LiveEvents();
  let watches: number[] = [];
  before(async () => {
    server = await startTestServer(
      fakeServices({
        zoo: () => [],
        runsById: async (ids) => ids.map((id) => (id === 'unknown' ? null : ({ id } as RunRecord))),
        watchRun: (id, afterSequence) => {
          watches.push(afterSequence);
          if (id === 'live') {
            live = new LiveEvents();
            return live;
          }
          if (id === 'broken') throw new Error('secret');
          return stored(afterSequence);
        },
      }),
    );
    client = server.socketClient();
  });
  beforeEach(() => {
    watches = [];
  });
  after(async () => {
    await client.dispose();
    await server.stop();
  });

  test("a run's events come in order and the subscription ends with the run", async () => {
    const results = await collect(client, { run: 'run' });
    const events = results.map(({ data }) => (data as { runProgress: Record<string, unknown> }).runProgress);
    assert.deepEqual(
      events.map(({ sequence, kind, state }) => [sequence, kind, state]),
      [
        [1, 'STATE', 'QUEUED'],
        [2, 'PHASE', 'RUNNING'],
        [3, 'PICTURES', 'RUNNING'],
        [4, 'STEP', 'RUNNING'],
        [5, 'EPOCH', 'RUNNING'],
        [6, 'STATE', 'SUCCEEDED'],
      ],
    );
    assert.equal(events[1]?.phase, 'FEATURES');
    assert.deepEqual([events[3]?.step, events[3]?.loss, events[3]?.etaSeconds], [3, 0.5, 1.5]);
    assert.deepEqual([events[4]?.loss, events[4]?.accuracy, events[4]?.validationAccuracy], [0.4, 0.8, 0.7]);
  });

  test('a client that comes back goes on after the last event that it saw', async () => {
    const results = await collect(client, { run: 'run', after: 4 });
    assert.deepEqual(watches, [4]);
    assert.deepEqual(
      results.map(({ data }) => (data as { runProgress: { sequence: number } }).runProgress.sequence),
      [5, 6],
    );
  });

  test('a client that leaves ends the stream at once, even while nothing happens', async () => {
    const iterator = client.iterate({ query: PROGRESS, variables: { run: 'live' } });
    const first = iterator.next();
    await until(() => watches.length > 0);
    live.push(EVENTS[0] as RunEvent);
    assert.equal(((await first).value as FormattedExecutionResult).errors, undefined);
    await iterator.return?.();
    await until(() => live.left);
  });

  test('a connection that breaks ends its streams', async () => {
    const other = server.socketClient();
    const socket = await new Promise<WebSocket>((resolve) => {
      other.on('connected', (connected) => resolve(connected as WebSocket));
      other.subscribe({ query: PROGRESS, variables: { run: 'live' } }, { next() {}, error() {}, complete() {} });
    });
    await until(() => watches.length > 0);
    socket.terminate();
    await until(() => live.left);
  });

  test('an unknown run is NOT_FOUND; a wrong sequence is BAD_USER_INPUT; other failures are masked', async () => {
    for (const [variables, code] of [
      [{ run: 'unknown' }, 'NOT_FOUND'],
      [{ run: 'run', after: -1 }, 'BAD_USER_INPUT'],
      [{ run: 'broken' }, 'INTERNAL_SERVER_ERROR'],
    ] as const) {
      const [result] = await collect(client, variables);
      assert.equal(result?.errors?.[0]?.extensions?.code, code);
      assert.doesNotMatch(JSON.stringify(result), /secret/);
    }
  });

  test('variables that do not fit their types are the input of the client', async () => {
    for (const variables of [{}, { run: null }, { run: 'run', after: 'x' }]) {
      const [error] = await collect(client, variables as unknown as { run: string }).then(
        (results) => results.flatMap(({ errors = [] }) => errors),
        (errors: { message: string; extensions: { code: string } }[]) => errors,
      );
      assert.match(error?.message ?? '', /Variable "\$(run|after)"/);
      assert.deepEqual(error?.extensions, { code: 'BAD_USER_INPUT' });
    }
  });

  test('queries and mutations work too, under the same limits', async () => {
    const { value } = await client.iterate({ query: '{ zoo { id } }' }).next();
    assert.deepEqual(value, { data: { zoo: [] } });
    const deep = `{ network(id: "n") { ${'headRevision { network { '.repeat(6)}id${' } }'.repeat(6)} } }`;
    await assert.rejects(client.iterate({ query: deep }).next(), (errors: { extensions: { code: string } }[]) => {
      assert.equal(errors[0]?.extensions.code, 'OPERATION_TOO_DEEP');
      return true;
    });
    const costly = '{ networks(first: 100) { nodes { revisions(first: 100) { nodes { id summary architecture } } } } }';
    await assert.rejects(client.iterate({ query: costly }).next(), (errors: { extensions: { code: string } }[]) => {
      assert.equal(errors[0]?.extensions.code, 'OPERATION_TOO_COSTLY');
      return true;
    });
  });

  test('a page of another site may not connect; one of this server may', async () => {
    const url = `${server.url.replace('http', 'ws')}/graphql`;
    const foreign = new WebSocket(url, 'graphql-transport-ws', { origin: 'https://elsewhere.example' });
    const [error] = (await once(foreign, 'error')) as [Error];
    assert.match(error.message, /403/);
    const own = new WebSocket(url, 'graphql-transport-ws', { origin: server.url });
    await once(own, 'open');
    own.close();
    const elsewhere = new WebSocket(`${server.url.replace('http', 'ws')}/other`, 'graphql-transport-ws');
    const [notFound] = (await once(elsewhere, 'error')) as [Error];
    assert.match(notFound.message, /404/);
  });

  test('stopping the server ends subscriptions that would go on', async () => {
    const stopping = await startTestServer(
      fakeServices({ runsById: async () => [{ id: 'live' } as RunRecord], watchRun: () => (live = new LiveEvents()) }),
    );
    const other = stopping.socketClient();
    const ended = new Promise<void>((resolve) => {
      const done = () => resolve();
      other.subscribe({ query: PROGRESS, variables: { run: 'live' } }, { next() {}, error: done, complete: done });
    });
    await until(() => !live.left);
    await stopping.stop();
    await ended;
    await other.dispose();
  });
});
