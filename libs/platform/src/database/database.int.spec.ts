import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net';
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
  const silent = await listening(createServer((socket) => void sockets.push(socket.resume())));
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

/** What a server says to a session that an operator ends. */
const fatal = Buffer.from('E\0\0\0\x1fSFATAL\0C57P01\0Mterminated\0\0', 'latin1');
const READY = 'Z'.charCodeAt(0);

test('a session that is ended as soon as it is there ends no process', async () => {
  let isEnding = false;
  const relay = await listening(
    createServer((socket) => {
      const { searchParams, port } = new URL(house.url);
      const server = connect(`${searchParams.get('host')}/.s.PGSQL.${port || 5432}`);
      server.on('data', (bytes) =>
        socket.write(isEnding && bytes.at(-6) === READY ? Buffer.concat([bytes, fatal]) : bytes),
      );
      socket.on('data', (bytes) => server.write(bytes)).on('close', () => server.destroy());
    }),
  );
  const { username, pathname } = new URL(house.url);
  const database = databaseAt(`postgres://${username}@127.0.0.1:${(relay.address() as AddressInfo).port}${pathname}`);
  await database.query('SELECT 1');
  isEnding = true;
  await database.query('SELECT 1');
  await expect(database.transaction((tx) => tx.query('SELECT 1'))).rejects.toThrow(Unavailable);
  isEnding = false;
  expect(await database.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  await database.close();
  relay.close();
});

async function listening(server: Server): Promise<Server> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  return server;
}
