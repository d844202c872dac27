import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { auditServer } from 'graphql-http';
import WebSocket from 'ws';
import type { RunEvent } from '../../src/services/api.js';
import { fakeServices, startTestServer, type TestServer } from './fixtures.js';

/** Codes of graphql-transport-ws (github.com/enisdenjo/graphql-ws, PROTOCOL.md). */
const CLOSED = {
  badRequest: 4400,
  unauthorized: 4401,
  subscriberExists: 4409,
  tooManyInits: 4429,
  lateInit: 4408,
} as const;

describe('protocols', () => {
  let server: TestServer;
  before(async () => {
    server = await startTestServer(fakeServices({ zoo: () => [] }));
  });
  after(() => server.stop());

  test("GraphQL over HTTP: no error and no warning in graphql-http's audits", async () => {
    const results = await auditServer({ url: `${server.url}/graphql` });
    assert.ok(results.length >= 61, `${results.length} audits`);
    const wrong = results.flatMap((result) =>
      result.status === 'ok' || result.status === 'notice' ? [] : [`${result.status} ${result.id} ${result.name}`],
    );
    assert.deepEqual(wrong, []);
  });

  for (const [what, body] of [
    ['no JSON', '{"query": '],
    ['a text', '"{ zoo { id } }"'],
    ['no query', '{}'],
    ['a query that is no text', '{"query": 5}'],
    ['variables that are a list', '{"query": "{ zoo { id } }", "variables": [1]}'],
    ['nothing', ''],
  ] as const) {
    test(`a body that is ${what} is answered with JSON`, async () => {
      for (const accept of ['application/json', 'application/graphql-response+json', '*/*']) {
        const response = await fetch(`${server.url}/graphql`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', accept },
          body,
        });
        assert.ok(response.status >= 400 && response.status < 500, `${response.status}`);
        assert.match(response.headers.get('content-type') ?? '', /json/);
        const { errors } = (await response.json()) as { errors: { message: string }[] };
        assert.ok((errors[0]?.message.length ?? 0) > 0);
      }
    });
  }

  /** The code that the server closes a connection with after these messages. */
  async function closedAfter(messages: readonly unknown[], wait?: 'each'): Promise<number> {
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
    const closed = once(socket, 'close') as Promise<[number, Buffer]>;
    await once(socket, 'open');
    for (const message of messages) {
      const answer = wait ? Promise.race([once(socket, 'message'), closed]) : null;
      socket.send(typeof message === 'string' || Buffer.isBuffer(message) ? message : JSON.stringify(message));
      await answer;
    }
    const [code] = await closed;
    return code;
  }

  const init = { type: 'connection_init' };
  const subscribe = (id: string) => ({
    id,
    type: 'subscribe',
    payload: { query: 'subscription { runProgress(runId: "never") { sequence } }' },
  });

  for (const [what, messages, code] of [
    ['a message that is no JSON', ['{'], CLOSED.badRequest],
    ['a message of no known type', [{ type: 'nonsense' }], CLOSED.badRequest],
    ['a message without a type', [{}], CLOSED.badRequest],
    ['a subscribe without a query', [init, { id: '1', type: 'subscribe', payload: {} }], CLOSED.badRequest],
    ['an operation before the connection is accepted', [subscribe('1')], CLOSED.unauthorized],
    ['a second connection_init', [init, init], CLOSED.tooManyInits],
    ['bytes instead of text', [Buffer.from([0xff, 0x00])], CLOSED.badRequest],
  ] as const) {
    test(`graphql-transport-ws: ${what} closes with ${code}`, async () => {
      assert.equal(await closedAfter(messages), code);
    });
  }

  test(`graphql-transport-ws: a second operation of one id closes with ${CLOSED.subscriberExists}`, async () => {
    const never: AsyncIterableIterator<RunEvent> = {
      next: () => new Promise(() => undefined),
      return: async () => ({ done: true, value: undefined }),
      [Symbol.asyncIterator]: () => never,
    };
    const waiting = await startTestServer(
      fakeServices({
        watchRun: () => never,
      }),
    );
    try {
      const socket = new WebSocket(`${waiting.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
      await once(socket, 'open');
      socket.send(JSON.stringify(init));
      await once(socket, 'message');
      socket.send(JSON.stringify(subscribe('1')));
      socket.send(JSON.stringify(subscribe('1')));
      const [code] = (await once(socket, 'close')) as [number];
      assert.equal(code, CLOSED.subscriberExists);
    } finally {
      await waiting.stop();
    }
  });

  test(`graphql-transport-ws: a client that never says connection_init is closed with ${CLOSED.lateInit}`, async () => {
    assert.equal(await closedAfter([]), CLOSED.lateInit);
  });
});
