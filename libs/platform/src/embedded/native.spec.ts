import { chmod, mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { usableCopy, withLibraryLinks } from './native';

let root: string;
let native: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'native-'));
  native = join(root, 'package/native');
  await mkdir(join(native, 'bin'), { recursive: true });
  await mkdir(join(native, 'lib'));
  await writeFile(join(native, 'bin/postgres'), 'program', { mode: 0o700 });
  await writeFile(join(native, 'lib/libpq.so.5.18'), 'library', { mode: 0o600 });
  await writeFile(join(native, 'lib/libpq.a'), 'archive');
  const links = [{ source: 'native/lib/libpq.so.5.18', target: 'native/lib/libpq.so.5' }];
  await writeFile(join(native, 'pg-symlinks.json'), JSON.stringify(links));
});

afterEach(() => rm(root, { recursive: true }));

it("makes the package's library links once", async () => {
  expect(await withLibraryLinks(native)).toBe(true);
  expect(await withLibraryLinks(native)).toBe(true);
  expect(await readlink(join(native, 'lib/libpq.so.5'))).toBe('libpq.so.5.18');
});

it('needs no links where the package lists none', async () => {
  await rm(join(native, 'pg-symlinks.json'));
  expect(await withLibraryLinks(native)).toBe(true);
});

it('copies a package that only its owner may read, with its links, for everybody', async () => {
  await chmod(join(native, 'lib'), 0o700);
  const copies = await Promise.all([usableCopy(native, root), usableCopy(native, root)]);
  const copy = await usableCopy(native, root);
  expect(copies).toEqual([copy, copy]);
  expect(await readFile(join(copy, 'lib/libpq.so.5'), 'utf8')).toBe('library');
  expect(await readdir(join(copy, 'lib'))).not.toContain('libpq.a');
  const modes = ['lib', 'lib/libpq.so.5.18', 'bin/postgres'].map(
    async (name) => (await stat(join(copy, name))).mode & 0o777,
  );
  expect(await Promise.all(modes)).toEqual([0o755, 0o644, 0o755]);
  expect((await readdir(root)).filter((name) => name.startsWith('postgres.programs-'))).toHaveLength(1);
});
