import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { promisify } from 'node:util';

/** Whom PostgreSQL runs as. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** The overflow ids of Linux: no user has to be made for them, and they own nothing. */
const nobody: Account = { uid: 65_534, gid: 65_534 };

/** The owner of the cluster if there is one; else ourselves or, because PostgreSQL refuses root, nobody. */
export async function accountFor(cluster: string): Promise<Account> {
  if (!process.getuid || !process.getgid) throw new Error(`no embedded PostgreSQL on ${process.platform}`);
  const own = { uid: process.getuid(), gid: process.getgid() };
  const owner = await stat(cluster).catch(() => undefined);
  if (own.uid === 0) return owner && owner.uid !== 0 ? { uid: owner.uid, gid: owner.gid } : nobody;
  if (owner && owner.uid !== own.uid) {
    throw new Error(`${cluster} belongs to uid ${owner.uid}, and this is uid ${own.uid}: run as that user, or as root`);
  }
  return own;
}

/** Neither the secrets nor the PG* variables of our own environment are for the server. */
export const serverEnvironment = { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C' } as const;

/** Runs a program to its end as the account and returns what it printed; throws, with its stderr, when it fails. */
export async function runAs(account: Account, program: string, args: readonly string[]): Promise<string> {
  // The working directory may be one that the account cannot enter.
  const options = { ...account, env: serverEnvironment, cwd: '/' };
  return (await promisify(execFile)(program, args, options)).stdout;
}

/** Whether the account can get into a directory, whatever its parents' modes and access lists say. */
export function canEnter(account: Account, directory: string): Promise<boolean> {
  return runAs(account, '/bin/sh', ['-c', 'cd "$1"', 'sh', directory]).then(
    () => true,
    () => false,
  );
}
