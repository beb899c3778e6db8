import { chown, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { runAs } from './account';
import type { Binaries } from './binaries';
import type { Home } from './home';

/** No initdb takes this long: what is older was left by a crash. */
const abandonedAfterMs = 600_000;

/** The major version of PostgreSQL that made the cluster, or undefined when there is none yet. */
export async function clusterVersion(home: Home): Promise<string | undefined> {
  const version = await readFile(join(home.cluster, 'PG_VERSION'), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  return version?.trim();
}

/** Makes the cluster beside its place and moves it there whole, so that a crash or a race leaves no half of one. */
export async function makeCluster(home: Home, binaries: Binaries, durable: boolean): Promise<void> {
  await removeAbandoned(home);
  const made = await mkdtemp(join(home.base, 'postgres.init-'));
  try {
    await chown(made, home.account.uid, home.account.gid);
    await runAs(home.account, binaries.initdb, [
      ...['--pgdata', made, '--username', 'homeostat', '--auth', 'trust'],
      ...['--encoding', 'UTF8', '--locale', 'C', '--no-instructions'],
      ...(durable ? [] : ['--no-sync']),
    ]);
    await rename(made, home.cluster);
  } catch (error) {
    await rm(made, { recursive: true, force: true });
    // Another start was faster.
    if ((await clusterVersion(home)) === undefined) throw error;
  }
}

async function removeAbandoned(home: Home): Promise<void> {
  for (const name of await readdir(home.base)) {
    if (!name.startsWith('postgres.init-')) continue;
    const path = join(home.base, name);
    const found = await stat(path).catch(() => undefined);
    if (found && Date.now() - found.mtimeMs > abandonedAfterMs) await rm(path, { recursive: true, force: true });
  }
}
