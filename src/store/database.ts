import { AsyncLocalStorage } from 'node:async_hooks';
import { CamelCasePlugin, Kysely, sql, type Transaction } from 'kysely';
import { postgresDialect, sqliteDialect } from './dialects.js';
import { StoreError } from './errors.js';
import { migrate } from './migrations.js';
import type { Schema } from './schema.js';

export type Queries = Kysely<Schema> | Transaction<Schema>;

const POSTGRES_URL = /^postgres(ql)?:\/\//;

/** SQLSTATE of serialization_failure and deadlock_detected: the transaction is to be tried again from its start. */
const TRY_AGAIN = new Set(['40001', '40P01']);
const MOST_TRIES = 20;
/** Waits between tries grow to this. */
const LONGEST_WAIT_MS = 200;

/** A database's address without the password. */
function shown(location: string): string {
  return POSTGRES_URL.test(location) ? location.replace(/\/\/[^@/]*@/, '//...@') : location;
}

/** One database with its queries, up to date and counted: an SQLite file, or one of a PostgreSQL server. */
export class Database {
  private counted = 0;
  private readonly housekeeping = new AsyncLocalStorage<true>();
  readonly kind: 'sqlite' | 'postgres';
  readonly queries: Kysely<Schema>;

  private constructor(location: string, onIdleError: (error: Error) => void) {
    this.kind = POSTGRES_URL.test(location) ? 'postgres' : 'sqlite';
    this.queries = new Kysely<Schema>({
      dialect: this.kind === 'postgres' ? postgresDialect(location, onIdleError) : sqliteDialect(location),
      plugins: [new CamelCasePlugin()],
      log: (event) => {
        if (event.level === 'query' && !this.housekeeping.getStore()) this.counted++;
      },
    });
  }

  /**
   * Opens `location` and applies the migrations that it lacks: `postgres://user:password@host/database`, whose database must be
   * there, or the path of an SQLite file, which is made where it is missing. `onIdleError` hears of connections that break
   * while nobody uses them. Throws INVALID_DATABASE.
   */
  static async open(location: string, onIdleError: (error: Error) => void = () => undefined): Promise<Database> {
    const invalid = (cause: unknown) =>
      new StoreError('INVALID_DATABASE', `${shown(location)} cannot be opened: ${(cause as Error).message}`, { cause });
    let database: Database;
    try {
      database = new Database(location, onIdleError);
    } catch (cause) {
      throw invalid(cause);
    }
    try {
      if (database.kind === 'postgres') {
        await sql`select 1`.execute(database.queries).catch((cause: unknown) => {
          throw invalid(cause);
        });
      }
      await migrate(database.queries);
      return database;
    } catch (error) {
      await database.close();
      throw error;
    }
  }

  /** Statements executed since it was opened, housekeeping left out. */
  statementCount(): number {
    return this.counted;
  }

  /** Runs the queue's own work (leases, heartbeats, progress), whose statements would blur the count of a request's. */
  background<T>(work: () => T): T {
    return this.housekeeping.run(true, work);
  }

  /**
   * All or nothing, and as if no other transaction ran at the same time. SQLite runs one after the other. PostgreSQL finds out
   * where two cannot both have been alone (isolation level `serializable`) and gives one up, which is tried again: so `work` may
   * run several times and must do nothing but statements.
   */
  async transaction<T>(work: (queries: Transaction<Schema>) => Promise<T>): Promise<T> {
    if (this.kind === 'sqlite') return this.queries.transaction().execute(work);
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.queries.transaction().setIsolationLevel('serializable').execute(work);
      } catch (error) {
        const { code } = error as { readonly code?: unknown };
        if (typeof code !== 'string' || !TRY_AGAIN.has(code) || attempt === MOST_TRIES) throw error;
        const wait = Math.min(LONGEST_WAIT_MS, 2 ** attempt) * Math.random();
        await new Promise((resolve) => setTimeout(resolve, wait));
      }
    }
  }

  async close(): Promise<void> {
    await this.queries.destroy();
  }
}
