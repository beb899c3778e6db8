// Every service's answers against its own OpenAPI document, by schemathesis: `node test/security/schemathesis.mjs`
// No 5xx, no status, type or shape that the document does not have, whatever is sent.
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { prepare } from '../../scripts/prepare.mjs';
import { root } from '../../scripts/root.mjs';
import { startMember } from '../house/member.mjs';
import { start } from '../house/child.mjs';
import { rowsOf } from '../house/database.mjs';
import { removeServer, startPostgres } from '../house/postmaster.mjs';
import { settle } from './belongings.mjs';

const VERSION = '4.32.5';
/** For all services together; beside that, some 30 s go by until they are up. */
const SECONDS = 180;
const READY_MS = 30_000;
const NOBODY = '01993f5e-0000-7000-8000-00000000000a';
const secret = randomBytes(32).toString('base64url');
/**
 * Not checked: that whatever the schemas accept is granted – what makes a cursor, a domain or a reference a good one is
 * more than a schema can say – and that what a POST answers with is there: with the Idempotency-Key of an earlier one it
 * is the answer of that time, and its resource may have been deleted since. Nor that what was deleted is gone: a sync is
 * DELETED then, and can be read for a while.
 */
const unchecked = 'positive_data_acceptance,ensure_resource_availability,use_after_free';

const run = promisify(execFile);
const require = createRequire(import.meta.url);

await prepare('apps/homeostat');
const { services } = require('../../apps/homeostat/dist/up.js');
const { issueToken } = require('../../libs/platform/dist/http/tokens.js');
const folder = await mkdtemp(join(tmpdir(), 'homeostat-schemathesis-'));
const dataDir = join(tmpdir(), `homeostat-schemathesis-data-${process.pid}`);
const postgres = await startPostgres(dataDir);
const running = [];
try {
  process.exitCode = (await allConform()) ? 0 : 1;
} finally {
  for (const service of running) await service.end('SIGTERM');
  await postgres.stop();
  await removeServer(dataDir, postgres.url);
  await rm(folder, { recursive: true });
}

async function allConform() {
  const program = await schemathesis();
  await migrated();
  for (const { name } of services) running.push(await served(name));
  const token = await tokenOf(['admin', 'peer']);
  await asking(token)('POST /v1/regions', { name: 'local' });
  // Of the tenant that the token is for: an admin sees all, but makes things for its own.
  const ids = await settle(asking(token), (text, values) => rowsOf(postgres.url, text, values));
  const failed = [];
  for (const service of running) if (!(await conforms(program, service, token, ids))) failed.push(service.name);
  console.log(failed.length === 0 ? 'passed' : `FAILED: ${failed.join(', ')}`);
  return failed.length === 0;
}

/** The program of that version: on the PATH, or in a virtual environment of our own. */
async function schemathesis() {
  const ours = join(root, `node_modules/.cache/homeostat/schemathesis-${VERSION}`);
  for (const program of ['st', join(ours, 'bin/st')]) if (await isWanted(program)) return program;
  await run('python3', ['-m', 'venv', '--clear', ours]);
  await run(join(ours, 'bin/pip'), ['install', '--quiet', `schemathesis==${VERSION}`]);
  return join(ours, 'bin/st');
}

async function isWanted(program) {
  const { stdout = '' } = await run(program, ['--version']).catch(() => ({}));
  return stdout.trim().endsWith(` ${VERSION}`);
}

async function migrated() {
  const migration = start('apps/homeostat/dist/main.js', ['migrate'], { RECONCILER_DATABASE_URL: postgres.url });
  if ((await migration.ended) !== 0) throw new Error(`homeostat migrate failed:\n${migration.said()}`);
}

async function served(name) {
  const settings = {
    RECONCILER_DATABASE_URL: postgres.url,
    RECONCILER_AUTH_SECRET: secret,
    RECONCILER_RATE_LIMIT: '0',
    RECONCILER_INTERVAL: '200ms',
    RECONCILER_LOG_LEVEL: 'error',
    // Without a registry to name to peers, the answer would be 503, which is a server's error to it.
    RECONCILER_PEER_REGISTRY_ADDRESS: 'registry.example',
  };
  const service = await startMember(name, [`apps/${name}/dist/main.js`], settings, READY_MS);
  const { paths } = await (await fetch(`${service.url}/openapi.json`)).json();
  return { ...service, paths: Object.keys(paths) };
}

function tokenOf(scopes) {
  return issueToken(secret, { subject: 'schemathesis', tenant: 'acme', scopes, expiresInSeconds: 3_600 });
}

function asking(token) {
  return async (what, body) => {
    const [method, path] = what.split(' ');
    const { url } = running.find(({ paths }) => paths.some((one) => kindOf(one) === kindOf(path)));
    const headers = { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) };
    const response = await fetch(url + path, { method, headers, body: body && JSON.stringify(body) });
    const answer = await response.json();
    if (!response.ok) throw new Error(`${what}: ${response.status} ${JSON.stringify(answer)}`);
    return answer;
  };
}

/** The word after /v1/. */
function kindOf(path) {
  return path.split(/[/?]/)[2];
}

async function conforms(program, { name, url, paths, said }, token, ids) {
  console.log(`== ${name}`);
  const config = join(folder, `${name}.toml`);
  await writeFile(config, configOf(paths, token, ids));
  const args = [
    ...['--config-file', config, 'run', `${url}/openapi.json`],
    ...['--max-time', String(Math.floor(SECONDS / services.length)), '--max-examples', '50', '--workers', '1'],
    ...['--exclude-checks', unchecked, '--continue-on-failure', '--warnings', 'off'],
    ...['--generation-database', 'none', '--no-color', '--request-timeout', '40'],
  ];
  // It leaves a folder of its own where it runs.
  const child = execFile(program, args, { cwd: folder });
  child.stdout.pipe(process.stdout);
  child.stderr.pipe(process.stderr);
  const code = await new Promise((resolve) => child.once('exit', resolve));
  if (code !== 0) console.log(`${name} itself said:\n${said()}`);
  return code === 0;
}

/** The token stays out of the arguments; ids that exist come more often than chance has it, and nothing is waited for. */
function configOf(paths, token, ids) {
  const kinds = [...new Set(paths.map(kindOf))].filter((kind) => ids[kind]);
  const often = (dictionary) => `{ dictionary = "${dictionary}", probability = 0.7 }`;
  const operations = (pattern, parameters) =>
    `[[operations]]\ninclude-path-regex = '${pattern}'\nparameters = ${parameters}`;
  return [
    `[headers]\nAuthorization = "Bearer ${token}"`,
    '[parameters]\n"query.timeout" = "50ms"',
    // A body that is too large breaks other rules, too.
    '[checks.negative_data_rejection]\nexpected-statuses = [400, 401, 403, 404, 405, 409, 412, 413, 415, 422, 429, 431]',
    '[dictionaries]',
    ...kinds.map((kind) => `"${kind}" = { values = ["${ids[kind]}"] }`),
    `kind = { values = ${JSON.stringify([...kinds, 'ghosts'])} }`,
    `id = { values = ${JSON.stringify([...kinds.map((kind) => ids[kind]), NOBODY])} }`,
    operations('\\{kind\\}', `{ "path.kind" = ${often('kind')}, "path.id" = ${often('id')} }`),
    ...kinds.map((kind) => operations(`^/v1/${kind}/\\{id\\}`, `{ "path.id" = ${often(kind)} }`)),
  ].join('\n');
}
