import { type Caller, type Secrets, type Tx, notFound, tenantOf } from '@homeostat/platform';
import { HouseError, type Sync } from '@homeostat/shared';
import { v7 as uuidv7 } from 'uuid';
import type { NewSync } from './sync.schema';

/** Makes a sync. Throws HouseError `secrets_refused` where it is told something in confidence, and there is no key. */
export async function create(tx: Tx, { tenant }: Caller, wanted: NewSync, secrets: Secrets): Promise<Sync> {
  const id = uuidv7();
  const { remote_directory_url: url, remote_registry_address: address, cids, auth } = wanted;
  const remote_host = url === null ? address!.toLowerCase() : new URL(url).host;
  const sealed = auth && secrets.seal(auth, { id, tenant_id: tenant });
  const [sync] = await tx.query<Sync>(
    `INSERT INTO sync (id, tenant_id, remote_directory_url, remote_registry_address, remote_repository_name, insecure, cids,
       requires_regsync, auth, secrets, remote_host, listed_at, total)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, CASE WHEN $12::integer IS NOT NULL THEN now() END, coalesce($12, 0)) RETURNING *`,
    [
      ...[id, tenant, url, address, wanted.remote_repository_name, wanted.insecure, cids, wanted.requires_regsync],
      ...[auth && ('token' in auth ? 'token' : 'basic'), sealed, remote_host, cids?.length ?? null],
    ],
  );
  if (cids) await tx.query('INSERT INTO sync_record (sync_id, cid) SELECT $1, unnest($2::text[])', [id, cids]);
  tx.changed({ tenant_id: tenant, kind: 'syncs', key: id, from: null, to: 'PENDING', because: 'It was asked for.' });
  tx.emit('sync.created', {
    ...{ tenant_id: tenant, subject: id, version: sync!.generation },
    data: { sync_id: id, remote_host },
  });
  tx.look('syncs', id);
  return sync!;
}

/** Deletes a sync: at once where nobody works on it, else its worker is told to stop. What was copied stays. */
export async function remove(tx: Tx, caller: Caller, id: string, generation: string | null): Promise<void> {
  const [sync] = await tx.query<Sync>(
    'SELECT * FROM sync WHERE id = $1 AND ($2::text IS NULL OR tenant_id = $2) FOR UPDATE',
    [id, tenantOf(caller)],
  );
  if (!sync) throw notFound('sync', id);
  if (generation !== null && sync.generation !== generation)
    throw new HouseError('precondition_failed', `sync ${id} was changed at this very moment: read it again`);
  const { status: from, tenant_id } = sync;
  if (from === 'DELETED' || from === 'DELETE_PENDING') return;
  const to = from === 'IN_PROGRESS' ? 'DELETE_PENDING' : 'DELETED';
  const because = 'It was deleted on request.';
  await tx.query(
    `UPDATE sync SET status = $2, reason = 'Deleted', message = $3, retry_at = NULL,
       finished_at = CASE WHEN $2 = 'DELETED' THEN now() END, secrets = CASE WHEN $2 = 'DELETED' THEN NULL ELSE secrets END
     WHERE id = $1`,
    [id, to, because],
  );
  tx.changed({ tenant_id, kind: 'syncs', key: id, from, to, because });
  tx.look('syncs', id);
}
