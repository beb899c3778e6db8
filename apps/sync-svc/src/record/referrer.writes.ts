import type { Tx } from '@homeostat/platform';
import type { DirectoryRecord } from '@homeostat/shared';
import type { ReferrerChanges } from './record.decide';

/** What came to and went from one record. */
export interface Attached extends ReferrerChanges {
  readonly id: string;
}

/** A record whose signatures or keys have changed. */
export type Resigned = Pick<DirectoryRecord, 'id' | 'cid' | 'generation'>;

/** Writes referrers of records that are locked; returns the records to which signatures or keys came, or from which they went. */
export async function writeReferrers(tx: Tx, changes: readonly Attached[]): Promise<Resigned[]> {
  const gone = changes.flatMap(({ id, gone: digests }) => digests.map((digest) => ({ id, digest })));
  const added = changes.flatMap(({ id, added: found }) => found.map((one) => ({ id, ...one })));
  if (gone.length + added.length === 0) return [];
  return tx.query<Resigned>(
    `WITH gone AS (
       DELETE FROM referrer f USING jsonb_to_recordset($1::jsonb) AS g (id uuid, digest text)
       WHERE f.record_id = g.id AND f.digest = g.digest RETURNING f.record_id, f.kind, f.digest
     ), added AS (
       INSERT INTO referrer (record_id, digest, kind, media_type, annotations, public_key, signature)
       SELECT * FROM jsonb_to_recordset($2::jsonb) AS a (id uuid, digest text, kind text, media_type text, annotations jsonb,
         public_key text, signature text)
       ON CONFLICT (record_id, digest) DO UPDATE SET kind = excluded.kind, media_type = excluded.media_type,
         annotations = excluded.annotations, public_key = excluded.public_key, signature = excluded.signature
       WHERE referrer.kind = 'awaited' RETURNING record_id, kind
     ), resigned AS (
       SELECT record_id FROM gone WHERE kind IN ('signature', 'public_key')
       UNION SELECT record_id FROM added WHERE kind IN ('signature', 'public_key'))
     UPDATE record r SET referred_at = now(), signed =
       EXISTS (SELECT FROM added a WHERE a.record_id = r.id AND a.kind = 'signature')
       OR EXISTS (SELECT FROM referrer f WHERE f.record_id = r.id AND f.kind = 'signature'
            AND NOT EXISTS (SELECT FROM gone g WHERE g.record_id = r.id AND g.digest = f.digest))
     FROM resigned WHERE r.id = resigned.record_id RETURNING r.id, r.cid, r.generation`,
    [JSON.stringify(gone), JSON.stringify(added)],
  );
}
