// Syncs, end to end, and killed workers: `node test/syncs.mjs [--seed 1] [--runs 20]`
// A directory of ours tells the way to its registry, which has a password and is no Zot; two processes of sync-svc copy 200
// signed records from it by regsync, and each is found by a search. Then whichever works is killed (SIGKILL) at a random
// moment of each run. No sync is ever stuck, nothing is done or told twice, and no regsync outlives its process.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { prepare } from '../scripts/prepare.mjs';
import { start } from './house/child.mjs';
import { check, rowsOf } from './house/database.mjs';
import { dice } from './house/dice.mjs';
import { freePort } from './house/free-port.mjs';
import { removeServer, startPostgres } from './house/postmaster.mjs';
import { until } from './house/until.mjs';

const RECORDS = 200;
const RECORDS_OF_A_RUN = 25;
const ORPHAN_MS = 3_000;
const TAKEOVER_MS = 15_000;
const PATIENCE_MS = 90_000;
const { values } = parseArgs({
  options: { seed: { type: 'string', default: '1' }, runs: { type: 'string', default: '20' } },
});
const chance = dice(Number(values.seed));

await prepare('apps/homeostat');
const require = createRequire(import.meta.url);
const { migrate } = require('../libs/platform/dist/database/migrate.js');
const { programPath, registryUser, startRegistry } = require('../libs/testing/dist/registries.js');
const { RegistryWriter } = require('../libs/testing/dist/registry-writer.js');
const { cidOf } = require('../apps/sync-svc/dist/registry/cid.js');
const [registry, regsync] = ['registry', 'regsync'].map((name) => programPath(name, process.env.PATH));
if (!registry || !regsync) {
  console.log('SKIPPED: a registry and regsync are missing: `node test/registries.mjs` brings them');
  process.exit(process.env.CI === 'true' ? 1 : 0);
}
const folder = await mkdtemp(join(tmpdir(), 'homeostat-syncs-'));
/** A name of its own, by which its processes are found. */
const ownRegsync = join(folder, 'regsync');
await copyFile(regsync, ownRegsync);
const dataDir = join(folder, 'data');
const postgres = await startPostgres(dataDir);
const [remote, local] = await Promise.all([
  startRegistry('distribution', registry, { secured: true }),
  startRegistry('distribution', registry),
]);
let failed = false;
try {
  await story(postgres.url);
  console.log('passed');
} catch (error) {
  failed = true;
  console.log(`FAILED with seed ${values.seed}: ${error.stack}`);
} finally {
  await Promise.all([remote.close(), local.close(), postgres.stop()]);
  await removeServer(dataDir, postgres.url);
  await rm(folder, { recursive: true, force: true });
}
process.exit(failed ? 1 : 0);

async function story(url) {
  const peerUrl = await anotherDatabase(url);
  await Promise.all([migrate(url), migrate(peerUrl)]);
  const password = { RECONCILER_LOCAL_REGISTRY_USERNAME: registryUser.username };
  password.RECONCILER_LOCAL_REGISTRY_PASSWORD = registryUser.password;
  const peer = await member(peerUrl, remote, { ...password, RECONCILER_INDEXER_ENABLED: 'false' });
  const fleet = await Promise.all([member(url, local), member(url, local)]);
  await undisturbed(fleet, peer, url);
  const takeovers = [];
  for (let run = 1; run <= Number(values.runs); run += 1) {
    const records = await publish(`run-${run}`, RECORDS_OF_A_RUN);
    const sync = await post(fleet, 'syncs', {
      remote_directory_url: peer.address,
      cids: records.map(({ cid }) => cid),
    });
    takeovers.push(...(await killDuring(url, fleet, sync.id)));
    await completed(fleet, sync.id, RECORDS_OF_A_RUN);
    await complete(url, sync.id, records);
  }
  await check(url, { atRest: false });
  for (const one of [...fleet, peer]) await one.end('SIGTERM');
  await until(async () => running().length === 0, ORPHAN_MS, 'no regsync is left');
  takeovers.sort((a, b) => a - b);
  const [half, most] = [takeovers.at(Math.floor(takeovers.length / 2)), takeovers.at(-1)];
  console.log(`   ${takeovers.length} syncs were taken over; after ${half} ms (p50), ${most} ms (most)`);
  if (most > TAKEOVER_MS) throw new Error(`a takeover took more than ${TAKEOVER_MS} ms`);
}

