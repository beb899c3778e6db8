import type { Tx } from '@homeostat/platform';
import type { BuildStatus } from '@homeostat/shared';
import { v7 as uuidv7 } from 'uuid';

interface Written {
  readonly id: string;
  readonly tenant_id: string;
  readonly generation: string;
  readonly deployment_id: string;
  readonly from: BuildStatus;
}

/** An image that a build made. */
export interface Report {
  readonly id: string;
  readonly registry: string;
  readonly repository: string;
  readonly tag: string | null;
  readonly digest: string | null;
}

export const openStates: readonly BuildStatus[] = ['queued', 'initializing', 'building'];

/** Locks the builds among `$1` that are in one of the states `$2`, in key order. */
const locked = `
  WITH b AS MATERIALIZED (
    SELECT b.* FROM unnest($1::uuid[]) AS p (id) CROSS JOIN LATERAL (SELECT id, status FROM build WHERE id = p.id FOR UPDATE) AS b
    WHERE b.status = ANY ($2))`;
const returned = `w.id, w.tenant_id, w.generation, w.deployment_id, b.status AS "from"`;

/** queued → initializing. */
export async function take(tx: Tx, id: string, builder: string): Promise<Written[]> {
  const taken = await tx.query<Written>(
    `${locked} UPDATE build w SET status = 'initializing', builder = $3 FROM b WHERE w.id = b.id AND w.id = ANY ($1) RETURNING ${returned}`,
    [[id], ['queued'], builder],
  );
  for (const row of taken) changed(tx, row, 'initializing', `taken by ${builder}`);
  return taken;
}

/** queued or initializing → building, whose deadline begins. A build that another builder has taken stays with that one. */
export async function start(tx: Tx, id: string, builder: string, timeoutMs: number): Promise<Written[]> {
  const started = await tx.query<Written & { deadline: Date }>(
    `${locked} UPDATE build w SET status = 'building', builder = $3, started_at = now() FROM b
     WHERE w.id = b.id AND w.id = ANY ($1) AND (w.builder IS NULL OR w.builder = $3)
     RETURNING ${returned}, now() + make_interval(secs => $4::float8 / 1000) AS deadline`,
    [[id], ['queued', 'initializing'], builder, timeoutMs],
  );
  for (const row of started) {
    const { tenant_id, generation, deployment_id, deadline } = row;
    changed(tx, row, 'building', `started by ${builder}`);
    tx.emit('build.started', {
      tenant_id,
      subject: id,
      version: generation,
      data: { build_id: id, deployment_id, builder },
    });
    tx.schedule('builds', id, deadline, 'a builder works on it');
  }
  return started;
}

/** A sign of life; it does not move the deadline. */
export async function beat(tx: Tx, id: string): Promise<Pick<Written, 'id'>[]> {
  return tx.query(`UPDATE build SET heartbeat_at = now() WHERE id = $1 AND status = 'building' RETURNING id`, [id]);
}

/** Any state before the end → ready, with its image. What comes after the end has no effect. */
export async function finish(tx: Tx, reports: readonly Report[]): Promise<Written[]> {
  const column = (name: keyof Report) => reports.map((report) => report[name]);
  const finished = await tx.query<Written & { image_id: string }>(
    `WITH b AS MATERIALIZED (
       SELECT b.status, r.* FROM unnest($1::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[])
         AS r (id, image_id, registry, repository, tag, digest)
       CROSS JOIN LATERAL (SELECT status FROM build WHERE id = r.id FOR UPDATE) AS b WHERE b.status = ANY ($2)),
     w AS (
       UPDATE build w SET status = 'ready', image_id = b.image_id, finished_at = now(), reason = NULL, message = NULL
       FROM b WHERE w.id = b.id AND w.id = ANY ($1) RETURNING ${returned}, w.image_id, b.registry, b.repository, b.tag, b.digest),
     i AS (
       INSERT INTO image (id, tenant_id, build_id, registry, repository, tag, digest)
       SELECT image_id, tenant_id, id, registry, repository, tag, digest FROM w)
     SELECT * FROM w`,
    [
      column('id'),
      openStates,
      reports.map(() => uuidv7()),
      ...(['registry', 'repository', 'tag', 'digest'] as const).map(column),
    ],
  );
  for (const row of finished) {
    const { id, tenant_id, generation, deployment_id, image_id } = row;
    changed(tx, row, 'ready', 'its builder reported an image');
    tx.emit('build.ready', {
      tenant_id,
      subject: id,
      version: generation,
      data: { build_id: id, deployment_id, image_id },
    });
    ended(tx, row, 'ready');
  }
  return finished;
}

/** Ends a build in `error`, if it is still in one of the states `from`. */
export function fail(
  tx: Tx,
  id: string,
  from: readonly BuildStatus[],
  reason: string,
  message: string,
): Promise<Written[]> {
  return breakOff(tx, [id], from, 'error', reason, message);
}

/** Cancels those builds that are not at their end yet. */
export async function cancelBuilds(tx: Tx, ids: readonly string[], message: string): Promise<Written[]> {
  return ids.length > 0 ? breakOff(tx, ids.toSorted(), openStates, 'canceled', 'Canceled', message) : [];
}

async function breakOff(
  tx: Tx,
  ids: readonly string[],
  from: readonly BuildStatus[],
  to: 'error' | 'canceled',
  reason: string,
  message: string,
): Promise<Written[]> {
  const broken = await tx.query<Written>(
    `${locked} UPDATE build w SET status = $3, reason = $4, message = $5, finished_at = now() FROM b WHERE w.id = b.id AND w.id = ANY ($1)
     RETURNING ${returned}`,
    [ids, from, to, reason, message],
  );
  for (const row of broken) {
    const { id, tenant_id, generation, deployment_id } = row;
    changed(tx, row, to, message);
    tx.emit('build.failed', {
      tenant_id,
      subject: id,
      version: generation,
      data: { build_id: id, deployment_id, reason },
    });
    ended(tx, row, to);
  }
  return broken;
}

/** No deadline is left, and the deployment goes on. */
function ended(tx: Tx, { id, deployment_id }: Written, status: BuildStatus): void {
  tx.settle('builds', id, `it is ${status}`);
  tx.look('deployments', deployment_id);
}

function changed(tx: Tx, { id, tenant_id, from }: Written, to: BuildStatus, because: string): void {
  tx.changed({ tenant_id, kind: 'builds', key: id, from, to, because });
}
