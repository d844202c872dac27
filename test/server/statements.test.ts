import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Services } from '../../src/services/api.js';
import { ended, fakeServices, importSmall, insertPictures, testConfig } from '../services/fixtures.js';
import { temporaryFolder } from '../store/fixtures.js';
import { startTestServer, type TestServer } from './fixtures.js';

const CLASSES = ['red', 'green', 'blue'];
const FEW = 2;
const MANY = 6;

/** Queries whose items load something, at every level that the schema has. */
const NESTED = {
  networks: `query ($first: Int!) { networks(first: $first) { totalCount nodes {
    headRevision { layers { name } trainableParameters parent { layers { name } } network { name } }
    revisions(first: 2) { totalCount nodes { parameters network { headRevision { id } } } } } } }`,
  datasets: `query ($first: Int!) { datasets(first: $first) { totalCount nodes {
    pictureCount classes { label train } pictures(first: 3) { nodes { label url } }
    tests: pictures(first: 2, split: TEST) { totalCount } } } }`,
  runs: `query ($first: Int!) { runs(first: $first) { totalCount nodes {
    network { name headRevision { id } } revision { summary } dataset { classes { label } }
    bestRevision { layers { name } } lastRevision { id } epochs { trainLoss } steps { loss } progress { sequence } } } }`,
  evaluations: `query ($first: Int!) { evaluations(first: $first) { totalCount nodes {
    accuracy revision { network { name } } dataset { pictureCount } } } }`,
};

describe('SQL statements of a nested query', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let services: Services;
  let server: TestServer;
  before(async () => {
    folder = await temporaryFolder();
    services = await fakeServices(testConfig(folder.path));
    server = await startTestServer(services);
    for (let i = 0; i < MANY; i++) {
      const network = await importSmall(services, CLASSES, i);
      await services.freeze(network.id, { all: true });
      await services.unfreeze(network.id, { all: true });
      const datasetId = await insertPictures(folder.path, CLASSES);
      const run = await services.train({ networkId: network.id, datasetId, options: { epochs: 2 } });
      assert.equal((await ended(services, run.id)).state, 'SUCCEEDED');
      await services.evaluate({ networkId: network.id, datasetId, split: 'test' });
    }
  });
  after(async () => {
    await server.stop();
    await services.close();
    await folder.remove();
  });

  async function statementsOf(query: string, first: number): Promise<number> {
    const before = services.statementCount();
    const { data, errors } = await server.query<Record<string, { totalCount: number; nodes: object[] }>>(query, {
      first,
    });
    const statements = services.statementCount() - before;
    assert.deepEqual(errors, []);
    const [page] = Object.values(data ?? {});
    assert.equal(page?.nodes.length, first, 'the list has as many items as it is meant to have');
    assert.doesNotMatch(JSON.stringify(page?.nodes), /:null/, 'everything that can be nested is there');
    return statements;
  }

  for (const [name, query] of Object.entries(NESTED)) {
    test(`${name}: as many for ${MANY} items as for ${FEW}`, async (t) => {
      const many = await statementsOf(query, MANY);
      const few = await statementsOf(query, FEW);
      t.diagnostic(`${few} statements`);
      assert.ok(few > 1, 'statements are counted');
      assert.equal(many, few);
    });
  }
});
