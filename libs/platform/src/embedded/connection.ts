import { Client, type DatabaseError } from 'pg';
import type { Home } from './home';

/** What a server that is starting or ending answers, and what its socket does before and after. */
const notYet = new Set(['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', '57P03', '57P01']);

/** The URL of a database of the server; the host before the path is there for URL parsers only. */
export function databaseUrl(home: Home, database = 'homeostat'): string {
  return `postgresql://homeostat@localhost:5432/${database}?host=${home.socketDir}`;
}

/** Whether the server lets us in; throws when it refuses for good. */
export async function accepts(home: Home): Promise<boolean> {
  try {
    await withClient(home, async () => undefined);
    return true;
  } catch (error) {
    if (notYet.has((error as DatabaseError).code ?? '')) return false;
    throw error;
  }
}

/** Makes the database `homeostat` unless it is there. */
export async function makeDatabase(home: Home): Promise<void> {
  await withClient(home, async (client) => {
    const found = await client.query(`SELECT FROM pg_database WHERE datname = 'homeostat'`);
    if (found.rowCount !== 0) return;
    await client.query('CREATE DATABASE homeostat').catch((error: DatabaseError) => {
      // Another start has just made it.
      if (error.code !== '42P04' && error.code !== '23505') throw error;
    });
  });
}

async function withClient(home: Home, work: (client: Client) => Promise<void>): Promise<void> {
  const client = new Client({ connectionString: databaseUrl(home, 'postgres') });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await work(client);
  } finally {
    await client.end();
  }
}
