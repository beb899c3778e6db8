// Brings the servers and writers of the lakehouse suites to ~/.cache/homeostat/lakehouse: S3 and Glue (moto), pyiceberg and deltalake
// from PyPI, Iceberg's REST catalog from Maven. Needs Python 3.11 or newer, Java 17 and Maven on PATH. What is there already stays.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const home = join(homedir(), '.cache', 'homeostat', 'lakehouse');
const servers = join(import.meta.dirname, 'fixtures/lakehouse/servers');
const run = (program, ...args) => execFileSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'], cwd: home });

mkdirSync(home, { recursive: true });
step('venv', (place) => {
  run('python3', '-m', 'venv', place);
  run(
    join(place, 'bin/pip'),
    'install',
    '--quiet',
    '--disable-pip-version-check',
    '-r',
    join(servers, 'requirements.txt'),
  );
});
step('rest', (place) => {
  mkdirSync(place);
  copyFileSync(join(servers, 'pom.xml'), join(place, 'pom.xml'));
  run(
    'mvn',
    '-q',
    '-f',
    join(place, 'pom.xml'),
    'dependency:copy-dependencies',
    `-DoutputDirectory=${join(place, 'lib')}`,
  );
});

/** Makes a folder, in place, since a venv's programs know where they are; half of one is made anew. */
function step(name, make) {
  const [place, done] = [join(home, name), join(home, `${name}.done`)];
  if (existsSync(done)) return;
  rmSync(place, { recursive: true, force: true });
  make(place);
  writeFileSync(done, '');
}
