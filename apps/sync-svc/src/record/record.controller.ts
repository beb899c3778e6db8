import {
  type Asked,
  Database,
  KindDesks,
  Route,
  afterCursor,
  cursorOf,
  invalid,
  listQuery,
  notFound,
  page,
  pageOf,
} from '@homeostat/platform';
import { recordStates } from '@homeostat/shared';
import { Controller } from '@nestjs/common';
import { z } from 'zod';
import { type Group, parseQueries, queryKinds } from '../search/query';
import { Search } from '../search/search';
import { type RecordRow, recordAnswer, recordColumns, recordItem } from './record.answer';

const MOST_QUERIES = 20;
const text = z.string().max(1_000, 'is too long');
const query = z
  .union([text, z.array(text).max(MOST_QUERIES, `is given more than ${MOST_QUERIES} times`)])
  .optional()
  .transform((given) => (given === undefined ? [] : [given].flat()))
  .describe(
    `kind:value, or !kind:value for its contrary; * and ? stand for any characters, and for one. Kinds: ${queryKinds.join(', ')}`,
  );
const searched = listQuery([], { query, status: z.enum(recordStates).optional() });
const found = listQuery([], { query });
const counted = z.strictObject({ query });
const cidParams = z.strictObject({ cid: z.string().max(100).toLowerCase() });
const counts = z.object({ count: z.int() });

/** The directory's records. They are one for all tenants, as the registry is. */
@Controller()
export class RecordController {
  constructor(
    private readonly database: Database,
    private readonly search: Search,
    desks: KindDesks,
  ) {
    desks.showBy('records', (id) => this.one('r.id = $1::uuid', id));
  }

  @Route('GET /v1/records', {
    summary: 'Searches records, newest first; several queries of a kind are alternatives, kinds must all match',
    scope: 'read',
    query: searched,
    answer: page(recordItem),
  })
  async list({ query: asked }: Asked<{ query: typeof searched }>) {
    const { status } = asked;
    if (status !== undefined && status !== 'indexed') return this.withStatus(status, asked);
    return this.page<RecordRow>('records', recordColumns, asked);
  }

  @Route('GET /v1/cids', {
    summary: 'Searches records as GET /v1/records does, for their CIDs alone',
    scope: 'read',
    query: found,
    answer: page(z.string()),
  })
  async cids({ query: asked }: Asked<{ query: typeof found }>) {
    const { items, next_cursor } = await this.page<{ id: string; cid: string }>('cids', 'r.id, r.cid', asked);
    return { items: items.map(({ cid }) => cid), next_cursor };
  }

  @Route('GET /v1/records/count', {
    summary: 'Counts records that match; all of them where nothing is asked',
    scope: 'read',
    query: counted,
    answer: counts,
  })
  async count({ query: asked }: Asked<{ query: typeof counted }>) {
    return { count: await this.search.count(groupsOf(asked.query)) };
  }

  @Route('GET /v1/records/{cid}', {
    summary:
      'Reads a record by its CID, or its id: the record itself, what is attached to it, and whether its name is verified',
    scope: 'read',
    params: cidParams,
    answer: recordAnswer,
  })
  read({ params: { cid } }: Asked<{ params: typeof cidParams }>) {
    return z.uuid().safeParse(cid).success ? this.one('r.id = $1::uuid', cid) : this.one('r.cid = $1', cid);
  }

  private async page<Row extends { readonly id: string }>(
    list: string,
    columns: string,
    { query, limit, cursor }: { query: string[]; limit: number; cursor?: string },
  ) {
    const identity = [list, query];
    const after = afterCursor(identity, cursor);
    const rows = await this.search.page<Row>({ columns, groups: groupsOf(query), after, limit: limit + 1 });
    return pageOf(rows, limit, ({ id }) => cursorOf(identity, id));
  }

  /** What is not indexed can be listed, and not be searched. */
  private async withStatus(status: string, asked: { query: string[]; limit: number; cursor?: string }) {
    if (asked.query.length > 0)
      throw invalid([{ pointer: '?query', message: 'finds what is indexed: leave status out' }]);
    const after = afterCursor(status, asked.cursor);
    const rows = await this.database.query<RecordRow>(
      `SELECT ${recordColumns} FROM record r WHERE r.status = $1 AND ($2::uuid IS NULL OR r.id < $2) ORDER BY r.id DESC LIMIT $3`,
      [status, after, asked.limit + 1],
    );
    return pageOf(rows, asked.limit, ({ id }) => cursorOf(status, id));
  }

  private async one(where: string, which: string) {
    const [row] = await this.database.query<RecordRow>(
      `SELECT ${recordColumns}, (SELECT content FROM record_content c WHERE c.id = r.id) AS record,
         (SELECT coalesce(jsonb_agg(to_jsonb(f) - 'record_id' ORDER BY f.found_at, f.digest), '[]') FROM referrer f WHERE f.record_id = r.id) AS referrers,
         (SELECT to_jsonb(v) - '{id,tenant_id,name,generation,created_at,updated_at}'::text[] FROM name_verification v WHERE v.id = r.id) AS verification
       FROM record r WHERE ${where}`,
      [which],
    );
    if (!row) throw notFound('record', which);
    return row;
  }
}

function groupsOf(queries: readonly string[]): readonly Group[] {
  const parsed = parseQueries(queries);
  if ('faults' in parsed) throw invalid(parsed.faults);
  return parsed.groups;
}
