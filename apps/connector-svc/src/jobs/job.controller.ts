import {
  type Asked,
  Changes,
  Database,
  KindDesks,
  Route,
  idParams,
  listOf,
  listQuery,
  page,
  readOne,
  waitFor,
  waitQuery,
} from '@homeostat/platform';
import { type Connector, HouseError, jobStates } from '@homeostat/shared';
import { Controller } from '@nestjs/common';
import { z } from 'zod';
import { pageByNumber } from '../catalog/page-by-number';
import { type JobRow, type TableOutcome, jobAnswer, jobWithTables, shown, tableOutcome } from './job.answer';
import { cancel, enqueue, locked, openStates } from './job.intents';

const jobs = { from: 'reconcile_job', kind: 'reconcile-jobs' } as const;
const listed = listQuery(['connector_id'], {
  status: z.enum(jobStates).optional(),
  state: z.enum(jobStates).optional().describe('The same as status'),
});
const tables = listQuery([], { state: z.enum(['pending', 'done', 'failed']).optional() });
const waiting = waitQuery(jobStates);
const FIRST_TABLES = 100;

type OfOne = Asked<{ params: typeof idParams }>;

/** Jobs: what is being done, or was done, for a connector (spec 3, "Jobs"). */
@Controller()
export class JobController {
  constructor(
    readonly database: Database,
    private readonly changes: Changes,
    desks: KindDesks,
  ) {
    desks.showBy('reconcile-jobs', (id, caller) => this.one(caller, id));
  }

  @Route('GET /v1/reconcile-jobs', {
    summary: 'List jobs, newest first',
    scope: 'read',
    query: listed,
    answer: page(jobAnswer),
  })
  async list({ caller, query: { state, ...query } }: Asked<{ query: typeof listed }>) {
    const filtered = { ...query, status: query.status ?? state };
    const found = await listOf<JobRow>(this.database, {
      ...jobs,
      caller,
      query: filtered,
      filters: ['connector_id', 'status'],
    });
    return { ...found, items: found.items.map(shown) };
  }

  @Route('GET /v1/reconcile-jobs/{id}', {
    summary: 'Read a job with the outcome of its tables; `wait` answers once it has that state, or has ended',
    scope: 'read',
    params: idParams,
    query: waiting,
    answer: jobWithTables,
  })
  read({ caller, params: { id }, query, signal }: Asked<{ params: typeof idParams; query: typeof waiting }>) {
    return waitFor({
      read: () => this.one(caller, id),
      wanted: query.wait,
      isFinal: ({ status }) => !openStates.includes(status),
      timeoutMs: query.timeout,
      signal,
      changes: this.changes,
    });
  }

  @Route('GET /v1/reconcile-jobs/{id}/tables', {
    summary: 'The tables of a job, in the order of its listing',
    scope: 'read',
    params: idParams,
    query: tables,
    answer: page(tableOutcome),
  })
  async tables({ caller, params: { id }, query }: Asked<{ params: typeof idParams; query: typeof tables }>) {
    await readOne(this.database, jobs, id, caller);
    const state = query.state ?? null;
    return pageByNumber<TableOutcome & { number: string }>({ list: { job: id, state }, query }, (after, limit) =>
      this.database.query(
        `SELECT n::text AS number, ${outcomes} FROM job_table t
         WHERE job_id = $1 AND n > coalesce($2::integer, -1) AND ($3::text IS NULL OR state = $3) ORDER BY n LIMIT $4`,
        [id, after, state, limit],
      ),
    );
  }

  @Route('POST /v1/reconcile-jobs/{id}/cancel', {
    summary: 'Cancel a job; its worker stops within a second',
    scope: 'write',
    params: idParams,
    answer: jobWithTables,
    accepted: true,
  })
  async cancel({ caller, params: { id } }: OfOne) {
    await this.database.transaction((tx) => cancel(tx, caller, id), caller.subject);
    return this.one(caller, id);
  }

  @Route('POST /v1/reconcile-jobs/{id}/retry', {
    summary: 'Try a job that waits for its next attempt now; for one that has ended, make another',
    scope: 'write',
    params: idParams,
    answer: jobWithTables,
  })
  async retry({ caller, params: { id } }: OfOne) {
    const again = await this.database.transaction(async (tx) => {
      const job = await locked(tx, caller, id);
      if (job.status === 'JS_CANCELLING') throw new HouseError('conflict', `job ${id} is being cancelled`);
      if (!openStates.includes(job.status)) {
        const [connector] = await tx.query<Connector>('SELECT * FROM connector WHERE id = $1', [job.connector_id]);
        if (!connector) throw new HouseError('conflict', `connector ${job.connector_id} of job ${id} is there no more`);
        return (await enqueue(tx, connector, job, `Job ${id} is to be done again.`)).id;
      }
      await tx.query('UPDATE reconcile_job SET retry_at = NULL WHERE id = $1 AND retry_at IS NOT NULL', [id]);
      await tx.query(
        `UPDATE job_table SET retry_at = NULL WHERE job_id = $1 AND state = 'pending' AND retry_at IS NOT NULL`,
        [id],
      );
      tx.look('reconcile-jobs', id);
      return id;
    }, caller.subject);
    return this.one(caller, again);
  }

  private async one(caller: Asked['caller'], id: string) {
    const job = await readOne<JobRow>(this.database, jobs, id, caller);
    const tables = await this.database.query<TableOutcome>(
      `(SELECT ${outcomes} FROM job_table t WHERE job_id = $1 AND state = 'failed' ORDER BY n LIMIT $2)
       UNION ALL (SELECT ${outcomes} FROM job_table t WHERE job_id = $1 AND state <> 'failed' ORDER BY n LIMIT $2) LIMIT $2`,
      [id, FIRST_TABLES],
    );
    return { ...shown(job), tables };
  }
}

const outcomes = `namespace, name, state, attempt, table_id, changed, snapshots_total, snapshots_done, snapshots_failed, stats_done, code, message,
  retry_at, finished_at`;
