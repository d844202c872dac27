import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { sql } from 'kysely';
import { Database } from '../../src/store/database.js';
import { StoreError } from '../../src/store/errors.js';
import { insertDataset } from '../../src/store/datasets.js';
import { newId } from '../../src/store/ids.js';
import { appendEvent, eventsAfter, insertRun } from '../../src/store/runs.js';
import { MIGRATIONS, migrate } from '../../src/store/migrations.js';
import { exportsOfRevisions, networksById } from '../../src/store/networks.js';
import { describeStores, network, openDatabase, revision, temporaryFolder } from './fixtures.js';

const refused = (error: unknown) => error instanceof StoreError && error.code === 'INVALID_DATABASE';

describeStores('the database', (store) => {
  let opened: Awaited<ReturnType<typeof openDatabase>>;
  before(async () => {
    opened = await openDatabase(store);
  });
  after(() => opened.close());

  test('holds foreign keys', async () => {
    const orphan = { ...revision(), id: newId(), networkId: newId(), createdAt: 0 };
    await assert.rejects(opened.database.queries.insertInto('revisions').values(orphan).execute(), /foreign key/i);
  });

  test('gives times and counts as numbers', async () => {
    const row = await network(opened.database, 'dated');
    const [found] = await networksById(opened.database.queries, [row.id]);
    assert.equal(found?.createdAt, row.createdAt);
    assert.equal(typeof found?.createdAt, 'number');
  });

  test('counts statements, and leaves housekeeping out', async () => {
    const { database } = opened;
    const before = database.statementCount();
    await networksById(database.queries, [newId(), newId()]);
    assert.equal(database.statementCount(), before + 1);
    await database.background(() => networksById(database.queries, [newId()]));
    assert.equal(database.statementCount(), before + 1);
  });

  test('a transaction that throws leaves nothing, and others wait for it', async () => {
    const { database } = opened;
    const row = await network(database, 'kept');
    const failing = database.transaction(async (queries) => {
      await queries.deleteFrom('networks').execute();
      await new Promise((resolve) => setTimeout(resolve, 20));
      throw new Error('no');
    });
    const seen = networksById(database.queries, [row.id]);
    await assert.rejects(failing, /no/);
    assert.deepEqual(await seen, [row]);
  });

  test('migrations run once, in order, and data survives opening again', async () => {
    const row = await network(opened.database, 'survivor');
    const again = await Database.open(opened.location);
    try {
      assert.deepEqual(await networksById(again.queries, [row.id]), [row]);
      const { rows } = await sql<{ name: string }>`select name from kysely_migration`.execute(again.queries);
      assert.deepEqual(
        rows.map(({ name }) => name),
        Object.keys(MIGRATIONS).sort(),
      );
    } finally {
      await again.close();
    }
  });

  test('exports that an older version wrote stay, without a receipt', async () => {
    const { database, location, close } = await openDatabase(store);
    try {
      const { headRevisionId } = await network(database, 'old');
      const run = (text: string) => sql.raw(text).execute(database.queries);
      // What later migrations made goes first.
      await run('drop table zoo_measurements');
      await run('drop table exports');
      await run('alter table revisions drop column receipt');
      await run("delete from kysely_migration where name <> '0001_initial'");
      await run(`create table exports (revision_id text not null, format text not null, filename text not null,
        bytes bigint not null, hash text not null, primary key (revision_id, format))`);
      await run(`insert into exports values ('${headRevisionId}', 'SAFETENSORS', 'a.safetensors', 7, 'abc')`);
      const again = await Database.open(location);
      const [[old] = []] = await exportsOfRevisions(again.queries, [headRevisionId]);
      await again.close();
      assert.ok(old);
      const { id: _, createdAt, ...rest } = old;
      assert.equal(typeof createdAt, 'number');
      assert.deepEqual(rest, {
        revisionId: headRevisionId,
        format: 'SAFETENSORS',
        options: '{}',
        filename: 'a.safetensors',
        bytes: 7,
        hash: 'abc',
        receipt: null,
      });
    } finally {
      await close();
    }
  });

  test('a failing migration changes nothing', async () => {
    const { database, close } = await openDatabase(store);
    try {
      const { rows: done } = await sql<{ name: string }>`select name from kysely_migration`.execute(database.queries);
      const before = Object.fromEntries(done.map(({ name }) => [name, { up: async () => undefined }]));
      await assert.rejects(
        migrate(database.queries, {
          ...before,
          '9999_broken': {
            up: async (db) => {
              await db.schema.createTable('half').addColumn('id', 'text').execute();
              throw new Error('broken on purpose');
            },
          },
        }),
        /broken on purpose/,
      );
      await assert.rejects(sql`select * from half`.execute(database.queries), /half/);
    } finally {
      await close();
    }
  });

  test('a database of a newer Graft is refused', async () => {
    const { database, location, close } = await openDatabase(store);
    await sql`insert into kysely_migration (name, timestamp) values ('9999_future', 'x')`.execute(database.queries);
    await assert.rejects(Database.open(location), refused);
    await close();
  });

  test('transactions are as if each were alone: no event is lost or numbered twice', async () => {
    const { database, location, close } = await openDatabase(store);
    // An SQLite file has one server.
    const other = store === 'postgres' ? await Database.open(location) : database;
    try {
      const { id } = await network(database, 'shared');
      const dataset = { name: 'd', classes: ['a'], warnings: [], skipped: [], pictures: [] };
      const run = await database.transaction(async (queries) =>
        insertRun(queries, {
          networkId: id,
          revisionId: id,
          datasetId: (await insertDataset(queries, dataset)).id,
          options: '{}',
          codeVersion: '1',
        }),
      );
      const event = { state: 'RUNNING', attempt: 1, progress: null } as const;
      const writers = Array.from({ length: 24 }, (_, index) =>
        (index % 2 === 0 ? database : other).transaction((queries) => appendEvent(queries, run, event)),
      );
      const numbers = (await Promise.all(writers)).map(({ sequence }) => sequence);
      assert.deepEqual(
        numbers.sort((a, b) => a - b),
        Array.from({ length: 24 }, (_, index) => index + 1),
      );
      assert.equal((await eventsAfter(other.queries, run, 0, 100)).length, 24);
    } finally {
      if (other !== database) await other.close();
      await close();
    }
  });

  test('what was acknowledged survives kill -9', async () => {
    const { database, location, close } = await openDatabase(store);
    const child = fork(new URL('./writer.js', import.meta.url), [location], { stdio: 'ignore' });
    const acknowledged: string[] = [];
    await new Promise<void>((resolve) => {
      child.on('message', (id: string) => {
        acknowledged.push(id);
        if (acknowledged.length === 50) child.kill('SIGKILL');
      });
      child.on('exit', () => resolve());
    });
    assert.ok(acknowledged.length >= 50);
    const found = await networksById(database.queries, acknowledged);
    await close();
    assert.ok(found.every((row) => row !== null));
  });
});

