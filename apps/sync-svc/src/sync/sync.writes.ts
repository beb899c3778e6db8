import type { Tx } from '@homeostat/platform';
import type { Plan } from '@homeostat/reconcile';
import type { Sync, SyncStatus } from '@homeostat/shared';
import { addFallbacks, addRecords } from '../listing/listing.writes';
import type { CopiedSlice, RecordFault, SyncSight, SyncStep } from './sync.sight';

type Planned = Plan<SyncSight, SyncStep>;
type StepOf<Name extends SyncStep['do']> = Extract<SyncStep, { do: Name }>;

/** Writes one step down, unless the sync has left the state that it was decided on in; then false. */
export function apply(tx: Tx, plan: Planned): Promise<boolean> {
  const { step } = plan;
  switch (step.do) {
    case 'mark':
      return mark(tx, plan, step);
    case 'start':
      return start(tx, plan);
    case 'list_anew':
      return listAnew(tx, plan);
    case 'take_tags':
      return takeTags(tx, plan, step);
    case 'note':
      return note(tx, plan, step.slice);
    case 'requeue':
      return requeue(tx, plan, step);
    case 'finish':
      return end(tx, plan, 'COMPLETED', 'Mirrored');
    case 'fail':
      return end(tx, plan, 'FAILED', step.reason);
    case 'delete':
      return end(tx, plan, 'DELETED', 'Deleted');
    case 'forget':
      return forget(tx, plan);
  }
}

async function mark(tx: Tx, { key, because }: Planned, { reason }: StepOf<'mark'>): Promise<boolean> {
  const rows = await tx.query(
    `UPDATE sync SET reason = $2, message = $3 WHERE id = $1 AND status = 'PENDING' RETURNING id`,
    [key, reason, because],
  );
  return rows.length > 0;
}

/** Sync `o` is not worked on because somebody said so: it takes nobody's turn. */
export const isPaused = `EXISTS (SELECT FROM reconcile_status p WHERE p.kind = 'syncs' AND p.key = o.id AND p.paused)`;

/**
 * Begins a sync, or goes on with it, unless so many from its host are under way as there may be. The lock is a statement
 * of its own: the next one takes its snapshot after the wait, and so sees who was first.
 */
