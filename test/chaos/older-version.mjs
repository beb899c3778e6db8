import { cp, mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from '../../scripts/root.mjs';

const ours = '@homeostat';
/** Known to this version, and not yet to the older one that runs beside it. */
const newerEvents = ['vm.lost', 'deployment.inactive', 'vm.running'];

/**
 * Makes a copy of what was built, as a version before this one would have been: it knows fewer events, so it is handed
 * some that it has never heard of. Resolves to its folder.
 */
export async function olderVersion(folder) {
  const home = join(folder, 'older');
  const modules = join(home, 'node_modules');
  await mkdir(join(modules, ours), { recursive: true });
  for (const name of await readdir(join(root, 'node_modules')))
    if (name !== ours) await symlink(join(root, 'node_modules', name), join(modules, name));
  for (const group of ['libs', 'apps'])
    for (const name of await readdir(join(root, group))) await copied(group, name, home);
  await forget(join(home, 'libs/shared/dist/events.js'));
  return home;
}

async function copied(group, name, home) {
  const [from, to] = [join(root, group, name), join(home, group, name)];
  await mkdir(to, { recursive: true });
  await cp(join(from, 'dist'), join(to, 'dist'), { recursive: true });
  await cp(join(from, 'package.json'), join(to, 'package.json'));
  await symlink(to, join(home, 'node_modules', ours, name));
}

async function forget(file) {
  const text = await readFile(file, 'utf8');
  const older = newerEvents.reduce((left, type) => left.replace(new RegExp(`^\\s*'${type}': .*\\n`, 'm'), ''), text);
  if (older.split('\n').length !== text.split('\n').length - newerEvents.length)
    throw new Error(`${file} has not a line for each of ${newerEvents.join(', ')}`);
  await writeFile(file, older);
}
