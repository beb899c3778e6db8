import { randomUUID } from 'node:crypto';
import { migrate } from '@homeostat/platform';
import { Client, Pool } from 'pg';
import { serverUrl } from './test-server';

/** A database of a test's own, with the newest schema and no rows but the schema's. */
export interface TestDatabase {
  readonly url: string;
  /** Runs one statement and returns its rows. */
  sql<Row extends object = Record<string, unknown>>(text: string, values?: unknown[]): Promise<Row[]>;
  /** Drops the database, whoever is still connected. */
  close(): Promise<void>;
}

const template = 'homeostat_template';

/** Clones the migrated template, in some 20 ms; the first call of a Jest run makes it. */
export async function testDatabase(): Promise<TestDatabase> {
  const server = await serverUrl();
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await withClient(server, async (client) => {
    await makeTemplate(server, client);
    await client.query(`CREATE DATABASE ${name} TEMPLATE ${template}`);
  });
  const url = databaseOn(server, name);
  const pool = new Pool({ connectionString: url, max: 4 });
  // The pool's end does not wait for the server's: a connection may yet learn that its database is dropped.
  pool.on('error', () => undefined);
  return {
    url,
    sql: async <Row extends object>(text: string, values: unknown[] = []) => (await pool.query<Row>(text, values)).rows,
    close: async () => {
      await pool.end();
      await withClient(server, (client) => client.query(`DROP DATABASE ${name} WITH (FORCE)`));
    },
  };
}

/** How many rows of a table were read, as PostgreSQL counts it; other connections may tell it of theirs later. */
export async function rowsRead({ sql }: TestDatabase, table: string): Promise<number> {
  await sql('SELECT pg_stat_force_next_flush()');
  const [row] = await sql<{ read: number }>(
    'SELECT idx_tup_fetch::float8 + seq_tup_read AS read FROM pg_stat_user_tables WHERE relname = $1',
    [table],
  );
  return row!.read;
}

/**
 * One worker makes the template, the others wait for its lock. Not Jest's global setup, which runs what was last
 * built: here the migrations are those in the sources.
 */
async function makeTemplate(server: string, client: Client): Promise<void> {
  const found = () => client.query('SELECT FROM pg_database WHERE datname = $1', [template]);
  if ((await found()).rowCount === 1) return;
  await client.query('SELECT pg_advisory_lock(1)');
  try {
    if ((await found()).rowCount === 1) return;
    await client.query('DROP DATABASE IF EXISTS unfinished WITH (FORCE)');
    await client.query('CREATE DATABASE unfinished');
    await migrate(databaseOn(server, 'unfinished'));
    await client.query('ALTER DATABASE unfinished WITH ALLOW_CONNECTIONS false');
    await client.query(`ALTER DATABASE unfinished RENAME TO ${template}`);
  } finally {
    await client.query('SELECT pg_advisory_unlock(1)');
  }
}

function databaseOn(server: string, name: string): string {
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}

async function withClient(server: string, work: (client: Client) => Promise<unknown>): Promise<void> {
  const client = new Client({ connectionString: server });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
