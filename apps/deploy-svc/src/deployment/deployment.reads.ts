import type { Database } from '@homeostat/platform';
import type { BuildStatus, VmStatus } from '@homeostat/shared';
import type { DeploymentSight } from './deployment.decide';

interface Row {
  readonly build_status: BuildStatus | null;
  readonly build_image_id: string | null;
  readonly build_reason: string | null;
  readonly build_message: string | null;
  readonly claim_id: string | null;
  readonly claimed_vm_id: string | null;
  readonly vm_status: VmStatus | null;
  readonly private_ip: string | null;
  readonly newer: number;
  readonly newest_ready_at: Date | null;
}

export type DeploymentFacts = Pick<DeploymentSight, 'deployment' | 'build' | 'claim' | 'newer'>;

/** Deployments with their build, the claim that is not released, and the ready ones of their environment that are newer. */
export async function factsOf(database: Database, keys: readonly string[]): Promise<DeploymentFacts[]> {
  const rows = await database.query<Row & DeploymentFacts['deployment']>(
    `SELECT d.id, d.status, d.phase, d.build_id, d.image_id, d.vm_id, d.port, d.pinned, d.cancel_requested_at, d.building_at,
       d.image_at, b.status AS build_status, b.image_id AS build_image_id, b.reason AS build_reason, b.message AS build_message,
       c.id AS claim_id, c.vm_id AS claimed_vm_id, v.status AS vm_status, host(v.private_ip) AS private_ip,
       newer.count AS newer, newer.newest_ready_at
     FROM deployment d
     LEFT JOIN LATERAL (SELECT * FROM build WHERE id = d.build_id LIMIT 1) AS b ON true
     LEFT JOIN LATERAL (SELECT * FROM vm_claim WHERE deployment_id = d.id AND released_at IS NULL LIMIT 1) AS c ON true
     LEFT JOIN LATERAL (SELECT * FROM vm WHERE id = c.vm_id LIMIT 1) AS v ON true
     CROSS JOIN LATERAL (
       SELECT count(*)::integer AS count, (array_agg(n.ready_at ORDER BY n.number DESC))[1] AS newest_ready_at
       FROM (
         SELECT number, ready_at FROM deployment
         WHERE environment_id = d.environment_id AND live AND status = 'ready' AND number > d.number ORDER BY number DESC LIMIT 2) AS n
     ) AS newer
     WHERE d.id = ANY ($1)`,
    [keys],
  );
  return rows.map(factsIn);
}

function factsIn(row: Row & DeploymentFacts['deployment']): DeploymentFacts {
  const { build_status, build_image_id, build_reason, build_message, ...rest } = row;
  const { claim_id, claimed_vm_id, vm_status, private_ip, newer: count, newest_ready_at, ...deployment } = rest;
  const build = { status: build_status!, image_id: build_image_id, reason: build_reason, message: build_message };
  const vm = claimed_vm_id && vm_status ? { id: claimed_vm_id, status: vm_status, private_ip: private_ip! } : null;
  return {
    deployment,
    build: build_status ? build : null,
    claim: claim_id ? { id: claim_id, vm } : null,
    newer: { count, newest_ready_at },
  };
}

/** How many claims wait ahead of each of these, and how the pool is. One walk over the queue serves all. */
export async function queueOf(
  database: Database,
  claims: readonly string[],
): Promise<Map<string, NonNullable<DeploymentSight['queue']>>> {
  if (claims.length === 0) return new Map();
  const rows = await database.query<{ id: string; ahead: number; pooling: number; initializing: number }>(
    `WITH place AS (
       SELECT id, row_number() OVER (ORDER BY number)::integer - 1 AS ahead
       FROM vm_claim WHERE vm_id IS NULL AND released_at IS NULL
     ), pool AS (
       SELECT count(*) FILTER (WHERE status = 'pooling')::integer AS pooling,
         count(*) FILTER (WHERE status = 'initializing')::integer AS initializing
       FROM vm WHERE status IN ('pooling', 'initializing'))
     SELECT place.*, pool.* FROM place, pool WHERE place.id = ANY ($1)`,
    [claims],
  );
  return new Map(rows.map(({ id, ...queue }) => [id, queue]));
}
