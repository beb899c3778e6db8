import { createHash } from 'node:crypto';
import type { Tx } from '@homeostat/platform';
import { HouseError, type TableStatus } from '@homeostat/shared';
import { v7 as uuidv7 } from 'uuid';
import type { TableDescription } from '../connector/connector.port';

/** Where a table of a source belongs. */
export interface Place {
  readonly tenant_id: string;
  readonly connector_id: string;
  readonly namespace_id: string;
  readonly name: string;
}

interface Existing {
  readonly id: string;
  readonly connector_id: string | null;
  readonly described: string;
  readonly table_uuid: string | null;
  readonly status: TableStatus;
}

/** What became of a table's row. */
export interface Upserted {
  readonly id: string;
  readonly changed: boolean;
}

/**
 * Writes down what a source says of a table, all but its current snapshot. Throws HouseError `destination_conflict`
 * where the table belongs to another connector.
 */
export async function upsertTable(tx: Tx, place: Place, description: TableDescription): Promise<Upserted> {
  const [old] = await tx.query<Existing>(
    'SELECT id, connector_id, described, table_uuid, status FROM catalog_table WHERE namespace_id = $1 AND name = $2 FOR UPDATE',
    [place.namespace_id, place.name],
  );
  const { connector_id } = place;
  if (old?.connector_id && old.connector_id !== connector_id) {
    const detail = `table ${old.id} (${place.name}) belongs to connector ${old.connector_id}, and not to ${connector_id}`;
    throw new HouseError('destination_conflict', detail);
  }
  const values = columnsOf(description);
  const described = createHash('md5').update(JSON.stringify(values)).digest('hex');
  if (!old) return insert(tx, place, [...values, described]);
  if (old.described === described && old.connector_id === connector_id && old.status === 'active')
    return { id: old.id, changed: false };
  if (old.table_uuid !== null && description.uuid !== null && old.table_uuid !== description.uuid)
    await forgetSnapshots(tx, old.id);
  await tx.query(keepSchemas, [old.id, description.schemas.map(({ id }) => id)]);
  await tx.query(
    `UPDATE catalog_table SET (${names}, described) = (${numbers(3)}), connector_id = $2, status = 'active', vanished_at = NULL,
       missed = 0, reason = NULL, message = NULL
     WHERE id = $1`,
    [old.id, connector_id, ...values, described],
  );
  return { id: old.id, changed: true };
}

async function insert(tx: Tx, place: Place, values: readonly unknown[]): Promise<Upserted> {
  const id = uuidv7();
  const { tenant_id, connector_id, namespace_id, name } = place;
  const [made] = await tx.query<{ generation: string }>(
    `INSERT INTO catalog_table (id, tenant_id, connector_id, namespace_id, name, ${names}, described) VALUES ($1, $2, $3, $4, $5, ${numbers(6)})
     RETURNING generation`,
    [id, tenant_id, connector_id, namespace_id, name, ...values],
  );
  tx.emit('table.created', {
    tenant_id,
    subject: id,
    version: made!.generation,
    data: { table_id: id, connector_id, name },
  });
  return { id, changed: true };
}

const names = `source_namespace, source_name, format, format_version, table_uuid, location, metadata_location, last_updated_ms,
  current_schema_id, schemas, default_spec_id, partition_specs, properties`;
const numbers = (first: number): string =>
  Array.from({ length: names.split(',').length + 1 }, (_, n) => `$${first + n}`).join(', ');

function columnsOf(of: TableDescription): unknown[] {
  const schemas = of.schemas.map(({ id, fields, identifierFieldIds }) => ({
    ...{ schema_id: id, identifier_field_ids: identifierFieldIds, fields },
  }));
  const specs = of.partitionSpecs.map(({ id, fields }) => ({
    spec_id: id,
    fields: fields.map(({ name, fieldId, sourceIds, transform }) => ({
      name,
      field_id: fieldId,
      source_ids: sourceIds,
      transform,
    })),
  }));
  return [
    ...[of.name.namespace, of.name.name, of.format, of.formatVersion, of.uuid, of.location, of.metadataLocation],
    ...[of.lastUpdatedMs === null ? null : String(of.lastUpdatedMs), of.currentSchemaId, JSON.stringify(schemas)],
    ...[of.defaultSpecId, JSON.stringify(specs), JSON.stringify(of.properties)],
  ];
}

