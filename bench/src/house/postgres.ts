import { readFile, readdir } from 'node:fs/promises';
import { type EmbeddedPostgres, migrate, startPostgres } from '@homeostat/platform';
import { Client } from 'pg';

/** A database of its own for one run: durable, migrated, and counting the statements of the services. */
export interface Database {
  readonly url: string;
  query<Row extends object>(sql: string, values?: readonly unknown[]): Promise<Row[]>;
  /** CPU time of the server and all its children since it began; null where there is no /proc. */
  cpuMs(): Promise<number | null>;
  stop(): Promise<void>;
}

/** Starts an embedded server with pg_stat_statements, which wants to be named before the start. */
export async function startDatabase(dataDir: string): Promise<Database> {
  const first = await startPostgres({ dataDir });
  await once(first.url, `ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'`);
  await first.stop();
  const postgres = await startPostgres({ dataDir });
  await migrate(postgres.url);
  return connected(postgres);
}

async function connected({ url, stop }: EmbeddedPostgres): Promise<Database> {
  const client = new Client({ connectionString: url, application_name: 'bench' });
  await client.connect();
  await client.query('CREATE EXTENSION pg_stat_statements');
  const [backend] = (await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows;
  const postmaster = (await processes()).find(({ pid }) => pid === backend!.pid)?.parent ?? null;
  return {
    url,
    query: async <Row extends object>(sql: string, values: readonly unknown[] = []) => (await client.query<Row>(sql, [...values])).rows,
    cpuMs: async () => (postmaster === null ? null : cpuMsOf(postmaster)),
    stop: async () => {
      await client.end();
      await stop();
    },
  };
}

async function once(url: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query(sql);
  await client.end();
}

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly ownTicks: number;
  /** Of children that have ended. */
  readonly endedTicks: number;
}

/** Linux counts CPU time in hundredths of a second here, whatever the kernel does within. */
const TICK_MS = 10;

async function cpuMsOf(postmaster: number): Promise<number> {
  const family = (await processes()).filter(({ pid, parent }) => pid === postmaster || parent === postmaster);
  const ticks = family.map(({ pid, ownTicks, endedTicks }) => ownTicks + (pid === postmaster ? endedTicks : 0));
  return TICK_MS * ticks.reduce((sum, one) => sum + one, 0);
}

/** All processes, from proc(5); none on other systems. */
async function processes(): Promise<Process[]> {
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  const stats = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')));
  return stats.filter(Boolean).map((stat) => {
    // The second field is the program's name in parentheses, and may hold anything.
    const [, parent, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ').map(Number);
    const [own, ownSystem, ended, endedSystem] = rest.slice(9) as [number, number, number, number];
    return { pid: parseInt(stat, 10), parent: parent!, ownTicks: own + ownSystem, endedTicks: ended + endedSystem };
  });
}
