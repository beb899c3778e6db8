import { type TestDatabase, testDatabase } from '@homeostat/testing';
import { checks, violations } from '../invariants/checks.mjs';

const id = (last: number): string => `00000000-0000-7000-8000-${String(last).padStart(12, '0')}`;
const [project, environment, deployment, build, image, claim, vm, region, domain, sync] = [
  11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
].map(id);
const other = id(99);

/** A world at rest: a deployment that was built and runs, a free VM, a verified domain, and a sync that is done. */
const world = `
  INSERT INTO project (id, tenant_id, name) VALUES ('${project}', 'acme', 'shop');
  INSERT INTO environment (id, tenant_id, project_id, name) VALUES ('${environment}', 'acme', '${project}', 'production');
  INSERT INTO image (id, tenant_id, build_id, registry, repository) VALUES ('${image}', 'acme', '${build}', 'r', 'shop');
  INSERT INTO build (id, tenant_id, deployment_id, project_id, status, image_id)
    VALUES ('${build}', 'acme', '${deployment}', '${project}', 'ready', '${image}');
  INSERT INTO deployment (id, tenant_id, project_id, environment_id, status, build_id, image_id, vm_id, ready_at)
    VALUES ('${deployment}', 'acme', '${project}', '${environment}', 'ready', '${build}', '${image}', '${vm}', now());
  INSERT INTO vm_claim (id, tenant_id, deployment_id, image_id, port, vm_id)
    VALUES ('${claim}', 'acme', '${deployment}', '${image}', 8080, '${vm}');
  INSERT INTO region (id, tenant_id, name) VALUES ('${region}', 'system', 'local');
  INSERT INTO vm (id, tenant_id, region_id, number, private_ip, status, claim_id) VALUES
    ('${vm}', 'acme', '${region}', 1, '10.77.0.10', 'running', '${claim}'),
    ('${other}', 'system', '${region}', 32, '10.77.1.2', 'pooling', NULL);
  INSERT INTO vm_address (number, vm_id) VALUES (1, '${vm}'), (32, '${other}');
  INSERT INTO simulated_machine (vm_id, state) VALUES ('${vm}', 'running'), ('${other}', 'up');
  INSERT INTO domain (id, tenant_id, name, token, window_ends_at, status)
    VALUES ('${domain}', 'acme', 'shop.example', 't', now(), 'verified');
  INSERT INTO sync (id, tenant_id, remote_directory_url, remote_host, status, total, done, finished_at)
    VALUES ('${sync}', 'acme', 'https://there.example', 'there.example', 'COMPLETED', 1, 1, now());
  INSERT INTO sync_record (sync_id, cid, state) VALUES ('${sync}', 'a', 'done');
  INSERT INTO reconcile_status (kind, key, due_at) VALUES
    ('domains', '${domain}', now() + interval '1 h'), ('deployments', '${deployment}', NULL), ('vms', '${vm}', NULL);
  INSERT INTO state_change (tenant_id, kind, key, from_state, to_state, because, by)
    SELECT 'acme', kind, key::uuid, lag(word) OVER (PARTITION BY key ORDER BY at), word, 'because', 'test' FROM (VALUES
      ('deployments', '${deployment}', '{queued,building,ready}'), ('builds', '${build}', '{queued,building,ready}'),
      ('vms', '${vm}', '{initializing,pooling,starting,running}'), ('vms', '${other}', '{initializing,pooling}'),
      ('syncs', '${sync}', '{PENDING,IN_PROGRESS,COMPLETED}'), ('domains', '${domain}', '{pending,verified}')) AS life (kind, key, words),
      unnest(words::text[]) WITH ORDINALITY AS word (word, at)`;

/** Nothing in the database prevents what follows any more. */
const withoutGuards = `
  DO $$
  DECLARE guard record;
  BEGIN
    FOR guard IN SELECT conrelid::regclass AS tab, conname FROM pg_constraint
      WHERE connamespace = 'public'::regnamespace AND contype IN ('c', 'f', 'u') LOOP
      EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I CASCADE', guard.tab, guard.conname);
    END LOOP;
    FOR guard IN SELECT indexrelid::regclass AS tab FROM pg_index
      WHERE indisunique AND NOT indisprimary AND indrelid::regclass::text !~ '^pg_' AND indrelid IN (
        SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace) LOOP
      EXECUTE format('DROP INDEX %s', guard.tab);
    END LOOP;
  END $$`;

