import {
  CompiledQuery,
  type Dialect,
  type DialectAdapter,
  PostgresDialect,
  SqliteAdapter,
  SqliteDialect,
} from 'kysely';
import Libsql from 'libsql';
import pg from 'pg';

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

/** One file. Throws where it cannot be opened. */
export function sqliteDialect(file: string): Dialect {
  return new LibsqlDialect({
    // libsql offers better-sqlite3's interface, which Kysely's SQLite dialect is written for.
    database: new Libsql(file),
    onCreateConnection: async (connection) => {
      for (const pragma of PRAGMAS) await connection.executeQuery(CompiledQuery.raw(`pragma ${pragma}`));
    },
  });
}

/** Connections of one server to PostgreSQL; further statements wait for a free one. */
const MAX_CONNECTIONS = 10;
const CONNECT_TIMEOUT_MS = 10_000;
/** PostgreSQL ends a statement that takes longer, and a transaction that is left open. */
const STATEMENT_TIMEOUT_MS = 30_000;

/** int8, which counts and times are: all of ours are far below 2^53. */
const INT8 = 20;

/** `onIdleError` hears of connections that break while nobody uses them; the next statement gets a new one. */
export function postgresDialect(url: string, onIdleError: (error: Error) => void): Dialect {
  const pool = new pg.Pool({
    connectionString: url,
    max: MAX_CONNECTIONS,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    idle_in_transaction_session_timeout: STATEMENT_TIMEOUT_MS,
    application_name: 'graft',
    types: {
      getTypeParser: ((oid: number, format: 'text') =>
        oid === INT8 ? Number : (pg.types.getTypeParser(oid, format) as unknown)) as never,
    },
  });
  // Without a listener a broken idle connection ends the process.
  pool.on('error', onIdleError);
  return new PostgresDialect({ pool });
}
