import { Database, type Description, type HouseReconciler, SETTINGS, type Tx } from '@homeostat/platform';
import type { Plan } from '@homeostat/reconcile';
import type { ReconcileJob } from '@homeostat/shared';
import { Inject, Injectable } from '@nestjs/common';
import type { ConnectorSettings } from '../connector.config';
import { JobWorker } from '../slices/job.worker';
import { type JobReach, type JobSettings, type JobSight, type JobStep, decideJob } from './job.decide';
import { cancelled, fail, finish, forget, progress, requeue, start } from './job.writes';

/** A slice ends by its own time; this is for a source that neither answers nor refuses. */
const SLICE_DEADLINE_MS = 1_800_000;

interface Row extends ReconcileJob {
  readonly connector: JobSight['connector'];
  readonly behind: string | null;
  readonly open_tables: number;
  readonly due_tables: number;
  readonly retry_at_next: Date | null;
  readonly failed_tables: number;
  readonly messages: readonly string[];
  readonly lease_epoch: string | null;
}

/** Leads jobs to their end: one look is one slice of work, so that none keeps others waiting. */
@Injectable()
export class JobReconciler implements HouseReconciler<JobSight, JobStep, JobReach> {
  readonly kind = 'reconcile-jobs';
  readonly reaches: { atOnce: number; timeoutMs: number };
  readonly decide = decideJob;
  private readonly settings: JobSettings;

  constructor(
    private readonly database: Database,
    private readonly worker: JobWorker,
    @Inject(SETTINGS) settings: ConnectorSettings,
  ) {
    this.reaches = { atOnce: settings.RECONCILER_JOBS_AT_ONCE, timeoutMs: SLICE_DEADLINE_MS };
    this.settings = {
      attempts: settings.RECONCILER_JOB_ATTEMPTS,
      timeoutMs: settings.RECONCILER_JOB_TIMEOUT,
      retentionMs: settings.RECONCILER_JOB_RETENTION,
    };
  }

  async observe(keys: readonly string[]): Promise<ReadonlyMap<string, JobSight>> {
    const rows = await this.database.query<Row>(observation, [keys]);
    return new Map(rows.map((row) => [row.id, this.sight(row)]));
  }

  async reach({ key, observed }: Plan<JobSight, JobReach>, signal: AbortSignal): Promise<JobSight> {
    const slice = await this.worker.work(observed, signal);
    const now = (await this.observe([key])).get(key);
    return { ...(now ?? observed), slice };
  }

  async act(plans: readonly Plan<JobSight, JobStep>[], tx: Tx): Promise<ReadonlySet<string>> {
    const done = new Set<string>();
    for (const plan of plans.toSorted((one, other) => (one.key < other.key ? -1 : 1)))
      if (await apply(tx, plan)) done.add(plan.key);
    return done;
  }

  describe({ job, connector, behind, open, failed }: JobSight): Description {
    const { full_rescan, scope, status, attempt, tables_total, snapshots_processed, stats_processed, started_at } = job;
    const tables = {
      total: tables_total,
      done: tables_total === null ? 0 : tables_total - open.tables,
      failed: failed.tables,
    };
    return {
      desired: { connector_id: job.connector_id, connector: connector?.display_name ?? null, full_rescan, scope },
      observed: {
        status,
        attempt,
        behind,
        started_at,
        tables,
        snapshots_processed,
        stats_processed,
        errors: failed.messages,
      },
    };
  }

  private sight(row: Row): JobSight {
    const { connector, behind, open_tables, due_tables, retry_at_next, failed_tables, messages, lease_epoch, ...job } =
      row;
    return {
      job,
      connector,
      behind,
      open: { tables: open_tables, retryAt: due_tables > 0 ? null : retry_at_next },
      failed: { tables: failed_tables, messages },
      epoch: lease_epoch ?? '0',
      slice: null,
      jitter: Math.random(),
      settings: this.settings,
    };
  }
}

function apply(tx: Tx, { key, step, because }: Plan<JobSight, JobStep>): Promise<boolean> {
  const change = { key, because };
  switch (step.do) {
    case 'start':
      return start(tx, change);
    case 'progress':
      return progress(tx, change);
    case 'requeue':
      return requeue(tx, change, step);
    case 'finish':
      return finish(tx, change);
    case 'fail':
      return fail(tx, change, step.reason);
    case 'cancel':
      return cancelled(tx, change);
    case 'forget':
      return forget(tx, change);
  }
}

/** Only an unfinished job has tables that are open; of those that failed, the first three are told. */
const observation = `
  SELECT j.*, c.connector, o.id AS behind, coalesce(t.open, 0)::integer AS open_tables, coalesce(t.due, 0)::integer AS due_tables,
    t.retry_at AS retry_at_next, f.failed::integer AS failed_tables, f.messages, s.lease_epoch
  FROM reconcile_job j
  LEFT JOIN LATERAL (
    SELECT json_build_object('id', c.id, 'display_name', c.display_name, 'status', c.status, 'message', c.message,
      'max_parallel', c.max_parallel, 'paused', coalesce((
        SELECT p.paused FROM reconcile_status p WHERE p.kind = 'connectors' AND p.key = c.id), false)) AS connector
    FROM connector c WHERE c.id = j.connector_id) AS c ON true
  LEFT JOIN LATERAL (
    SELECT o.id FROM reconcile_job o
    WHERE j.status = 'JS_QUEUED' AND o.connector_id = j.connector_id AND o.status IN ('JS_RUNNING', 'JS_CANCELLING')) AS o ON true
  LEFT JOIN LATERAL (
    SELECT count(*) AS open, count(*) FILTER (WHERE p.retry_at IS NULL OR p.retry_at <= now()) AS due, min(p.retry_at) AS retry_at
    FROM job_table p WHERE p.job_id = j.id AND p.state = 'pending' AND j.finished_at IS NULL) AS t ON true
  LEFT JOIN LATERAL (
    SELECT count(*) AS failed, coalesce((array_agg(p.name || ': ' || p.message ORDER BY p.n))[1:3], '{}') AS messages
    FROM job_table p WHERE p.job_id = j.id AND p.state = 'failed') AS f ON true
  LEFT JOIN LATERAL (
    SELECT s.lease_epoch FROM reconcile_status s WHERE s.kind = 'reconcile-jobs' AND s.key = j.id) AS s ON true
  WHERE j.id = ANY ($1)`;
