import { instant, resourceShape } from '@homeostat/platform';
import { type Connector, connectorStates, jobStates } from '@homeostat/shared';
import { z } from 'zod';

/** A connector as it is read; the `paused` of its looks with it. */
export type ConnectorRow = Connector & { readonly paused: boolean };

const levels = z.array(z.string()).nullable();

/** A connector as callers see it: without any secret. */
export const connectorAnswer = z.object({
  ...resourceShape,
  status: z.enum(connectorStates),
  paused: z.boolean(),
  display_name: z.string(),
  kind: z.string(),
  source: z.object({
    uri: z.string(),
    namespace: levels,
    table: z.string().nullable(),
    columns: z.array(z.string()).nullable(),
    properties: z.record(z.string(), z.string()),
  }),
  destination: z
    .object({
      catalog: z.string().nullable(),
      catalog_id: z.uuid().nullable(),
      namespace: levels,
      namespace_id: z.uuid().nullable(),
      table: z.string().nullable(),
      table_id: z.uuid().nullable(),
    })
    .describe('With the ids that its names were resolved to'),
  auth: z
    .looseObject({ scheme: z.string(), secrets: z.array(z.string()) })
    .describe('`secrets`: which are kept; none is ever shown'),
  policy: z
    .object({
      interval: z.string(),
      enabled: z.boolean(),
      not_before: instant.nullable(),
      max_parallel: z.int(),
    })
    .nullable(),
  next_run_at: instant.nullable(),
  last_run: z.object({ job_id: z.uuid(), state: z.enum(jobStates), at: instant }).nullable(),
});

/** Shows a row. */
export function shown(row: ConnectorRow) {
  const { id, tenant_id, status, reason, message, generation, created_at, updated_at, paused, next_run_at } = row;
  const { display_name, kind, source, auth } = row;
  return {
    ...{ id, tenant_id, status, reason, message, generation, created_at, updated_at, paused },
    ...{ display_name, kind, source },
    destination: destinationOf(row),
    auth: { ...auth.settings, scheme: auth.scheme, secrets: auth.secrets },
    policy: policyOf(row),
    next_run_at: row.policy_enabled ? next_run_at : null,
    last_run: lastRunOf(row),
  };
}

function destinationOf({ destination, catalog_id, namespace_id, table_id }: Connector) {
  return {
    ...destination,
    catalog_id: catalog_id ?? destination.catalog_id,
    namespace_id: namespace_id ?? destination.namespace_id,
    table_id: table_id ?? destination.table_id,
  };
}

function policyOf({ interval_ms, policy_enabled, not_before, max_parallel }: Connector) {
  if (interval_ms === null) return null;
  return { interval: durationText(Number(interval_ms)), enabled: policy_enabled, not_before, max_parallel };
}

function lastRunOf({ last_job_id, last_run_status, last_run_at }: Connector) {
  return last_job_id === null ? null : { job_id: last_job_id, state: last_run_status, at: last_run_at };
}

const units = [
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
  ['ms', 1],
] as const;

/** A Go-style duration: 5400000 → `1h30m`. */
export function durationText(ms: number): string {
  let text = '';
  for (const [unit, size] of units) {
    const amount = Math.floor(ms / size);
    if (amount > 0) text += `${amount}${unit}`;
    ms -= amount * size;
  }
  return text;
}
