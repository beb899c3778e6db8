import type { Tx } from '@homeostat/platform';
import { type DirectoryRecord, REGISTRY_ID } from '@homeostat/shared';
import { v7 as uuidv7 } from 'uuid';
import { forgetWords } from '../search/words';
import type { ListingSight, ListingStep } from './listing.decide';

type Page = Extract<ListingStep, { do: 'take_page' }>;
type Removed = Pick<DirectoryRecord, 'id' | 'cid' | 'status' | 'subject' | 'terms' | 'generation'>;

/** Records that one step removes: each has its line of history, its event and its look. */
const REMOVE_AT_ONCE = 1_000;

/** Opens a new listing; what an unfinished one had found is forgotten. False where the listing has moved on meanwhile. */
export async function begin(tx: Tx, seen: ListingSight): Promise<boolean> {
  const moved = await tx.query(
    `UPDATE registry SET listing = listing + 1, phase = 'listing', page = 0, cursor = NULL, listed = 0, started_at = now()
     WHERE ${asSeen} RETURNING id`,
    where(seen),
  );
  if (moved.length > 0) await tx.query('DELETE FROM registry_page');
  return moved.length > 0;
}

/** Notes a page, makes rows for records that are new, and has records looked at that have their first referrers. */
export async function takePage(tx: Tx, seen: ListingSight, page: Page): Promise<boolean> {
  const moved = await tx.query(
    `UPDATE registry SET page = page + 1, cursor = $5, listed = listed + $6, referrers_api = coalesce($7, referrers_api),
       phase = CASE WHEN $5::text IS NULL THEN 'removing' ELSE 'listing' END
     WHERE ${asSeen} RETURNING id`,
    [...where(seen), page.next, page.count, page.referrersApi],
  );
  if (moved.length === 0) return false;
  await tx.query('INSERT INTO registry_page (listing, page, cids, fallbacks) VALUES ($1, $2, $3, $4)', [
    seen.listing,
    seen.page,
    page.cids,
    page.fallbacks,
  ]);
  await addRecords(tx, page.cids);
  await addFallbacks(tx, page.fallbacks);
  return true;
}

/** Notes manifests whose referrers are listed under a tag, and has the records of those looked at that are new. */
export async function addFallbacks(tx: Tx, digests: readonly string[]): Promise<void> {
  if (digests.length === 0) return;
  const added = await tx.query<{ digest: string }>(
    `INSERT INTO fallback_tag (digest) SELECT DISTINCT digest FROM unnest($1::text[]) AS t (digest)
     WHERE NOT EXISTS (SELECT FROM fallback_tag f WHERE f.digest = t.digest) ON CONFLICT DO NOTHING RETURNING digest`,
    [digests],
  );
  await lookAtManifests(
    tx,
    added.map(({ digest }) => digest),
  );
}

/**
 * Takes out of the index what a complete listing lacks, some at a time; then the listing is done. What was copied since
 * the listing began may be on a page that had been read before.
 */
export async function removeMissing(tx: Tx, seen: ListingSight): Promise<boolean> {
  const held = await tx.query(`SELECT id FROM registry WHERE ${asSeen} FOR UPDATE`, where(seen));
  if (held.length === 0) return false;
  const missing = await tx.query<{ cid: string }>(
    `SELECT cid FROM record WHERE created_at < (SELECT started_at FROM registry WHERE id = $2)
     EXCEPT SELECT unnest(cids) FROM registry_page WHERE listing = $1 LIMIT ${REMOVE_AT_ONCE}`,
    [seen.listing, REGISTRY_ID],
  );
  if (missing.length > 0)
    await remove(
      tx,
      missing.map(({ cid }) => cid),
    );
  if (missing.length < REMOVE_AT_ONCE) await finish(tx, seen);
  return true;
}

/** Has the records looked at whose manifests have these digests. */
export async function lookAtManifests(tx: Tx, digests: readonly string[]): Promise<void> {
  if (digests.length === 0) return;
  const records = await tx.query<{ id: string }>(
    'SELECT id FROM record WHERE manifest_digest = ANY ($1) AND manifest_digest IS NOT NULL',
    [digests],
  );
  for (const { id } of records) tx.look('records', id);
}

const asSeen = 'id = $1 AND listing = $2 AND phase = $3 AND page = $4';

function where({ listing, phase, page }: ListingSight): unknown[] {
  return [REGISTRY_ID, listing, phase, page];
}

/** Makes rows for records that are new, and has them looked at. */
export async function addRecords(tx: Tx, cids: readonly string[]): Promise<void> {
  const fresh = await tx.query<{ cid: string }>(
    `SELECT DISTINCT cid FROM unnest($1::text[]) AS t (cid) WHERE NOT EXISTS (SELECT FROM record r WHERE r.cid = t.cid)`,
    [cids],
  );
  if (fresh.length === 0) return;
  const added = await tx.query<{ id: string }>(
    `INSERT INTO record (id, tenant_id, cid) SELECT id, 'system', cid FROM unnest($1::uuid[], $2::text[]) AS n (id, cid)
     ON CONFLICT (cid) DO NOTHING RETURNING id`,
    [fresh.map(() => uuidv7()), fresh.map(({ cid }) => cid)],
  );
  const because = 'The registry lists its tag.';
  for (const { id } of added) {
    tx.changed({ tenant_id: 'system', kind: 'records', key: id, from: null, to: 'pending', because });
    tx.look('records', id);
  }
}

async function remove(tx: Tx, cids: readonly string[]): Promise<void> {
  const removed = await tx.query<Removed>(
    `WITH gone AS MATERIALIZED (SELECT id FROM record WHERE cid = ANY ($1) ORDER BY id FOR UPDATE)
     DELETE FROM record r USING gone WHERE r.id = gone.id
     RETURNING r.id, r.cid, r.status, r.subject, r.terms, r.generation`,
    [cids],
  );
  for (const { id, cid, status, generation } of removed) {
    const because = 'The registry lists its tag no more.';
    tx.changed({ tenant_id: 'system', kind: 'records', key: id, from: status, to: 'deleted', because });
    tx.look('records', id);
    if (status !== 'indexed') continue;
    tx.emit('record.removed', { tenant_id: 'system', subject: id, version: generation, data: { record_id: id, cid } });
    tx.look('name-verifications', id);
  }
  await forgetWords(
    tx,
    removed.flatMap(({ terms }) => terms),
  );
  await lookAtManifests(
    tx,
    removed.flatMap(({ subject }) => subject ?? []),
  );
}

async function finish(tx: Tx, seen: ListingSight): Promise<void> {
  const gone = await tx.query<{ digest: string }>(
    `DELETE FROM fallback_tag WHERE digest IN (
       SELECT digest FROM fallback_tag EXCEPT SELECT unnest(fallbacks) FROM registry_page WHERE listing = $1)
     RETURNING digest`,
    [seen.listing],
  );
  await lookAtManifests(
    tx,
    gone.map(({ digest }) => digest),
  );
  await tx.query(`UPDATE registry SET phase = 'idle', tags = listed, finished_at = now() WHERE id = $1`, [REGISTRY_ID]);
  await tx.query('DELETE FROM registry_page');
}
