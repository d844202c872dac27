import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { getIntrospectionQuery } from 'graphql';
import { loadConfig } from '../../src/config.js';
import { LIMITS } from '../../src/resolvers/limits.js';
import { startServer } from '../../src/server.js';
import { type NetworkRecord, ServiceError } from '../../src/services/api.js';
import { fakeServices, post, startTestServer, type TestServer } from './fixtures.js';

const network: NetworkRecord = { id: 'n1', name: 'birds', headRevisionId: 'r1', createdAt: 1_700_000_000_000 };

describe('GraphQL over HTTP', () => {
  let server: TestServer;
  before(async () => {
    server = await startTestServer(
      fakeServices({
        zoo: () => [],
        networksById: async (ids) => ids.map((id) => (id === network.id ? network : null)),
        networks: async ({ first }) => {
          if (first === 13) throw new ServiceError('CONFLICT', 'Thirteen is taken. Ask for twelve.');
          return { items: [{ cursor: 'c1', node: network }], hasNextPage: true, totalCount: 7 };
        },
        device: async () => {
          throw new Error('secret: /home/somebody/key.pem');
        },
      }),
    );
  });
  after(() => server.stop());

  test('a query is answered; times are ISO 8601, pages are connections', async () => {
    const { status, data, errors } = await server.query(
      '{ networks(first: 1, after: "c0") { totalCount nodes { name createdAt } edges { cursor } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }',
    );
    assert.deepEqual(errors, []);
    assert.equal(status, 200);
    assert.deepEqual(data, {
      networks: {
        totalCount: 7,
        nodes: [{ name: 'birds', createdAt: '2023-11-14T22:13:20.000Z' }],
        edges: [{ cursor: 'c1' }],
        pageInfo: { hasNextPage: true, hasPreviousPage: true, startCursor: 'c1', endCursor: 'c1' },
      },
    });
  });

  test('an id that does not exist is null, not an error', async () => {
    const { data, errors } = await server.query('{ network(id: "nothing") { id } }');
    assert.deepEqual({ data, errors }, { data: { network: null }, errors: [] });
  });

  test('the error of a service comes with its code and words', async () => {
    const { errors } = await server.query('{ networks(first: 13) { totalCount } }');
    assert.equal(errors[0]?.message, 'Thirteen is taken. Ask for twelve.');
    assert.deepEqual(errors[0]?.extensions, { code: 'CONFLICT' });
    assert.deepEqual(errors[0]?.path, ['networks']);
  });

  test('an unforeseen error is masked, and logged under a reference', async () => {
    const { errors } = await server.query('{ device { state } }');
    assert.deepEqual(errors[0]?.extensions, { code: 'INTERNAL_SERVER_ERROR' });
    assert.doesNotMatch(JSON.stringify(errors), /secret/);
    const reference = /reference ([0-9a-f-]{36})/.exec(errors[0]?.message ?? '')?.[1];
    const entry = server.log.find((line) => line.reference === reference);
    assert.match(JSON.stringify(entry?.err), /secret/);
  });

  test('input out of its range is refused with the name of the field', async () => {
    const tooMany = await server.query('{ networks(first: 101) { totalCount } }');
    assert.equal(tooMany.errors[0]?.extensions?.code, 'BAD_USER_INPUT');
    assert.match(tooMany.errors[0]?.message ?? '', /first must not be greater than 100/);
    const nested = await server.query('mutation ($input: TrainInput!) { train(input: $input) { id } }', {
      input: { networkId: 'n', datasetId: 'd', options: { epochs: 0, momentum: 2, classWeights: [1, 0] } },
    });
    assert.equal(nested.errors[0]?.extensions?.code, 'BAD_USER_INPUT');
    assert.match(nested.errors[0]?.message ?? '', /options\.epochs must not be less than 1/);
    assert.match(nested.errors[0]?.message ?? '', /options\.momentum must not be greater than/);
    assert.match(nested.errors[0]?.message ?? '', /each value in classWeights must not be less than/);
  });

  test('variables that do not fit their types are the input of the client', async () => {
    const freeze = 'mutation ($input: FreezeInput!) { freeze(input: $input) { id } }';
    const names = Array.from({ length: 100 }, () => null);
    for (const [query, variables, message] of [
      [freeze, { input: { networkId: 'n1', layers: { names: [null] } } }, /names\[0\]/],
      [freeze, { input: { layers: { all: true } } }, /networkId/],
      [freeze, { input: { networkId: 'n1', layers: { names } } }, /names\[\d+\]/],
      [freeze, {}, /\$input/],
      ['query ($first: Int) { networks(first: $first) { totalCount } }', { first: 'x' }, /\$first/],
      ['query ($first: Int = 2) { networks(first: $first) { totalCount } }', { first: null }, /first/],
    ] as const) {
      const { errors } = await server.query(query, variables);
      assert.match(errors[0]?.message ?? '', message);
      for (const { extensions } of errors) assert.deepEqual(extensions, { code: 'BAD_USER_INPUT' });
    }
  });

  test('layers are selected in exactly one way', async () => {
    for (const layers of [{}, { all: true, upTo: 'conv1' }, { all: false }, { names: null }]) {
      const { errors } = await server.query('mutation ($input: FreezeInput!) { freeze(input: $input) { id } }', {
        input: { networkId: 'n1', layers },
      });
      assert.equal(errors[0]?.extensions?.code, 'BAD_USER_INPUT', JSON.stringify(layers));
    }
  });

  test('a query that is not valid says why', async () => {
    const { status, errors } = await server.query('{ networks { nonsense } }');
    assert.equal(status, 200, 'plain JSON');
    assert.equal(errors[0]?.extensions?.code, 'GRAPHQL_VALIDATION_FAILED');
    assert.match(errors[0]?.message ?? '', /nonsense/);
    const newer = await server.query('{ networks { nonsense } }', {}, { accept: 'application/graphql-response+json' });
    assert.equal(newer.status, 400);
  });

  test('introspection works within the limits', async () => {
    const { data, errors } = await server.query<{ __schema: { types: unknown[] } }>(getIntrospectionQuery());
    assert.deepEqual(errors, []);
    assert.ok((data?.__schema.types.length ?? 0) > 20);
  });

  test('depth is limited, also through fragments', async () => {
    const nest = (levels: number) => `${'headRevision { network { '.repeat(levels)}id${' } }'.repeat(levels)}`;
    const levels = LIMITS.depth / 2;
    const direct = await server.query(`{ network(id: "n1") { ${nest(levels)} } }`);
    assert.equal(direct.errors[0]?.extensions?.code, 'OPERATION_TOO_DEEP');
    const spread = await server.query(
      `query { network(id: "n1") { ...A } } fragment A on Network { headRevision { network { ...B } } } fragment B on Network { ${nest(levels - 1)} }`,
    );
    assert.equal(spread.errors[0]?.extensions?.code, 'OPERATION_TOO_DEEP');
    const cyclic = await server.query(
      '{ network(id: "n1") { ...A } } fragment A on Network { headRevision { network { ...A } } }',
    );
    assert.equal(cyclic.errors[0]?.extensions?.code, 'GRAPHQL_VALIDATION_FAILED');
  });

  test('cost is limited: nested pages, and many aliases of one field', async () => {
    const pages = await server.query(
      '{ networks(first: 100) { nodes { revisions(first: 100) { nodes { id summary architecture } } } } }',
    );
    assert.equal(pages.errors[0]?.extensions?.code, 'OPERATION_TOO_COSTLY');
    const byVariable = await server.query(
      'query ($n: Int!) { networks(first: $n) { nodes { revisions(first: $n) { nodes { id summary architecture } } } } }',
      { n: 100 },
    );
    assert.equal(byVariable.errors[0]?.extensions?.code, 'OPERATION_TOO_COSTLY');
    const aliases = Array.from({ length: 400 }, (_, i) => `a${i}: zoo { id name architecture }`).join(' ');
    const flood = await server.query(`{ ${aliases} }`);
    assert.equal(flood.errors[0]?.extensions?.code, 'OPERATION_TOO_COSTLY');
  });

  test('the text of an operation is limited', async () => {
    const { errors } = await server.query(`{ ${'zoo { id } '.repeat(LIMITS.tokens)} }`);
    assert.match(errors[0]?.message ?? '', /more that? \d+ tokens|token limit/i);
  });

  test('requests that a foreign web page could send without asking are refused', async () => {
    const query = '{ zoo { id } }';
    const get = await fetch(`${server.url}/graphql?query=${encodeURIComponent(query)}`);
    assert.equal(get.status, 400);
    assert.match(await get.text(), /CSRF/);
    const form = await fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'text/plain' },
      body: JSON.stringify({ query }),
    });
    assert.equal(form.status, 400);
    const preflighted = await fetch(`${server.url}/graphql?query=${encodeURIComponent(query)}`, {
      headers: { 'apollo-require-preflight': 'true' },
    });
    assert.deepEqual(await preflighted.json(), { data: { zoo: [] } });
    const preflight = await fetch(`${server.url}/graphql`, {
      method: 'OPTIONS',
      headers: { origin: 'https://elsewhere.example', 'access-control-request-method': 'POST' },
    });
    assert.equal(preflight.headers.get('access-control-allow-origin'), null);
  });

  test('a body that is no JSON, or too large, is refused in JSON', async () => {
    const broken = await fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"query": ',
    });
    assert.equal(broken.status, 400);
    assert.deepEqual(await broken.json(), {
      errors: [{ message: 'The body is not valid JSON.', extensions: { code: 'BAD_REQUEST' } }],
    });
    const large = await fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: ' '.repeat(2 ** 20 + 1) }),
    });
    assert.equal(large.status, 413);
    assert.match(await large.text(), /LIMIT_EXCEEDED/);
  });

  test("a browser gets Apollo's landing page", async () => {
    const page = await fetch(`${server.url}/`, { headers: { accept: 'text/html' } });
    assert.equal(page.status, 200);
    assert.equal(new URL(page.url).pathname, '/graphql');
    assert.match(await page.text(), /Apollo/);
  });

  test('health is reported', async () => {
    assert.deepEqual(await (await fetch(`${server.url}/healthz`)).json(), { status: 'ok' });
  });

  test('loaders forget between the mutations of one operation', async () => {
    let name = 'old';
    const changing = await startTestServer(
      fakeServices({
        createNetwork: async (input) => {
          name = input.name ?? '';
          return { ...network, name };
        },
        revisionsById: async (ids) => ids.map((id) => ({ id, networkId: 'n1', summary: name }) as never),
      }),
    );
    const { data } = await changing.query(
      'mutation { a: createNetwork(input: { zooId: "z", name: "A" }) { headRevision { summary } } b: createNetwork(input: { zooId: "z", name: "B" }) { headRevision { summary } } }',
    );
    await changing.stop();
    assert.deepEqual(data, { a: { headRevision: { summary: 'A' } }, b: { headRevision: { summary: 'B' } } });
  });
});

