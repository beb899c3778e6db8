import { setMaxListeners } from 'node:events';
import { Unavailable } from '@homeostat/reconcile';
import { retryAtAfter } from '../jobs/job.decide';
import { tablesDone } from '../jobs/job.metrics';
import { type Failure, failureOf } from './failure';
import { Stopped } from './fence';
import type { SliceScope } from './slice-scope';
import { type JobTable, reconcileTable } from './table';

/** Tables that are asked for at once; a job may have a million. */
const PAGE = 500;

/**
 * Works on the tables of a job that may be tried now, several at a time, until the slice is over. A table that fails is
 * noted, and the others go on.
 */
export async function reconcileTables(scope: SliceScope, attempts: number): Promise<void> {
  const halt = new AbortController();
  const signal = AbortSignal.any([scope.signal, halt.signal]);
  // Every request that is under way listens to it.
  setMaxListeners(0, signal);
  const inner = { ...scope, signal };
  for (let begun = 0; begun === 0 || !scope.isOver();) {
    const queue = await dueTables(scope);
    if (queue.length === 0) return;
    const lane = async (): Promise<void> => {
      // The first one in any case: else a source that is slow to open would never come to an end.
      while (queue.length > 0 && (begun === 0 || !scope.isOver())) {
        begun += 1;
        signal.throwIfAborted();
        await attempt(inner, queue.shift()!, attempts);
      }
    };
    const lanes = Array.from({ length: scope.target.max_parallel }, () =>
      lane().catch((error: unknown) => {
        halt.abort(error);
        throw error;
      }),
    );
    const failed = (await Promise.allSettled(lanes)).find(({ status }) => status === 'rejected');
    if (failed) throw (failed as PromiseRejectedResult).reason;
  }
}

function dueTables({ database, fence }: SliceScope): Promise<JobTable[]> {
  return database.query<JobTable>(
    `SELECT n, namespace, name, attempt FROM job_table
     WHERE job_id = $1 AND state = 'pending' AND (retry_at IS NULL OR retry_at <= now()) ORDER BY n LIMIT ${PAGE}`,
    [fence.jobId],
  );
}

async function attempt(scope: SliceScope, table: JobTable, attempts: number): Promise<void> {
  try {
    await reconcileTable(scope, table);
  } catch (error) {
    if (scope.signal.aborted) throw error instanceof Unavailable ? error : new Stopped('the work was stopped');
    const failure = failureOf(error, scope.secrets);
    if (!failure) throw error;
    await note(scope, table, failure, attempts);
  }
}

/** Tries a table again later, or gives it up. */
async function note(
  scope: SliceScope,
  table: JobTable,
  { failureClass, code, message }: Failure,
  attempts: number,
): Promise<void> {
  const { fence } = scope;
  const costs = failureClass === 'transient';
  const isLast = failureClass === 'terminal' || (costs && table.attempt >= attempts);
  const retryAt = retryAtAfter(costs ? table.attempt : 4, Math.random(), new Date());
  await fence.write(async (tx) => {
    const [row] = await tx.query<{ table_id: string | null }>(
      `UPDATE job_table SET state = $3, attempt = attempt + $4, code = $5, message = $6,
         retry_at = CASE WHEN $3 = 'pending' THEN now() + make_interval(secs => $7::float8 / 1000) END,
         finished_at = CASE WHEN $3 = 'failed' THEN now() END
       WHERE job_id = $1 AND n = $2 RETURNING table_id`,
      [
        ...[fence.jobId, table.n, isLast ? 'failed' : 'pending', costs && !isLast ? 1 : 0, code, message],
        Math.max(0, retryAt.getTime() - Date.now()),
      ],
    );
    if (isLast) scope.tellDone(tx, row?.table_id ?? null, 'failed');
  });
  if (isLast) tablesDone.inc({ outcome: 'failed' });
}
