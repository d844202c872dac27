import { AsyncLocalStorage } from 'node:async_hooks';
import {
  CamelCasePlugin,
  CompiledQuery,
  type DialectAdapter,
  Kysely,
  SqliteAdapter,
  SqliteDialect,
  type Transaction,
} from 'kysely';
import Libsql from 'libsql';
import { StoreError } from './errors.js';
import { migrate } from './migrations.js';
import type { Schema } from './schema.js';

export type Queries = Kysely<Schema> | Transaction<Schema>;

/** How long a statement waits for a lock that another process holds. */
const BUSY_TIMEOUT_MS = 5000;

/**
 * WAL lets readers go on while one writes. FULL: what was acknowledged survives a power cut. Foreign keys are off unless
 * asked for, in every connection.
 */
const PRAGMAS = [
  'journal_mode = WAL',
  'synchronous = FULL',
  'foreign_keys = ON',
  `busy_timeout = ${BUSY_TIMEOUT_MS}`,
] as const;

/** Kysely runs SQLite's migrations outside of transactions unless told that SQLite can do better, which it can. */
class TransactionalSqlite extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

class LibsqlDialect extends SqliteDialect {
  override createAdapter(): DialectAdapter {
    return new TransactionalSqlite();
  }
}

/** One SQLite file with its queries, up to date and counted. */
export class Database {
  private counted = 0;
  private readonly housekeeping = new AsyncLocalStorage<true>();
  readonly queries: Kysely<Schema>;

  private constructor(file: string) {
    // libsql offers better-sqlite3's interface, which Kysely's SQLite dialect is written for.
    const database = new Libsql(file);
    this.queries = new Kysely<Schema>({
      dialect: new LibsqlDialect({
        database,
        onCreateConnection: async (connection) => {
          for (const pragma of PRAGMAS) await connection.executeQuery(CompiledQuery.raw(`pragma ${pragma}`));
        },
      }),
      plugins: [new CamelCasePlugin()],
      log: (event) => {
        if (event.level === 'query' && !this.housekeeping.getStore()) this.counted++;
      },
    });
  }

  /** Opens or makes the file and applies the migrations that it lacks. Throws INVALID_DATABASE. */
  static async open(file: string): Promise<Database> {
    let database: Database;
    try {
      database = new Database(file);
    } catch (cause) {
      throw new StoreError('INVALID_DATABASE', `${file} cannot be opened: ${(cause as Error).message}`, { cause });
    }
    try {
      await migrate(database.queries);
      return database;
    } catch (error) {
      await database.close();
      throw error;
    }
  }

  /** Statements executed since the file was opened, housekeeping left out. */
  statementCount(): number {
    return this.counted;
  }

  /** Runs the queue's own work (leases, heartbeats, progress), whose statements would blur the count of a request's. */
  background<T>(work: () => T): T {
    return this.housekeeping.run(true, work);
  }

  /** All or nothing. One transaction at a time: others wait. */
  transaction<T>(work: (queries: Transaction<Schema>) => Promise<T>): Promise<T> {
    return this.queries.transaction().execute(work);
  }

  async close(): Promise<void> {
    await this.queries.destroy();
  }
}
