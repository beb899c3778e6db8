import { Counter, Database, Gauge } from '@homeostat/platform';
import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';

/** Tables that jobs of this process came to an end with. */
export const tablesDone = new Counter({
  name: 'homeostat_job_tables_total',
  help: 'Tables that jobs came to an end with: done, or failed',
  labelNames: ['outcome'],
});

/** Snapshots that this process read whole. */
export const snapshotsRead = new Counter({
  name: 'homeostat_job_snapshots_total',
  help: 'Snapshots whose statistics and plan were read and stored',
});

/** Files of plans that this process read. */
export const filesRead = new Counter({
  name: 'homeostat_job_files_total',
  help: 'Files of the snapshots that were read and stored',
});

const databases = new Set<Database>();

new Gauge({
  name: 'homeostat_running_job_tables',
  help: 'Tables of the jobs that are under way, by how far they are; every replica tells the same, so take their max',
  labelNames: ['state'],
  async collect() {
    const [database] = databases;
    this.reset();
    // A database that is away must not keep other metrics from being told.
    const [row] = (await database?.query<{ done: number; open: number }>(progress).catch(() => [])) ?? [];
    if (row) for (const state of ['done', 'open'] as const) this.set({ state }, row[state]);
  },
});

const progress = `
  SELECT coalesce(sum(tables_scanned), 0)::float8 AS done, coalesce(sum(tables_total - tables_scanned), 0)::float8 AS open
  FROM reconcile_job WHERE status = 'JS_RUNNING'`;

/** Lets the progress of a service's jobs be among the metrics while it runs. */
@Injectable()
export class JobMetrics implements OnModuleInit, OnModuleDestroy {
  constructor(private readonly database: Database) {}

  onModuleInit(): void {
    databases.add(this.database);
  }

  onModuleDestroy(): void {
    databases.delete(this.database);
  }
}
