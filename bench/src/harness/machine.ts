import { open, rm } from 'node:fs/promises';
import { cpus, loadavg, release, totalmem, type } from 'node:os';
import { join } from 'node:path';
import { openHouse } from '../house/house';
import { median } from './statistics';

/** What the figures depend on, by name. */
export type Facts = Readonly<Record<string, string>>;

/** Describes this machine, and the PostgreSQL that the benchmarks run on. */
export async function machineFacts(): Promise<Facts> {
  const [cpu] = cpus();
  return {
    processor: `${cpu?.model.trim() ?? 'unknown'}, ${cpus().length} core(s)`,
    memory: `${(totalmem() / 2 ** 30).toFixed(1)} GiB`,
    system: `${type()} ${release()} (${process.arch})`,
    Node: process.version,
    PostgreSQL: await serverVersion(),
    'one fdatasync of 8 KiB': `${(await fsyncMs()).toFixed(2)} ms (median of 100)`,
  };
}

/** How busy the machine is, with others as well: runnable processes over the last minute. */
export function load(): number {
  return Math.round(loadavg()[0]! * 100) / 100;
}

async function serverVersion(): Promise<string> {
  const { database, stop } = await openHouse({ settings: {} });
  const [row] = await database.query<{ about: string }>(
    `SELECT format('%s, embedded, fsync %s, shared_buffers %s', current_setting('server_version'), current_setting('fsync'),
       current_setting('shared_buffers')) AS about`,
  );
  await stop();
  return row!.about;
}

/** On the file system that the databases of the benchmarks are on. */
async function fsyncMs(): Promise<number> {
  const path = join(process.cwd(), `.homeostat-bench-fsync-${process.pid}`);
  const file = await open(path, 'w');
  try {
    const times: number[] = [];
    for (let n = 0; n < 100; n += 1) {
      await file.write(Buffer.alloc(8_192, n));
      const began = performance.now();
      await file.datasync();
      times.push(performance.now() - began);
    }
    return median(times);
  } finally {
    await file.close();
    await rm(path);
  }
}
