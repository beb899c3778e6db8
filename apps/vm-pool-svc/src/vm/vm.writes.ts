import type { Tx } from '@homeostat/platform';
import { POOL_ID, type VmStatus, vmStates } from '@homeostat/shared';

/** A VM after a change of its status. */
export interface Moved {
  readonly id: string;
  readonly tenant_id: string;
  readonly generation: string;
  readonly region_id: string;
  readonly from: VmStatus;
  readonly because: string;
  readonly claim_id: string | null;
  readonly deployment_id: string | null;
  /** Whether that deployment waits until the workload runs. */
  readonly awaited: boolean;
}

/** A VM that is to be changed, and why. Lists of these come in key order. */
export interface Change {
  readonly key: string;
  readonly because: string;
}

/** Locks the VMs among `$1` that are in one of the states `$2`, in key order; `$3` says why each is changed. */
const inState = `
  WITH v AS MATERIALIZED (
    SELECT v.*, n.because FROM unnest($1::uuid[], $3::text[]) AS n (id, because)
    CROSS JOIN LATERAL (SELECT id, status, claim_id FROM vm WHERE id = n.id FOR UPDATE) AS v WHERE v.status = ANY ($2))`;

/**
 * Moves VMs that are still in one of the states `from`; those that are not stay as they are, and are not returned. A
 * VM that is no longer of use to its claim lets go of it in the same statement.
 */
export async function move(
  tx: Tx,
  changes: readonly Change[],
  from: readonly VmStatus[],
  to: VmStatus,
): Promise<Moved[]> {
  const moved = await tx.query<Moved>(
    `${inState}, freed AS (
       UPDATE vm_claim c SET freed_at = now() FROM v
       WHERE $4 = 'off' AND c.vm_id = ANY ($1) AND c.freed_at IS NULL AND c.vm_id = v.id AND c.id = v.claim_id)
     UPDATE vm SET status = $4, status_at = now(), reason = NULL, message = v.because,
       claim_id = CASE WHEN $4 = 'off' THEN NULL ELSE vm.claim_id END,
       image_id = CASE WHEN $4 = 'off' THEN NULL ELSE vm.image_id END,
       tenant_id = CASE WHEN $4 = 'off' THEN 'system' ELSE vm.tenant_id END
     FROM v LEFT JOIN LATERAL (SELECT deployment_id, wanted FROM vm_claim WHERE id = v.claim_id LIMIT 1) AS c ON true
     WHERE vm.id = v.id AND vm.id = ANY ($1)
     RETURNING vm.id, vm.tenant_id, vm.generation, vm.region_id, v.status AS "from", v.because, vm.claim_id, c.deployment_id,
       c.wanted = 'running' AS awaited`,
    [keysOf(changes), from, becausesOf(changes), to],
  );
  note(tx, moved, to);
  return moved;
}

const alive: readonly VmStatus[] = vmStates.filter((status) => status !== 'deleting');

/**
 * Gives VMs up: their machines will be removed. A claim that was still wanted waits again, in its old place, and its
 * deployment learns that it has no VM.
 */
export async function discard(tx: Tx, changes: readonly (Change & { readonly reason: string })[]): Promise<Moved[]> {
  const moved = await tx.query<Moved & { lost: boolean }>(
    `${inState}, why AS (SELECT * FROM unnest($1::uuid[], $4::text[]) AS w (id, reason)
     ), let_go AS (
       UPDATE vm_claim c SET
         vm_id = CASE WHEN c.released_at IS NULL THEN NULL ELSE c.vm_id END,
         bound_at = CASE WHEN c.released_at IS NULL THEN NULL ELSE c.bound_at END,
         freed_at = CASE WHEN c.released_at IS NULL THEN NULL ELSE now() END
       FROM v WHERE c.vm_id = ANY ($1) AND c.freed_at IS NULL AND c.vm_id = v.id AND c.id = v.claim_id RETURNING c.id, c.deployment_id, c.released_at IS NULL AS lost)
     UPDATE vm SET status = 'deleting', status_at = now(), reason = why.reason, message = v.because, claim_id = NULL
     FROM v JOIN why ON why.id = v.id LEFT JOIN let_go ON let_go.id = v.claim_id
     WHERE vm.id = v.id AND vm.id = ANY ($1)
     RETURNING vm.id, vm.tenant_id, vm.generation, vm.region_id, v.status AS "from", v.because, v.claim_id,
       let_go.deployment_id, let_go.lost, false AS awaited`,
    [keysOf(changes), alive, becausesOf(changes), changes.map(({ reason }) => reason)],
  );
  note(tx, moved, 'deleting');
  for (const { id, tenant_id, generation, claim_id, deployment_id, lost } of moved) {
    tx.look('vms', id);
    if (!lost || claim_id === null || deployment_id === null) continue;
    tx.emit('vm.lost', { tenant_id, subject: id, version: generation, data: { vm_id: id, claim_id, deployment_id } });
    tx.look('deployments', deployment_id);
  }
  if (moved.length > 0) tx.look('pool', POOL_ID);
  return moved;
}

/** Removes the rows of VMs whose machines are gone; their addresses rest for `quarantineMs`. */
export async function forget(tx: Tx, changes: readonly Change[], quarantineMs: number): Promise<Moved[]> {
  const gone = await tx.query<Moved>(
    `${inState}, resting AS (
       UPDATE vm_address a SET vm_id = NULL, free_at = now() + make_interval(secs => $4::float8 / 1000)
       FROM v WHERE a.vm_id = v.id AND a.vm_id = ANY ($1))
     DELETE FROM vm USING v WHERE vm.id = v.id AND vm.id = ANY ($1)
     RETURNING vm.id, vm.tenant_id, vm.generation, vm.region_id, v.status AS "from", v.because, NULL AS claim_id, NULL AS deployment_id, false AS awaited`,
    [keysOf(changes), ['deleting'], becausesOf(changes), quarantineMs],
  );
  note(tx, gone, 'deleted');
  for (const { id, tenant_id, generation } of gone) {
    tx.emit('vm.deleted', { tenant_id, subject: id, version: generation, data: { vm_id: id } });
  }
  return gone;
}

function note(tx: Tx, moved: readonly Moved[], to: string): void {
  for (const { id, tenant_id, from, because } of moved)
    tx.changed({ tenant_id, kind: 'vms', key: id, from, to, because });
}

function keysOf(changes: readonly Change[]): string[] {
  return changes.map(({ key }) => key);
}

function becausesOf(changes: readonly Change[]): string[] {
  return changes.map(({ because }) => because);
}
