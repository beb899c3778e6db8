import { type AddressInfo, type Socket, createServer } from 'node:net';
import { Unavailable } from '@homeostat/reconcile';
import { type TestDatabase, testDatabase } from '@homeostat/testing';
import { Database } from './database';

let house: TestDatabase;

beforeAll(async () => {
  house = await testDatabase();
});
afterAll(() => house.close());

const databaseAt = (url: string): Database =>
  new Database({ url, role: 'homeostat_deploy', application: 'deploy-svc', connections: 1 });

test('work waits for a connection for longer than a new one may take', async () => {
  const database = databaseAt(house.url);
  const long = database.query('SELECT pg_sleep(5.5)');
  expect(await database.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  await long;
  await database.close();
});

test('a server that takes connections and says nothing is away within seconds', async () => {
  const sockets: Socket[] = [];
  const silent = createServer((socket) => void sockets.push(socket.resume()));
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', () => resolve()));
  const database = databaseAt(`postgres://somebody:secret@127.0.0.1:${(silent.address() as AddressInfo).port}/house`);
  await expect(database.query('SELECT 1')).rejects.toThrow(Unavailable);
  await database.close();
  for (const socket of sockets) socket.destroy();
  silent.close();
}, 15_000);

test('a database that is closed is away, and is not opened anew', async () => {
  for (const isUsed of [true, false]) {
    const database = databaseAt(house.url);
    if (isUsed) await database.query('SELECT 1');
    await database.close();
    await expect(database.query('SELECT 1')).rejects.toThrow(Unavailable);
    await expect(database.transaction((tx) => tx.query('SELECT 1'))).rejects.toThrow(Unavailable);
  }
});

test('a database that is closed in the middle of a piece of work is away for the rest of it', async () => {
  const database = databaseAt(house.url);
  await database.query('SELECT 1');
  const work = database.transaction(async (tx) => {
    await database.close();
    await tx.query('SELECT 1');
  });
  await expect(work).rejects.toThrow(Unavailable);
});
