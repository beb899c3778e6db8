import { type Caller, type Tx, tenantOf, unknownReference } from '@homeostat/platform';
import type { Deployment } from '@homeostat/shared';
import { v7 as uuidv7 } from 'uuid';
import { deployments } from './deployment.answer';

/** What somebody wants to run, and where. */
export interface Wish {
  readonly project_id: string;
  readonly environment_id: string;
  readonly commit: string | null;
  readonly image_id: string | null;
  readonly port: number;
  readonly env: Readonly<Record<string, string>>;
  readonly rollback_of?: string | null;
}

/** Writes a queued deployment and returns it. Throws HouseError where it names something that the caller does not have. */
export async function create(tx: Tx, caller: Caller, wish: Wish): Promise<Deployment> {
  const tenant_id = await tenantOfEnvironment(tx, caller, wish);
  if (wish.image_id) await imageExists(tx, tenant_id, wish.image_id);
  const id = uuidv7();
  const { project_id, environment_id, commit, image_id, port, env, rollback_of = null } = wish;
  const [deployment] = await tx.query<Deployment>(
    `INSERT INTO deployment (id, tenant_id, project_id, environment_id, commit, image_id, port, env, rollback_of)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING ${deployments.columns.join(', ')}, false AS paused`,
    [id, tenant_id, project_id, environment_id, commit, image_id, port, env, rollback_of],
  );
  const because = rollback_of ? `rollback to ${rollback_of}` : 'it was asked for';
  tx.changed({ tenant_id, kind: 'deployments', key: id, from: null, to: 'queued', because });
  tx.emit('deployment.created', { tenant_id, subject: id, version: '1', data: { deployment_id: id, environment_id } });
  tx.look('deployments', id);
  return deployment!;
}

/** Notes that a deployment is to be given up; false where it is too late for that. The reconciler does the rest. */
export async function requestCancel(tx: Tx, id: string): Promise<boolean> {
  const rows = await tx.query(
    `UPDATE deployment SET cancel_requested_at = coalesce(cancel_requested_at, now())
     WHERE id = $1 AND status IN ('queued', 'building') RETURNING id`,
    [id],
  );
  if (rows.length > 0) tx.look('deployments', id);
  return rows.length > 0;
}

/** Pins or unpins a deployment; false where it is at its end. */
export async function setPinned(tx: Tx, id: string, pinned: boolean): Promise<boolean> {
  const rows = await tx.query(
    `UPDATE deployment SET pinned = $2 WHERE id = $1 AND status IN ('queued', 'building', 'ready') RETURNING id`,
    [id, pinned],
  );
  if (rows.length > 0) tx.look('deployments', id);
  return rows.length > 0;
}

async function tenantOfEnvironment(tx: Tx, caller: Caller, { project_id, environment_id }: Wish): Promise<string> {
  const [found] = await tx.query<{ tenant_id: string; environment: boolean }>(
    `SELECT p.tenant_id, e.id IS NOT NULL AS environment
     FROM project p LEFT JOIN environment e ON e.id = $2 AND e.project_id = p.id
     WHERE p.id = $1 AND ($3::text IS NULL OR p.tenant_id = $3)`,
    [project_id, environment_id, tenantOf(caller)],
  );
  if (!found) throw unknownReference('project_id', project_id);
  if (!found.environment) throw unknownReference('environment_id', environment_id);
  return found.tenant_id;
}

async function imageExists(tx: Tx, tenant: string, id: string): Promise<void> {
  const rows = await tx.query('SELECT FROM image WHERE id = $1 AND tenant_id = $2', [id, tenant]);
  if (rows.length === 0) throw unknownReference('image_id', id);
}
