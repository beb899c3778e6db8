import { Database, PostgresNotebook, dueOf } from '@homeostat/platform';
import { POOL_ID } from '@homeostat/shared';
import { type TestDatabase, rowsRead, testDatabase } from '@homeostat/testing';
import type { Machines } from './machines/machines.port';
import { PoolReconciler } from './pool/pool.reconciler';
import { bind } from './pool/pool.writes';
import { parseNetwork } from './vm/address';
import { VmReconciler } from './vm/vm.reconciler';
import type { VmPoolSettings } from './vm-pool.config';

/** Twenty thousand VMs that serve a claim, with as many claims that are over; three VMs are free, five claims wait. */
const world = `
  INSERT INTO region (id, tenant_id, name) VALUES ('00000000-0000-7000-8000-000000000002', 'system', 'eu');
  CREATE TEMP TABLE one AS SELECT n, gen_random_uuid() AS id, gen_random_uuid() AS claim FROM generate_series(1, 20000) AS n;
  INSERT INTO vm_claim (id, tenant_id, deployment_id, image_id, port, vm_id) SELECT claim, 'acme', gen_random_uuid(), claim, 80, id FROM one;
  INSERT INTO vm_claim (id, tenant_id, deployment_id, image_id, port, vm_id, released_at, freed_at)
    SELECT gen_random_uuid(), 'acme', gen_random_uuid(), claim, 80, id, now(), now() FROM one;
  INSERT INTO vm_claim (id, tenant_id, deployment_id, image_id, port) SELECT gen_random_uuid(), 'acme', gen_random_uuid(), gen_random_uuid(), 80
    FROM generate_series(1, 5);
  INSERT INTO vm (id, tenant_id, region_id, number, private_ip, status, claim_id)
    SELECT one.id, 'acme', region.id, n, '10.0.0.0'::inet + 8 * n, 'running', claim FROM one, region;
  INSERT INTO vm (id, tenant_id, region_id, number, private_ip, status)
    SELECT gen_random_uuid(), 'system', region.id, n, '10.0.0.0'::inet + 8 * n, 'pooling' FROM generate_series(20001, 20003) AS n, region;
  INSERT INTO vm_address (number, vm_id) SELECT number, id FROM vm;
  INSERT INTO vm_address (number, free_at) SELECT n, now() + interval '1 h' * (n % 2) FROM generate_series(20004, 20010) AS n;
  INSERT INTO reconcile_status (kind, key, due_at, rank_at)
    SELECT 'vms', id, CASE WHEN n <= 5 THEN now() END, CASE WHEN n <= 5 THEN now() END FROM one;
  DROP TABLE one;
  ANALYZE;
`;
const tables = ['vm', 'vm_claim', 'vm_address', 'reconcile_status', 'deployment', 'build'];
const settings = {
  RECONCILER_VM_POOL_SIZE: 3,
  RECONCILER_VM_NETWORK: parseNetwork('10.0.0.0/8')!,
  RECONCILER_VM_RELEASE_POLICY: 'reuse',
  RECONCILER_VM_BOOT_TIMEOUT: 1,
} as VmPoolSettings;

let database: TestDatabase;

beforeAll(async () => {
  database = await testDatabase();
  await database.sql(world);
});

afterAll(() => database.close());

/** The tables that `work` read from end to end, as PostgreSQL counted it: what a connection did is counted when it has gone. */
async function scannedBy(work: (own: Database) => Promise<unknown>): Promise<string[]> {
  const before = await scans();
  await asService(work);
  const after = await scans();
  return tables.filter((table) => after.get(table)! > before.get(table)!);
}

async function asService(work: (own: Database) => Promise<unknown>): Promise<void> {
  const own = new Database({
    url: database.url,
    role: 'homeostat_vm_pool',
    application: 'vm-pool-svc',
    connections: 2,
  });
  try {
    await work(own);
  } finally {
    await own.close();
  }
  while ((await database.sql('SELECT FROM pg_stat_activity WHERE application_name = $1', ['vm-pool-svc'])).length > 0);
}

