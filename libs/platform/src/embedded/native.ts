import { createHash } from 'node:crypto';
import { chmod, cp, mkdtemp, readdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';

/**
 * Makes the links between libraries that an npm package cannot hold and that its install script may not have been
 * allowed to make; returns whether they are all there now.
 */
export async function withLibraryLinks(native: string): Promise<boolean> {
  const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  const links = JSON.parse(list) as readonly { source: string; target: string }[];
  // The list's paths are relative to the package.
  const made = links.map(({ source, target }) => {
    const path = join(native, '..', target);
    return symlink(relative(dirname(path), join(native, '..', source)), path).then(
      () => true,
      (error: NodeJS.ErrnoException) => error.code === 'EEXIST',
    );
  });
  return (await Promise.all(made)).every(Boolean);
}

/** A copy of the package's programs and libraries, made once under the base, that every user may read and run. */
export async function usableCopy(native: string, base: string): Promise<string> {
  const place = join(base, `postgres.programs-${await fingerprint(native)}`);
  if (await stat(place).catch(() => undefined)) return join(place, 'native');
  const made = await mkdtemp(`${place}.`);
  try {
    await cp(native, join(made, 'native'), { recursive: true, verbatimSymlinks: true, filter: isNeeded });
    await withLibraryLinks(join(made, 'native'));
    await openToAll(made);
    await rename(made, place);
  } catch (error) {
    await rm(made, { recursive: true, force: true });
    // Another start may have been faster.
    if (!(await stat(place).catch(() => undefined))) throw error;
  }
  return join(place, 'native');
}

/** Another release of the package has another size or place. */
async function fingerprint(native: string): Promise<string> {
  const { size } = await stat(join(native, 'bin/postgres'));
  return createHash('sha256').update(`${native} ${size}`).digest('hex').slice(0, 16);
}

/** Archives for compilers are a third of the files and nothing to a server. */
function isNeeded(path: string): boolean {
  return !path.endsWith('.a');
}

/** Under a strict umask npm leaves files that only their owner may read. */
async function openToAll(directory: string): Promise<void> {
  await chmod(directory, 0o755);
  for (const entry of await readdir(directory, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory()) await chmod(path, 0o755);
    if (entry.isFile()) await chmod(path, ((await stat(path)).mode & 0o111) === 0 ? 0o644 : 0o755);
  }
}
