import type { Tx } from '@homeostat/platform';
import type { JobStatus, ReconcileJob } from '@homeostat/shared';
import { markVanished } from './vanished';

/** A step that was decided on: which job, and the sentence that says why. */
export interface Change {
  readonly key: string;
  readonly because: string;
}

/**
 * Begins a job that is queued, unless another of its connector is under way. The connector is locked by a statement of
 * its own: the next one takes its snapshot after the wait, and so sees who was first.
 */
export async function start(tx: Tx, { key, because }: Change): Promise<boolean> {
  await tx.query(
    'SELECT c.id FROM connector c, reconcile_job j WHERE j.id = $1 AND c.id = j.connector_id FOR UPDATE OF c',
    [key],
  );
  const [job] = await tx.query<ReconcileJob>(
    `UPDATE reconcile_job j SET status = 'JS_RUNNING', started_at = coalesce(started_at, now()), retry_at = NULL, reason = NULL, message = NULL
     WHERE id = $1 AND status = 'JS_QUEUED' AND NOT EXISTS (
       SELECT FROM reconcile_job o WHERE o.connector_id = j.connector_id AND o.status IN ('JS_RUNNING', 'JS_CANCELLING'))
     RETURNING *`,
    [key],
  );
  if (!job) return false;
  const { tenant_id, connector_id, attempt, generation } = job;
  tx.changed({ tenant_id, kind: 'reconcile-jobs', key, from: 'JS_QUEUED', to: 'JS_RUNNING', because });
  tx.emit('job.started', {
    tenant_id,
    subject: key,
    version: generation,
    data: { job_id: key, connector_id, attempt },
  });
  return true;
}

/** Writes down how far a job is. */
export async function progress(tx: Tx, { key }: Change): Promise<boolean> {
  const rows = await tx.query(
    `${counted} UPDATE reconcile_job j SET ${counters} FROM done WHERE j.id = $1 AND j.status = 'JS_RUNNING' RETURNING j.id`,
    [key],
  );
  return rows.length > 0;
}

/** Puts a job back into the queue, until `retryAt`; what it has done so far stays done. */
export async function requeue(
  tx: Tx,
  { key, because }: Change,
  { costs, reason, retryAt }: { readonly costs: boolean; readonly reason: string; readonly retryAt: Date },
): Promise<boolean> {
  const [job] = await tx.query<ReconcileJob>(
    `${counted} UPDATE reconcile_job j SET ${counters}, status = 'JS_QUEUED', slice_epoch = NULL, retry_at = $2, reason = $3, message = $4,
       attempt = attempt + CASE WHEN $5 THEN 1 ELSE 0 END
     FROM done WHERE j.id = $1 AND j.status = 'JS_RUNNING' RETURNING j.*`,
    [key, retryAt, reason, because, costs],
  );
  if (!job) return false;
  tx.changed({ tenant_id: job.tenant_id, kind: 'reconcile-jobs', key, from: 'JS_RUNNING', to: 'JS_QUEUED', because });
  await wakeNext(tx, job);
  return true;
}

/** Ends a job that has nothing left to do: well, unless some of its tables failed. */
export async function finish(tx: Tx, change: Change): Promise<boolean> {
  const [job] = await tx.query<{ failed: boolean }>(
    `SELECT EXISTS (SELECT FROM job_table t WHERE t.job_id = j.id AND t.state = 'failed') AS failed
     FROM reconcile_job j WHERE j.id = $1 AND j.status = 'JS_RUNNING' FOR UPDATE OF j`,
    [change.key],
  );
  if (!job) return false;
  const gone = await markVanished(tx, change.key);
  const because = gone === null ? change.because : `${change.because} ${gone}`;
  return end(
    tx,
    { ...change, because },
    ['JS_RUNNING'],
    job.failed ? 'JS_FAILED' : 'JS_SUCCEEDED',
    job.failed ? 'TablesFailed' : 'Reconciled',
  );
}

/** Ends a job that no retry can help. A connector whose destination is in conflict does nothing more until that is mended. */
export async function fail(tx: Tx, change: Change, reason: string): Promise<boolean> {
  return end(tx, change, ['JS_QUEUED', 'JS_RUNNING'], 'JS_FAILED', reason);
}

/** Ends a job that somebody cancelled, once nobody works on it. */
export async function cancelled(tx: Tx, change: Change): Promise<boolean> {
  return end(tx, change, ['JS_CANCELLING'], 'JS_CANCELLED', 'Cancelled');
}