describe('an SQLite database', () => {
  test('is durable', async () => {
    const { database, close } = await openDatabase('sqlite');
    const pragma = async (name: string) => {
      const { rows } = await sql<Record<string, unknown>>`pragma ${sql.raw(name)}`.execute(database.queries);
      return Object.values(rows[0] ?? {})[0];
    };
    assert.equal(await pragma('journal_mode'), 'wal');
    assert.equal(await pragma('synchronous'), 2);
    assert.equal(await pragma('foreign_keys'), 1);
    assert.ok(Number(await pragma('busy_timeout')) >= 1000);
    await close();
  });

  test('that is none is refused', async () => {
    const folder = await temporaryFolder();
    const text = join(folder.path, 'text.db');
    await writeFile(text, 'this is not a database, and long enough to be sure of it '.repeat(100));
    await assert.rejects(Database.open(text), refused);
    await folder.remove();
  });
});

test('a PostgreSQL server that is not there is named without the password', async () => {
  await assert.rejects(Database.open('postgres://graft:secret@127.0.0.1:1/graft'), (error) => {
    assert.ok(refused(error));
    assert.match((error as Error).message, /127\.0\.0\.1:1\/graft/);
    assert.doesNotMatch((error as Error).message, /secret/);
    return true;
  });
});

test('ids are unique and sort by the time of their making', () => {
  const ids = Array.from({ length: 200_000 }, newId);
  assert.equal(new Set(ids).size, ids.length);
  assert.deepEqual([...ids].sort(), ids);
  assert.ok(ids.every((id) => /^[0-9a-f]{32}$/.test(id)));
});
