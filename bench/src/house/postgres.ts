import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type EmbeddedPostgres, migrate, startPostgres } from '@homeostat/platform';
import { Client } from 'pg';
import { cpuMsOfFamily, parentOf } from './processes';

/** A database of its own for one run: durable, migrated, and counting the statements of the services. */
export interface Database {
  readonly url: string;
  query<Row extends object>(sql: string, values?: readonly unknown[]): Promise<Row[]>;
  /** CPU time of the server and all its children since it began; null where there is no /proc. */
  cpuMs(): Promise<number | null>;
  /** Starts to count every statement, BEGIN and COMMIT too, by the server's log; the call that it returns says how many. */
  countStatements(): Promise<() => Promise<number>>;
  stop(): Promise<void>;
}

const serverSettings = [
  // Wants to be named before the start.
  `shared_preload_libraries = 'pg_stat_statements'`,
  `log_line_prefix = '%a '`,
  'log_parameter_max_length = 0',
];

/** Starts an embedded server. */
export async function startDatabase(dataDir: string): Promise<Database> {
  const first = await startPostgres({ dataDir });
  for (const setting of serverSettings) await askOnce(first.url, `ALTER SYSTEM SET ${setting}`);
  await first.stop();
  const postgres = await startPostgres({ dataDir });
  await migrate(postgres.url);
  return connected(postgres, join(dataDir, 'postgres.log'));
}

async function connected({ url, stop }: EmbeddedPostgres, log: string): Promise<Database> {
  const client = new Client({ connectionString: url, application_name: 'bench' });
  await client.connect();
  const query = async <Row extends object>(sql: string, values: readonly unknown[] = []): Promise<Row[]> =>
    (await client.query<Row>(sql, [...values])).rows;
  await query('CREATE EXTENSION pg_stat_statements');
  const [backend] = await query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  const postmaster = await parentOf(backend!.pid);
  return {
    url,
    query,
    cpuMs: async () => (postmaster === null ? null : cpuMsOfFamily(postmaster)),
    countStatements: async () => {
      await query(`ALTER SYSTEM SET log_statement = 'all'`);
      await query('SELECT pg_reload_conf()');
      const before = await statementsIn(log);
      return async () => (await statementsIn(log)) - before;
    },
    stop: async () => {
      await client.end();
      await stop();
    },
  };
}

/** Statements in a log whose lines begin with the application's name; our own do not count. */
async function statementsIn(log: string): Promise<number> {
  const lines = (await readFile(log, 'utf8')).split('\n');
  return lines.filter((line) => /^(?!bench )\S+ LOG: {2}(execute|statement)\b/.test(line)).length;
}

export async function askOnce(url: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query(sql);
  await client.end();
}
