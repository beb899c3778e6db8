import { readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(import.meta.url);

/** Starts PostgreSQL on the folder, or adopts the one that runs there; see libs/platform/src/embedded. */
export function startPostgres(dataDir) {
  return require('../../libs/platform/dist/embedded/postgres.js').startPostgres({ dataDir });
}

/** The process id of the server on the folder. */
export async function postmasterOf(dataDir) {
  const base = (await readFile(join(dataDir, 'postgres.location'), 'utf8').catch(() => dataDir)).trim();
  return parseInt(await readFile(join(base, 'postgres/postmaster.pid'), 'utf8'), 10);
}

/** Removes a server's folders; it must have ended. */
export async function removeServer(dataDir, url) {
  await rm(new URL(url).searchParams.get('host'), { recursive: true, force: true });
  const base = await readFile(join(dataDir, 'postgres.location'), 'utf8').catch(() => null);
  if (base) await rm(base.trim(), { recursive: true, force: true });
  await rm(dataDir, { recursive: true, force: true });
}
