import { type Asked, Database, Route, listQuery, page, readOne, resourceId } from '@homeostat/platform';
import { HouseError } from '@homeostat/shared';
import { Controller } from '@nestjs/common';
import { z } from 'zod';
import { pageByNumber } from './page-by-number';
import {
  fileAnswer,
  fileReader,
  snapshotAnswer,
  snapshotColumns,
  statisticsAnswer,
  tableStatistics,
} from './snapshot.answer';
import type { StoredSchema } from './stored-schema';

const tableParams = z.strictObject({ id: resourceId });
const snapshotParams = z.strictObject({
  id: resourceId,
  snapshot: z
    .string()
    .refine(
      (text) => /^-?\d{1,19}$/.test(text) && BigInt.asIntN(64, BigInt(text)) === BigInt(text),
      'is no snapshot id',
    ),
});
const pages = listQuery([]);
const targets = listQuery([], { target: z.enum(['table', 'column', 'file']).default('table') });
const contents = listQuery([], {
  content: z.enum(['data', 'position_deletes', 'equality_deletes', 'deletion_vector']).optional(),
});

type Of<Query extends z.ZodType> = Asked<{ params: typeof snapshotParams; query: Query }>;

interface Complete {
  readonly load_id: string;
  readonly schema: StoredSchema;
}

/** The snapshots of a table with their statistics and plans. */
@Controller()
export class SnapshotController {
  constructor(private readonly database: Database) {}

  @Route('GET /v1/tables/{id}/snapshots', {
    summary: 'The snapshots of a table, newest first',
    scope: 'read',
    params: tableParams,
    query: pages,
    answer: page(snapshotAnswer),
  })
  async list({ caller, params: { id }, query }: Asked<{ params: typeof tableParams; query: typeof pages }>) {
    await this.table(caller, id);
    return pageByNumber<{ number: string }>({ list: { snapshots: id }, query }, (after, limit) =>
      this.database.query(
        `SELECT s.number, ${snapshotColumns} FROM table_snapshot s JOIN catalog_table t ON t.id = s.table_id
         WHERE s.table_id = $1 AND ($2::bigint IS NULL OR s.number < $2) ORDER BY s.number DESC LIMIT $3`,
        [id, after, limit],
      ),
    );
  }

  @Route('GET /v1/tables/{id}/snapshots/{snapshot}', {
    summary: 'One snapshot',
    scope: 'read',
    params: snapshotParams,
    answer: snapshotAnswer,
  })
  async read({ caller, params: { id, snapshot } }: Asked<{ params: typeof snapshotParams }>) {
    await this.table(caller, id);
    const [row] = await this.database.query<object>(
      `SELECT ${snapshotColumns} FROM table_snapshot s JOIN catalog_table t ON t.id = s.table_id WHERE s.table_id = $1 AND s.snapshot_id = $2`,
      [id, snapshot],
    );
    if (row) return row;
    throw noSnapshot(id, snapshot);
  }

  @Route('GET /v1/tables/{id}/snapshots/{snapshot}/statistics', {
    summary: 'What is known of a snapshot: of the table, of its columns, or of its data files',
    scope: 'read',
    params: snapshotParams,
    query: targets,
    answer: page(statisticsAnswer),
  })
  async statistics({ caller, params, query }: Of<typeof targets>) {
    const load = await this.complete(caller, params.id, params.snapshot);
    switch (query.target) {
      case 'table':
        return { items: await this.database.query<object>(tableStatistics, [load.load_id]), next_cursor: null };
      case 'column':
        return this.columns(load, query);
      case 'file':
        return this.files(load, query, 'data', ({ path, record_count, bytes, columns }) => ({
          ...{ target: 'file', path, record_count, bytes, columns },
        }));
    }
  }

  @Route('GET /v1/tables/{id}/snapshots/{snapshot}/plan', {
    summary: 'The plan of a snapshot: its data and delete files, with the statistics of their columns',
    scope: 'read',
    params: snapshotParams,
    query: contents,
    answer: page(fileAnswer),
  })
  async plan({ caller, params, query }: Of<typeof contents>) {
    const load = await this.complete(caller, params.id, params.snapshot);
    return this.files(load, query, query.content ?? null, (file) => file);
  }

  private async table(caller: Asked['caller'], id: string): Promise<void> {
    await readOne(this.database, { from: 'catalog_table', columns: ['id'] }, id, caller);
  }

  /** Throws HouseError where there is no such snapshot, or its statistics are not to be had. */
  private async complete(caller: Asked['caller'], id: string, snapshot: string): Promise<Complete> {
    await this.table(caller, id);
    const [row] = await this.database.query<Complete & { load_id: string | null; message: string | null }>(
      `SELECT s.load_id, s.message, coalesce(s.schema, (
         SELECT one FROM json_array_elements(t.schemas) AS one WHERE (one ->> 'schema_id')::integer = s.schema_id LIMIT 1)) AS schema
       FROM table_snapshot s JOIN catalog_table t ON t.id = s.table_id WHERE s.table_id = $1 AND s.snapshot_id = $2`,
      [id, snapshot],
    );
    if (!row) throw noSnapshot(id, snapshot);
    if (row.load_id === null) {
      const why = row.message ?? 'they are not read yet';
      throw new HouseError('conflict', `the statistics of snapshot ${snapshot} are not there: ${why}`);
    }
    return row;
  }

  private async columns({ load_id }: Complete, query: { limit: number; cursor?: string }) {
    const found = await pageByNumber<{ number: string; body: string }>(
      { list: { columns: load_id }, query },
      (after, limit) =>
        this.database.query(
          `SELECT n::text AS number, body FROM snapshot_column WHERE load_id = $1 AND n > coalesce($2::integer, -1) ORDER BY n LIMIT $3`,
          [load_id, after, limit],
        ),
    );
    return { ...found, items: found.items.map(({ body }) => ({ target: 'column', ...(JSON.parse(body) as object) })) };
  }

  private async files<Shown extends object>(
    { load_id, schema }: Complete,
    query: { limit: number; cursor?: string },
    content: string | null,
    show: (file: z.infer<typeof fileAnswer>) => Shown,
  ) {
    const read = fileReader(schema);
    const found = await pageByNumber<{ number: string; body: string }>(
      { list: { files: load_id, content }, query },
      (after, limit) =>
        this.database.query(
          `SELECT e.n::text AS number, f.body FROM plan_entry e JOIN plan_file f ON f.id = e.file_id
         WHERE e.load_id = $1 AND e.n > coalesce($2::integer, -1) AND ($3::text IS NULL OR f.content = $3) ORDER BY e.n LIMIT $4`,
          [load_id, after, content, limit],
        ),
    );
    return { ...found, items: found.items.map(({ body }) => show(read(body))) };
  }
}

function noSnapshot(id: string, snapshot: string): HouseError {
  return new HouseError('not_found', `table ${id} has no snapshot ${snapshot}`);
}
