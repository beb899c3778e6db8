import { type Lease, StaleLeases, Unavailable } from '@homeostat/reconcile';
import { type TestDatabase, testDatabase, until } from '@homeostat/testing';
import { v7 as uuidv7 } from 'uuid';
import { Database } from './database';
import { PostgresNotebook, dueOf } from './notebook';

let house: TestDatabase;
let database: Database;

beforeAll(async () => {
  house = await testDatabase();
  database = new Database({ url: house.url, role: 'homeostat_deploy', application: 'deploy-svc', connections: 2 });
});
afterAll(async () => {
  await database.close();
  await house.close();
});

const insert = 'INSERT INTO project (id, tenant_id, name) VALUES ($1, $2, $3)';

test('what cannot be written down is not committed', async () => {
  const work = database.transaction(async (tx) => {
    await tx.query(insert, [uuidv7(), 'default', 'unrecorded']);
    tx.schedule('builds', uuidv7(), new Date(NaN), 'for ever');
  });
  await expect(work).rejects.toThrow(RangeError);
  expect(await house.sql(`SELECT FROM project WHERE name = 'unrecorded'`)).toEqual([]);
});

test.each(['53100', '53200', '58030'])(
  'a server that lacks what it needs (%s) is away, for the time being',
  async (state) => {
    await house.sql(`CREATE OR REPLACE FUNCTION lacks(state text) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = state; END $$`);
    await expect(database.query('SELECT lacks($1)', [state])).rejects.toThrow(Unavailable);
  },
);

test('a change is told in the name of whose doing it is', async () => {
  const key = uuidv7();
  const change = { tenant_id: 'default', kind: 'builds', key, from: null, to: 'queued', because: 'a test' } as const;
  await database.transaction(async (tx) => tx.changed(change), 'somebody');
  await database.transaction(async (tx) => tx.changed(change));
  expect(await house.sql(`SELECT by FROM state_change WHERE key = '${key}' ORDER BY id`)).toEqual([
    { by: 'somebody' },
    { by: 'deploy-svc' },
  ]);
});

test('an epoch that a crash of the server forgot is not given out again', async () => {
  const [before, after] = ['before', 'after'].map((holder) => new PostgresNotebook(database, holder));
  const key = uuidv7();
  await before!.request('builds', [key]);
  const [forgotten] = await before!.claim('builds', 1, 60_000);
  await house.sql(
    `UPDATE reconcile_status SET lease_epoch = 0, lease_holder = NULL, lease_until = NULL WHERE key = '${key}'`,
  );
  const [taken] = await after!.claim('builds', 1, 60_000);
  expect(taken).toMatchObject({ key });
  const result = {
    outcome: 'settled',
    step: null,
    because: 'a test',
    fix: null,
    dueAt: null,
    failures: 0,
    tookMs: 1,
  } as const;
  const write = (lease: Lease) => database.transaction(async (tx) => tx.record('builds', [{ lease, ...result }]));
  await expect(write(forgotten!)).rejects.toThrow(StaleLeases);
  await write(taken!);
});

test('a wish for a row that another adds at the same moment is kept', async () => {
  const key = uuidv7();
  const other = new Database({ url: house.url, role: 'homeostat_deploy', application: 'other', connections: 1 });
  let noted: Promise<void> | undefined;
  await other.transaction(async (tx) => {
    await tx.query('SELECT request_look($1, $2)', ['builds', [key]]);
    noted = database.transaction(async (ours) => ours.look('builds', key));
    const waiting = `SELECT FROM pg_stat_activity WHERE application_name = 'deploy-svc' AND wait_event_type = 'Lock'`;
    await until('the wish waits for the other', async () => (await house.sql(waiting)).length > 0);
  });
  await noted;
  await other.close();
  expect(await house.sql(`SELECT generation FROM reconcile_status WHERE key = '${key}'`)).toEqual([
    { generation: '2' },
  ]);
});

test('looks that are due much later are not read by claims and pulses', async () => {
  await house.sql(`INSERT INTO reconcile_status (kind, key, due_at, rank_at)
    SELECT 'builds', gen_random_uuid(), now() + interval '12 h', now() + interval '12 h' FROM generate_series(1, 20000)`);
  await house.sql('VACUUM ANALYZE reconcile_status');
  const read = async (): Promise<number> => {
    const [row] = await house.sql<{ read: number }>(
      `SELECT idx_tup_fetch::float8 + seq_tup_read AS read FROM pg_stat_user_tables WHERE relname = 'reconcile_status'`,
    );
    return row!.read;
  };
  const before = await read();
  await new PostgresNotebook(database, 'a test').claim('builds', 10, 1_000);
  await dueOf(database, ['builds']);
  await database.close();
  expect((await read()) - before).toBeLessThan(1_000);
});
