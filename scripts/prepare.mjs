import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { alone } from './lock.mjs';
import { root } from './root.mjs';
import { output, stage } from './stage.mjs';

const oldestNode = [20, 19];
const stamps = join(root, 'node_modules/.cache/homeostat');

/**
 * Makes the workspace ready to run: packages installed as the lock file says, and `projects` (folders) compiled.
 * Costs some ten milliseconds when nothing has changed. Ends the process, saying why, when it cannot be done.
 */
export async function prepare(...projects) {
  refuseOldNode();
  if (isInstalled() && projects.every(isBuilt)) return;
  await alone(join(root, '.homeostat-prepare.lock'), async () => {
    if (!isInstalled()) await install();
    for (const project of projects) if (!isBuilt(project)) await build(project);
  }).catch((error) => giveUp(error.code === 'EACCES' ? `cannot write to ${root}: ${error.message}` : error.message));
}

/** Goes on as `file` (relative to the workspace) with these arguments: same process, so signals and exit code are its own. */
export async function become(file, args) {
  const path = join(root, file);
  process.argv = [process.execPath, path, ...args];
  await import(pathToFileURL(path));
}

function refuseOldNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const [oldestMajor, oldestMinor] = oldestNode;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return;
  giveUp(
    `Node ${oldestNode.join('.')} or newer is needed; this is ${process.version} (${process.execPath}). See https://nodejs.org/`,
  );
}

const read = (path) => (existsSync(path) ? readFileSync(path, 'utf8') : null);

/** What the binaries among the packages are for. */
const machine = `${process.platform}-${process.arch}`;

const lockStamp = () => `${hash(readFileSync(join(root, 'package-lock.json')))} ${machine}`;

function isInstalled() {
  return read(join(stamps, 'installed')) === lockStamp() || adopted();
}

/** Whether npm itself has installed just this lock file before; if so, notes it. */
function adopted() {
  const installed = read(join(root, 'node_modules/.package-lock.json'));
  const elsewhere = read(join(stamps, 'installed'))?.endsWith(machine) === false;
  if (!installed || elsewhere) return false;
  const present = JSON.parse(installed).packages;
  const wanted = Object.entries(JSON.parse(readFileSync(join(root, 'package-lock.json'))).packages);
  const missing = ([path, { version, optional }]) => (present[path] ? present[path].version !== version : !optional);
  if (wanted.some((one) => one[0].startsWith('node_modules/') && missing(one))) return false;
  note('installed', lockStamp());
  return true;
}

async function install() {
  const { code, text } = await stage('Installing packages', () =>
    output('npm', 'ci', '--include=dev', '--loglevel=error'),
  );
  if (code !== 0) giveUp(`npm ci failed:\n${text}`);
  note('installed', lockStamp());
}

const stampOf = (project) => `built-${project.replaceAll('/', '-')}`;

function isBuilt(project) {
  return read(join(stamps, stampOf(project))) === sourcesStamp();
}

async function build(project) {
  const { code, text } = await stage(`Building ${project}`, () =>
    output(process.execPath, 'node_modules/typescript/bin/tsc', '-b', project),
  );
  if (code !== 0) giveUp(`${project} does not compile:\n${text}`);
  note(stampOf(project), sourcesStamp());
}

/** Names, sizes and times of all that the compiler reads, and of what it has left behind. */
function sourcesStamp() {
  const places = ['apps', 'libs'].flatMap((folder) =>
    readdirSync(join(root, folder)).map((name) => join(root, folder, name)),
  );
  const files = [...places, join(root, 'bench')].flatMap((place) => [
    ...(existsSync(join(place, 'src')) ? sources(join(place, 'src')) : []),
    join(place, 'tsconfig.json'),
    join(place, 'dist/.tsbuildinfo'),
  ]);
  const facts = [...files, join(root, 'tsconfig.base.json')].map((file) => {
    const found = statSync(file, { throwIfNoEntry: false });
    return `${file} ${found?.size} ${found?.mtimeMs}`;
  });
  return hash(facts.join('\n') + lockStamp());
}

function sources(folder) {
  const names = readdirSync(folder, { recursive: true }).sort();
  return names.filter((name) => name.endsWith('.ts') && !name.endsWith('.spec.ts')).map((name) => join(folder, name));
}

const hash = (text) => createHash('sha256').update(text).digest('hex');

function note(name, text) {
  const path = join(stamps, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

function giveUp(why) {
  process.stderr.write(`${why.trimEnd()}\n`);
  process.exit(1);
}
