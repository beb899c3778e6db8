import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A data folder that belongs to this process. */
export interface Claimed {
  readonly path: string;
  /** Says where the API of this process is, for whoever comes later. */
  announce(url: string): Promise<void>;
  release(): Promise<void>;
}

interface Owner {
  readonly pid: number;
  /** null while it starts. */
  readonly url: string | null;
  readonly since: number;
}

/** After that time nobody is starting any more: the process has died, and its number may be somebody else's. */
const STARTS_WITHIN_MS = 180_000;

/** Takes a data folder, made if need be. Throws when another process has it: that one's address is in the message. */
export async function claimFolder(path: string): Promise<Claimed> {
  await mkdir(path, { recursive: true });
  const file = join(path, 'homeostat.json');
  const write = (url: string | null, flag: 'wx' | 'w') => writeFile(file, JSON.stringify(owner(url)), { flag });
  try {
    await write(null, 'wx');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    await refuseIfOwned(path, file);
    await write(null, 'w');
  }
  return { path, announce: (url) => write(url, 'w'), release: () => rm(file, { force: true }) };
}

function owner(url: string | null): Owner {
  return { pid: process.pid, url, since: Date.now() };
}

async function refuseIfOwned(path: string, file: string): Promise<void> {
  const other = await ownerOf(file);
  if (!other || other.pid === process.pid || !(await isAlive(other))) return;
  const where = other.url ? `at ${other.url}` : 'and is starting';
  throw new Error(
    `homeostat runs on ${path} already (process ${other.pid}, ${where}); stop it first, or choose another folder with --data`,
  );
}

/** A file that was half-written, by a process that died, counts as none. */
function ownerOf(file: string): Promise<Owner | null> {
  return readFile(file, 'utf8')
    .then((text) => JSON.parse(text) as Owner)
    .catch(() => null);
}

/** A process of that number exists, and where it said where it answers, something answers there. */
async function isAlive({ pid, url, since }: Owner): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  if (url === null) return Date.now() - since < STARTS_WITHIN_MS;
  return fetch(`${url}/healthz`, { signal: AbortSignal.timeout(2_000) }).then(
    ({ ok }) => ok,
    () => false,
  );
}
