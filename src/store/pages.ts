import { type RawBuilder, type Selectable, sql } from 'kysely';
import type { Queries } from './database.js';
import { StoreError } from './errors.js';
import type { Schema } from './schema.js';

export interface PageRequest {
  readonly first: number;
  readonly after?: string | null;
}
export interface Page<T> {
  readonly items: readonly { readonly cursor: string; readonly node: T }[];
  readonly hasNextPage: boolean;
  readonly totalCount: number;
}

const MAX_PAGE = 1000;

/** What is paged: rows of a table in the order of a unique column, which is what a cursor holds. */
export interface PageSource<T extends keyof Schema> {
  readonly table: T;
  /** Columns to read; large ones may be left out. */
  readonly columns: readonly (keyof Schema[T] & string)[];
  readonly key: keyof Schema[T] & string;
  readonly direction: 'asc' | 'desc';
  readonly where?: RawBuilder<unknown>;
}

type PageRow = Record<string, unknown> & { pageTotal: number; pageSkipped: number; pageRank: number };

const encodeCursor = (key: unknown): string =>
  Buffer.from(typeof key === 'number' ? `n${key}` : `t${String(key)}`).toString('base64url');

function decodeCursor(cursor: string): string | number {
  const text = Buffer.from(cursor, 'base64url').toString('utf8');
  if (/^n\d{1,15}$/.test(text)) return Number(text.slice(1));
  if (/^t[\da-f]{32}$/.test(text)) return text.slice(1);
  throw new StoreError(
    'INVALID_PAGE',
    `The cursor ${JSON.stringify(cursor.slice(0, 80))} is not one of this list. Use a cursor from an earlier page, or none.`,
  );
}

function checkFirst(first: number): void {
  if (!Number.isInteger(first) || first < 0 || first > MAX_PAGE) {
    throw new StoreError('INVALID_PAGE', `A page has 0 to ${MAX_PAGE} items; got ${first}.`);
  }
}

/**
 * Pages of several parents' children in one statement, in the order of `parents`: the first `first` rows after the cursor
 * of each. Each parent's very first row comes along too, because it carries the total where the page itself is empty.
 */
export async function pagesOfParents<T extends keyof Schema>(
  queries: Queries,
  source: PageSource<T>,
  parent: keyof Schema[T] & string,
  parents: readonly string[],
  page: PageRequest,
): Promise<Page<Selectable<Schema[T]>>[]> {
  if (parents.length === 0) return [];
  const column = sql.ref(parent);
  const own = sql`${column} in (${sql.join([...new Set(parents)])})`;
  const where = source.where ? sql`${own} and (${source.where})` : own;
  const rows = await rankedRows(queries, { ...source, where }, sql`partition by ${column}`, page);
  const byParent = new Map<unknown, PageRow[]>();
  for (const row of rows) {
    const siblings = byParent.get(row[parent]);
    if (siblings) siblings.push(row);
    else byParent.set(row[parent], [row]);
  }
  return parents.map((id) => toPage(source, byParent.get(id) ?? [], page));
}

/** One page of a table. */
export async function pageOf<T extends keyof Schema>(
  queries: Queries,
  source: PageSource<T>,
  page: PageRequest,
): Promise<Page<Selectable<Schema[T]>>> {
  return toPage(source, await rankedRows(queries, source, sql``, page), page);
}

async function rankedRows<T extends keyof Schema>(
  queries: Queries,
  { table, columns, key, direction, where }: PageSource<T>,
  partition: RawBuilder<unknown>,
  page: PageRequest,
): Promise<PageRow[]> {
  checkFirst(page.first);
  const after = page.after ? decodeCursor(page.after) : null;
  const order = direction === 'asc' ? sql`asc` : sql`desc`;
  const column = sql.ref(key);
  const passed = direction === 'asc' ? sql`${column} <= ${after}` : sql`${column} >= ${after}`;
  const skipped = after === null ? sql`0` : sql`sum(case when ${passed} then 1 else 0 end) over (${partition})`;
  const { rows } = await sql<PageRow>`
    with ranked as (
      select ${sql.join(columns.map((name) => sql.ref(name)))},
        row_number() over (${partition} order by ${column} ${order}) as page_rank,
        count(*) over (${partition}) as page_total,
        ${skipped} as page_skipped
      from ${sql.table(table)} where ${where ?? sql`1 = 1`}
    )
    select * from ranked
    where page_rank = 1 or (page_rank > page_skipped and page_rank <= page_skipped + ${page.first})
    order by page_rank`.execute(queries);
  return rows;
}

function toPage<T extends keyof Schema>(
  { key }: PageSource<T>,
  rows: readonly PageRow[],
  { first }: PageRequest,
): Page<Selectable<Schema[T]>> {
  const [one] = rows;
  if (!one) return { items: [], hasNextPage: false, totalCount: 0 };
  // PostgreSQL gives counts as text.
  const skipped = Number(one.pageSkipped);
  const totalCount = Number(one.pageTotal);
  const inPage = rows.filter(({ pageRank }) => Number(pageRank) > skipped && Number(pageRank) <= skipped + first);
  return {
    items: inPage.map(({ pageRank: _rank, pageTotal: _total, pageSkipped: _skipped, ...node }) => ({
      cursor: encodeCursor(node[key]),
      node: node as Selectable<Schema[T]>,
    })),
    hasNextPage: totalCount > skipped + first,
    totalCount,
  };
}

/** Rows by id, in the order of `ids`; null where there is none. */
export function inOrder<T>(ids: readonly string[], rows: readonly T[], key: (row: T) => string): (T | null)[] {
  const found = new Map(rows.map((row) => [key(row), row]));
  return ids.map((id) => found.get(id) ?? null);
}
