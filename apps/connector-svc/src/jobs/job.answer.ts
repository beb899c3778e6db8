import { instant, resourceShape } from '@homeostat/platform';
import { type ReconcileJob, jobStates } from '@homeostat/shared';
import { z } from 'zod';

/** A job as it is read; the `paused` of its looks with it. */
export type JobRow = ReconcileJob & { readonly paused: boolean };

export const tableOutcome = z.object({
  namespace: z.array(z.string()),
  name: z.string(),
  state: z.enum(['pending', 'done', 'failed']),
  attempt: z.int(),
  table_id: z.uuid().nullable(),
  changed: z.boolean(),
  snapshots_total: z.int().nullable(),
  snapshots_done: z.int(),
  snapshots_failed: z.int(),
  stats_done: z.string(),
  code: z.string().nullable().describe('Why it failed, or is tried again: a stable word'),
  message: z.string().nullable(),
  retry_at: instant.nullable(),
  finished_at: instant.nullable(),
});
export type TableOutcome = z.infer<typeof tableOutcome>;

/** A job as callers see it (spec 3, "Jobs"). */
export const jobAnswer = z.object({
  ...resourceShape,
  status: z.enum(jobStates),
  state: z.enum(jobStates).describe('The same as status'),
  paused: z.boolean(),
  connector_id: z.uuid(),
  full_rescan: z.boolean(),
  scope: z.object({ namespace: z.array(z.string()).optional(), table: z.string().optional() }),
  attempt: z.int(),
  retry_at: instant.nullable(),
  tables_total: z.int().nullable().describe('null: not listed yet'),
  tables_scanned: z.int(),
  tables_changed: z.int(),
  errors: z.int(),
  snapshots_processed: z.string(),
  stats_processed: z.string(),
  started_at: instant.nullable(),
  finished_at: instant.nullable(),
});

/** One job, with what became of its tables. */
export const jobWithTables = jobAnswer.extend({
  tables: z.array(tableOutcome).describe('The first 100, those that failed before the others; all are at …/tables'),
});

/** Shows a row. */
export function shown(row: JobRow) {
  const { slice_epoch: _fence, listed_at: _listed, allow_vanished: _allowed, ...job } = row;
  return { ...job, state: job.status };
}
