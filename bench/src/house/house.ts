import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Child, openChild } from './child';
import { type Undo, stoppable } from './cleanup';
import type { Usage } from './orders';
import type { Serve } from './process';
import { type Database, startDatabase } from './postgres';

/** All services in one process of their own, on a fresh embedded PostgreSQL. */
export interface House {
  readonly database: Database;
  /** Where its API is. */
  readonly url: string;
  readonly order: Child['order'];
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
    const { database } = await openDatabase(undo);
    await database.query(`INSERT INTO region (id, tenant_id, name) VALUES (gen_random_uuid(), 'system', 'local')`);
    await fill?.(database);
    const execArgv = profileDir === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDir}`];
    const { order, stop } = openChild(join(__dirname, 'process.js'), execArgv);
    undo.push(stop);
    const told = { ...quiet, RECONCILER_DATABASE_URL: database.url, ...settings };
    const url = await order<string>('serve', { settings: told } satisfies Serve);
    const usage = async (): Promise<Spent> => ({
      ...(await order<Usage>('usage')),
      postgresCpuMs: await database.cpuMs(),
    });
    return { database, url, order, usage };
  });
}

/**
 * Starts a fresh PostgreSQL in a fresh folder, in which there is room for other servers; `undo` is told how both go. The
 * servers' account must get through to the folder, or the data would go elsewhere.
 */
export async function openDatabase(undo: Undo[]): Promise<{ readonly folder: string; readonly database: Database }> {
  const folder = await mkdtemp(join(process.cwd(), '.homeostat-bench-'));
  undo.push(() => rm(folder, { recursive: true }));
  await chmod(folder, 0o711);
  const database = await startDatabase(join(folder, 'database'));
  undo.push(database.stop);
  return { folder, database };
}

/** What every process of a benchmark is told. */
export const quiet = { RECONCILER_HTTP_PORT: '0', RECONCILER_LOG_LEVEL: 'warn' };
