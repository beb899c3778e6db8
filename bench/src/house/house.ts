import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { stoppable } from './cleanup';
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

/** Builds and starts one. Throws what hinders it, and leaves nothing behind then. */
export function openHouse({ settings, fill, profileDir }: HouseOptions): Promise<House> {
  return stoppable(async (undo) => {
    const dataDir = await makeFolder();
    undo.push(() => rm(dataDir, { recursive: true }));
    const database = await startDatabase(dataDir);
    undo.push(database.stop);
    await database.query(`INSERT INTO region (id, tenant_id, name) VALUES (gen_random_uuid(), 'system', 'local')`);
    await fill?.(database);
    const child = spawned(profileDir);
    undo.push(() => ended(child));
    const order = ordersTo(child);
    const url = await order<string>('serve', { ...fixed, RECONCILER_DATABASE_URL: database.url, ...settings });
    const usage = async (): Promise<Spent> => ({
      ...(await order<Usage>('usage')),
      postgresCpuMs: await database.cpuMs(),
    });
    return { database, url, order, usage };
  });
}

/** A folder for servers; their account must get through, or its data would go elsewhere. */
export async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(process.cwd(), '.homeostat-bench-'));
  await chmod(folder, 0o711);
  return folder;
}

const fixed = { RECONCILER_HTTP_PORT: '0', RECONCILER_LOG_LEVEL: 'warn' };

/** Its environment is empty, so that it runs with the settings that it is given and with defaults. */
function spawned(profileDir: string | undefined): ChildProcess {
  const execArgv = profileDir === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDir}`];
  return fork(join(__dirname, 'process.js'), { env: {}, execArgv });
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.connected) child.disconnect();
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
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
