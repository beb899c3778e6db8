import { type TestDatabase, testDatabase } from '@homeostat/testing';
import { Client } from 'pg';
import { type Running, serve } from '../serve';
import { defineService } from '../service';

const service = defineService({
  name: 'north-svc',
  role: 'homeostat_vm_pool',
  port: 0,
  settings: {},
  controllers: [],
  reconcilers: [],
} as const);

let database: TestDatabase;
let running: Running;

beforeAll(async () => {
  database = await testDatabase();
  await database.sql(
    `INSERT INTO outbox (id, type, source, tenant_id, subject, version, data, at, relay_at)
     SELECT gen_random_uuid(), 'vm.deleted', '/test', 'default', gen_random_uuid(), 1, '{}', now() - interval '1 h',
       now() + interval '1 h' FROM generate_series(1, 2)`,
  );
  running = await serve([service], {
    RECONCILER_DATABASE_URL: database.url,
    RECONCILER_HTTP_PORT: '0',
    RECONCILER_LOG_LEVEL: 'error',
  });
});

afterAll(async () => {
  await running.stop();
  await database.close();
});

async function told(): Promise<boolean> {
  const text = await (await fetch(`${running.url}/metrics`)).text();
  expect(text).toMatch(/^homeostat_build_info\{/m);
  return /^homeostat_outbox_events 2$/m.test(text) && /^homeostat_outbox_oldest_seconds 36\d\d[.\d]*$/m.test(text);
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 20));
}

it('tells its other metrics while the outbox cannot be read, and nothing of the outbox that is not known', async () => {
  const other = new Client({ connectionString: database.url });
  await other.connect();
  try {
    await other.query('BEGIN; LOCK TABLE outbox');
    expect(await told()).toBe(false);
    await other.query('COMMIT');
    await until(told);
  } finally {
    await other.end();
  }
});