async function start(tx: Tx, { key, because, observed }: Planned): Promise<boolean> {
  const { remote_host } = observed.sync;
  await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended('syncs from ' || $1, 0))`, [remote_host]);
  const [sync] = await tx.query<Sync>(
    `UPDATE sync s SET status = 'IN_PROGRESS', started_at = coalesce(started_at, now()),
       progressed_at = CASE WHEN started_at IS NULL THEN now() ELSE progressed_at END, retry_at = NULL, reason = NULL, message = NULL
     WHERE id = $1 AND status = 'PENDING' AND $3 > (
       SELECT count(*) FROM sync o WHERE o.remote_host = $2 AND o.status = 'IN_PROGRESS' AND NOT ${isPaused})
     RETURNING *`,
    [key, remote_host, observed.settings.perHost],
  );
  if (!sync) return false;
  const { tenant_id, generation: version } = sync;
  tx.changed({ tenant_id, kind: 'syncs', key, from: 'PENDING', to: 'IN_PROGRESS', because });
  tx.emit('sync.started', { tenant_id, subject: key, version, data: { sync_id: key, remote_host } });
  return true;
}

async function listAnew(tx: Tx, { key, observed }: Planned): Promise<boolean> {
  const rows = await tx.query(
    `UPDATE sync SET cursor = NULL WHERE id = $1 AND status = 'IN_PROGRESS' AND generation = $2 RETURNING id`,
    [key, observed.sync.generation],
  );
  return rows.length > 0;
}

async function takeTags(
  tx: Tx,
  { key, observed }: Planned,
  { remote, cids, next }: StepOf<'take_tags'>,
): Promise<boolean> {
  const held = await tx.query(
    `SELECT id FROM sync WHERE id = $1 AND status = 'IN_PROGRESS' AND generation = $2 FOR UPDATE`,
    [key, observed.sync.generation],
  );
  if (held.length === 0) return false;
  const added = await tx.query(
    `INSERT INTO sync_record (sync_id, cid) SELECT $1, cid FROM (SELECT DISTINCT unnest($2::text[]) AS cid) AS t
     ON CONFLICT DO NOTHING RETURNING cid`,
    [key, cids],
  );
  await tx.query(
    `UPDATE sync SET remote = $2, cursor = $3, listed_at = CASE WHEN $3::text IS NULL THEN now() END, total = total + $4, attempts = 0,
       progressed_at = CASE WHEN $4 > 0 THEN now() ELSE progressed_at END, requires_regsync = coalesce(requires_regsync, $5)
     WHERE id = $1`,
    [key, remote, next, added.length, remote.kind !== 'zot'],
  );
  return true;
}

/** Writes down what became of records; those that came are looked at by the index, without waiting for its next listing. */
async function note(tx: Tx, { key }: Planned, slice: CopiedSlice): Promise<boolean> {
  const held = await tx.query(`SELECT id FROM sync WHERE id = $1 AND status = 'IN_PROGRESS' FOR UPDATE`, [key]);
  if (held.length === 0) return false;
  await take(tx, key, slice);
  return true;
}

async function take(tx: Tx, key: string, slice: CopiedSlice): Promise<void> {
  const { remote, done, apart, failed, left, refreshed, fallbacks } = slice;
  const known = new Set(apart.map(({ cid }) => cid));
  const plain = done.filter((cid) => !known.has(cid)).map((cid) => ({ cid, reason: null, message: null }));
  const cameNow = await settle(tx, key, 'done', [...plain, ...apart]);
  const failedNow = await settle(tx, key, 'failed', failed);
  await settle(tx, key, 'pending', left);
  await tx.query(
    `UPDATE sync SET remote = $2, done = done + $3, failed = failed + $4, requires_regsync = coalesce(requires_regsync, $5),
       attempts = CASE WHEN $3 + $4 > 0 THEN 0 ELSE attempts END, progressed_at = CASE WHEN $3 + $4 > 0 THEN now() ELSE progressed_at END
     WHERE id = $1`,
    [key, remote, cameNow, failedNow, remote.kind !== 'zot'],
  );
  await addRecords(tx, done);
  await addFallbacks(tx, fallbacks);
  const renewed = await tx.query<{ id: string }>('SELECT id FROM record WHERE cid = ANY ($1)', [refreshed]);
  for (const { id } of renewed) tx.look('records', id);
}

type Settled = Omit<RecordFault, 'reason' | 'message'> & {
  readonly reason: string | null;
  readonly message: string | null;
};

/** Moves open records of a sync to a state; returns how many. */
async function settle(tx: Tx, key: string, state: string, records: readonly Settled[]): Promise<number> {
  if (records.length === 0) return 0;
  const rows = await tx.query(
    `UPDATE sync_record r SET state = $2, reason = n.reason, message = n.message, tries = tries + CASE WHEN $2 = 'pending' THEN 1 ELSE 0 END
     FROM jsonb_to_recordset($3::jsonb) AS n (cid text, reason text, message text)
     WHERE r.sync_id = $1 AND r.cid = n.cid AND r.state IN ('pending', 'copying') RETURNING r.cid`,
    [key, state, JSON.stringify(records)],
  );
  return rows.length;
}

/** Puts a sync back, until `retryAt`; what it has done so far stays done. */
async function requeue(
  tx: Tx,
  { key, because }: Planned,
  { costs, reason, retryAt, slice }: StepOf<'requeue'>,
): Promise<boolean> {
  const [sync] = await tx.query<Sync>(
    `UPDATE sync SET status = 'PENDING', retry_at = $2, reason = $3, message = $4, attempts = attempts + CASE WHEN $5 THEN 1 ELSE 0 END
     WHERE id = $1 AND status = 'IN_PROGRESS' RETURNING *`,
    [key, retryAt, reason, because, costs],
  );
  if (!sync) return false;
  if (slice) await take(tx, key, slice);
  await stopCopying(tx, key);
  tx.changed({ tenant_id: sync.tenant_id, kind: 'syncs', key, from: 'IN_PROGRESS', to: 'PENDING', because });
  await wakeNext(tx, sync);
  return true;
}

/** The states that each end may follow. */
const before: Record<'COMPLETED' | 'FAILED' | 'DELETED', readonly SyncStatus[]> = {
  COMPLETED: ['IN_PROGRESS'],
  FAILED: ['PENDING', 'IN_PROGRESS'],
  DELETED: ['DELETE_PENDING'],
};

async function end(tx: Tx, { key, because }: Planned, to: keyof typeof before, reason: string): Promise<boolean> {
  const [sync] = await tx.query<Sync & { from: SyncStatus }>(
    `WITH old AS MATERIALIZED (SELECT id, status FROM sync WHERE id = $1 FOR UPDATE)
     UPDATE sync s SET status = $3, reason = $4, message = $5, finished_at = now(), retry_at = NULL, secrets = NULL
     FROM old WHERE s.id = old.id AND old.status = ANY ($2) RETURNING s.*, old.status AS "from"`,
    [key, before[to], to, reason, because],
  );
  if (!sync) return false;
  const { tenant_id, from, generation: version, remote_host, done: records } = sync;
  tx.changed({ tenant_id, kind: 'syncs', key, from, to, because });
  await stopCopying(tx, key);
  const fact = { tenant_id, subject: key, version };
  const data = { sync_id: key, remote_host, records };
  if (to === 'COMPLETED') tx.emit('sync.completed', { ...fact, data });
  if (to === 'FAILED') tx.emit('sync.failed', { ...fact, data: { ...data, reason } });
  await wakeNext(tx, sync);
  return true;
}

/** Drops a sync that ended long ago; what it copied stays. */
async function forget(tx: Tx, { key, because }: Planned): Promise<boolean> {
  const [sync] = await tx.query<{ tenant_id: string; from: SyncStatus }>(
    `DELETE FROM sync WHERE id = $1 AND finished_at IS NOT NULL RETURNING tenant_id, status AS "from"`,
    [key],
  );
  if (!sync) return false;
  tx.changed({ ...sync, kind: 'syncs', key, to: 'deleted', because });
  return true;
}

/** Nobody is at any of its records now. */
async function stopCopying(tx: Tx, key: string): Promise<void> {
  await tx.query(`UPDATE sync_record SET state = 'pending' WHERE sync_id = $1 AND state = 'copying'`, [key]);
}

/** Whoever waits for a place at the same host. */
async function wakeNext(tx: Tx, { id, remote_host }: Sync): Promise<void> {
  const waiting = await tx.query<{ id: string }>(
    `SELECT id FROM sync WHERE remote_host = $1 AND status = 'PENDING' AND id <> $2 ORDER BY id LIMIT 5`,
    [remote_host, id],
  );
  for (const next of waiting) tx.look('syncs', next.id);
}
