/** What holds once nobody changes anything any more and everything that can be done is done. */
export const settled = {
  'no deployment has work left that nobody outside has to do': `
    SELECT d.id, d.status, d.phase, b.status AS build, d.message FROM deployment d LEFT JOIN build b ON b.id = d.build_id
    WHERE d.status = 'queued' OR d.phase = 'waiting_for_vm'
      OR (d.phase = 'waiting_for_build' AND b.status NOT IN ('queued', 'initializing', 'building'))`,
  'nothing that was cancelled or superseded is still under way': `
    SELECT d.id, d.status, d.cancel_requested_at, d.pinned FROM deployment d
    WHERE d.status IN ('queued', 'building') AND (d.cancel_requested_at IS NOT NULL OR NOT d.pinned AND EXISTS (
      SELECT FROM deployment n WHERE n.environment_id = d.environment_id AND n.status = 'ready' AND n.number > d.number))`,
  'at most two unpinned deployments of an environment are ready': `
    SELECT environment_id, array_agg(id ORDER BY number) AS ready FROM deployment d
    WHERE status = 'ready' AND NOT pinned AND (
      SELECT count(*) FROM deployment n
      WHERE n.environment_id = d.environment_id AND n.status = 'ready' AND n.number > d.number) > 1
    GROUP BY environment_id`,
  'every ready deployment runs': `
    SELECT d.id, d.vm_id, vm.status AS vm FROM deployment d LEFT JOIN vm ON vm.id = d.vm_id
    WHERE d.status = 'ready' AND vm.status IS DISTINCT FROM 'running'`,
  'no claim waits': `SELECT id, deployment_id, created_at FROM vm_claim WHERE vm_id IS NULL AND released_at IS NULL`,
  'no claim that was released keeps its VM': `
    SELECT id, vm_id, released_at FROM vm_claim WHERE released_at IS NOT NULL AND vm_id IS NOT NULL AND freed_at IS NULL`,
  'no VM is on its way': `SELECT id, status, message FROM vm WHERE status NOT IN ('pooling', 'running')`,
  'no machine is without a VM': `
    SELECT m.* FROM simulated_machine m LEFT JOIN vm ON vm.id = m.vm_id WHERE vm.id IS NULL`,
  'every VM has a machine in its state': `
    SELECT vm.id, vm.status, m.state FROM vm LEFT JOIN simulated_machine m ON m.vm_id = vm.id
    WHERE vm.status IN ('pooling', 'running')
      AND m.state IS DISTINCT FROM CASE vm.status WHEN 'pooling' THEN 'up' ELSE 'running' END`,
  'no look is overdue': `
    SELECT kind, key, due_at, lease_holder, failures, because FROM reconcile_status s JOIN reconcile_kind k USING (kind)
    WHERE due_at < now() - interval '10 s' AND k.paused_at IS NULL AND (lease_until IS NULL OR lease_until < now())`,
  'no event is left behind': `SELECT id, type, at, relay_at FROM outbox WHERE at < now() - interval '20 s'`,
};
