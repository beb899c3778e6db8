import { createHash } from 'node:crypto';
import { chmod, lchown, lstat, mkdir, readFile, realpath, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Account, accountFor, canEnter } from './account';

/** Where a server keeps its things. */
export interface Home {
  readonly account: Account;
  /** Holds the cluster and, if they had to be copied, the binaries. */
  readonly base: string;
  readonly cluster: string;
  readonly socketDir: string;
  readonly logFile: string;
}

/** Finds or makes the places for the server of a data directory; throws when one of them is not safe to use. */
export async function openHome(dataDir: string, log: (line: string) => void): Promise<Home> {
  const directory = await openDataDir(dataDir);
  const base = await findBase(directory, log);
  const cluster = join(base, 'postgres');
  const account = await accountFor(cluster);
  const socketDir = `/tmp/homeostat-${account.uid}-${hash(directory)}`;
  await openSocketDir(socketDir, account);
  return { account, base, cluster, socketDir, logFile: join(directory, 'postgres.log') };
}

async function openDataDir(dataDir: string): Promise<string> {
  const path = resolve(dataDir);
  const made = await mkdir(path, { recursive: true });
  // What we make ourselves, the server's account may pass through, whatever the umask.
  if (made !== undefined && process.getuid?.() === 0) await chmod(path, 0o711);
  return realpath(path);
}

/** The data directory or, once it was found to be out of the server's reach, the place noted in it. */
async function findBase(directory: string, log: (line: string) => void): Promise<string> {
  const pointer = join(directory, 'postgres.location');
  const noted = await readFile(pointer, 'utf8').catch(() => '');
  if (noted) return noted.trim();
  const cluster = join(directory, 'postgres');
  const account = await accountFor(cluster);
  if (await canEnter(account, directory)) return directory;
  if (await exists(cluster)) {
    throw new Error(`uid ${account.uid} can no longer get to ${cluster}: let it pass through the directories above`);
  }
  const base = join('/var/lib/homeostat', hash(directory));
  await mkdir(base, { recursive: true });
  await Promise.all(['/var/lib/homeostat', base].map((path) => chmod(path, 0o711)));
  await writeFile(pointer, `${base}\n`);
  log(`PostgreSQL runs as uid ${account.uid}, which cannot get into ${directory}: its data are in ${base}`);
  return base;
}

/** The directory's mode is all that keeps others from the server, so it must be ours alone. */
async function openSocketDir(path: string, account: Account): Promise<void> {
  await mkdir(path, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  const found = await lstat(path);
  const trusted = found.uid === account.uid || found.uid === process.getuid?.();
  if (!found.isDirectory() || !trusted || (found.mode & 0o077) !== 0) {
    throw new Error(`${path} is not a private directory of uid ${account.uid}: remove it`);
  }
  await lchown(path, account.uid, account.gid);
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** A Unix socket's path may have 107 bytes; a data directory's often has more. */
function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
