import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Queries } from './database.js';
import { newId } from './ids.js';
import { inOrder, type Page, type PageRequest, pageOf, pagesOfParents } from './pages.js';
import type { ClassRow, DatasetRow, PictureRow, Split, UploadRow } from './schema.js';

const DATASET = ['id', 'name', 'classes', 'warnings', 'skipped', 'createdAt'] as const;
const PICTURE = [
  'id',
  'datasetId',
  'position',
  'path',
  'hash',
  'label',
  'labelIndex',
  'split',
  'width',
  'height',
] as const;

/** Rows in one INSERT: SQLite allows 32,766 parameters, PostgreSQL 65,535. */
const ROWS_PER_INSERT = 1000;

export interface NewDataset {
  readonly name: string;
  readonly classes: readonly string[];
  readonly warnings: readonly unknown[];
  readonly skipped: readonly unknown[];
  readonly pictures: readonly Omit<PictureRow, 'id' | 'datasetId' | 'position' | 'label'>[];
}

/** A data set with its classes and pictures; call it in a transaction. */
export async function insertDataset(queries: Queries, dataset: NewDataset): Promise<DatasetRow> {
  const row: DatasetRow = {
    id: newId(),
    name: dataset.name,
    classes: JSON.stringify(dataset.classes),
    warnings: JSON.stringify(dataset.warnings),
    skipped: JSON.stringify(dataset.skipped),
    createdAt: Date.now(),
  };
  const counts = dataset.classes.map((label, position) => ({
    datasetId: row.id,
    position,
    label,
    train: 0,
    validation: 0,
    test: 0,
  }));
  const pictures = dataset.pictures.map((picture, position): PictureRow => {
    const own = counts[picture.labelIndex];
    if (!own) throw new RangeError(`${picture.path} has class ${picture.labelIndex} of ${counts.length}`);
    own[picture.split]++;
    return { ...picture, id: newId(), datasetId: row.id, position, label: own.label };
  });
  await queries.insertInto('datasets').values(row).execute();
  for (let start = 0; start < counts.length; start += ROWS_PER_INSERT) {
    await queries
      .insertInto('classes')
      .values(counts.slice(start, start + ROWS_PER_INSERT))
      .execute();
  }
  for (let start = 0; start < pictures.length; start += ROWS_PER_INSERT) {
    await queries
      .insertInto('pictures')
      .values(pictures.slice(start, start + ROWS_PER_INSERT))
      .execute();
  }
  return row;
}

/** Newest first. */
export const pageDatasets = (queries: Queries, page: PageRequest): Promise<Page<DatasetRow>> =>
  pageOf(queries, { table: 'datasets', columns: DATASET, key: 'id', direction: 'desc' }, page);

export async function datasetsById(queries: Queries, ids: readonly string[]): Promise<(DatasetRow | null)[]> {
  if (ids.length === 0) return [];
  const rows = await queries.selectFrom('datasets').select(DATASET).where('id', 'in', ids).execute();
  return inOrder(ids, rows, (row) => row.id);
}

/** In the order of the classes; empty for an unknown data set. */
export async function classesOfDatasets(queries: Queries, ids: readonly string[]): Promise<ClassRow[][]> {
  if (ids.length === 0) return [];
  const rows = await queries
    .selectFrom('classes')
    .selectAll()
    .where('datasetId', 'in', ids)
    .orderBy('position')
    .execute();
  return ids.map((id) => rows.filter((row) => row.datasetId === id));
}

/** In the order of the data set. */
export function pagePictures(
  queries: Queries,
  datasetIds: readonly string[],
  filter: { readonly split?: Split; readonly label?: string },
  page: PageRequest,
): Promise<Page<PictureRow>[]> {
  const conditions: RawBuilder<SqlBool>[] = [];
  if (filter.split !== undefined) conditions.push(sql`split = ${filter.split}`);
  if (filter.label !== undefined) conditions.push(sql`label = ${filter.label}`);
  const where = conditions.length > 0 ? sql.join(conditions, sql` and `) : undefined;
  const source = { table: 'pictures', columns: PICTURE, key: 'position', direction: 'asc', where } as const;
  return pagesOfParents(queries, source, 'datasetId', datasetIds, page);
}

/** Every picture of a split by content and class: what training reads. In the order of the data set. */
export const samplesOf = (
  queries: Queries,
  datasetId: string,
  split: Split,
): Promise<{ hash: string; label: number }[]> =>
  queries
    .selectFrom('pictures')
    .select(['hash', 'labelIndex as label'])
    .where('datasetId', '=', datasetId)
    .where('split', '=', split)
    .orderBy('position')
    .execute();

export async function deleteDataset(queries: Queries, id: string): Promise<boolean> {
  const deleted = await queries.deleteFrom('datasets').where('id', '=', id).returning('id').execute();
  return deleted.length > 0;
}

export async function insertUpload(queries: Queries, upload: Omit<UploadRow, 'id' | 'createdAt'>): Promise<UploadRow> {
  const row = { ...upload, id: newId(), createdAt: Date.now() };
  await queries.insertInto('uploads').values(row).execute();
  return row;
}

export async function uploadsById(queries: Queries, ids: readonly string[]): Promise<(UploadRow | null)[]> {
  if (ids.length === 0) return [];
  const rows = await queries.selectFrom('uploads').selectAll().where('id', 'in', ids).execute();
  return inOrder(ids, rows, (row) => row.id);
}

/** Every blob that a row refers to. */
export async function referencedHashes(queries: Queries): Promise<Set<string>> {
  const rows = await queries
    .selectFrom('uploads')
    .select('hash')
    .union(queries.selectFrom('pictures').select('hash'))
    .union(queries.selectFrom('exports').select('hash'))
    .union(queries.selectFrom('revisions').select('weightsHash as hash'))
    .execute();
  return new Set(rows.map(({ hash }) => hash));
}