test('a port that is taken is reported with what to do', async () => {
  const first = await startTestServer(fakeServices({}));
  await assert.rejects(
    startServer({ config: { ...loadConfig({}), port: first.port }, services: fakeServices({}) }),
    (error: Error) => {
      assert.equal(error.name, 'ListenError');
      assert.match(error.message, new RegExp(`port ${first.port}: another program uses it.*GRAFT_PORT`));
      return true;
    },
  );
  await first.stop();
});

test('a stopped server answers no more, and stopping twice is harmless', async () => {
  const server = await startTestServer(fakeServices({ zoo: () => [] }));
  assert.equal((await server.query('{ zoo { id } }')).status, 200);
  await server.stop();
  await server.stop();
  await assert.rejects(post(server.url, { query: '{ zoo { id } }' }));
});

test('introspection and the landing page can be switched off', async () => {
  const server = await startTestServer(fakeServices({ zoo: () => [] }), { introspection: false, landingPage: false });
  try {
    const { errors } = await server.query('{ __schema { types { name } } }');
    assert.match(errors[0]?.message ?? '', /introspection/i);
    assert.deepEqual((await server.query('{ zoo { id } }')).errors, []);
    const page = await fetch(`${server.url}/graphql`, { headers: { accept: 'text/html' } });
    assert.doesNotMatch(await page.text(), /<html/i);
    const client = server.socketClient();
    const query = '{ __schema { types { name } } }';
    await assert.rejects(client.iterate({ query }).next(), (problem) => /introspection/i.test(JSON.stringify(problem)));
    await client.dispose();
  } finally {
    await server.stop();
  }
});

test('answers carry headers that keep browsers from misusing them, and no other origin may read them', async () => {
  const server = await startTestServer(fakeServices({}));
  try {
    const { headers } = await fetch(`${server.url}/healthz`, { headers: { origin: 'https://elsewhere.example' } });
    assert.equal(headers.get('access-control-allow-origin'), null);
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
    assert.match(headers.get('content-security-policy') ?? '', /frame-ancestors 'none'/);
    assert.equal(headers.get('cross-origin-resource-policy'), 'same-origin');
    assert.equal(headers.get('x-powered-by'), null);
  } finally {
    await server.stop();
  }
});
