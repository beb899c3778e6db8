import { randomBytes } from 'node:crypto';
import { type Caller, type Tx, notFound, tenantOf, unknownReference } from '@homeostat/platform';
import { type Domain, HouseError } from '@homeostat/shared';
import bs58 from 'bs58';
import { v7 as uuidv7 } from 'uuid';
import { wakeClaims } from './domain.writes';

/** A token has 192 bits. */
const TOKEN_BYTES = 24;
/** Between two checks of one domain that people ask for. */
const ASK_AGAIN_MS = 10_000;

export interface NewClaim {
  readonly name: string;
  readonly projectId: string | null;
  readonly windowMs: number;
}

/** Who wants something done to which domain. */
export interface Wish {
  readonly caller: Caller;
  readonly id: string;
}

/** Makes a pending claim. Throws HouseError `already_exists` where the tenant has one for this name. */
export async function claim(tx: Tx, caller: Caller, { name, projectId, windowMs }: NewClaim): Promise<Domain> {
  await checkProject(tx, caller, projectId);
  const [domain] = await tx.query<Domain>(
    `INSERT INTO domain (id, tenant_id, name, project_id, token, window_ends_at)
     VALUES ($1, $2, $3, $4, $5, now() + make_interval(secs => $6::float8 / 1000))
     ON CONFLICT (tenant_id, name) DO NOTHING RETURNING *`,
    [uuidv7(), caller.tenant, name, projectId, bs58.encode(randomBytes(TOKEN_BYTES)), windowMs],
  );
  if (!domain) throw await existing(tx, caller, name);
  const { id, tenant_id, generation } = domain;
  tx.changed({
    tenant_id,
    kind: 'domains',
    key: id,
    from: null,
    to: 'pending',
    because: 'It was claimed.',
  });
  tx.emit('domain.created', { tenant_id, subject: id, version: generation, data: { domain_id: id, name } });
  tx.look('domains', id);
  return domain;
}

/** Has DNS asked at once. Throws HouseError where that was asked for just now, or the claim has ended. */
export async function check(tx: Tx, wish: Wish): Promise<void> {
  const { status } = await locked(tx, wish);
  if (status === 'expired' || status === 'lapsed') {
    throw new HouseError(
      'conflict',
      `domain ${wish.id} is ${status}, and only checked once it is restarted: POST …/restart`,
    );
  }
  await askFor(tx, wish.id);
}

/** Opens a new window, with the same record to prove the claim. Throws HouseError where the name is held already. */
export async function restart(tx: Tx, wish: Wish, windowMs: number): Promise<void> {
  const { tenant_id, status } = await locked(tx, wish);
  if (status === 'verified' || status === 'at_risk') {
    throw new HouseError(
      'conflict',
      `domain ${wish.id} is ${status}: only a pending, expired or lapsed one is restarted`,
    );
  }
  if (status === 'pending') await askFor(tx, wish.id);
  await tx.query(
    `UPDATE domain SET status = 'pending', reason = NULL, message = NULL, checks = 0, last_check = NULL, check_at = now(),
       window_ends_at = now() + make_interval(secs => $2::float8 / 1000), verified_at = NULL, absent_since = NULL
     WHERE id = $1`,
    [wish.id, windowMs],
  );
  tx.look('domains', wish.id);
  if (status === 'pending') return;
  const because = 'It was restarted.';
  tx.changed({
    tenant_id,
    kind: 'domains',
    key: wish.id,
    from: status,
    to: 'pending',
    because,
  });
}

/** Gives a name up, for whoever waits for it. `generation` null: whatever has become of the domain meanwhile. */
export async function remove(tx: Tx, wish: Wish, generation: string | null): Promise<void> {
  const domain = await locked(tx, wish);
  if (generation !== null && domain.generation !== generation) {
    throw new HouseError('precondition_failed', `domain ${wish.id} was changed at this very moment: read it again`);
  }
  await tx.query('DELETE FROM domain WHERE id = $1', [wish.id]);
  const { tenant_id, status: from, name } = domain;
  const because = 'It was deleted.';
  tx.changed({ tenant_id, kind: 'domains', key: wish.id, from, to: 'deleted', because });
  tx.look('domains', wish.id);
  await wakeClaims(tx, [name]);
}

async function checkProject(tx: Tx, { tenant }: Caller, id: string | null): Promise<void> {
  if (id === null) return;
  const found = await tx.query('SELECT id FROM project WHERE id = $1 AND tenant_id = $2', [id, tenant]);
  if (found.length === 0) throw unknownReference('project_id', id);
}

async function existing(tx: Tx, { tenant }: Caller, name: string): Promise<HouseError> {
  const [domain] = await tx.query<Domain>('SELECT * FROM domain WHERE tenant_id = $1 AND name = $2', [tenant, name]);
  const which = domain ? `as domain ${domain.id}, which is ${domain.status}` : 'by a request at this very moment';
  return new HouseError('already_exists', `${name} is claimed already, ${which}`);
}

async function locked(tx: Tx, { caller, id }: Wish): Promise<Domain> {
  const [domain] = await tx.query<Domain>(
    'SELECT * FROM domain WHERE id = $1 AND ($2::text IS NULL OR tenant_id = $2) FOR UPDATE',
    [id, tenantOf(caller)],
  );
  if (domain) return domain;
  throw notFound('domain', id);
}

async function askFor(tx: Tx, id: string): Promise<void> {
  const [asked] = await tx.query<{ ms: number | null }>(
    `UPDATE domain d SET check_at = least(d.check_at, now()), check_asked_at = now() FROM domain old
     WHERE d.id = $1 AND old.id = d.id
     RETURNING extract(epoch FROM now() - old.check_asked_at)::float8 * 1000 AS ms`,
    [id],
  );
  const leftMs = ASK_AGAIN_MS - (asked?.ms ?? ASK_AGAIN_MS);
  if (leftMs > 0) {
    const retryAfterSeconds = Math.ceil(leftMs / 1_000);
    throw new HouseError('too_many_requests', `domain ${id} was checked on request just now`, { retryAfterSeconds });
  }
  tx.look('domains', id);
}
