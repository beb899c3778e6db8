import type { Database } from './postgres';

/** A ready deployment has two older ones, which are inactive; each has a build. A tenth of all resources are VMs. */
const statements = [
  `CREATE TEMP TABLE live AS SELECT n, gen_random_uuid() AS environment_id, gen_random_uuid() AS vm_id, gen_random_uuid() AS claim_id
   FROM generate_series(1, $1::integer / 10) AS n`,
  `CREATE TEMP TABLE run AS SELECT live.*, of, of = 3 AS ready, gen_random_uuid() AS id, gen_random_uuid() AS build_id,
     gen_random_uuid() AS image_id FROM live, generate_series(1, 3) AS of`,
  `INSERT INTO project (id, tenant_id, name) VALUES ('00000000-0000-7000-8000-00000000000a', 'default', 'idle')`,
  `INSERT INTO environment (id, tenant_id, project_id, name)
   SELECT environment_id, 'default', '00000000-0000-7000-8000-00000000000a', n FROM live`,
  `INSERT INTO image (id, tenant_id, build_id, registry, repository)
   SELECT image_id, 'default', build_id, 'registry.test', 'idle' FROM run`,
  `INSERT INTO build (id, tenant_id, deployment_id, project_id, status, image_id, finished_at)
   SELECT build_id, 'default', id, '00000000-0000-7000-8000-00000000000a', 'ready', image_id, now() FROM run`,
  `INSERT INTO deployment (id, tenant_id, project_id, environment_id, status, build_id, image_id, vm_id, ready_at, inactive_at)
   SELECT id, 'default', '00000000-0000-7000-8000-00000000000a', environment_id, CASE WHEN ready THEN 'ready' ELSE 'inactive' END,
     build_id, image_id, CASE WHEN ready THEN vm_id END, now(), CASE WHEN NOT ready THEN now() END FROM run ORDER BY n, of`,
  `INSERT INTO vm_claim (id, tenant_id, deployment_id, image_id, port) SELECT claim_id, 'default', id, image_id, 8080 FROM run WHERE ready`,
  `INSERT INTO vm (id, tenant_id, region_id, number, private_ip, claim_id, image_id, status)
   SELECT vm_id, 'default', (SELECT id FROM region), n - 1, inet '10.64.0.2' + 8 * (n - 1), claim_id, image_id, 'running'
   FROM run WHERE ready`,
  `UPDATE vm_claim SET vm_id = live.vm_id, bound_at = now() FROM live WHERE id = claim_id`,
  `INSERT INTO vm_address (number, vm_id) SELECT n - 1, vm_id FROM live`,
  `INSERT INTO simulated_machine (vm_id, state) SELECT vm_id, 'running' FROM live`,
  `INSERT INTO domain (id, tenant_id, name, token, window_ends_at, check_at, status, verified_at)
   SELECT gen_random_uuid(), 'default', n || '.test', md5(n::text), now() + interval '1 day', now() + interval '12 h' + random() * interval '12 h',
     'verified', now() FROM generate_series(1, $1::integer * 3 / 10) AS n`,
  `INSERT INTO reconcile_status (kind, key, due_at, rank_at, outcome, because, looked_at)
   SELECT 'domains', id, check_at, check_at + interval '30 s', 'waiting', 'the next check is to come', now() FROM domain
   UNION ALL SELECT 'builds', build_id, NULL, now(), 'settled', 'it is ready', now() FROM run
   UNION ALL SELECT 'deployments', id, NULL, now(), 'settled', 'it is as it should be', now() FROM run
   UNION ALL SELECT 'vms', vm_id, NULL, now(), 'settled', 'running its deployment', now() FROM live`,
];

/** Where there is room for the VMs of a million resources. */
export const WORLD_NETWORK = '10.64.0.0/12';

/** Fills the database with so many resources for which nothing is to be done: domains and deployments with their builds and VMs. */
export async function settledWorld({ query }: Database, count: number): Promise<void> {
  for (const sql of statements) await query(sql, sql.includes('$1') ? [count] : []);
  await query('VACUUM ANALYZE');
  await query('CHECKPOINT');
}
