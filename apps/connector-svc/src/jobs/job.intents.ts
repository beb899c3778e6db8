import { type Caller, type Tx, notFound, tenantOf } from '@homeostat/platform';
import { type Connector, HouseError, type JobScope, type JobStatus, type ReconcileJob } from '@homeostat/shared';
import { v7 as uuidv7 } from 'uuid';

/** What a job is to do. */
export interface Work {
  readonly full_rescan: boolean;
  readonly scope: JobScope;
  /** Tables that are missing upstream are gone, however many: a person said so. */
  readonly allow_vanished: boolean;
}

/** States that a job leaves by itself. */
export const openStates: readonly JobStatus[] = ['JS_QUEUED', 'JS_RUNNING', 'JS_CANCELLING'];

/** Returns the job that does this work: the unfinished one, else a new one (spec 3: a cancelling one does not count). */
export async function enqueue(
  tx: Tx,
  { id: connector_id, tenant_id }: Pick<Connector, 'id' | 'tenant_id'>,
  { full_rescan, scope, allow_vanished }: Work,
  because: string,
): Promise<ReconcileJob> {
  const id = uuidv7();
  const [job] = await tx.query<ReconcileJob>(
    `INSERT INTO reconcile_job AS j (id, tenant_id, connector_id, full_rescan, scope, allow_vanished)
     VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (connector_id, full_rescan, scope) WHERE status IN ('JS_QUEUED', 'JS_RUNNING')
       DO UPDATE SET allow_vanished = j.allow_vanished OR excluded.allow_vanished
     RETURNING *`,
    [id, tenant_id, connector_id, full_rescan, scope, allow_vanished],
  );
  if (job!.id !== id) return job!;
  tx.changed({ tenant_id, kind: 'reconcile-jobs', key: id, from: null, to: 'JS_QUEUED', because });
  tx.emit('connector.triggered', {
    ...{ tenant_id, subject: connector_id, version: job!.generation },
    data: { connector_id, job_id: id, full_rescan },
  });
  tx.look('reconcile-jobs', id);
  return job!;
}

/**
 * Cancels a job: at once where nobody works on it, else its worker is told to stop. Throws HouseError `conflict` for one
 * that has come to its end.
 */
export async function cancel(tx: Tx, caller: Caller, id: string): Promise<void> {
  const job = await locked(tx, caller, id);
  if (!openStates.includes(job.status)) throw new HouseError('conflict', `job ${id} is ${job.status}: it has ended`);
  await callOff(tx, [job], 'It was cancelled on request.');
}

/** Cancels whatever a connector has not finished. */
export async function cancelOpenJobs(tx: Tx, connectorId: string, because: string): Promise<void> {
  const jobs = await tx.query<ReconcileJob>(
    `SELECT * FROM reconcile_job WHERE connector_id = $1 AND status IN ('JS_QUEUED', 'JS_RUNNING') ORDER BY id FOR UPDATE`,
    [connectorId],
  );
  await callOff(tx, jobs, because);
}

/** Reads a job and holds it until the commit. Throws HouseError `not_found`. */
export async function locked(tx: Tx, caller: Caller, id: string): Promise<ReconcileJob> {
  const [job] = await tx.query<ReconcileJob>(
    'SELECT * FROM reconcile_job WHERE id = $1 AND ($2::text IS NULL OR tenant_id = $2) FOR UPDATE',
    [id, tenantOf(caller)],
  );
  if (job) return job;
  throw notFound('reconcile_job', id);
}

async function callOff(tx: Tx, jobs: readonly ReconcileJob[], because: string): Promise<void> {
  for (const { id, tenant_id, connector_id, status: from } of jobs) {
    if (from === 'JS_CANCELLING') continue;
    const [to, data] =
      from === 'JS_QUEUED' ? (['JS_CANCELLED', ', finished_at = now()'] as const) : (['JS_CANCELLING', ''] as const);
    const [job] = await tx.query<ReconcileJob>(
      `UPDATE reconcile_job SET status = $2, reason = 'Cancelled', message = $3${data} WHERE id = $1 RETURNING *`,
      [id, to, because],
    );
    tx.changed({ tenant_id, kind: 'reconcile-jobs', key: id, from, to, because });
    tx.look('reconcile-jobs', id);
    if (to === 'JS_CANCELLING') continue;
    const { generation: version, tables_scanned, tables_changed, errors } = job!;
    tx.emit('job.cancelled', {
      ...{ tenant_id, subject: id, version },
      data: { job_id: id, connector_id, tables_scanned, tables_changed, errors },
    });
  }
}