async function undisturbed(fleet, peer, url) {
  const records = await publish('undisturbed', RECORDS);
  const startedAt = Date.now();
  const { id } = await post(fleet, 'syncs', { remote_directory_url: peer.address });
  const seen = new Set();
  await until(
    async () => {
      const { status, progress, records: shown } = await get(fleet, `syncs/${id}`);
      seen.add(progress.done);
      if (shown.some(({ state }) => state === 'copying')) seen.add('copying');
      return status === 'COMPLETED';
    },
    PATIENCE_MS,
    'the sync is completed',
  );
  console.log(`   ${RECORDS} records in ${Date.now() - startedAt} ms; progress: ${[...seen].join(', ')}`);
  if (![...seen].some((done) => done === 'copying' || (done > 0 && done < RECORDS)))
    throw new Error('no progress was seen');
  await complete(url, id, records);
  const { items } = await get(fleet, 'records?query=name:undisturbed-17&query=signed:true');
  if (items.length !== 1) throw new Error(`the search found ${JSON.stringify(items)}`);
}

async function anotherDatabase(url) {
  await rowsOf(url, 'CREATE DATABASE peer');
  return Object.assign(new URL(url), { pathname: '/peer' }).href;
}

async function member(url, { address }, more = {}) {
  const port = await freePort();
  const settings = {
    RECONCILER_DATABASE_URL: url,
    RECONCILER_HTTP_PORT: String(port),
    RECONCILER_LOG_LEVEL: 'error',
    RECONCILER_LOCAL_REGISTRY_ADDRESS: address,
    RECONCILER_LOCAL_REGISTRY_INSECURE: 'true',
    RECONCILER_ALLOW_PRIVATE_ADDRESSES: 'true',
    RECONCILER_REGSYNC_BINARY: ownRegsync,
    ...more,
  };
  const process = start('apps/sync-svc/dist/main.js', [], settings);
  const place = `http://127.0.0.1:${port}`;
  await until(async () => (await fetch(`${place}/readyz`)).ok, PATIENCE_MS, 'sync-svc is ready').catch((error) => {
    throw new Error(`${error.message}\n${process.said()}`);
  });
  return { ...process, address: place };
}

async function get([{ address }], path) {
  const response = await fetch(`${address}/v1/${path}`);
  if (!response.ok) throw new Error(`GET ${path}: ${await response.text()}`);
  return response.json();
}

async function post([{ address }], path, body) {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${address}/v1/${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`POST ${path}: ${await response.text()}`);
  return response.json();
}

/** Pushes records with a signature and a key each into the remote registry; resolves to their CIDs, and the digests. */
async function publish(name, count) {
  const basic = Buffer.from(`${registryUser.username}:${registryUser.password}`).toString('base64');
  const writer = new RegistryWriter(remote.address, 'dir', `Basic ${basic}`);
  const records = [];
  for (let from = 0; from < count; from += 20) {
    const some = Array.from({ length: Math.min(20, count - from) }, (_, at) =>
      publishOne(writer, `${name}-${from + at}`),
    );
    records.push(...(await Promise.all(some)));
  }
  return records;
}

