import type { Tx } from '@homeostat/platform';
import { HouseError } from '@homeostat/shared';
import type { Snapshot, SourceTable } from '../connector/connector.port';
import { ConnectorFault } from '../connector/fault';
import { markExpired, spoil, writeSnapshots } from '../catalog/snapshot.writes';
import { completeTable, upsertTable } from '../catalog/table.writes';
import { tablesDone } from '../jobs/job.metrics';
import { scrubbed } from './failure';
import { type Reading, ingest } from './ingest';
import type { SliceScope } from './slice-scope';

/** A table that a job found, and is not done with. */
export interface JobTable {
  readonly n: number;
  readonly namespace: readonly string[];
  readonly name: string;
  readonly attempt: number;
}

const SNAPSHOTS_AT_ONCE = 500;

/**
 * Brings one table of the catalog to what its source says, or part of the way, when the slice is over before. Whatever was
 * committed is not done again, and what this job found to be broken is not tried again.
 */
export async function reconcileTable(scope: SliceScope, table: JobTable): Promise<void> {
  const { connector, signal, fence, target } = scope;
  const source = await connector.describe({ namespace: table.namespace, name: table.name }, { signal });
  const { id } = await placeTable(scope, table, source);
  const { columns, startedMs, isOver } = scope;
  const mayStop = stopper(startedMs, isOver);
  const reading = { fence, tableId: id, tenant: target.tenant_id, n: table.n, columns, mayStop, signal };
  const { told, fault } = await listSnapshots(scope, source, reading);
  const spoilt = await spoiltSnapshots(scope, id);
  let begun = 0;
  for (const snapshot of told.filter((one) => !spoilt.has(one.id))) {
    // At least one, however long it took to get here: else a slow source would never come to an end.
    if (begun > 0 && isOver()) return;
    begun += 1;
    const { stopped, why } = await readSnapshot(scope, source, snapshot, reading);
    if (stopped) return;
    if (why !== null) spoilt.set(snapshot.id, why);
  }
  const bad = [
    ...(fault ? [scrubbed(fault.message, scope.secrets)] : []),
    ...[...spoilt].map(([snapshot, why]) => `snapshot ${snapshot}: ${why}`),
  ];
  const outcome = await fence.write((tx) => conclude(tx, scope, table, { id, source, told, bad }));
  tablesDone.inc({ outcome });
}

/** Reading is at least three quarters of a slice, however long it took to open the source and to list its snapshots. */
const READING_TO_BEGINNING = 3;

/** Whether a reading should stop: the slice has had its time, and what it took to get there was worth it. */
function stopper(startedMs: number, isOver: () => boolean): () => boolean {
  let beganMs: number | null = null;
  return () => {
    const now = performance.now();
    beganMs ??= now;
    return isOver() && now - beganMs >= READING_TO_BEGINNING * (beganMs - startedMs);
  };
}

interface Conclusion {
  readonly id: string;
  readonly source: SourceTable;
  readonly told: readonly Snapshot[];
  /** What is wrong with it. */
  readonly bad: readonly string[];
}

async function conclude(
  tx: Tx,
  scope: SliceScope,
  table: JobTable,
  { id, source, told, bad }: Conclusion,
): Promise<'done' | 'failed'> {
  const { fence, target } = scope;
  const find = 'SELECT changed FROM job_table WHERE job_id = $1 AND n = $2';
  const [{ changed } = { changed: false }] = await tx.query<{ changed: boolean }>(find, [fence.jobId, table.n]);
  const owner = { tenant_id: target.tenant_id, connector_id: target.id };
  // Where something could not be read, what is missing may be only unreadable.
  const expired = bad.length === 0 && (await markExpired(tx, id, source.snapshotIds));
  const done = { ...owner, id, told: told.map((one) => one.id), changed: changed || expired };
  const isNew = await completeTable(tx, source.description, done);
  const [state, code] = bad.length > 0 ? (['failed', 'unreadable_snapshots'] as const) : (['done', null] as const);
  const message = bad.length > 0 ? bad.slice(0, 3).join('; ').slice(0, 2_000) : null;
  await tx.query(
    `UPDATE job_table SET state = $3, changed = changed OR $4, snapshots_failed = $5, code = $6, message = $7, retry_at = NULL, finished_at = now()
     WHERE job_id = $1 AND n = $2`,
    [fence.jobId, table.n, state, isNew, bad.length, code, message],
  );
  scope.tellDone(tx, id, state);
  return state;
}

