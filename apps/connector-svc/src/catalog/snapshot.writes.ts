import type { Tx } from '@homeostat/platform';
import type { ColumnStatistics, Schema, Snapshot, TableStatistics } from '../connector/connector.port';
import { text } from './plan.writes';

/** Writes down which snapshots a table has; what is known of them already stays, but for the lineage. */
export async function writeSnapshots(
  tx: Tx,
  tenant: string,
  tableId: string,
  snapshots: readonly Snapshot[],
  listed: ReadonlySet<number>,
): Promise<void> {
  const column = (value: (snapshot: Snapshot) => unknown): unknown[] => snapshots.map(value);
  await tx.query(
    `INSERT INTO table_snapshot AS s (table_id, tenant_id, snapshot_id, parent_id, parent_present, sequence_number, committed_at_ms,
       time_source, operation, schema_id, schema, manifest_list, summary, in_current_lineage)
     SELECT $1, $2, * FROM unnest($3::bigint[], $4::bigint[], $5::boolean[], $6::bigint[], $7::bigint[], $8::text[], $9::text[],
       $10::integer[], $11::json[], $12::text[], $13::json[], $14::boolean[])
     ON CONFLICT (table_id, snapshot_id) DO UPDATE SET in_current_lineage = excluded.in_current_lineage
       WHERE s.in_current_lineage <> excluded.in_current_lineage`,
    [
      ...[
        tableId,
        tenant,
        column(({ id }) => id),
        column(({ parentId }) => parentId),
        column(({ parentPresent }) => parentPresent),
      ],
      ...[column(({ sequenceNumber }) => sequenceNumber), column(({ committedAtMs }) => committedAtMs)],
      ...[
        column(({ timeSource }) => timeSource),
        column(({ operation }) => operation),
        column(({ schema }) => schema.id),
      ],
      column(({ schema }) => (listed.has(schema.id) ? null : JSON.stringify(storedSchema(schema)))),
      ...[column(({ manifestList }) => manifestList), column(({ summary }) => JSON.stringify(summary))],
      column(({ inCurrentLineage }) => inCurrentLineage),
    ],
  );
}

/** Marks the snapshots of a table that its source no longer has, and those that it has again; returns whether there were any. */
export async function markExpired(tx: Tx, tableId: string, present: readonly bigint[]): Promise<boolean> {
  const marked = await tx.query<{ snapshot_id: string }>(
    `UPDATE table_snapshot SET expired_at = CASE WHEN expired_at IS NULL THEN now() END
     WHERE table_id = $1 AND (expired_at IS NULL) <> (snapshot_id = ANY ($2::bigint[])) RETURNING snapshot_id`,
    [tableId, present],
  );
  if (marked.length === 0) return false;
  await tx.query(
    `UPDATE table_snapshot s SET parent_present = p.expired_at IS NULL FROM table_snapshot p
     WHERE s.table_id = $1 AND p.table_id = $1 AND p.snapshot_id = s.parent_id AND p.snapshot_id = ANY ($2::bigint[])`,
    [tableId, marked.map(({ snapshot_id }) => snapshot_id)],
  );
  return true;
}

/** A schema as the API shows it. */
function storedSchema({ id, fields, identifierFieldIds }: Schema) {
  return { schema_id: id, identifier_field_ids: identifierFieldIds, fields };
}

/** A reading that has begun: how many files it has, and where it stopped; null: nowhere yet. */
export interface BegunLoad {
  readonly id: string;
  readonly files: number;
  readonly mark: Buffer | null;
}

/**
 * Goes on with a job's reading of a snapshot that stopped, unless it is to be begun `anew`, or begins one; drops what other readings have left
 * that never came to their end.
 */
export async function beginLoad(
  tx: Tx,
  tableId: string,
  snapshotId: bigint,
  { jobId, columns, anew }: { readonly jobId: string; readonly columns: string; readonly anew: boolean },
): Promise<BegunLoad> {
  const left = await tx.query<BegunLoad & { ours: boolean }>(
    `SELECT l.id, l.files, l.mark, l.mark IS NOT NULL AND l.job_id = $3 AND l.columns = $4::jsonb AS ours
     FROM snapshot_load l JOIN table_snapshot s USING (table_id, snapshot_id)
     WHERE l.table_id = $1 AND l.snapshot_id = $2 AND s.load_id IS DISTINCT FROM l.id`,
    [tableId, snapshotId, jobId, columns],
  );
  const stopped = anew ? undefined : left.find(({ ours }) => ours);
  for (const { id } of left) if (id !== stopped?.id) await dropLoad(tx, id);
  if (stopped) {
    await dropEntries(tx, stopped.id, stopped.files);
    return stopped;
  }
  const [load] = await tx.query<BegunLoad>(
    'INSERT INTO snapshot_load (table_id, snapshot_id, job_id, columns) VALUES ($1, $2, $3, $4) RETURNING id, files, mark',
    [tableId, snapshotId, jobId, columns],
  );
  return load!;
}

