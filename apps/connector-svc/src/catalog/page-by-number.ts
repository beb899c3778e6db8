import { type Page, afterCursor, cursorOf, pageOf } from '@homeostat/platform';

/** What a list is of, and the part of it that is asked for. */
export interface Wanted {
  /** All that makes the list what it is. */
  readonly list: object;
  readonly query: { readonly limit: number; readonly cursor?: string };
}

/** Returns a page of rows that are not resources, in the order of a number of theirs, which is not shown. */
export async function pageByNumber<Row extends { readonly number: string }>(
  { list, query }: Wanted,
  read: (after: string | null, limit: number) => Promise<Row[]>,
): Promise<Page<Omit<Row, 'number'>>> {
  const rows = await read(afterCursor(list, query.cursor), query.limit + 1);
  const { items, next_cursor } = pageOf(rows, query.limit, ({ number }) => cursorOf(list, number));
  return { items: items.map(({ number: _order, ...item }) => item), next_cursor };
}
