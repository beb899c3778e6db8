import type { Tx } from '@homeostat/platform';
import { POOL_ID } from '@homeostat/shared';
import { v7 as uuidv7 } from 'uuid';
import { type Network, addressOf } from '../vm/address';
import { move } from '../vm/vm.writes';
import type { PoolStep } from './pool.decide';

type Make = Extract<PoolStep, { do: 'make' }>;
type Bind = Extract<PoolStep, { do: 'bind' }>;
type Report = Extract<PoolStep, { do: 'report' }>;

interface Bound {
  readonly claim_id: string;
  readonly vm_id: string;
  readonly deployment_id: string;
  readonly tenant_id: string;
  readonly generation: string;
}

/**
 * Binds VMs that are still free to claims that still wait; a pair of which either has moved on is left out. Written so that
 * the planner cannot prefer to read all claims that wait, and has nothing to join: it takes 250 pairs for a few.
 */
export async function bind(tx: Tx, pairs: Bind['pairs']): Promise<number> {
  const bound = await tx.query<Bound>(
    `WITH free AS MATERIALIZED (
       SELECT v.id FROM unnest($2::uuid[]) AS p (vm_id)
       CROSS JOIN LATERAL (SELECT id, status FROM vm WHERE id = p.vm_id FOR UPDATE) AS v WHERE v.status = 'pooling'),
     claimed AS (
       UPDATE vm_claim c SET vm_id = ($2::uuid[])[array_position($1::uuid[], c.id)], bound_at = now()
       WHERE c.id = ANY ($1) AND num_nonnulls(c.vm_id, c.released_at) = 0
         AND ($2::uuid[])[array_position($1::uuid[], c.id)] = ANY (ARRAY (SELECT id FROM free)) RETURNING c.*)
     UPDATE vm SET status = 'starting', status_at = now(), claim_id = c.id, image_id = c.image_id, tenant_id = c.tenant_id,
       reason = NULL, message = 'bound to a claim'
     FROM claimed c WHERE vm.id = c.vm_id AND vm.id = ANY ($2)
     RETURNING c.id AS claim_id, vm.id AS vm_id, c.deployment_id, c.tenant_id, c.generation`,
    [pairs.map(({ claim }) => claim), pairs.map(({ vm }) => vm)],
  );
  for (const { claim_id, vm_id, deployment_id, tenant_id, generation } of bound) {
    tx.changed({
      tenant_id,
      kind: 'vms',
      key: vm_id,
      from: 'pooling',
      to: 'starting',
      because: `bound to claim ${claim_id}`,
    });
    tx.emit('vm.assigned', {
      tenant_id,
      subject: claim_id,
      version: generation,
      data: { claim_id, deployment_id, vm_id },
    });
    tx.look('vms', vm_id);
    tx.look('deployments', deployment_id);
  }
  return bound.length;
}

export async function bootAgain(tx: Tx, vms: readonly string[], because: string): Promise<number> {
  const booting = await move(
    tx,
    vms.toSorted().map((key) => ({ key, because })),
    ['off'],
    'initializing',
  );
  for (const { id } of booting) tx.look('vms', id);
  return booting.length;
}

/** Makes rows for new VMs, each with an address that nobody has; a number that was taken meanwhile is left out. */
export async function make(tx: Tx, { vms, turn }: Make, network: Network, because: string): Promise<number> {
  const wanted = vms.map(({ number, region }) => ({
    id: uuidv7(),
    number,
    region,
    address: addressOf(network, number),
  }));
  const taken = new Set(await takeNumbers(tx, wanted));
  const made = wanted.filter(({ number }) => taken.has(number));
  if (made.length === 0) return 0;
  await tx.query(
    `WITH turned AS (UPDATE pool SET turn = $5, condition = NULL, message = NULL WHERE id = $6)
     INSERT INTO vm (id, tenant_id, region_id, number, private_ip, message)
     SELECT id, 'system', region, number, address, $7
     FROM unnest($1::uuid[], $2::integer[], $3::uuid[], $4::inet[]) AS w (id, number, region, address)`,
    [
      ...(['id', 'number', 'region', 'address'] as const).map((name) => made.map((vm) => vm[name])),
      turn,
      POOL_ID,
      because,
    ],
  );
  for (const { id } of made) {
    tx.changed({ tenant_id: 'system', kind: 'vms', key: id, from: null, to: 'initializing', because });
    tx.look('vms', id);
  }
  return made.length;
}

/** Gives VM numbers to VMs, and returns those that were to be had. */
async function takeNumbers(
  tx: Tx,
  wanted: readonly { readonly id: string; readonly number: number }[],
): Promise<number[]> {
  const taken = await tx.query<{ number: number }>(
    `INSERT INTO vm_address AS a (number, vm_id) SELECT * FROM unnest($1::integer[], $2::uuid[]) AS w (number, id) ORDER BY number
     ON CONFLICT (number) DO UPDATE SET vm_id = excluded.vm_id, free_at = NULL WHERE a.vm_id IS NULL AND a.free_at <= now()
     RETURNING number`,
    [wanted.map(({ number }) => number), wanted.map(({ id }) => id)],
  );
  return taken.map(({ number }) => number);
}

/** Says, or takes back, what hinders the pool; subscribers hear of it once. */
export async function report(tx: Tx, { condition, message }: Report): Promise<boolean> {
  const rows = await tx.query(
    'UPDATE pool SET condition = $2, message = $3 WHERE id = $1 AND condition IS DISTINCT FROM $2 RETURNING turn',
    [POOL_ID, condition, message],
  );
  if (rows.length > 0 && condition !== null) {
    tx.emit('pool.exhausted', { tenant_id: 'system', subject: POOL_ID, version: '0', data: { reason: condition } });
  }
  return rows.length > 0;
}
