import { instant, resourceShape } from '@homeostat/platform';
import { type Domain, domainStates } from '@homeostat/shared';
import { z } from 'zod';
import { recordName } from './record-name';

/** For how long resolvers may keep the record, in seconds: whoever corrects it should not wait for old answers. */
const TTL_SECONDS = 300;

/** A domain as it is read; the `paused` of its looks with it. */
export type DomainRow = Domain & { readonly paused: boolean };

/** A domain as callers see it (spec 0, "Platform"). */
export const domainAnswer = z.object({
  ...resourceShape,
  status: z.enum(domainStates),
  paused: z.boolean(),
  name: z.string().describe('Lower case, IDNA-encoded'),
  project_id: z.uuid().nullable(),
  record: z
    .object({ name: z.string(), type: z.literal('TXT'), value: z.string(), ttl: z.number().describe('Seconds') })
    .describe('The record to create; it may stand beside others'),
  checks: z.number().describe('How many since the claim was made or restarted'),
  last_check: z
    .object({
      at: instant,
      outcome: z.enum(['match', 'other', 'absent', 'unasked']).describe('unasked: nobody could be asked'),
      why: z.string().nullable(),
      seen: z.array(z.string()).describe('The values that were there'),
    })
    .nullable(),
  next_check_at: instant.nullable(),
  window_ends_at: instant,
  verified_at: instant.nullable(),
});

/** Returns the representation of a domain. Its token is shown nowhere but as the record's value. */
export function shown(row: DomainRow, label: string) {
  const { id, tenant_id, status, reason, message, generation, created_at, updated_at, paused } = row;
  const { name, project_id, token, checks, last_check, check_at, window_ends_at, verified_at } = row;
  const over = status === 'expired' || status === 'lapsed';
  const record = { name: recordName(id, name, label), type: 'TXT' as const, value: token, ttl: TTL_SECONDS };
  const common = { id, tenant_id, status, reason, message, generation, created_at, updated_at, paused };
  const check = { checks, last_check, next_check_at: over ? null : check_at };
  return { ...common, name, project_id, record, ...check, window_ends_at, verified_at };
}
