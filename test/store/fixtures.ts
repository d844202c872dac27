import { createHash, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from 'node:test';
import pg from 'pg';
import { Database } from '../../src/store/database.js';
import { insertNetwork, type NewRevision } from '../../src/store/networks.js';

/** A folder of its own for one test, and what removes it. */
export async function temporaryFolder(): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'graft-test-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

export type Store = Database['kind'];

/** The server that `npm test` starts where PostgreSQL is installed. */
const POSTGRES = process.env.GRAFT_TEST_POSTGRES;

/** `describe` for each store there is; the other one counts as skipped, with the reason. */
export function describeStores(name: string, body: (store: Store) => void): void {
  describe(`${name}, SQLite`, () => body('sqlite'));
  describe(`${name}, PostgreSQL`, { skip: POSTGRES ? false : 'PostgreSQL is not installed' }, () => body('postgres'));
}

async function onServer<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client(POSTGRES);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** The address of a database of the tests' PostgreSQL server; made where it is missing. */
export async function postgresDatabase(name: string): Promise<string> {
  await onServer(async (client) => {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [name]);
    if (rowCount === 0) await client.query(`create database ${client.escapeIdentifier(name)}`);
  });
  const url = new URL(POSTGRES as string);
  url.pathname = `/${name}`;
  return url.href;
}

/** Where a server with this data folder keeps its rows: in PostgreSQL where GRAFT_TEST_STORE says so. */
export async function databaseOf(dataDir: string): Promise<{ location: string; url: string | null }> {
  if (process.env.GRAFT_TEST_STORE !== 'postgres') return { location: join(dataDir, 'graft.db'), url: null };
  const hash = createHash('sha256').update(dataDir).digest('hex').slice(0, 16);
  const url = await postgresDatabase(`graft_${hash}`);
  return { location: url, url };
}

/** An empty database, and what removes it. */
export async function openDatabase(
  store: Store,
): Promise<{ database: Database; location: string; close: () => Promise<void> }> {
  const folder = await temporaryFolder();
  const name = `graft_${randomUUID().replaceAll('-', '')}`;
  const location = store === 'sqlite' ? join(folder.path, 'graft.db') : await postgresDatabase(name);
  const database = await Database.open(location);
  return {
    database,
    location,
    close: async () => {
      await database.close();
      await folder.remove();
      if (store === 'postgres') await onServer((client) => client.query(`drop database ${name} with (force)`));
    },
  };
}

export const revision = (summary = 'first'): NewRevision => ({
  parentId: null,
  summary,
  architecture: 'small',
  classes: '["a","b"]',
  preprocessing: '{}',
  networkJson: '{}',
  weightsHash: 'f'.repeat(64),
});

export const network = (database: Database, name: string) =>
  database.transaction((queries) => insertNetwork(queries, name, revision()));