/** Snapshots that this job found to be unreadable, and why. */
async function spoiltSnapshots({ database, job }: SliceScope, tableId: string): Promise<Map<bigint, string>> {
  const rows = await database.query<{ snapshot_id: string; message: string }>(
    'SELECT snapshot_id, message FROM table_snapshot WHERE table_id = $1 AND spoiled_by = $2 ORDER BY number',
    [tableId, job.id],
  );
  return new Map(rows.map(({ snapshot_id, message }) => [BigInt(snapshot_id), message]));
}

function placeTable({ fence, target, namespaceOf }: SliceScope, table: JobTable, { description }: SourceTable) {
  return fence.write(async (tx) => {
    const namespace_id = await namespaceOf(tx, table.namespace);
    const name = target.destination.table ?? table.name;
    const place = { tenant_id: target.tenant_id, connector_id: target.id, namespace_id, name };
    const placed = await upsertTable(tx, place, description);
    const named = target.destination.table_id ?? target.table_id;
    if (target.source.table !== null && named !== null && named !== placed.id)
      throw new HouseError(
        'destination_conflict',
        `the table ${name} is ${placed.id}, and not ${named} as the connector has it`,
      );
    if (target.source.table !== null)
      await tx.query('UPDATE connector SET table_id = $2, namespace_id = $3 WHERE id = $1 AND table_id IS NULL', [
        target.id,
        placed.id,
        namespace_id,
      ]);
    await tx.query('UPDATE job_table SET table_id = $3, changed = changed OR $4 WHERE job_id = $1 AND n = $2', [
      ...[fence.jobId, table.n, placed.id, placed.changed],
    ]);
    return placed;
  });
}

/** Writes down which snapshots there are; returns those that are yet to be read, and the fault after which no more came. */
async function listSnapshots(scope: SliceScope, source: SourceTable, { tableId, n, tenant }: Reading) {
  const { fence, signal } = scope;
  const known = await knownSnapshots(scope, tableId);
  const listed = new Set(source.description.schemas.map(({ id }) => id));
  const told: Snapshot[] = [];
  const write = (part: readonly Snapshot[]) => fence.write((tx) => writeSnapshots(tx, tenant, tableId, part, listed));
  const batch: Snapshot[] = [];
  let fault: ConnectorFault | null = null;
  try {
    for await (const snapshot of source.listSnapshots(known, { signal })) {
      told.push(snapshot);
      batch.push(snapshot);
      if (batch.length === SNAPSHOTS_AT_ONCE) await write(batch.splice(0));
    }
  } catch (error) {
    if (!(error instanceof ConnectorFault) || error.faultClass !== 'terminal') throw error;
    fault = error;
  }
  if (batch.length > 0) await write(batch);
  await fence.write((tx) =>
    tx.query('UPDATE job_table SET snapshots_total = snapshots_done + $3 WHERE job_id = $1 AND n = $2', [
      fence.jobId,
      n,
      told.length,
    ]),
  );
  return { told, fault };
}

/** Snapshots whose statistics, as they are asked for, are complete; in a full rescan, those that this job has read. */
async function knownSnapshots({ database, columns, job }: SliceScope, tableId: string): Promise<Set<bigint>> {
  const rows = await database.query<{ snapshot_id: string }>(
    `SELECT s.snapshot_id FROM table_snapshot s JOIN snapshot_load l ON l.id = s.load_id
     WHERE s.table_id = $1 AND l.columns = $2::jsonb AND ($3::uuid IS NULL OR l.job_id = $3)`,
    [tableId, JSON.stringify(columns), job.full_rescan ? job.id : null],
  );
  return new Set(rows.map(({ snapshot_id }) => BigInt(snapshot_id)));
}

/** Reads one snapshot, or a part of it, when the slice is over before; what is broken for good spoils it alone, and is returned. */
async function readSnapshot(
  scope: SliceScope,
  source: SourceTable,
  snapshot: Snapshot,
  reading: Reading,
): Promise<{ readonly stopped: boolean; readonly why: string | null }> {
  try {
    return { stopped: !(await ingest(source, snapshot, reading)), why: null };
  } catch (error) {
    if (!(error instanceof ConnectorFault) || error.faultClass !== 'terminal') throw error;
    const { code } = error;
    const message = scrubbed(error.message, scope.secrets);
    const spoilt = { snapshotId: snapshot.id, jobId: reading.fence.jobId, code, message };
    await reading.fence.write((tx) => spoil(tx, reading.tableId, spoilt));
    return { stopped: false, why: message };
  }
}
