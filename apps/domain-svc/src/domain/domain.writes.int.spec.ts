import { Database } from '@homeostat/platform';
import type { Plan } from '@homeostat/reconcile';
import type { Domain } from '@homeostat/shared';
import { type TestDatabase, testDatabase } from '@homeostat/testing';
import { v7 as uuidv7 } from 'uuid';
import type { DomainSight, DomainStep } from './domain.decide';
import { write } from './domain.writes';

let server: TestDatabase;
let database: Database;

beforeEach(async () => {
  server = await testDatabase();
  database = new Database({ url: server.url, role: 'homeostat_domain', application: 'domain-svc', connections: 4 });
});
afterEach(async () => {
  await database.close();
  await server.close();
});

async function pending(tenant: string): Promise<Domain> {
  const [domain] = await server.sql<Domain>(
    `INSERT INTO domain (id, tenant_id, name, token, window_ends_at)
     VALUES ($1, $2, 'one.example', 'token', now() + interval '1 h') RETURNING *`,
    [uuidv7(), tenant],
  );
  return domain!;
}

/** What the writes read of a plan. */
function verifies(domain: Domain): Plan<DomainSight, DomainStep> {
  const { checks, last_check, absent_since } = domain;
  const now = new Date();
  const facts = { status: 'verified', reason: 'Verified', message: 'It is.', check_at: now, verified_at: now } as const;
  const step: DomainStep = { do: 'verify', facts: { ...facts, checks, last_check, absent_since } };
  return { key: domain.id, observed: { domain } as DomainSight, step, because: 'It is.' };
}

const writeAlone = (plans: readonly Plan<DomainSight, DomainStep>[]): Promise<ReadonlySet<string>> =>
  database.transaction((tx) => write(tx, plans));

async function untilWaiting(): Promise<void> {
  const waiting = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
  while ((await server.sql(waiting)).length === 0);
}

test('of two that are verified under one name in one batch, the older is', async () => {
  const [older, newer] = [await pending('acme'), await pending('globex')];
  expect(await writeAlone([verifies(newer), verifies(older)])).toEqual(new Set([older.id]));
});

test('of two that are verified under one name in two transactions, the second finds it taken', async () => {
  const [first, second] = [await pending('acme'), await pending('globex')];
  let later: Promise<ReadonlySet<string>> | undefined;
  await database.transaction(async (tx) => {
    expect(await write(tx, [verifies(first)])).toEqual(new Set([first.id]));
    later = writeAlone([verifies(second)]);
    await untilWaiting();
  });
  expect(await later).toEqual(new Set());
});

test('what was touched since it was observed is not written', async () => {
  const domain = await pending('acme');
  await server.sql(`UPDATE domain SET check_asked_at = now()`);
  expect(await writeAlone([verifies(domain)])).toEqual(new Set());
  expect(await server.sql('SELECT status FROM domain')).toEqual([{ status: 'pending' }]);
});

test('a change of state, its history and its event are one transaction', async () => {
  const domain = await pending('acme');
  const failing = database.transaction(async (tx) => {
    await write(tx, [verifies(domain)]);
    throw new Error('the process dies here');
  });
  await expect(failing).rejects.toThrow('dies here');
  expect(await server.sql('SELECT FROM state_change UNION ALL SELECT FROM outbox')).toEqual([]);
  await writeAlone([verifies(domain)]);
  const data = { domain_id: domain.id, name: 'one.example' };
  expect(await server.sql('SELECT type, version, data FROM outbox')).toEqual([
    { type: 'domain.verified', version: '2', data },
  ]);
  expect(await server.sql('SELECT from_state, to_state, because FROM state_change')).toEqual([
    { from_state: 'pending', to_state: 'verified', because: 'It is.' },
  ]);
});
