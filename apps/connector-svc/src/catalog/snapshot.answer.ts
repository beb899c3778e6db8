import { instant } from '@homeostat/platform';
import { z } from 'zod';
import { type ColumnRow, type StoredFacts, columnRows } from './stored-facts';
import { type StoredSchema, columnsOfFields } from './stored-schema';

const count = z.string().nullable().describe('null: unknown');
const text = z.string().nullable();

/** A snapshot of a table as callers see it. */
export const snapshotAnswer = z.object({
  table_id: z.uuid(),
  snapshot_id: z.string(),
  parent_snapshot_id: text,
  parent_present: z.boolean(),
  sequence_number: text,
  timestamp_ms: text,
  time_source: z.string().describe('Where the time comes from'),
  operation: text,
  schema_id: z.int(),
  manifest_list: text,
  summary: z.record(z.string(), z.string()),
  is_current: z.boolean(),
  in_current_lineage: z.boolean(),
  expired_at: instant.nullable().describe('When it was found that the source has it no more'),
  statistics_complete: z.boolean(),
  code: text.describe('Why it cannot be read: a stable word'),
  message: text,
});

/** The select list of a snapshot, from `s` (table_snapshot) and `t` (catalog_table). */
export const snapshotColumns = `s.table_id, s.snapshot_id, s.parent_id AS parent_snapshot_id, s.parent_present, s.sequence_number,
  s.committed_at_ms AS timestamp_ms, s.time_source, s.operation, s.schema_id, s.manifest_list, s.summary,
  coalesce(s.snapshot_id = t.current_snapshot_id, false) AS is_current, s.in_current_lineage,
  s.expired_at, s.load_id IS NOT NULL AS statistics_complete, s.code, s.message`;

const columnShape = {
  field_id: z.int().nullable(),
  value_count: count.describe('Nulls and NaN included'),
  null_count: count,
  nan_count: count,
  min: text,
  max: text,
  bounds_truncated: z.boolean().nullable().describe('The bounds may only enclose the values'),
};

/** A data or delete file of a plan as callers see it. */
export const fileAnswer = z.object({
  path: z.string(),
  content: z.enum(['data', 'position_deletes', 'equality_deletes', 'deletion_vector']),
  format: z.string(),
  record_count: count,
  bytes: z.string(),
  spec_id: z.int(),
  partition: z.record(z.string(), text),
  sequence_number: text,
  added_snapshot_id: text,
  equality_ids: z.array(z.int()).nullable(),
  applies_to: text,
  content_offset: text,
  content_bytes: text,
  modified_at_ms: text,
  deletion_vector: z
    .object({ storage_type: z.string(), cardinality: z.string(), size_bytes: z.string(), offset: text })
    .nullable(),
  columns: z.array(
    z.object({ ...columnShape, path: z.array(z.string()).nullable().describe('null: no longer in the schema') }),
  ),
});

/** One item of a snapshot's statistics. */
export const statisticsAnswer = z.union([
  z.object({
    target: z.literal('table'),
    record_count: count.describe('Rows in live data files, deletes not subtracted'),
    live_row_count: count.describe('What a query returns'),
    ...{ data_file_count: z.int(), data_bytes: z.string() },
    ...{ position_delete_file_count: z.int(), equality_delete_file_count: z.int() },
    ...{ delete_record_count: count, delete_bytes: z.string() },
  }),
  z.object({
    ...{ target: z.literal('column'), ...columnShape, path: z.array(z.string()), type: z.string() },
    ...{ bounds_complete: z.boolean(), ndv: count.describe('Distinct values, as the writer estimated') },
  }),
  fileAnswer.pick({ path: true, record_count: true, bytes: true, columns: true }).extend({ target: z.literal('file') }),
]);

/** SQL of the statistics of the table in reading `$1`. */
export const tableStatistics = `
  SELECT 'table' AS target, record_count, live_row_count, data_file_count, data_bytes, position_delete_file_count,
    equality_delete_file_count, delete_record_count, delete_bytes
  FROM snapshot_load WHERE id = $1`;

type FileAnswer = z.infer<typeof fileAnswer>;

/** `columns`: as it was written before there were `facts`. */
type StoredBody = Omit<FileAnswer, 'columns'> & {
  readonly facts?: StoredFacts;
  readonly columns?: readonly ColumnRow[];
};

/** Returns what turns stored files into answers: a column's path is that of its id in the snapshot's schema. */
export function fileReader(schema: StoredSchema): (body: string) => FileAnswer {
  const paths = new Map(columnsOfFields(schema).columns.map(({ field_id, path }) => [field_id, path]));
  return (body) => {
    const { facts, columns: rows, ...stored } = JSON.parse(body) as StoredBody;
    const columns = (facts ? columnRows(facts) : (rows ?? [])).map(
      ([field_id, path, value_count, null_count, nan_count, min, max, bounds_truncated]) => ({
        ...{
          field_id,
          path: [...(path ?? paths.get(field_id) ?? [])],
          value_count,
          null_count,
          nan_count,
          min,
          max,
          bounds_truncated,
        },
      }),
    );
    return {
      ...stored,
      columns: columns.map((column) => (column.path.length > 0 ? column : { ...column, path: null })),
    };
  };
}
