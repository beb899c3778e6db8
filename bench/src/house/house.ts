import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Answer, Usage } from './orders';
import { type Database, startDatabase } from './postgres';

/** All services in one process of their own, on a fresh embedded PostgreSQL. */
export interface House {
  readonly database: Database;
  /** Where its API is. */
  readonly url: string;
  /** Asks something of the process. Throws what went wrong there. */
  order<Output>(name: string, input?: unknown): Promise<Output>;
  usage(): Promise<Spent>;
  stop(): Promise<void>;
}

/** What was used up so far, by the process and by PostgreSQL. */
export interface Spent extends Usage {
  readonly postgresCpuMs: number | null;
}

export interface HouseOptions {
  readonly settings: Readonly<Record<string, string>>;
  /** Fills the database before the services start. */
  readonly fill?: (database: Database) => Promise<void>;
  /** A folder for a CPU profile of the process. */
  readonly profileDir?: string;
}

/** Builds and starts one. Its environment is empty, so that it runs with the settings given here and the defaults. */
export async function openHouse({ settings, fill, profileDir }: HouseOptions): Promise<House> {
  const dataDir = await mkdtemp(join(process.cwd(), '.homeostat-bench-'));
  const database = await startDatabase(dataDir);
  await database.query(`INSERT INTO region (id, tenant_id, name) VALUES (gen_random_uuid(), 'system', 'local')`);
  await fill?.(database);
  const execArgv = profileDir === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDir}`];
  const child = fork(join(__dirname, 'process.js'), { env: {}, execArgv });
  const order = ordersTo(child);
  const fixed = { RECONCILER_DATABASE_URL: database.url, RECONCILER_HTTP_PORT: '0', RECONCILER_LOG_LEVEL: 'warn' };
  const stop = async (): Promise<void> => {
    if (child.connected) child.disconnect();
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    await database.stop();
    await rm(dataDir, { recursive: true });
  };
  try {
    const url = await order<string>('serve', { ...fixed, ...settings });
    const usage = async (): Promise<Spent> => ({ ...(await order<Usage>('usage')), postgresCpuMs: await database.cpuMs() });
    return { database, url, order, usage, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function ordersTo(child: ChildProcess): House['order'] {
  const waiting = new Map<number, (answer: Omit<Answer, 'id'>) => void>();
  let last = 0;
  child.on('message', ({ id, ...answer }: Answer) => waiting.get(id)?.(answer));
  child.once('exit', (code) => waiting.forEach((settle) => settle({ error: `the process ended with ${code}` })));
  return <Output>(name: string, input: unknown = null) =>
    new Promise<Output>((done, failed) => {
      const id = (last += 1);
      waiting.set(id, ({ output, error }) => {
        waiting.delete(id);
        if (error === undefined) done(output as Output);
        else failed(new Error(error));
      });
      child.send({ id, order: name, input });
    });
}
