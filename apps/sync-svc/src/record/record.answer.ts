import { instant, resourceShape } from '@homeostat/platform';
import { type DirectoryRecord, recordStates, referrerKinds } from '@homeostat/shared';
import { z } from 'zod';

const annotations = z.record(z.string(), z.string()).nullable();

/** A record as lists show it. */
export const recordItem = z.object({
  ...resourceShape,
  status: z.enum(recordStates).describe('referrer: the tag names a signature or a key of a record'),
  paused: z.boolean(),
  cid: z.string(),
  name: z.string().nullable(),
  version: z.string().nullable(),
  schema_version: z.string().nullable(),
  authored_at: instant.nullable().describe('created_at of the record itself'),
  size: z.int().nullable().describe('Bytes'),
  manifest_digest: z.string().nullable(),
  annotations: annotations.describe('Those of the manifest'),
  signed: z.boolean().describe('Something that calls itself a signature is attached'),
  verified: z.boolean().describe('Its name is: the domain has said that a key is its own which signed the record'),
  indexed_at: instant.nullable(),
});

/** A record as it is read by its CID. */
export const recordAnswer = recordItem.extend({
  record: z.record(z.string(), z.unknown()).nullable().describe('null: it could not be indexed'),
  referrers: z.array(
    z.object({
      digest: z.string(),
      kind: z.enum(referrerKinds).describe('awaited: it is listed, and its manifest or its content is not there'),
      media_type: z.string().nullable(),
      annotations,
      public_key: z.string().nullable().describe('PEM, as attached: anybody can attach a key'),
      signature: z.string().nullable().describe('Base64, over the ASCII bytes of the CID'),
      found_at: instant,
    }),
  ),
  verification: z
    .object({
      status: z.enum(['pending', 'verified', 'failed']),
      domain: z.string(),
      method: z.string().nullable(),
      key_id: z.string().nullable(),
      reason: z.string().nullable(),
      message: z.string().nullable(),
      verified_at: instant.nullable(),
      checked_at: instant.nullable(),
      expires_at: instant.nullable(),
    })
    .nullable()
    .describe('Of its name; null: nobody has looked into it'),
});

/** A record as it is read, without what it is found by. */
export type RecordRow = Omit<DirectoryRecord, 'terms' | 'version_key' | 'subject' | 'referred_at'> & {
  readonly verified: boolean;
  readonly paused: boolean;
};

/** The select list for `record r`. */
export const recordColumns = `r.id, r.tenant_id, r.status, r.reason, r.message, r.generation, r.created_at, r.updated_at, r.cid, r.name,
  r.version, r.schema_version, r.authored_at, r.size, r.manifest_digest, r.annotations, r.signed, r.indexed_at,
  EXISTS (SELECT FROM name_verification v WHERE v.id = r.id AND v.status = 'verified') AS verified,
  coalesce((SELECT s.paused FROM reconcile_status s WHERE s.kind = 'records' AND s.key = r.id), false) AS paused`;
