import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Queries } from './database.js';
import { newId } from './ids.js';
import { inOrder, type Page, type PageRequest, pageOf, pagesOfParents } from './pages.js';
import type { EvaluationRow, ExportRow, NetworkRow, RevisionRow } from './schema.js';

/** A revision without its layers, which are large. */
export type RevisionHead = Omit<RevisionRow, 'networkJson'>;

const NETWORK = ['id', 'name', 'headRevisionId', 'createdAt'] as const;
const REVISION = [
  'id',
  'networkId',
  'parentId',
  'summary',
  'architecture',
  'classes',
  'preprocessing',
  'weightsHash',
  'createdAt',
] as const;
const EVALUATION = ['id', 'revisionId', 'datasetId', 'split', 'result', 'createdAt'] as const;

export type NewRevision = Omit<RevisionRow, 'id' | 'networkId' | 'createdAt'> & { readonly receipt?: string | null };

/** A network with its first revision. */
export async function insertNetwork(queries: Queries, name: string, first: NewRevision): Promise<NetworkRow> {
  const createdAt = Date.now();
  const id = newId();
  const headRevisionId = newId();
  const network = { id, name, headRevisionId, createdAt };
  await queries.insertInto('networks').values(network).execute();
  await queries
    .insertInto('revisions')
    .values({ ...first, id: headRevisionId, networkId: id, createdAt })
    .execute();
  return network;
}

/** Appends a revision. With `head` it becomes the network's newest. */
export async function insertRevision(
  queries: Queries,
  networkId: string,
  revision: NewRevision,
  head = true,
): Promise<RevisionHead> {
  const row = { ...revision, id: newId(), networkId, createdAt: Date.now() };
  await queries.insertInto('revisions').values(row).execute();
  if (head) await queries.updateTable('networks').set({ headRevisionId: row.id }).where('id', '=', networkId).execute();
  return row;
}

export const pageNetworks = (queries: Queries, page: PageRequest): Promise<Page<NetworkRow>> =>
  pageOf(queries, { table: 'networks', columns: NETWORK, key: 'id', direction: 'desc' }, page);

export async function networksById(queries: Queries, ids: readonly string[]): Promise<(NetworkRow | null)[]> {
  if (ids.length === 0) return [];
  const rows = await queries.selectFrom('networks').select(NETWORK).where('id', 'in', ids).execute();
  return inOrder(ids, rows, (row) => row.id);
}

export async function revisionsById(queries: Queries, ids: readonly string[]): Promise<(RevisionHead | null)[]> {
  if (ids.length === 0) return [];
  const rows = await queries.selectFrom('revisions').select(REVISION).where('id', 'in', ids).execute();
  return inOrder(ids, rows, (row) => row.id);
}

/** Receipts of imports; null where a revision does not exist or was not imported. */
export async function receiptsOfRevisions(queries: Queries, ids: readonly string[]): Promise<(string | null)[]> {
  if (ids.length === 0) return [];
  const rows = await queries.selectFrom('revisions').select(['id', 'receipt']).where('id', 'in', ids).execute();
  return inOrder(ids, rows, (row) => row.id).map((row) => row?.receipt ?? null);
}

/** With the layers. */
export async function wholeRevisionsById(queries: Queries, ids: readonly string[]): Promise<(RevisionRow | null)[]> {
  if (ids.length === 0) return [];
  const rows = await queries
    .selectFrom('revisions')
    .select([...REVISION, 'networkJson'])
    .where('id', 'in', ids)
    .execute();
  return inOrder(ids, rows, (row) => row.id);
}

/** Newest first. */
export const pageRevisions = (
  queries: Queries,
  networkIds: readonly string[],
  page: PageRequest,
): Promise<Page<RevisionHead>[]> =>
  pagesOfParents(
    queries,
    { table: 'revisions', columns: REVISION, key: 'id', direction: 'desc' },
    'networkId',
    networkIds,
    page,
  );

/** Returns whether there was one. Its revisions, runs and evaluations go with it. */
export async function deleteNetwork(queries: Queries, id: string): Promise<boolean> {
  const deleted = await queries.deleteFrom('networks').where('id', '=', id).returning('id').execute();
  return deleted.length > 0;
}

export async function insertEvaluation(
  queries: Queries,
  evaluation: Omit<EvaluationRow, 'id' | 'createdAt'>,
): Promise<EvaluationRow> {
  const row = { ...evaluation, id: newId(), createdAt: Date.now() };
  await queries.insertInto('evaluations').values(row).execute();
  return row;
}

/** Newest first. */
export function pageEvaluations(
  queries: Queries,
  filter: { readonly revisionIds?: readonly string[]; readonly datasetId?: string },
  page: PageRequest,
): Promise<Page<EvaluationRow>> {
  const { revisionIds, datasetId } = filter;
  const conditions: RawBuilder<SqlBool>[] = [];
  if (revisionIds) {
    conditions.push(revisionIds.length === 0 ? sql`1 = 0` : sql`revision_id in (${sql.join([...revisionIds])})`);
  }
  if (datasetId !== undefined) conditions.push(sql`dataset_id = ${datasetId}`);
  const where = conditions.length > 0 ? sql.join(conditions, sql` and `) : undefined;
  return pageOf(queries, { table: 'evaluations', columns: EVALUATION, key: 'id', direction: 'desc', where }, page);
}

export const exportOf = (
  queries: Queries,
  key: Pick<ExportRow, 'revisionId' | 'format' | 'options'>,
): Promise<ExportRow | undefined> =>
  queries
    .selectFrom('exports')
    .selectAll()
    .where('revisionId', '=', key.revisionId)
    .where('format', '=', key.format)
    .where('options', '=', key.options)
    .executeTakeFirst();

/** Exports of each revision, newest first. */
export async function exportsOfRevisions(queries: Queries, revisionIds: readonly string[]): Promise<ExportRow[][]> {
  if (revisionIds.length === 0) return [];
  const rows = await queries
    .selectFrom('exports')
    .selectAll()
    .where('revisionId', 'in', revisionIds)
    .orderBy('id', 'desc')
    .execute();
  return revisionIds.map((id) => rows.filter(({ revisionId }) => revisionId === id));
}

/** An export of the same revision in the same format with the same options is replaced. */
export async function insertExport(queries: Queries, row: Omit<ExportRow, 'id' | 'createdAt'>): Promise<ExportRow> {
  const whole = { ...row, id: newId(), createdAt: Date.now() };
  await queries
    .insertInto('exports')
    .values(whole)
    .onConflict((conflict) => conflict.columns(['revisionId', 'format', 'options']).doUpdateSet(whole))
    .execute();
  return whole;
}