/** How to break each check. */
const breaks: Record<string, string> = {
  'no VM serves two claims': `
    INSERT INTO vm_claim (id, tenant_id, deployment_id, image_id, port, vm_id) VALUES ('${other}', 'acme', '${other}', '${image}', 1, '${vm}')`,
  'a bound claim and its VM name each other': `UPDATE vm SET claim_id = NULL WHERE id = '${vm}'`,
  'a VM that names a claim is bound to it': `UPDATE vm_claim SET freed_at = now()`,
  'a VM belongs to the tenant of its claim, or to the system': `UPDATE vm SET tenant_id = 'acme' WHERE id = '${other}'`,
  'no number twice': `UPDATE vm SET number = 1`,
  'no address twice': `UPDATE vm SET private_ip = '10.77.0.10'`,
  'a VM has the address of its number': `UPDATE vm SET private_ip = '10.77.0.11' WHERE id = '${vm}'`,
  'a VM holds its number in the book of addresses': `UPDATE vm_address SET vm_id = NULL, free_at = now() WHERE number = 1`,
  'a number without a VM is free at some time': `INSERT INTO vm_address (number) VALUES (2)`,
  'a VM on its way is looked at': `UPDATE vm SET status = 'initializing' WHERE id = '${other}'`,
  'a VM that works has a claim, or is looked at': `UPDATE vm_claim SET released_at = now()`,
  'the pool looks when a claim waits and a VM is free': `
    INSERT INTO vm_claim (id, tenant_id, deployment_id, image_id, port) VALUES ('${other}', 'acme', '${other}', '${image}', 1)`,
  'no build twice for a deployment': `
    INSERT INTO build (id, tenant_id, deployment_id, project_id) VALUES ('${other}', 'acme', '${deployment}', '${project}')`,
  'a deployment and its build name each other': `UPDATE deployment SET build_id = '${other}'`,
  'a build that is ready has its image, and no other has one': `UPDATE build SET image_id = NULL`,
  'a deployment runs an image that exists': `DELETE FROM image`,
  'at most one unreleased claim per deployment': `
    INSERT INTO vm_claim (id, tenant_id, deployment_id, image_id, port) VALUES ('${other}', 'acme', '${deployment}', '${image}', 1)`,
  'a deployment at its end has let go of its VM': `UPDATE deployment SET status = 'inactive'`,
  'a claim belongs to a deployment that wants it': `UPDATE vm_claim SET deployment_id = '${other}'`,
  'a deployment that waits for a VM has claimed one, or is looked at': `DELETE FROM vm_claim`,
  'a ready deployment has the VM of its claim, or is looked at': `UPDATE deployment SET vm_id = '${other}'`,
  'no build is open for a deployment that needs none': `UPDATE build SET status = 'building'`,
  'a deployment on its way is looked at': `UPDATE deployment SET status = 'queued'`,
  'an open build is looked at': `UPDATE build SET status = 'queued'`,
  'a deployment that is superseded is looked at': `
    INSERT INTO deployment (id, tenant_id, project_id, environment_id, status) VALUES ('${other}', 'acme', '${project}', '${environment}', 'ready')`,
  'a domain that is checked is looked at': `DELETE FROM reconcile_status WHERE kind = 'domains'`,
  'no name has two owners': `
    INSERT INTO domain (id, tenant_id, name, token, window_ends_at, status) VALUES ('${other}', 'umbra', 'shop.example', 't', now(), 'at_risk')`,
  'only legal moves': `UPDATE state_change SET from_state = 'failed' WHERE to_state = 'building'`,
  'every move starts where the one before it ended': `DELETE FROM state_change WHERE to_state = 'building'`,
  'the last move led to the present state': `UPDATE vm SET status = 'off' WHERE id = '${other}'`,
  'no deployment becomes ready twice': `
    INSERT INTO state_change (tenant_id, kind, key, from_state, to_state, because, by)
    VALUES ('acme', 'deployments', '${deployment}', 'building', 'ready', 'because', 'test')`,
  'no deployment has work left that nobody outside has to do': `UPDATE deployment SET status = 'building', phase = 'waiting_for_build'`,
  'nothing that was cancelled or superseded is still under way': `UPDATE deployment SET status = 'queued', cancel_requested_at = now()`,
  'at most two unpinned deployments of an environment are ready': `
    INSERT INTO deployment (id, tenant_id, project_id, environment_id, status)
    SELECT id::uuid, 'acme', '${project}', '${environment}', 'ready' FROM unnest('{${id(97)},${id(98)}}'::text[]) AS id`,
  'every ready deployment runs': `UPDATE vm SET status = 'starting' WHERE id = '${vm}'`,
  'no claim waits': `UPDATE vm_claim SET vm_id = NULL`,
  'no claim that was released keeps its VM': `UPDATE vm_claim SET released_at = now()`,
  'somebody attends to every open sync': `UPDATE sync SET status = 'IN_PROGRESS', finished_at = NULL`,
  'a sync has counted its records right': `UPDATE sync SET total = 2`,
  'a sync that is completed has every record': `UPDATE sync SET done = 0; UPDATE sync_record SET state = 'pending'`,
  'no VM is on its way': `UPDATE vm SET status = 'off' WHERE id = '${other}'`,
  'no machine is without a VM': `INSERT INTO simulated_machine (vm_id, state) VALUES ('${id(98)}', 'up')`,
  'every VM has a machine in its state': `UPDATE simulated_machine SET state = 'stopped'`,
  'no look is overdue': `UPDATE reconcile_status SET due_at = now() - interval '1 min'`,
  'no event is left behind': `
    INSERT INTO outbox (id, type, source, tenant_id, subject, version, data, at)
    VALUES ('${other}', 'vm.deleted', 'test', 'acme', '${vm}', 1, '{}', now() - interval '1 min')`,
};

describe('the invariants', () => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await testDatabase();
    await database.sql(world);
  });
  afterEach(() => database.close());

  const violated = (atRest: boolean) => violations(async (sql) => database.sql(sql), { atRest });

  it('hold in a world at rest', async () => {
    expect(await violated(true)).toEqual([]);
  });

  it.each(checks.map(({ name }) => name))('are violated, and say so: %s', async (name) => {
    await database.sql(withoutGuards);
    await database.sql(breaks[name]!);
    const found = (await violated(true)).find((one) => one.name === name);
    expect(found?.rows).not.toHaveLength(0);
    expect(found).toBeDefined();
  });

  it('that need a world at rest are left out on request', async () => {
    await database.sql(`UPDATE vm_claim SET released_at = now(); UPDATE reconcile_status SET due_at = now()`);
    expect(await violated(false)).toEqual([]);
    expect((await violated(true)).map(({ name }) => name)).toEqual(['no claim that was released keeps its VM']);
  });
});
