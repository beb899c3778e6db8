import { instant, resourceShape } from '@homeostat/platform';
import { type NameVerification, nameStates } from '@homeostat/shared';
import { z } from 'zod';

/** A name as it is read, with the record's CID and the `paused` of its looks. */
export type NameRow = NameVerification & { readonly cid: string | null; readonly paused: boolean };

/** A name's verification as callers see it; its id is the record's. */
export const nameAnswer = z.object({
  ...resourceShape,
  status: z.enum(nameStates).describe('A verified name stays so for a while when its proof is missing; `reason` tells'),
  paused: z.boolean(),
  cid: z.string().nullable().describe('null: the record was just removed'),
  name: z.string(),
  domain: z.string().describe('Who can vouch for the name; with its port, where the name has one'),
  method: z.string().nullable(),
  key_id: z.string().nullable().describe('The key of the domain that signed the record'),
  verified_at: instant.nullable().describe('Since when it is verified'),
  checked_at: instant.nullable(),
  expires_at: instant.nullable().describe('Until when the result stands unless a check renews it'),
  next_check_at: instant,
});

/** The select list, for `listOf` and `readOne`. */
export const nameColumns = [
  'name_verification.*',
  '(SELECT r.cid FROM record r WHERE r.id = name_verification.id) AS cid',
];

/** Returns the representation of a name's verification. */
export function shown(row: NameRow) {
  const { check_at, check_asked_at: _, failing_since: __, record_seen: ___, ...rest } = row;
  return { ...rest, next_check_at: check_at };
}
