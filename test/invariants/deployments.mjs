import { attended } from './attended.mjs';

/** Deployments, their builds and their claims, at any instant (spec 1, "Deployments" and "Builds"). */
export const deployments = {
  'no build twice for a deployment': `
    SELECT deployment_id, array_agg(id) AS builds FROM build GROUP BY deployment_id HAVING count(*) > 1`,
  'a deployment and its build name each other': `
    SELECT d.id AS deployment_id, d.build_id, b.id AS build, b.deployment_id AS of_build
    FROM deployment d FULL JOIN build b ON b.deployment_id = d.id
    WHERE d.build_id IS DISTINCT FROM b.id OR (b.id IS NOT NULL AND d.id IS NULL)`,
  'a build that is ready has its image, and no other has one': `
    SELECT b.id, b.status, b.image_id, i.build_id AS of_image FROM build b LEFT JOIN image i ON i.id = b.image_id
    WHERE (b.status = 'ready') <> (b.image_id IS NOT NULL) OR (b.image_id IS NOT NULL AND i.build_id IS DISTINCT FROM b.id)`,
  'a deployment runs an image that exists': `
    SELECT d.id, d.status, d.image_id FROM deployment d LEFT JOIN image i ON i.id = d.image_id
    WHERE i.id IS NULL AND (d.image_id IS NOT NULL OR d.status = 'ready')`,
  'at most one unreleased claim per deployment': `
    SELECT deployment_id, array_agg(id) AS claims FROM vm_claim WHERE released_at IS NULL
    GROUP BY deployment_id HAVING count(*) > 1`,
  'a deployment at its end has let go of its VM': `
    SELECT d.id, d.status, d.vm_id, c.id AS claim_id FROM deployment d
    LEFT JOIN vm_claim c ON c.deployment_id = d.id AND c.released_at IS NULL
    WHERE d.status IN ('inactive', 'failed') AND (d.vm_id IS NOT NULL OR c.id IS NOT NULL)`,
  'a claim belongs to a deployment that wants it': `
    SELECT c.id, c.deployment_id, d.status, d.phase FROM vm_claim c LEFT JOIN deployment d ON d.id = c.deployment_id
    WHERE c.released_at IS NULL AND d.phase IS DISTINCT FROM 'waiting_for_vm' AND d.status IS DISTINCT FROM 'ready'`,
  'a deployment that waits for a VM has claimed one, or is looked at': `
    SELECT d.id, d.status FROM deployment d
    WHERE (d.phase = 'waiting_for_vm' OR d.status = 'ready')
      AND NOT EXISTS (SELECT FROM vm_claim c WHERE c.deployment_id = d.id AND c.released_at IS NULL)
      AND NOT ${attended('deployments', 'd.id')}`,
  'a ready deployment has the VM of its claim, or is looked at': `
    SELECT d.id, d.vm_id, c.vm_id AS of_claim FROM deployment d
    LEFT JOIN vm_claim c ON c.deployment_id = d.id AND c.released_at IS NULL
    WHERE d.status = 'ready' AND (c.id IS NULL OR c.vm_id IS DISTINCT FROM d.vm_id) AND NOT ${attended('deployments', 'd.id')}`,
  'no build is open for a deployment that needs none': `
    SELECT b.id, b.status, d.id AS deployment_id, d.status AS of_deployment FROM build b JOIN deployment d ON d.id = b.deployment_id
    WHERE b.status IN ('queued', 'initializing', 'building') AND d.status IN ('ready', 'inactive', 'failed')`,
  'a deployment on its way is looked at': `
    SELECT id, status, phase FROM deployment d WHERE status IN ('queued', 'building') AND NOT ${attended('deployments', 'd.id')}`,
  'an open build is looked at': `
    SELECT id, status FROM build b WHERE status IN ('queued', 'initializing', 'building') AND NOT ${attended('builds', 'b.id')}`,
  'a deployment that is superseded is looked at': `
    SELECT d.id, d.environment_id FROM deployment d
    WHERE d.status = 'ready' AND NOT d.pinned AND NOT ${attended('deployments', 'd.id')} AND EXISTS (
      SELECT FROM deployment n WHERE n.environment_id = d.environment_id AND n.status = 'ready' AND n.number > d.number)`,
  'a domain that is checked is looked at': `
    SELECT id, name, status FROM domain d WHERE status IN ('pending', 'verified', 'at_risk') AND NOT ${attended('domains', 'd.id')}`,
  'no name has two owners': `
    SELECT name, array_agg(id) AS domains FROM domain WHERE status IN ('verified', 'at_risk') GROUP BY name HAVING count(*) > 1`,
};
