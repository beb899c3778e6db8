import { readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
// By its name Jest would take what was last built, if anything was.
import { startPostgres } from '../../platform/src/embedded/postgres';
import { serverDir } from './test-server';

/** Starts the database server of this Jest run. */
export default async function setup(): Promise<void> {
  await removeAbandoned();
  const dataDir = serverDir(process.pid);
  const { url } = await startPostgres({ dataDir, durable: false });
  await writeFile(join(dataDir, 'url'), url);
}

/** Ends and removes what runs of ours left behind that were killed. */
async function removeAbandoned(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const pid = Number(/^homeostat-test-(\d+)$/.exec(name)?.[1]);
    if (!pid || (isAlive(pid) && pid !== process.pid)) continue;
    const { uid } = await stat(serverDir(pid));
    if (uid === process.getuid?.()) await removeServer(pid);
  }
}

/** Ends the server of a Jest run and removes its data. */
export async function removeServer(jestPid: number): Promise<void> {
  const dataDir = serverDir(jestPid);
  const { url, stop } = await startPostgres({ dataDir, durable: false });
  await stop();
  await rm(new URL(url).searchParams.get('host')!, { recursive: true, force: true });
  await rm(dataDir, { recursive: true });
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
