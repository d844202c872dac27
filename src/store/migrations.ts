import { type Kysely, type Migration, type MigrationProvider, Migrator, sql } from 'kysely';
import { StoreError } from './errors.js';

/** The first schema. Migrations say their SQL themselves, untyped: the types follow the newest schema only. */
const initial: Migration = {
  async up(db: Kysely<unknown>) {
    const { schema } = db;
    await schema
      .createTable('uploads')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('filename', 'text', (column) => column.notNull())
      .addColumn('bytes', 'bigint', (column) => column.notNull())
      .addColumn('hash', 'text', (column) => column.notNull())
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .execute();
    await schema
      .createTable('networks')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('head_revision_id', 'text', (column) => column.notNull())
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .execute();
    await schema
      .createTable('revisions')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('network_id', 'text', (column) => column.notNull().references('networks.id').onDelete('cascade'))
      .addColumn('parent_id', 'text')
      .addColumn('summary', 'text', (column) => column.notNull())
      .addColumn('architecture', 'text', (column) => column.notNull())
      .addColumn('classes', 'text', (column) => column.notNull())
      .addColumn('preprocessing', 'text', (column) => column.notNull())
      .addColumn('network_json', 'text', (column) => column.notNull())
      .addColumn('weights_hash', 'text', (column) => column.notNull())
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .execute();
    await schema.createIndex('revisions_of_network').on('revisions').columns(['network_id', 'id']).execute();
    await createDatasets(db);
    await createRuns(db);
    await schema
      .createTable('evaluations')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('revision_id', 'text', (column) => column.notNull().references('revisions.id').onDelete('cascade'))
      .addColumn('dataset_id', 'text', (column) => column.notNull().references('datasets.id').onDelete('cascade'))
      .addColumn('split', 'text', (column) => column.notNull())
      .addColumn('result', 'text', (column) => column.notNull())
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .execute();
    await schema.createIndex('evaluations_of_revision').on('evaluations').columns(['revision_id', 'id']).execute();
    await schema.createIndex('evaluations_of_dataset').on('evaluations').columns(['dataset_id', 'id']).execute();
    await schema
      .createTable('exports')
      .addColumn('revision_id', 'text', (column) => column.notNull().references('revisions.id').onDelete('cascade'))
      .addColumn('format', 'text', (column) => column.notNull())
      .addColumn('filename', 'text', (column) => column.notNull())
      .addColumn('bytes', 'bigint', (column) => column.notNull())
      .addColumn('hash', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('exports_key', ['revision_id', 'format'])
      .execute();
  },
};

async function createDatasets({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('datasets')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('classes', 'text', (column) => column.notNull())
    .addColumn('warnings', 'text', (column) => column.notNull())
    .addColumn('skipped', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .execute();
  await schema
    .createTable('classes')
    .addColumn('dataset_id', 'text', (column) => column.notNull().references('datasets.id').onDelete('cascade'))
    .addColumn('position', 'integer', (column) => column.notNull())
    .addColumn('label', 'text', (column) => column.notNull())
    .addColumn('train', 'integer', (column) => column.notNull())
    .addColumn('validation', 'integer', (column) => column.notNull())
    .addColumn('test', 'integer', (column) => column.notNull())
    .addPrimaryKeyConstraint('classes_key', ['dataset_id', 'position'])
    .execute();
  await schema
    .createTable('pictures')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('dataset_id', 'text', (column) => column.notNull().references('datasets.id').onDelete('cascade'))
    .addColumn('position', 'integer', (column) => column.notNull())
    .addColumn('path', 'text', (column) => column.notNull())
    .addColumn('hash', 'text', (column) => column.notNull())
    .addColumn('label', 'text', (column) => column.notNull())
    .addColumn('label_index', 'integer', (column) => column.notNull())
    .addColumn('split', 'text', (column) => column.notNull())
    .addColumn('width', 'integer', (column) => column.notNull())
    .addColumn('height', 'integer', (column) => column.notNull())
    .addUniqueConstraint('pictures_position', ['dataset_id', 'position'])
    .execute();
}

async function createRuns({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('runs')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('network_id', 'text', (column) => column.notNull().references('networks.id').onDelete('cascade'))
    .addColumn('revision_id', 'text', (column) => column.notNull())
    .addColumn('dataset_id', 'text', (column) => column.notNull().references('datasets.id').onDelete('cascade'))
    .addColumn('best_revision_id', 'text')
    .addColumn('last_revision_id', 'text')
    .addColumn('options', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('error_code', 'text')
    .addColumn('error_message', 'text')
    .addColumn('adapter', 'text')
    .addColumn('code_version', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('started_at', 'bigint')
    .addColumn('finished_at', 'bigint')
    .addColumn('seconds_features', 'double precision')
    .addColumn('seconds_train', 'double precision')
    .addColumn('last_sequence', 'integer', (column) => column.notNull())
    .execute();
  await schema.createIndex('runs_of_network').on('runs').columns(['network_id', 'id']).execute();
  await schema.createIndex('runs_of_dataset').on('runs').columns(['dataset_id', 'id']).execute();
  await schema
    .createTable('run_events')
    .addColumn('run_id', 'text', (column) => column.notNull().references('runs.id').onDelete('cascade'))
    .addColumn('sequence', 'integer', (column) => column.notNull())
    .addColumn('at', 'bigint', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('attempt', 'integer', (column) => column.notNull())
    .addColumn('progress', 'text')
    .addPrimaryKeyConstraint('run_events_key', ['run_id', 'sequence'])
    .execute();
  await schema
    .createTable('jobs')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('run_id', 'text', (column) => column.notNull().unique().references('runs.id').onDelete('cascade'))
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('attempts', 'integer', (column) => column.notNull())
    .addColumn('lease_owner', 'text')
    .addColumn('lease_until', 'bigint')
    .addColumn('cancel_requested', 'integer', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .execute();
  await schema.createIndex('jobs_by_state').on('jobs').columns(['state', 'id']).execute();
}

/** Exports got options, an id and a receipt; revisions the receipt of their import. */
const receipts: Migration = {
  async up(db: Kysely<unknown>) {
    const { schema } = db;
    await schema.alterTable('revisions').addColumn('receipt', 'text').execute();
    await schema
      .createTable('exports_with_receipts')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('revision_id', 'text', (column) => column.notNull().references('revisions.id').onDelete('cascade'))
      .addColumn('format', 'text', (column) => column.notNull())
      .addColumn('options', 'text', (column) => column.notNull())
      .addColumn('filename', 'text', (column) => column.notNull())
      .addColumn('bytes', 'bigint', (column) => column.notNull())
      .addColumn('hash', 'text', (column) => column.notNull())
      .addColumn('receipt', 'text')
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addUniqueConstraint('exports_of_revision', ['revision_id', 'format', 'options'])
      .execute();
    await sql`
      insert into exports_with_receipts (id, revision_id, format, options, filename, bytes, hash, receipt, created_at)
      select revision_id || '-' || format, revision_id, format, '{}', filename, bytes, hash, null, ${Date.now()} from exports
    `.execute(db);
    await schema.dropTable('exports').execute();
    await schema.alterTable('exports_with_receipts').renameTo('exports').execute();
  },
};

const zooMeasurements: Migration = {
  async up({ schema }: Kysely<unknown>) {
    await schema
      .createTable('zoo_measurements')
      .addColumn('zoo_id', 'text', (column) => column.notNull())
      .addColumn('adapter', 'text', (column) => column.notNull())
      .addColumn('is_software', 'integer', (column) => column.notNull())
      .addColumn('milliseconds_per_picture', 'double precision', (column) => column.notNull())
      .addColumn('pictures_per_second', 'double precision', (column) => column.notNull())
      .addColumn('batch_size', 'integer', (column) => column.notNull())
      .addColumn('code_version', 'text', (column) => column.notNull())
      .addColumn('measured_at', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('zoo_measurements_key', ['zoo_id', 'adapter'])
      .execute();
  },
};

/** In order. A released migration never changes; a new one is appended. */
export const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '0001_initial': initial,
  '0002_receipts': receipts,
  '0003_zoo_measurements': zooMeasurements,
};

/** Brings the schema up to date; the table kysely_migration holds what was done. Throws INVALID_DATABASE. */
export async function migrate<T>(db: Kysely<T>, migrations = MIGRATIONS): Promise<void> {
  const provider: MigrationProvider = { getMigrations: async () => ({ ...migrations }) };
  const { error } = await new Migrator({ db, provider }).migrateToLatest();
  if (error) {
    const detail = error instanceof Error ? error.message : JSON.stringify(error);
    throw new StoreError(
      'INVALID_DATABASE',
      `The database cannot be brought to this version of Graft (${detail}). A newer Graft may have made it: ` +
        'start that one, or set GRAFT_DATA_DIR to another folder (DATABASE_URL to another database).',
      { cause: error },
    );
  }
}
