import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { link, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { serverEnvironment } from './account';
import type { Binaries } from './binaries';
import type { Home } from './home';

const pollMs = 20;

/** The process id of the server that runs on the cluster, or undefined when none does. */
export async function postmasterPid(home: Home): Promise<number | undefined> {
  const pid = parseInt(await readLockFile(lockFile(home)), 10);
  return pid > 0 && (await isPostgres(pid)) ? pid : undefined;
}

/** Starts the server in a session of its own, where a Ctrl-C meant for us does not reach it; it ends when we exit. */
export async function launchPostmaster(home: Home, binaries: Binaries, durable: boolean): Promise<ChildProcess> {
  await discardStaleLock(home);
  const log = await open(home.logFile, 'a', 0o600);
  try {
    const child = spawn(binaries.postgres, settings(home, durable), {
      ...home.account,
      env: serverEnvironment,
      cwd: '/',
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
    });
    const endWithUs = () => void child.kill('SIGINT');
    process.once('exit', endWithUs);
    child.once('exit', () => process.off('exit', endWithUs));
    await once(child, 'spawn');
    child.unref();
    return child;
  } finally {
    await log.close();
  }
}

/** Ends the server: without waiting for its clients, and after ten seconds without tidying up. */
export async function stopPostmaster(home: Home, pid: number): Promise<void> {
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) {
    if ((await postmasterPid(home)) !== pid) return;
    process.kill(pid, signal);
    for (const endMs = Date.now() + 10_000; Date.now() < endMs; await pause(pollMs)) {
      if ((await postmasterPid(home)) !== pid) return;
    }
  }
  throw new Error(`PostgreSQL (process ${pid}, ${home.cluster}) does not stop: see ${home.logFile}`);
}

function settings(home: Home, durable: boolean): string[] {
  const values = {
    listen_addresses: '',
    unix_socket_permissions: '0700',
    max_connections: 100,
    shared_buffers: '128MB',
    jit: 'off',
    timezone: 'UTC',
    log_timezone: 'UTC',
    log_checkpoints: 'off',
    // Statements and rows may hold what does not belong in a log.
    log_min_error_statement: 'panic',
    log_error_verbosity: 'terse',
    ...(durable ? {} : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
  };
  const places = ['-D', home.cluster, '-k', home.socketDir, '-p', '5432'];
  return [...places, ...Object.entries(values).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
}

function lockFile(home: Home): string {
  return join(home.cluster, 'postmaster.pid');
}

async function readLockFile(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    return '';
  });
}

/** A container that restarts gives the same process ids to other programs, so on Linux the name is looked at, too. */
async function isPostgres(pid: number): Promise<boolean> {
  if (process.platform === 'linux') {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    return /^\d+ \(.*(postgres|postmaster).*\) [^ZX]/.test(stat);
  }
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** PostgreSQL believes its lock file when any process of its user has that id; we have looked closer. */
async function discardStaleLock(home: Home): Promise<void> {
  const path = lockFile(home);
  const stale = await readLockFile(path);
  if ((await postmasterPid(home)) !== undefined) return;
  // PostgreSQL takes the number in this one for a living server, even where it is a zombie's, or a stranger's by now.
  await rm(join(home.socketDir, '.s.PGSQL.5432.lock'), { force: true });
  if (stale === '') return;
  const aside = `${path}.${process.pid}`;
  await rename(path, aside).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  // Should a server have started in between, this is its lock.
  if ((await readLockFile(aside)) !== stale) await link(aside, path).catch(() => undefined);
  await rm(aside, { force: true });
}
