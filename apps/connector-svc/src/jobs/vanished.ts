import type { Tx } from '@homeostat/platform';

/** More than this part of a connector's tables does not vanish at once, unless a person says so. */
const MOST_PART = 0.2;
/** Complete listings in a row in which a table must be missing. */
const LISTINGS = 2;

interface Missing {
  readonly id: string;
  readonly name: string;
  readonly missed: number;
}

/**
 * Compares a connector's tables with the complete listing of a job that was about all of them: those that are missing for
 * the second time are marked as vanished, if they are not too many. Returns a sentence where somebody should look.
 */
export async function markVanished(tx: Tx, jobId: string): Promise<string | null> {
  const [job] = await tx.query<{ connector_id: string; allow_vanished: boolean }>(
    `SELECT connector_id, allow_vanished FROM reconcile_job WHERE id = $1 AND listed_at IS NOT NULL AND scope = '{}'`,
    [jobId],
  );
  if (!job) return null;
  const missing = await tx.query<Missing>(
    `UPDATE catalog_table t SET missed = missed + 1
     WHERE t.connector_id = $1 AND t.status = 'active' AND NOT EXISTS (
       SELECT FROM job_table j WHERE j.job_id = $2 AND j.namespace = t.source_namespace AND j.name = t.source_name)
     RETURNING id, name, missed`,
    [job.connector_id, jobId],
  );
  const gone = missing.filter(({ missed }) => missed >= LISTINGS);
  if (gone.length === 0) return null;
  const [{ tables } = { tables: 0 }] = await tx.query<{ tables: number }>(
    `SELECT count(*)::integer AS tables FROM catalog_table WHERE connector_id = $1 AND status = 'active'`,
    [job.connector_id],
  );
  if (gone.length > tables * MOST_PART && !job.allow_vanished) {
    const which = gone
      .map(({ name }) => name)
      .sort()
      .slice(0, 3);
    return `${gone.length} of ${tables} tables are missing in the source (${which.join(', ')}), too many to believe: they are kept. If they are gone, trigger with allow_vanished.`;
  }
  await vanish(tx, job.connector_id, gone);
  return `${gone.length} tables vanished.`;
}

async function vanish(tx: Tx, connectorId: string, gone: readonly Missing[]): Promise<void> {
  const rows = await tx.query<{ id: string; tenant_id: string; name: string; generation: string }>(
    `UPDATE catalog_table SET status = 'vanished', vanished_at = now(), reason = 'Vanished', message = 'It is no longer in its source.'
     WHERE id = ANY ($1) RETURNING id, tenant_id, name, generation`,
    [gone.map(({ id }) => id)],
  );
  for (const { id, tenant_id, name, generation } of rows) {
    const data = { table_id: id, connector_id: connectorId, name };
    tx.emit('table.vanished', { tenant_id, subject: id, version: generation, data });
  }
}
