import { instant, resourceShape } from '@homeostat/platform';
import { type Sync, type SyncRecord, remoteKinds, syncStates } from '@homeostat/shared';
import { z } from 'zod';

/** A sync as it is read; the `paused` of its looks with it. */
export type SyncRow = Omit<Sync, 'secrets'> & { readonly paused: boolean };

/** One record of a sync as callers see it. */
export const syncRecordAnswer = z.object({
  cid: z.string(),
  state: z.enum(['pending', 'copying', 'done', 'failed']),
  tries: z.int().describe('Times that it was tried and not copied'),
  reason: z.string().nullable(),
  message: z.string().nullable(),
});
export type SyncRecordRow = Omit<SyncRecord, 'sync_id'>;

/** A sync as lists show it. */
export const syncItem = z.object({
  ...resourceShape,
  status: z.enum(syncStates),
  paused: z.boolean(),
  remote_directory_url: z.string().nullable(),
  remote_registry_address: z.string().nullable(),
  remote_repository_name: z.string().nullable(),
  insecure: z.boolean(),
  requires_regsync: z.boolean().nullable().describe('null: not known yet'),
  auth: z.enum(['token', 'basic']).nullable().describe('What was given in confidence'),
  remote: z
    .object({ address: z.string(), repository: z.string(), insecure: z.boolean(), kind: z.enum(remoteKinds) })
    .nullable()
    .describe('The registry as it was found; null: not asked yet'),
  progress: z.object({
    total: z.int().describe('Records that are wanted, as far as they are listed'),
    done: z.int(),
    failed: z.int(),
    listed: z.boolean().describe('Whether total is final'),
  }),
  attempts: z.int().describe('Failed ones in a row'),
  error: z.string().nullable().describe('Why it failed, or is tried again; null: it did not'),
  retry_at: instant.nullable(),
  started_at: instant.nullable(),
  finished_at: instant.nullable(),
});

/** A sync as it is read by itself. */
export const syncAnswer = syncItem.extend({
  cids: z.array(z.string()).nullable().describe('null: all'),
  records: z
    .array(syncRecordAnswer)
    .describe('The first 100, those that failed before the others; all are at …/records'),
});

/** The columns of `sync` that may be shown. */
export const syncColumns =
  `id tenant_id status reason message generation created_at updated_at remote_directory_url remote_registry_address
  remote_repository_name insecure requires_regsync auth remote listed_at total done failed attempts retry_at started_at finished_at`.split(
    /\s+/,
  );

/** Shows a row. */
export function shown({ listed_at, total, done, failed, ...row }: SyncRow) {
  const isWell = row.status === 'COMPLETED' || row.status === 'DELETED' || row.reason === null;
  return { ...row, progress: { total, done, failed, listed: listed_at !== null }, error: isWell ? null : row.message };
}
