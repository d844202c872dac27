import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { sql } from 'kysely';
import { Database } from '../../src/store/database.js';
import { StoreError } from '../../src/store/errors.js';
import { newId } from '../../src/store/ids.js';
import { migrate } from '../../src/store/migrations.js';
import { networksById } from '../../src/store/networks.js';
import { network, openDatabase, revision, temporaryFolder } from './fixtures.js';

describe('the database', () => {
  let opened: Awaited<ReturnType<typeof openDatabase>>;
  before(async () => {
    opened = await openDatabase();
  });
  after(() => opened.close());

  const pragma = async (name: string) => {
    const { rows } = await sql<Record<string, unknown>>`pragma ${sql.raw(name)}`.execute(opened.database.queries);
    return Object.values(rows[0] ?? {})[0];
  };

  test('is durable and holds foreign keys', async () => {
    assert.equal(await pragma('journal_mode'), 'wal');
    assert.equal(await pragma('synchronous'), 2);
    assert.equal(await pragma('foreign_keys'), 1);
    assert.ok(Number(await pragma('busy_timeout')) >= 1000);
    const orphan = { ...revision(), id: newId(), networkId: newId(), createdAt: 0 };
    await assert.rejects(opened.database.queries.insertInto('revisions').values(orphan).execute(), /FOREIGN KEY/i);
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
    const again = await Database.open(opened.file);
    try {
      assert.deepEqual(await networksById(again.queries, [row.id]), [row]);
      const { rows } = await sql<{ name: string }>`select name from kysely_migration`.execute(again.queries);
      assert.deepEqual(
        rows.map(({ name }) => name),
        ['0001_initial'],
      );
    } finally {
      await again.close();
    }
  });

  test('a failing migration changes nothing', async () => {
    const folder = await temporaryFolder();
    const database = await Database.open(join(folder.path, 'graft.db'));
    try {
      await assert.rejects(
        migrate(database.queries, {
          '0001_initial': { up: async () => undefined },
          '0002_broken': {
            up: async (db) => {
              await db.schema.createTable('half').addColumn('id', 'text').execute();
              throw new Error('broken on purpose');
            },
          },
        }),
        /broken on purpose/,
      );
      const { rows } = await sql`select name from sqlite_master where name = 'half'`.execute(database.queries);
      assert.deepEqual(rows, []);
    } finally {
      await database.close();
      await folder.remove();
    }
  });

  test('a database of a newer Graft and a file that is none are refused', async () => {
    const folder = await temporaryFolder();
    const file = join(folder.path, 'graft.db');
    const newer = await Database.open(file);
    await sql`insert into kysely_migration (name, timestamp) values ('9999_future', 'x')`.execute(newer.queries);
    await newer.close();
    const refused = (error: unknown) => error instanceof StoreError && error.code === 'INVALID_DATABASE';
    await assert.rejects(Database.open(file), refused);
    const text = join(folder.path, 'text.db');
    await writeFile(text, 'this is not a database, and long enough to be sure of it '.repeat(100));
    await assert.rejects(Database.open(text), refused);
    await folder.remove();
  });

  test('ids are unique and sort by the time of their making', () => {
    const ids = Array.from({ length: 200_000 }, newId);
    assert.equal(new Set(ids).size, ids.length);
    assert.deepEqual([...ids].sort(), ids);
    assert.ok(ids.every((id) => /^[0-9a-f]{32}$/.test(id)));
  });

  test('what was acknowledged survives kill -9', async () => {
    const folder = await temporaryFolder();
    const file = join(folder.path, 'graft.db');
    const child = fork(new URL('./writer.js', import.meta.url), [file], { stdio: 'ignore' });
    const acknowledged: string[] = [];
    await new Promise<void>((resolve) => {
      child.on('message', (id: string) => {
        acknowledged.push(id);
        if (acknowledged.length === 50) child.kill('SIGKILL');
      });
      child.on('exit', () => resolve());
    });
    assert.ok(acknowledged.length >= 50);
    const database = await Database.open(file);
    const found = await networksById(database.queries, acknowledged);
    await database.close();
    await folder.remove();
    assert.ok(found.every((row) => row !== null));
  });
});