/** Schemas of table `$1` that are not among `$2`, which it lists from now on, stay with the snapshots that were written with them. */
const keepSchemas = `
  UPDATE table_snapshot s SET schema = gone.schema
  FROM (SELECT (one ->> 'schema_id')::integer AS id, one AS schema
    FROM catalog_table t, json_array_elements(t.schemas) AS one WHERE t.id = $1) AS gone
  WHERE s.table_id = $1 AND s.schema_id = gone.id AND s.schema IS NULL AND gone.id <> ALL ($2::integer[])`;

/** A table of the same name that is another one: nothing that was known of the old one holds. */
async function forgetSnapshots(tx: Tx, id: string): Promise<void> {
  await tx.query(
    `DELETE FROM plan_entry WHERE load_id = ANY (ARRAY(SELECT id FROM snapshot_load WHERE table_id = $1))`,
    [id],
  );
  await tx.query('DELETE FROM plan_file WHERE table_id = $1', [id]);
  await tx.query('DELETE FROM snapshot_load WHERE table_id = $1', [id]);
  await tx.query('DELETE FROM table_snapshot WHERE table_id = $1', [id]);
  await tx.query('UPDATE catalog_table SET current_snapshot_id = NULL WHERE id = $1', [id]);
}

/** What the work on a table brought, once all of it is written. */
export interface Completed {
  readonly tenant_id: string;
  readonly connector_id: string;
  readonly id: string;
  /** Snapshots that the source told about in this run: what it said of their lineage is newer than what follows from their parents. */
  readonly told: readonly bigint[];
  /** Whether anything of it is not as it was. */
  readonly changed: boolean;
}

/** Points a table to its current snapshot, and tells that it changed; returns whether it did. */
export async function completeTable(
  tx: Tx,
  { currentSnapshotId, refs }: TableDescription,
  done: Completed,
): Promise<boolean> {
  const { id, tenant_id, connector_id } = done;
  const shownRefs = refs.map(({ name, type, snapshotId }) => ({ name, type, snapshot_id: String(snapshotId) }));
  const current = currentSnapshotId === null ? null : String(currentSnapshotId);
  const [moved] = await tx.query(
    `UPDATE catalog_table SET current_snapshot_id = $2, refs = $3::json
     WHERE id = $1 AND (current_snapshot_id IS DISTINCT FROM $2 OR refs::text <> $3::json::text) RETURNING id`,
    [id, current, JSON.stringify(shownRefs)],
  );
  if (moved) await tx.query(lineage, [id, current, done.told.map(String)]);
  if (!moved && !done.changed) return false;
  const [table] = await tx.query<{ name: string; generation: string }>(
    'SELECT name, generation FROM catalog_table WHERE id = $1',
    [id],
  );
  const { name, generation } = table!;
  tx.emit('table.changed', { tenant_id, subject: id, version: generation, data: { table_id: id, connector_id, name } });
  return true;
}

/** Which snapshots of table `$1` lead to `$2`; those in `$3` are known already. */
const lineage = `
  WITH RECURSIVE line AS (
    SELECT snapshot_id, parent_id FROM table_snapshot WHERE table_id = $1 AND snapshot_id = $2
    UNION SELECT p.snapshot_id, p.parent_id FROM line JOIN table_snapshot p ON p.table_id = $1 AND p.snapshot_id = line.parent_id)
  UPDATE table_snapshot s SET in_current_lineage = NOT in_current_lineage
  WHERE s.table_id = $1 AND s.snapshot_id <> ALL ($3::bigint[])
    AND s.in_current_lineage <> (s.snapshot_id IN (SELECT line.snapshot_id FROM line))`;