async function publishOne(writer, name) {
  const record = {
    ...{ name, version: '1.0.0', schema_version: '0.7.0', description: 'A record of this test.', authors: ['test'] },
    ...{ created_at: '2026-01-01T00:00:00Z', skills: [{ id: 10201, name: 'text' }] },
    locators: [{ type: 'docker_image', url: 'https://registry.example/agent' }],
  };
  const bytes = Buffer.from(JSON.stringify(record));
  const cid = cidOf(`sha256:${createHash('sha256').update(bytes).digest('hex')}`);
  const subject = await writer.push({ bytes, tag: cid });
  const attach = (kind, data) =>
    writer.push({
      ...{ bytes: Buffer.from(JSON.stringify({ record_ref: { cid }, data })), subject },
      mediaType: `application/vnd.agntcy.dir.sign.${kind}`,
    });
  const attached = [
    await attach('signature.v1+json', { signature: 'c2lnbmVk' }),
    await attach('publickey.v1+pem', { key: name }),
  ];
  await writer.fallback(subject, attached);
  return { cid, digest: subject.digest };
}

/** Kills who works on the sync, once, at a random moment, and starts another; returns after how long it was taken over. */
async function killDuring(url, fleet, sync) {
  await sleep(chance.between(0, 2_000));
  const [{ holder, open }] = await rowsOf(
    url,
    `SELECT l.lease_holder AS holder, s.finished_at IS NULL AS open FROM sync s
     LEFT JOIN reconcile_status l ON l.kind = 'syncs' AND l.key = s.id WHERE s.id = $1`,
    [sync],
  );
  const victim = fleet.findIndex(({ pid }) => holder === `${hostname()}/${pid}`);
  if (!open || victim < 0) return [];
  const killedAt = Date.now();
  await fleet[victim].end('SIGKILL');
  await until(async () => running().length === 0, ORPHAN_MS, 'no regsync is left of a process that was killed');
  const taken = async () => {
    const [row] = await rowsOf(
      url,
      `SELECT l.lease_holder IS DISTINCT FROM $2 AS taken FROM reconcile_status l WHERE l.kind = 'syncs' AND l.key = $1`,
      [sync, holder],
    );
    return row.taken;
  };
  await until(taken, PATIENCE_MS, `sync ${sync} is taken over`);
  const tookMs = Date.now() - killedAt;
  fleet[victim] = await member(url, local);
  return [tookMs];
}

/** The lines of all processes of our regsync. */
function running() {
  const { stdout } = spawnSync('ps', ['-axo', 'pid,args'], { encoding: 'utf8' });
  return stdout.split('\n').filter((line) => line.includes(ownRegsync));
}

async function completed(fleet, id, records) {
  const { status, message, progress } = await get(fleet, `syncs/${id}?wait=COMPLETED&timeout=${PATIENCE_MS / 1_000}s`);
  if (status !== 'COMPLETED' || progress.done !== records) throw new Error(`sync ${id} is ${status}: ${message}`);
}

/** Our registry has each record as it was, with what is attached; each was indexed once, and the sync ended once. */
async function complete(url, id, records) {
  for (const { cid, digest } of records) {
    const accept = 'application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json';
    const at = (reference) => fetch(`http://${local.address}/v2/dir/manifests/${reference}`, { headers: { accept } });
    const found = (await at(cid)).headers.get('docker-content-digest');
    if (found !== digest) throw new Error(`${cid} is ${found}, and not ${digest}`);
    const { manifests } = await (await at(digest.replace(':', '-'))).json();
    if (manifests.length !== 2) throw new Error(`${cid} has ${manifests.length} referrers`);
  }
  const cids = records.map(({ cid }) => cid);
  const counted = async () => {
    const [row] = await rowsOf(
      url,
      `SELECT count(*)::integer AS times, count(DISTINCT r.id)::integer AS records, bool_and(r.signed) AS signed
       FROM record r JOIN state_change c ON c.key = r.id AND c.to_state = 'indexed' WHERE r.cid = ANY ($1)`,
      [cids],
    );
    return row.signed === true && row.records === cids.length && row.times === cids.length;
  };
  await until(counted, PATIENCE_MS, 'each record is indexed, once, and signed');
  const ends = await rowsOf(
    url,
    `SELECT to_state FROM state_change WHERE key = $1 AND to_state IN ('COMPLETED', 'FAILED')`,
    [id],
  );
  if (ends.length !== 1) throw new Error(`sync ${id} ended ${ends.length} times`);
}
