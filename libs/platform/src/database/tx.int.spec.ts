import { Unavailable } from '@homeostat/reconcile';
import { type TestDatabase, testDatabase } from '@homeostat/testing';
import { v7 as uuidv7 } from 'uuid';
import { Database } from './database';

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

test.each(['25P03', '25P04', '53100', '53200', '58030'])(
  'a server that gave up a session, or lacks what it needs (%s), is away for the time being',
  async (state) => {
    await house.sql(`CREATE OR REPLACE FUNCTION gives_up(state text) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'it cannot go on' USING ERRCODE = state; END $$`);
    await expect(database.query('SELECT gives_up($1)', [state])).rejects.toThrow(Unavailable);
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
