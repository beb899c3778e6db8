import { Database, type Running, serve } from '@homeostat/platform';
import { type TestDatabase, testDatabase } from '@homeostat/testing';
import { connectorService } from './connector.module';
import { ConnectorReconciler } from './connectors/connector.reconciler';
import { JobReconciler } from './jobs/job.reconciler';
import type { JobWorker } from './slices/job.worker';

const id = (n: number): string => `00000000-0000-7000-8000-${String(n).padStart(12, '0')}`;
const big = 20_000;
const uuid = `('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid`;

/** Twenty thousand of everything that there can be many of; the first table has as many snapshots, and one of them as many files. */
const world = `
  INSERT INTO connector (id, tenant_id, display_name, kind, source, destination, auth, max_parallel)
    SELECT ${uuid}, 'default', 'lake ' || n, 'iceberg', '{}', '{}', '{"settings": {}}', 4 FROM generate_series(1, ${big}) AS n;
  INSERT INTO reconcile_job (id, tenant_id, connector_id, full_rescan, status, finished_at)
    SELECT ${uuid}, 'default', ('00000000-0000-7000-8000-' || lpad((n % 100)::text, 12, '0'))::uuid, false, 'JS_SUCCEEDED', now()
    FROM generate_series(1, ${big}) AS n;
  INSERT INTO job_table (job_id, n, namespace, name, state) SELECT '${id(1)}', n, '{sales}', 'table ' || n, 'done' FROM generate_series(1, ${big}) AS n;
  INSERT INTO catalog (id, tenant_id, name) SELECT ${uuid}, 'default', 'catalog ' || n FROM generate_series(1, ${big}) AS n;
  INSERT INTO namespace (id, tenant_id, catalog_id, path) SELECT ${uuid}, 'default', ${uuid}, '{sales}' FROM generate_series(1, ${big}) AS n;
  INSERT INTO catalog_table (id, tenant_id, namespace_id, name, connector_id, source_namespace, source_name, format, format_version, location,
      current_schema_id, schemas, default_spec_id, partition_specs, properties, described)
    SELECT ${uuid}, 'default', ${uuid}, 'orders', ${uuid}, '{sales}', 'orders', 'iceberg', 2, 's3://lake', 0, '[]', 0, '[]', '{}', ''
    FROM generate_series(1, ${big}) AS n;
  INSERT INTO table_snapshot (table_id, snapshot_id, tenant_id, parent_present, time_source, schema_id, schema, summary, in_current_lineage, load_id)
    SELECT '${id(1)}', n, 'default', true, 'snapshot', 0, '{"schema_id": 0, "identifier_field_ids": [], "fields": []}', '{}', true, 1
    FROM generate_series(1, ${big}) AS n;
  INSERT INTO snapshot_load (table_id, snapshot_id, job_id, columns) VALUES ('${id(1)}', 1, '${id(1)}', '"all"');
  INSERT INTO snapshot_column (load_id, n, body) SELECT 1, n, '{}' FROM generate_series(1, ${big}) AS n;
  INSERT INTO plan_file (table_id, digest, content, body) SELECT '${id(1)}', ${uuid}, 'data', '{"columns": []}' FROM generate_series(1, ${big}) AS n;
  INSERT INTO plan_entry (load_id, n, file_id) SELECT 1, id, id FROM plan_file;
  ANALYZE;
`;
const tables = [
  ...['connector', 'reconcile_job', 'job_table', 'catalog', 'namespace', 'catalog_table', 'table_snapshot'],
  ...['snapshot_column', 'plan_file', 'plan_entry'],
];

let database: TestDatabase;

beforeAll(async () => {
  database = await testDatabase();
  await database.sql(world);
}, 60_000);

afterAll(() => database.close());

/** The tables of which something read more than a tenth, as PostgreSQL counted it once the connections had gone. */
async function muchReadBy(work: () => Promise<unknown>): Promise<string[]> {
  const before = await rowsRead();
  await work();
  while ((await database.sql(`SELECT FROM pg_stat_activity WHERE application_name = 'connector-svc'`)).length > 0);
  const after = await rowsRead();
  return tables.filter((table) => after.get(table)! - before.get(table)! > big / 10);
}

async function rowsRead(): Promise<Map<string, number>> {
  await database.sql('SELECT pg_stat_force_next_flush()');
  const rows = await database.sql<{ relname: string; rows: number }>(
    `SELECT relname, (seq_tup_read + idx_tup_fetch)::integer AS rows FROM pg_stat_user_tables WHERE relname = ANY ($1)`,
    [tables],
  );
  return new Map(rows.map(({ relname, rows: count }) => [relname, count]));
}

const own = () =>
  new Database({ url: database.url, role: 'homeostat_connector', application: 'connector-svc', connections: 2 });

async function withOwn(work: (one: Database) => Promise<unknown>): Promise<void> {
  const one = own();
  await work(one).finally(() => one.close());
}

test('the count sees who reads a whole table', async () => {
  const all = () => withOwn((one) => one.query(`SELECT count(*) FROM connector WHERE kind = 'none'`));
  expect(await muchReadBy(all)).toEqual(['connector']);
});

describe('with 20 000 of each', () => {
  let running: Running;

  async function read(path: string): Promise<number> {
    const preset = { RECONCILER_HTTP_PORT: '0', RECONCILER_LOG_LEVEL: 'error', RECONCILER_DATABASE_URL: database.url };
    running = await serve([connectorService], preset);
    const response = await fetch(`${running.url}/v1/${path}`);
    const { items } = (await response.json()) as { items?: unknown[] };
    await running.stop();
    expect({ path, status: response.status }).toEqual({ path, status: 200 });
    return items?.length ?? 1;
  }

  const one = `tables/${id(1)}`;
  test.each([
    ...[
      'connectors',
      `connectors/${id(7)}`,
      'reconcile-jobs',
      `reconcile-jobs?connector_id=${id(7)}`,
      `reconcile-jobs/${id(1)}`,
    ],
    ...[`reconcile-jobs/${id(1)}/tables`, 'catalogs', `namespaces?catalog_id=${id(7)}`, `tables?namespace_id=${id(7)}`],
    ...[`tables?connector_id=${id(7)}`, one, `${one}/snapshots`, `${one}/snapshots/7`, `${one}/snapshots/7/statistics`],
    ...[
      `${one}/snapshots/7/statistics?target=column`,
      `${one}/snapshots/7/statistics?target=file`,
      `${one}/snapshots/7/plan`,
    ],
  ])('GET /v1/%s reads what it answers', async (path) => {
    expect(await muchReadBy(() => read(path))).toEqual([]);
  });

  test('a look at connectors and jobs reads those', async () => {
    const settings = { RECONCILER_JOBS_AT_ONCE: 1 } as ConstructorParameters<typeof JobReconciler>[2];
    const looks = (one: Database) =>
      Promise.all([
        new ConnectorReconciler(one).observe([id(3), id(4)]),
        new JobReconciler(one, {} as JobWorker, settings).observe([id(3), id(4)]),
      ]);
    expect(await muchReadBy(() => withOwn(looks))).toEqual([]);
  });
});