async function scans(): Promise<Map<string, number>> {
  await database.sql('SELECT pg_stat_force_next_flush()');
  const rows = await database.sql<{ relname: string; count: number }>(
    'SELECT relname, seq_scan::integer AS count FROM pg_stat_user_tables WHERE relname = ANY ($1)',
    [tables],
  );
  return new Map(rows.map(({ relname, count }) => [relname, count]));
}

describe('fault: full scans per tick – with 20 000 VMs at work, none of them is read', () => {
  test('by the count itself, which sees a full scan where there is one', async () => {
    expect(await scannedBy((own) => own.query('SELECT count(*) FROM vm WHERE image_id IS NULL'))).toEqual(['vm']);
  });

  test('to find what is due', async () => {
    expect(await scannedBy((own) => dueOf(own, ['pool', 'vms', 'inventory']))).toEqual([]);
  });

  test('to lease what is due', async () => {
    let leased = 0;
    const scanned = await scannedBy(async (own) => {
      leased = (await new PostgresNotebook(own, 'spec').claim('vms', 500, 8_000)).length;
    });
    expect([leased, scanned]).toEqual([5, []]);
  });

  test('to observe the pool', async () => {
    const scanned = await scannedBy(async (own) => {
      const seen = (await new PoolReconciler(own, { ...settings, RECONCILER_VM_POOL_SIZE: 8 }).observe()).get(POOL_ID)!;
      expect(seen).toMatchObject({
        size: 8,
        pooling: 3,
        initializing: 0,
        waitingClaims: 5,
        off: [],
        turn: 0,
        condition: null,
      });
      expect([seen.free.length, seen.claims.length, seen.regions.length]).toEqual([3, 5, 1]);
      expect(seen.numbers.slice(0, 5)).toEqual([20_004, 20_006, 20_008, 20_010, 20_011]);
      expect(seen.nextNumberAt).not.toBeNull();
    });
    expect(scanned).toEqual([]);
  });

  test('to observe VMs', async () => {
    const due = await database.sql<{ key: string }>(
      `SELECT key FROM reconcile_status WHERE kind = 'vms' AND due_at IS NOT NULL`,
    );
    const scanned = await scannedBy(async (own) => {
      const vms = new VmReconciler(own, { atOnce: 1 } as Machines, settings);
      expect((await vms.observe(due.map(({ key }) => key))).size).toBe(5);
    });
    expect(scanned).toEqual([]);
  });
});

describe('with 20 000 claims that wait, a step reads those that it can serve', () => {
  const readBy = async (work: (own: Database) => Promise<unknown>): Promise<number> => {
    const before = await rowsRead(database, 'vm_claim');
    await asService(work);
    return (await rowsRead(database, 'vm_claim')) - before;
  };

  beforeAll(() =>
    database.sql(`INSERT INTO vm_claim (id, tenant_id, deployment_id, image_id, port)
      SELECT gen_random_uuid(), 'acme', gen_random_uuid(), gen_random_uuid(), 80 FROM generate_series(1, 20000)`),
  );

  test('to observe the pool', async () => {
    const read = await readBy(async (own) => {
      const seen = (await new PoolReconciler(own, settings).observe()).get(POOL_ID)!;
      expect([seen.claims.length, seen.waitingClaims]).toEqual([250, 1_000]);
    });
    expect(read).toBeLessThan(1_500);
  });

  test('to bind one of them', async () => {
    const [pair] = await database.sql<{ claim: string; vm: string }>(
      `SELECT (SELECT id FROM vm_claim WHERE vm_id IS NULL LIMIT 1) AS claim, (SELECT id FROM vm WHERE status = 'pooling' LIMIT 1) AS vm`,
    );
    const read = await readBy((own) => own.transaction(async (tx) => expect(await bind(tx, [pair!])).toBe(1)));
    expect(read).toBeLessThan(10);
  });
});