/** Drops a job that ended long ago, with the outcomes of its tables. */
export async function forget(tx: Tx, { key, because }: Change): Promise<boolean> {
  const [job] = await tx.query<{ tenant_id: string; from: JobStatus }>(
    `DELETE FROM reconcile_job WHERE id = $1 AND finished_at IS NOT NULL RETURNING tenant_id, status AS "from"`,
    [key],
  );
  if (!job) return false;
  tx.changed({ ...job, kind: 'reconcile-jobs', key, to: 'deleted', because });
  return true;
}

/** What the tables of job `$1` add up to: each is counted once, when it is at its end. */
const counted = `
  WITH done AS (
    SELECT count(*) FILTER (WHERE state <> 'pending') AS scanned, count(*) FILTER (WHERE changed) AS changed,
      count(*) FILTER (WHERE state = 'failed') AS failed, coalesce(sum(snapshots_done), 0) AS snapshots, coalesce(sum(stats_done), 0) AS stats
    FROM job_table WHERE job_id = $1)`;
const counters = `tables_scanned = done.scanned, tables_changed = done.changed, errors = done.failed,
  snapshots_processed = done.snapshots, stats_processed = done.stats`;

type End = 'JS_SUCCEEDED' | 'JS_FAILED' | 'JS_CANCELLED';
const eventOf = {
  JS_SUCCEEDED: 'job.succeeded',
  JS_FAILED: 'job.failed',
  JS_CANCELLED: 'job.cancelled',
} as const satisfies Record<End, string>;

async function end(
  tx: Tx,
  { key, because }: Change,
  from: readonly JobStatus[],
  to: End,
  reason: string,
): Promise<boolean> {
  const [job] = await tx.query<ReconcileJob & { from: JobStatus }>(
    `${counted}, old AS MATERIALIZED (SELECT id, status FROM reconcile_job WHERE id = $1 FOR UPDATE)
     UPDATE reconcile_job j SET ${counters}, status = $3, reason = $4, message = $5, finished_at = now(), retry_at = NULL, slice_epoch = NULL
     FROM done, old WHERE j.id = old.id AND j.id = $1 AND old.status = ANY ($2) RETURNING j.*, old.status AS "from"`,
    [key, from, to, reason, because],
  );
  if (!job) return false;
  const { tenant_id, connector_id, generation: version, tables_scanned, tables_changed, errors } = job;
  tx.changed({ tenant_id, kind: 'reconcile-jobs', key, from: job.from, to, because });
  const data = { job_id: key, connector_id, tables_scanned, tables_changed, errors };
  tx.emit(eventOf[to], { tenant_id, subject: key, version, data: { ...data, reason } });
  await noteRun(tx, job, reason);
  await wakeNext(tx, job);
  return true;
}

/** The connector remembers its last run, and stands still where its destination is not its own. */
async function noteRun(
  tx: Tx,
  { id, connector_id, tenant_id, status, message }: ReconcileJob,
  reason: string,
): Promise<void> {
  const clash = reason === 'DestinationConflict';
  const [old] = await tx.query<{ status: string }>('SELECT status FROM connector WHERE id = $1 FOR UPDATE', [
    connector_id,
  ]);
  await tx.query(
    `UPDATE connector SET last_job_id = $2, last_run_status = $3, last_run_at = now(),
       status = CASE WHEN $4 THEN 'conflict' ELSE status END,
       reason = CASE WHEN $4 THEN 'DestinationConflict' ELSE reason END, message = CASE WHEN $4 THEN $5 ELSE message END
     WHERE id = $1`,
    [connector_id, id, status, clash, message],
  );
  if (!clash || old?.status !== 'active') return;
  const because = message ?? '';
  tx.changed({ tenant_id, kind: 'connectors', key: connector_id, from: 'active', to: 'conflict', because });
  tx.look('connectors', connector_id);
}

/** Whoever waited for this job's end: the next one of the connector. */
async function wakeNext(tx: Tx, { connector_id, id }: ReconcileJob): Promise<void> {
  const waiting = await tx.query<{ id: string }>(
    `SELECT id FROM reconcile_job WHERE connector_id = $1 AND status = 'JS_QUEUED' AND id <> $2 ORDER BY id LIMIT 5`,
    [connector_id, id],
  );
  for (const next of waiting) tx.look('reconcile-jobs', next.id);
}
