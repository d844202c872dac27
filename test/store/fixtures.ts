import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Database } from '../../src/store/database.js';
import { insertNetwork, type NewRevision } from '../../src/store/networks.js';

/** A folder of its own for one test, and what removes it. */
export async function temporaryFolder(): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'graft-test-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

export async function openDatabase(): Promise<{ database: Database; file: string; close: () => Promise<void> }> {
  const folder = await temporaryFolder();
  const file = join(folder.path, 'graft.db');
  const database = await Database.open(file);
  return {
    database,
    file,
    close: async () => {
      await database.close();
      await folder.remove();
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
