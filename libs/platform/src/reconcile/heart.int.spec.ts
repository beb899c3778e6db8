import { type TestDatabase, testDatabase, until } from '@homeostat/testing';
import { SchedulerRegistry } from '@nestjs/schedule';
import { Client } from 'pg';
import { v7 as uuidv7 } from 'uuid';
import { Database } from '../database/database';
import { InProcessTransport } from '../events/in-process.transport';
import { Outbox } from '../events/outbox';
import { makeLog } from '../logs';
import { Heart } from './heart';
import type { Looks } from './looks';

let server: TestDatabase;
let other: Client;

beforeAll(async () => {
  server = await testDatabase();
  other = new Client({ connectionString: server.url });
  await other.connect();
});

afterAll(async () => {
  await other.end();
  await server.close();
});

it('ends what it has begun before the database is closed, and begins nothing more', async () => {
  const said: string[] = [];
  const log = makeLog('debug', { write: (line) => void said.push(line) });
  const options = { url: server.url, role: 'homeostat_deploy', application: 'a test', connections: 2 };
  const database = new Database(options);
  const outbox = new Outbox(database, new InProcessTransport(log), log);
  const first = [uuidv7(), uuidv7()].map((key) => ({ kind: 'deployments', key }) as const);
  const heart = new Heart([], first, database, outbox, new SchedulerRegistry(), 60_000, log);
  await other.query('BEGIN; LOCK TABLE reconcile_status');
  const started = heart.start();
  const isWaiting = `SELECT FROM pg_stat_activity WHERE application_name = 'a test' AND wait_event_type = 'Lock'`;
  while ((await server.sql(isWaiting)).length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  const stopped = heart.stop();
  await other.query('COMMIT');
  await stopped;
  await database.close();
  await started;
  expect(said).toEqual([]);
  const asked = await server.sql<{ key: string }>('SELECT key FROM reconcile_status ORDER BY key');
  expect(asked.map(({ key }) => key)).toEqual(first.map(({ key }) => key));
});

it('asks again soon while the database is away, says so once, and goes on when it is back', async () => {
  const said: string[] = [];
  const log = makeLog('warn', { write: (line) => void said.push(line) });
  const options = { url: server.url, role: 'homeostat_deploy', application: 'a test', connections: 1 };
  const database = new Database(options);
  const wake = jest.fn();
  const looks = { loop: { kinds: ['deployments'], wake, stop: async () => undefined } } as unknown as Looks;
  const outbox = new Outbox(database, new InProcessTransport(log), log);
  const heart = new Heart([looks], [], database, outbox, new SchedulerRegistry(), 50, log);
  await heart.start();
  const query = jest.spyOn(database, 'query').mockRejectedValue(new Error('the database is away'));
  await until('it is asked again', () => query.mock.calls.length >= 3);
  wake.mockClear();
  query.mockRestore();
  await until('it goes on', () => wake.mock.calls.length > 0);
  await heart.stop();
  await database.close();
  expect(said.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual(['pulse failed: the database is away']);
});
