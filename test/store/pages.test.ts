import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { insertDataset, pagePictures } from '../../src/store/datasets.js';
import { StoreError } from '../../src/store/errors.js';
import { insertRevision, pageNetworks, pageRevisions } from '../../src/store/networks.js';
import type { Page, PageRequest } from '../../src/store/pages.js';
import type { Split } from '../../src/store/schema.js';
import { freshSeed, seeded } from '../training/fixtures.js';
import { describeStores, network, openDatabase, revision } from './fixtures.js';

/** Every node of a list, read page by page. */
async function readAll<T>(first: number, read: (page: PageRequest) => Promise<Page<T>>): Promise<T[]> {
  const nodes: T[] = [];
  let after: string | null = null;
  for (;;) {
    const page: Page<T> = await read({ first, after });
    nodes.push(...page.items.map(({ node }) => node));
    assert.ok(page.items.length <= first);
    if (!page.hasNextPage) return nodes;
    after = page.items.at(-1)?.cursor as string;
  }
}

describeStores('pages', (store) => {
  let opened: Awaited<ReturnType<typeof openDatabase>>;
  const networks: { id: string }[] = [];
  before(async () => {
    opened = await openDatabase(store);
    for (let i = 0; i < 11; i++) networks.unshift(await network(opened.database, `network ${i}`));
  });
  after(() => opened.close());

  const ids = (rows: readonly { id: string }[]) => rows.map(({ id }) => id);

  test('follow each other without gap or repetition, newest first, whatever their size', async () => {
    for (const first of [1, 2, 5, 10, 11, 12, 1000]) {
      const found = await readAll(first, (page) => pageNetworks(opened.database.queries, page));
      assert.deepEqual(ids(found), ids(networks), `pages of ${first}`);
    }
  });

  test('count the whole list, also where the page is empty', async () => {
    const { queries } = opened.database;
    const first = await pageNetworks(queries, { first: 0 });
    assert.deepEqual(first, { items: [], hasNextPage: true, totalCount: 11 });
    const whole = await pageNetworks(queries, { first: 11 });
    assert.equal(whole.hasNextPage, false);
    const beyond = await pageNetworks(queries, { first: 5, after: whole.items.at(-1)?.cursor });
    assert.deepEqual(beyond, { items: [], hasNextPage: false, totalCount: 11 });
  });

  test('are stable while rows come and go', async () => {
    const { database } = opened;
    const start = await pageNetworks(database.queries, { first: 3 });
    const extra = await network(database, 'newer');
    const gone = start.items[2]?.node.id as string;
    await database.queries.deleteFrom('networks').where('id', '=', gone).execute();
    const next = await pageNetworks(database.queries, { first: 3, after: start.items[2]?.cursor });
    assert.deepEqual(ids(next.items.map(({ node }) => node)), ids(networks.slice(3, 6)));
    await database.queries.deleteFrom('networks').where('id', '=', extra.id).execute();
    networks.splice(2, 1);
  });

  test('of several parents take one statement and agree with a page of each', async (t) => {
    const { database } = opened;
    const seed = freshSeed();
    t.diagnostic(`seed ${seed}`);
    const random = seeded(seed);
    for (let i = 0; i < 60; i++) {
      const owner = networks[Math.floor(random() * 6)]?.id as string;
      await insertRevision(database.queries, owner, revision(`edit ${i}`));
    }
    const asked = [...ids(networks), 'unknown'];
    const before = database.statementCount();
    const pages = await pageRevisions(database.queries, asked, { first: 4 });
    assert.equal(database.statementCount(), before + 1);
    assert.equal(pages.length, asked.length);
    assert.deepEqual(pages.at(-1), { items: [], hasNextPage: false, totalCount: 0 });
    for (const [index, id] of asked.entries()) {
      assert.deepEqual((await pageRevisions(database.queries, [id], { first: 4 }))[0], pages[index]);
      const rows = await database.queries
        .selectFrom('revisions')
        .select('id')
        .where('networkId', '=', id)
        .orderBy('id', 'desc')
        .execute();
      const all = await readAll(3, async (page) => (await pageRevisions(database.queries, [id], page))[0] as never);
      assert.deepEqual(ids(all as { id: string }[]), ids(rows));
      assert.equal(pages[index]?.totalCount, rows.length);
    }
    assert.ok(!('networkJson' in (pages[0]?.items[0]?.node ?? {})), 'the layers are left out');
  });

  test('of pictures heed the filter', async () => {
    const { database } = opened;
    const splits: Split[] = ['train', 'validation', 'test'];
    const pictures = Array.from({ length: 3000 }, (_, i) => ({
      path: `p${i}.png`,
      hash: String(i),
      labelIndex: i % 2,
      split: splits[i % 3] as Split,
      width: 1,
      height: 1,
    }));
    const { id } = await database.transaction((queries) =>
      insertDataset(queries, { name: 'data', classes: ['a', 'b'], warnings: [], skipped: [], pictures }),
    );
    const read = (filter: { split?: Split; label?: string }) =>
      readAll(700, async (page) => (await pagePictures(database.queries, [id], filter, page))[0] as never);
    const paths = (rows: readonly unknown[]) => (rows as { path: string }[]).map(({ path }) => path);
    assert.deepEqual(
      paths(await read({})),
      pictures.map(({ path }) => path),
    );
    assert.deepEqual(
      paths(await read({ split: 'test', label: 'b' })),
      pictures.filter(({ split, labelIndex }) => split === 'test' && labelIndex === 1).map(({ path }) => path),
    );
    const counts = await database.queries.selectFrom('classes').selectAll().orderBy('position').execute();
    assert.deepEqual(
      counts.map(({ label, train, validation, test: tests }) => [label, train, validation, tests]),
      [
        ['a', 500, 500, 500],
        ['b', 500, 500, 500],
      ],
    );
  });

  test('refuse sizes and cursors that make no sense', async () => {
    const invalid = (error: unknown) => error instanceof StoreError && error.code === 'INVALID_PAGE';
    const { queries } = opened.database;
    for (const first of [-1, 1.5, Number.NaN, 1001]) await assert.rejects(pageNetworks(queries, { first }), invalid);
    for (const after of ['x', "' or 1=1 --", 'tzz', Buffer.from('t123').toString('base64url')]) {
      await assert.rejects(pageNetworks(queries, { first: 1, after }), invalid);
    }
  });
});
