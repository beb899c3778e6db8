import type { Caller } from './caller';
import { afterCursor, cursorOf } from './cursor';
import { type KindDesk, readableTenant, subjectOf } from './kind.desk';
import { type Page, pageOf } from './list';

/** A row of a resource's history. */
export interface Change {
  readonly id: string;
  readonly from: string | null;
  readonly to: string;
  readonly because: string;
  readonly at: Date;
  readonly by: string;
}

/** Returns a page of a resource's changes of state, newest first; they outlive the resource. */
export async function history(
  desk: KindDesk,
  id: string,
  caller: Caller,
  query: { readonly limit: number; readonly cursor?: string },
): Promise<Page<Omit<Change, 'id'>>> {
  const list = { history: desk.kind, id };
  const after = afterCursor(list, query.cursor);
  const rows = await desk.database.query<Change>(
    `SELECT id, from_state AS "from", to_state AS "to", because, at, by FROM state_change
     WHERE key = $1 AND kind = $2 AND ($3::text IS NULL OR tenant_id = $3) AND ($4::bigint IS NULL OR id < $4)
     ORDER BY id DESC LIMIT $5`,
    [id, desk.kind, readableTenant(desk, caller), after, query.limit + 1],
  );
  if (rows.length === 0) await subjectOf(desk, id, caller);
  const { items, next_cursor } = pageOf(rows, query.limit, (last) => cursorOf(list, last.id));
  return { items: items.map(({ id: _order, ...change }) => change), next_cursor };
}
