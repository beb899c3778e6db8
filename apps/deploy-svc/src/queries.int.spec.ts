import { Database, PostgresNotebook, callerOf, dueOf, listOf } from '@homeostat/platform';
import { type TestDatabase, rowsRead, testDatabase } from '@homeostat/testing';
import { factsOf, queueOf } from './deployment/deployment.reads';

/** Twenty thousand deployments at rest, each with its build, claim and VM; a handful are due or wait. */
const world = `
  INSERT INTO region (id, tenant_id, name) VALUES ('00000000-0000-7000-8000-000000000002', 'system', 'eu');
  INSERT INTO project (id, tenant_id, name) SELECT gen_random_uuid(), 'acme', 'web';
  INSERT INTO environment (id, tenant_id, project_id, name)
    SELECT gen_random_uuid(), 'acme', project.id, 'e' || n FROM project, generate_series(1, 2000) AS n;
  CREATE TEMP TABLE one AS
    SELECT n, gen_random_uuid() AS id, gen_random_uuid() AS vm, gen_random_uuid() AS build, gen_random_uuid() AS claim,
      CASE WHEN n % 10 < 2 THEN 'ready' ELSE 'inactive' END AS status, e.id AS environment
    FROM generate_series(1, 20000) AS n JOIN (SELECT id, row_number() OVER () AS place FROM environment) AS e ON place = 1 + n / 10 % 2000;
  INSERT INTO deployment (id, tenant_id, project_id, environment_id, status, image_id, build_id, ready_at)
    SELECT one.id, 'acme', project.id, environment, one.status, gen_random_uuid(), build, now() FROM one, project;
  INSERT INTO build (id, tenant_id, deployment_id, project_id, status) SELECT build, 'acme', one.id, project.id, 'ready' FROM one, project;
  INSERT INTO vm (id, tenant_id, region_id, number, private_ip, status, claim_id)
    SELECT vm, 'acme', region.id, n, '10.0.0.0'::inet + 8 * n, 'running', claim FROM one, region;
  INSERT INTO vm_claim (id, tenant_id, deployment_id, image_id, port, vm_id, released_at, freed_at)
    SELECT claim, 'acme', id, id, 80, vm, CASE WHEN status = 'inactive' THEN now() END, CASE WHEN status = 'inactive' THEN now() END FROM one;
  INSERT INTO vm_claim (id, tenant_id, deployment_id, image_id, port) SELECT gen_random_uuid(), 'acme', gen_random_uuid(), gen_random_uuid(), 80
    FROM generate_series(1, 5);
  INSERT INTO reconcile_status (kind, key, due_at, rank_at)
    SELECT 'deployments', id, CASE WHEN n <= 5 THEN now() END, CASE WHEN n <= 5 THEN now() END FROM one
    UNION ALL SELECT 'builds', build, NULL, NULL FROM one;
  DROP TABLE one;
  ANALYZE;
`;
const tables = ['deployment', 'build', 'vm', 'vm_claim', 'reconcile_status'];

let database: TestDatabase;

beforeAll(async () => {
  database = await testDatabase();
  await database.sql(world);
});

afterAll(() => database.close());

/** The tables that `work` read from end to end, as PostgreSQL counted it: what a connection did is counted when it has gone. */
async function scannedBy(work: (own: Database) => Promise<unknown>): Promise<string[]> {
  const before = await scans();
  const own = new Database({ url: database.url, role: 'homeostat_deploy', application: 'deploy-svc', connections: 2 });
  try {
    await work(own);
  } finally {
    await own.close();
  }
  while ((await database.sql('SELECT FROM pg_stat_activity WHERE application_name = $1', ['deploy-svc'])).length > 0);
  const after = await scans();
  return tables.filter((table) => after.get(table)! > before.get(table)!);
}

async function scans(): Promise<Map<string, number>> {
  await database.sql('SELECT pg_stat_force_next_flush()');
  const rows = await database.sql<{ relname: string; count: number }>(
    'SELECT relname, seq_scan::integer AS count FROM pg_stat_user_tables WHERE relname = ANY ($1)',
    [tables],
  );
  return new Map(rows.map(({ relname, count }) => [relname, count]));
}

const someDeployments = async () =>
  (
    await database.sql<{ key: string }>(
      `SELECT key FROM reconcile_status WHERE kind = 'deployments' AND due_at IS NOT NULL`,
    )
  ).map(({ key }) => key);

describe('fault: full scans per tick – with 20 000 deployments at rest, none of them is read', () => {
  test('by the count itself, which sees a full scan where there is one', async () => {
    expect(await scannedBy((own) => own.query('SELECT count(*) FROM deployment WHERE commit IS NULL'))).toEqual([
      'deployment',
    ]);
  });

  test('to find what is due', async () => {
    expect(await scannedBy((own) => dueOf(own, ['deployments', 'builds']))).toEqual([]);
  });

  test('to lease what is due', async () => {
    let leased = 0;
    const scanned = await scannedBy(async (own) => {
      const notebook = new PostgresNotebook(own, 'spec');
      leased =
        (await notebook.claim('deployments', 500, 8_000)).length + (await notebook.claim('builds', 500, 8_000)).length;
    });
    expect([leased, scanned]).toEqual([5, []]);
  });

  test('to observe deployments', async () => {
    const keys = await someDeployments();
    let seen = 0;
    const scanned = await scannedBy(async (own) => (seen = (await factsOf(own, keys)).length));
    expect([seen, scanned]).toEqual([5, []]);
  });

  test('to see how the queue for VMs stands', async () => {
    const waiting = await database.sql<{ id: string }>(`SELECT id FROM vm_claim WHERE vm_id IS NULL`);
    let places: number[] = [];
    const scanned = await scannedBy(async (own) => {
      places = [
        ...(
          await queueOf(
            own,
            waiting.map(({ id }) => id),
          )
        ).values(),
      ].map(({ ahead }) => ahead);
    });
    expect([places.toSorted(), scanned]).toEqual([[0, 1, 2, 3, 4], []]);
  });
});

describe('a tenant that has little among others that have much', () => {
  const caller = callerOf('a test', 'umbra', ['read']);

  test.each(['environment', 'deployment', 'build', 'vm_claim'])('reads no more of %s than it has', async (from) => {
    const before = await rowsRead(database, from);
    let items: unknown[] | undefined;
    await scannedBy(async (own) => {
      ({ items } = await listOf(own, { from, caller, query: { limit: 50 }, filters: [] }));
    });
    expect([items, (await rowsRead(database, from)) - before]).toEqual([[], 0]);
  });
});
