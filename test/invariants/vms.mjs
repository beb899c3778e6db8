import { attended } from './attended.mjs';

const live = 'c.vm_id IS NOT NULL AND c.freed_at IS NULL';

/** VMs, their addresses and the claims on them, at any instant (spec 1, "VM pool"). */
export const vms = {
  'no VM serves two claims': `
    SELECT c.vm_id, array_agg(c.id) AS claims FROM vm_claim c WHERE ${live} GROUP BY c.vm_id HAVING count(*) > 1`,
  'a bound claim and its VM name each other': `
    SELECT c.id AS claim_id, c.vm_id, vm.claim_id AS claim_of_vm FROM vm_claim c LEFT JOIN vm ON vm.id = c.vm_id
    WHERE ${live} AND vm.claim_id IS DISTINCT FROM c.id`,
  'a VM that names a claim is bound to it': `
    SELECT vm.id AS vm_id, vm.claim_id, c.vm_id AS vm_of_claim, c.freed_at FROM vm LEFT JOIN vm_claim c ON c.id = vm.claim_id
    WHERE vm.claim_id IS NOT NULL AND (c.vm_id IS DISTINCT FROM vm.id OR c.freed_at IS NOT NULL)`,
  'a VM belongs to the tenant of its claim, or to the system': `
    SELECT vm.id, vm.status, vm.tenant_id, c.tenant_id AS of_claim FROM vm LEFT JOIN vm_claim c ON c.id = vm.claim_id
    WHERE vm.status <> 'deleting' AND vm.tenant_id <> coalesce(c.tenant_id, 'system')`,
  'no number twice': `SELECT number, array_agg(id) AS vms FROM vm GROUP BY number HAVING count(*) > 1`,
  'no address twice': `SELECT private_ip, array_agg(id) AS vms FROM vm GROUP BY private_ip HAVING count(*) > 1`,
  'a VM has the address of its number': `
    SELECT id, number, private_ip FROM vm WHERE private_ip <> inet '10.77.0.0' + 8 * number + 2 OR number NOT BETWEEN 0 AND 8191`,
  'a VM holds its number in the book of addresses': `
    SELECT vm.id, vm.number, a.vm_id AS holder, a.free_at FROM vm LEFT JOIN vm_address a ON a.number = vm.number
    WHERE a.vm_id IS DISTINCT FROM vm.id OR a.free_at IS NOT NULL`,
  'a number without a VM is free at some time': `
    SELECT a.* FROM vm_address a LEFT JOIN vm ON vm.id = a.vm_id
    WHERE vm.id IS NULL AND (a.vm_id IS NOT NULL OR a.free_at IS NULL)`,
  'a VM on its way is looked at': `
    SELECT id, status, message FROM vm
    WHERE status IN ('initializing', 'starting', 'stopping', 'deleting') AND NOT ${attended('vms', 'vm.id')}`,
  'a VM that works has a claim, or is looked at': `
    SELECT vm.id, vm.status, c.id AS claim_id, c.released_at FROM vm LEFT JOIN vm_claim c ON c.id = vm.claim_id
    WHERE vm.status IN ('starting', 'running') AND (c.id IS NULL OR c.released_at IS NOT NULL) AND NOT ${attended('vms', 'vm.id')}`,
  'the pool looks when a claim waits and a VM is free': `
    SELECT min(c.number) AS first, count(*) AS waiting FROM vm_claim c, pool
    WHERE c.vm_id IS NULL AND c.released_at IS NULL AND EXISTS (SELECT FROM vm WHERE status = 'pooling')
      AND NOT ${attended('pool', 'pool.id')}
    GROUP BY pool.id`,
};
