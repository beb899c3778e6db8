import { HouseError, type Kind } from '@homeostat/shared';
import type { Database } from '../database/database';
import { type Caller, tenantOf } from './caller';
import { afterCursor, cursorOf } from './cursor';

/** What is read: a table of resources, its columns, and the kind of its looks where it is reconciled. */
export interface Source {
  readonly from: string;
  /** SQL for the select list; all columns where not given. */
  readonly columns?: readonly string[];
  /** Says in every row whether reconciling it is paused. */
  readonly kind?: Kind;
}

export interface ListOf extends Source {
  /** null: the rows are everybody's to read. */
  readonly caller: Caller | null;
  /** As `listQuery` parsed it. */
  readonly query: Readonly<Record<string, unknown>> & { readonly limit: number; readonly cursor?: string };
  /** Columns that the query may filter by. */
  readonly filters: readonly string[];
}

export interface Page<Row> {
  readonly items: Row[];
  readonly next_cursor: string | null;
}

/**
 * Returns a page of rows, newest first. Ids are UUIDv7, so what is inserted meanwhile comes before the first page and
 * moves nothing. Throws HouseError for a cursor of another list.
 */
export async function listOf<Row extends object>(database: Database, list: ListOf): Promise<Page<Row>> {
  const { from, caller, query, filters } = list;
  const given = filters.filter((filter) => query[filter] !== undefined);
  const tenant = caller && tenantOf(caller);
  const identity = { from, tenant, filters: given.map((filter) => [filter, query[filter]]) };
  const values: unknown[] = [query.limit + 1];
  const where = [
    ...condition(values, 'id < $', afterCursor(identity, query.cursor)),
    ...condition(values, 'tenant_id = $', tenant),
    ...given.flatMap((filter) => condition(values, `${filter} = $`, query[filter])),
  ];
  const rows = await database.query<Row & { id: string }>(
    `SELECT ${selected(list)} FROM ${from} ${where.length > 0 ? `WHERE ${where.join(' AND ')}` : ''} ORDER BY id DESC LIMIT $1`,
    values,
  );
  return pageOf(rows.map(withPause), query.limit, ({ id }) => cursorOf(identity, id));
}

/** Cuts rows, read one beyond `limit`, to a page. */
export function pageOf<Row>(rows: readonly Row[], limit: number, cursor: (last: Row) => string): Page<Row> {
  const items = rows.slice(0, limit);
  return { items, next_cursor: rows.length > limit ? cursor(items.at(-1)!) : null };
}

/** Returns one row. Throws HouseError `not_found` where there is none, or it is another tenant's; `caller` null: everybody's. */
export async function readOne<Row extends object>(
  database: Pick<Database, 'query'>,
  source: Source,
  id: string,
  caller: Caller | null,
): Promise<Row> {
  const tenant = caller && tenantOf(caller);
  const [row] = await database.query<Row>(
    `SELECT ${selected(source)} FROM ${source.from} WHERE id = $1 ${tenant === null ? '' : 'AND tenant_id = $2'}`,
    tenant === null ? [id] : [id, tenant],
  );
  if (!row) throw notFound(source.from, id);
  return withPause(row);
}

/** The problem of an id that does not exist, or not for this caller; the two are never told apart. */
export function notFound(what: string, id: string): HouseError {
  return new HouseError('not_found', `there is no ${what.replaceAll('_', ' ')} ${id}`);
}

function condition(values: unknown[], sql: string, value: unknown): string[] {
  return value === null ? [] : [sql + values.push(value)];
}

function selected({ from, columns = [`${from}.*`], kind }: Source): string {
  const paused = `(SELECT s.paused FROM reconcile_status s WHERE s.kind = '${kind}' AND s.key = ${from}.id) AS paused`;
  return [...columns, ...(kind ? [paused] : [])].join(', ');
}

/** A paused resource keeps its state, since it still is in it; its reason and message say that nobody looks after it. */
function withPause<Row extends object>(row: Row): Row {
  if (!('paused' in row)) return row;
  if (row.paused !== true) return { ...row, paused: false };
  return { ...row, reason: 'Paused', message: 'Nobody looks after it until it is resumed' };
}