/** Notes where a reading stopped, and after how many files. */
export async function stopLoad(tx: Tx, { id, files, mark }: BegunLoad): Promise<void> {
  await tx.query('UPDATE snapshot_load SET files = $2, mark = $3 WHERE id = $1', [id, files, mark]);
}

/** A reading that has come to its end. */
export interface Load {
  readonly id: string;
  readonly files: number;
  readonly columns: readonly ColumnStatistics[];
  readonly table: TableStatistics;
}

/** Makes a complete reading the one that counts for its snapshot, in place of the one before. */
export async function completeLoad(
  tx: Tx,
  tableId: string,
  snapshotId: bigint,
  { id, files, columns, table }: Load,
): Promise<void> {
  await writeColumns(tx, id, columns);
  await tx.query(
    `UPDATE snapshot_load SET files = $2, record_count = $3, live_row_count = $4, data_file_count = $5, data_bytes = $6,
       position_delete_file_count = $7, equality_delete_file_count = $8, delete_record_count = $9, delete_bytes = $10, mark = NULL
     WHERE id = $1`,
    [
      ...[id, files, table.recordCount, table.liveRowCount, table.dataFileCount, table.dataBytes],
      ...[table.positionDeleteFileCount, table.equalityDeleteFileCount, table.deleteRecordCount, table.deleteBytes],
    ],
  );
  const [old] = await tx.query<{ load_id: string | null }>(
    `UPDATE table_snapshot s SET load_id = $3, code = NULL, message = NULL, spoiled_by = NULL
     FROM (SELECT load_id FROM table_snapshot WHERE table_id = $1 AND snapshot_id = $2 FOR UPDATE) AS old
     WHERE s.table_id = $1 AND s.snapshot_id = $2 RETURNING old.load_id`,
    [tableId, snapshotId, id],
  );
  if (old?.load_id) await dropLoad(tx, old.load_id);
}

/** Why a snapshot cannot be read, as a job found. */
export interface Spoilt {
  readonly snapshotId: bigint;
  readonly jobId: string;
  readonly code: string;
  readonly message: string;
}

/** Notes why a snapshot cannot be read; statistics that were read before stay. */
export async function spoil(tx: Tx, tableId: string, { snapshotId, jobId, code, message }: Spoilt): Promise<void> {
  await tx.query(
    'UPDATE table_snapshot SET code = $3, message = $4, spoiled_by = $5 WHERE table_id = $1 AND snapshot_id = $2',
    [tableId, snapshotId, code, message, jobId],
  );
}

async function writeColumns(tx: Tx, load: string, columns: readonly ColumnStatistics[]): Promise<void> {
  if (columns.length === 0) return;
  await tx.query('INSERT INTO snapshot_column (load_id, n, body) SELECT $1, * FROM unnest($2::integer[], $3::text[])', [
    load,
    columns.map((_, n) => n),
    columns.map(storedColumn),
  ]);
}

function storedColumn(of: ColumnStatistics): string {
  return JSON.stringify({
    ...{
      field_id: of.fieldId,
      path: of.path,
      type: of.type,
      value_count: text(of.valueCount),
      null_count: text(of.nullCount),
    },
    ...{ nan_count: text(of.nanCount), min: of.min, max: of.max, bounds_complete: of.boundsComplete },
    ...{ bounds_truncated: of.boundsTruncated, ndv: text(of.ndv) },
  });
}

/** Drops a reading, and the files that no other reading names. */
async function dropLoad(tx: Tx, id: string): Promise<void> {
  await dropEntries(tx, id, 0);
  await tx.query('DELETE FROM snapshot_load WHERE id = $1', [id]);
}

/** Drops the entries of a reading from a number on, and the files that nothing else names. */
async function dropEntries(tx: Tx, id: string, from: number): Promise<void> {
  await tx.query(
    `WITH gone AS (DELETE FROM plan_entry WHERE load_id = $1 AND n >= $2 RETURNING file_id)
     DELETE FROM plan_file f USING (SELECT DISTINCT file_id FROM gone) AS g
     WHERE f.id = g.file_id AND NOT EXISTS (
       SELECT FROM plan_entry e WHERE e.file_id = g.file_id AND (e.load_id <> $1 OR e.n < $2))`,
    [id, from],
  );
}
