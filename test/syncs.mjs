// Syncs, end to end, and killed workers: `node test/syncs.mjs [--seed 1] [--runs 20]`
// A directory of ours tells the way to its registry, which has a password and is no Zot; two processes of sync-svc copy 200
// signed records from it by regsync, and each is found by a search. Then whichever works is killed (SIGKILL) at a random
// moment of each run. No sync is ever stuck, nothing is done twice, and no regsync outlives its process.
import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { prepare } from '../scripts/prepare.mjs';
import { get, post, startSyncService } from './directory/member.mjs';
import { publish } from './directory/records.mjs';
import { openServers } from './directory/servers.mjs';
import { check, rowsOf } from './house/database.mjs';
import { dice } from './house/dice.mjs';
import { until } from './house/until.mjs';

const RECORDS = 200;
const RECORDS_OF_A_RUN = 40;
/** The last moment of a kill, as a part of the time that a sync should take: it may be over sooner. */
const LATEST = 0.7;
const ORPHAN_MS = 3_000;
const TAKEOVER_MS = 15_000;
const PATIENCE_MS = 90_000;
const { values } = parseArgs({
  options: { seed: { type: 'string', default: '1' }, runs: { type: 'string', default: '20' } },
});
const chance = dice(Number(values.seed));

await prepare('apps/homeostat');
const servers = await openServers();
const { local, regsync: ownRegsync, url } = servers;
const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
let failed = false;
try {
  await story();
  console.log('passed');
} catch (error) {
  failed = true;
  console.log(`FAILED with seed ${values.seed}: ${error.stack}`);
} finally {
  await servers.close();
}
process.exit(failed ? 1 : 0);

async function story() {
  const peer = await startSyncService(servers, servers.peerUrl, servers.remote, {
    ...servers.peerLogin,
    RECONCILER_INDEXER_ENABLED: 'false',
  });
  const fleet = await Promise.all([member(), member()]);
  const lastsMs = ((await undisturbed(fleet, peer)) / RECORDS) * RECORDS_OF_A_RUN;
  const kills = [];
  for (let run = 1; run <= Number(values.runs); run += 1) {
    const records = await made(`run-${run}`, RECORDS_OF_A_RUN);
    const sync = await post(fleet[0], 'syncs', {
      remote_directory_url: peer.url,
      cids: records.map(({ cid }) => cid),
    });
    kills.push(...(await killDuring(fleet, sync.id, lastsMs)));
    await completed(fleet, sync.id, RECORDS_OF_A_RUN);
    await complete(sync.id, records);
  }
  await check(url, { atRest: false });
  for (const one of [...fleet, peer]) await one.end('SIGTERM');
  await until(async () => running().length === 0, ORPHAN_MS, 'no regsync is left');
  const takeovers = kills.map(({ tookMs }) => tookMs).sort((a, b) => a - b);
  const [half, most] = [takeovers.at(Math.floor(takeovers.length / 2)), takeovers.at(-1)];
  const copying = kills.filter(({ wasCopying }) => wasCopying).length;
  console.log(
    `   ${kills.length} syncs were taken over, ${copying} of them with a regsync at work; after ${half} ms (p50), ${most} ms (most)`,
  );
  if (kills.length < Number(values.runs) / 2 || copying === 0) throw new Error('too few were killed at work');
  if (most > TAKEOVER_MS) throw new Error(`a takeover took more than ${TAKEOVER_MS} ms`);
}

/** Resolves to the milliseconds that a sync takes. */
async function undisturbed(fleet, peer) {
  const records = await made('undisturbed', RECORDS);
  const startedAt = Date.now();
  const { id } = await post(fleet[0], 'syncs', { remote_directory_url: peer.url });
  const seen = new Set();
  await until(
    async () => {
      const { status, progress, records: shown } = await get(fleet[0], `syncs/${id}`);
      seen.add(progress.done);
      if (shown.some(({ state }) => state === 'copying')) seen.add('copying');
      return status === 'COMPLETED';
    },
    PATIENCE_MS,
    'the sync is completed',
  );
  const tookMs = Date.now() - startedAt;
  console.log(`   ${RECORDS} records in ${tookMs} ms; progress: ${[...seen].join(', ')}`);
  if (![...seen].some((done) => done === 'copying' || (done > 0 && done < RECORDS)))
    throw new Error('no progress was seen');
  await complete(id, records);
  const { items } = await get(fleet[0], 'records?query=name:undisturbed-17&query=signed:true');
  if (items.length !== 1) throw new Error(`the search found ${JSON.stringify(items)}`);
  return tookMs;
}

function member() {
  return startSyncService(servers, url, local);
}

/** Records that are published in the remote registry. */
function made(name, count) {
  const records = Array.from({ length: count }, (_, at) => ({
    ...{ name: `${name}-${at}`, version: '1.0.0', schema_version: '0.7.0', description: 'A record of this test.' },
    ...{ authors: ['test'], created_at: '2026-01-01T00:00:00Z', skills: [{ id: 10201, name: 'text' }] },
    locators: [{ type: 'docker_image', url: 'https://registry.example/agent' }],
  }));
  return publish(servers, records, keys);
}

/** Kills who works on the sync, once, at a random moment of it, and starts another; returns what came of it, if anybody was. */
async function killDuring(fleet, sync, lastsMs) {
  await sleep(chance.between(0, lastsMs * LATEST));
  let [victim, holder] = [-1, null];
  const isHeldOrOver = async () => {
    const [row] = await rowsOf(
      url,
      `SELECT l.lease_holder AS holder, s.finished_at IS NULL AS open FROM sync s
       LEFT JOIN reconcile_status l ON l.kind = 'syncs' AND l.key = s.id WHERE s.id = $1`,
      [sync],
    );
    ({ holder } = row);
    victim = row.open ? fleet.findIndex(({ pid }) => holder === `${hostname()}/${pid}`) : -1;
    return victim >= 0 || !row.open;
  };
  await until(isHeldOrOver, PATIENCE_MS, 'somebody works on the sync, or it is over');
  if (victim < 0) return [];
  const wasCopying = running().length > 0;
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
  fleet[victim] = await member();
  return [{ tookMs, wasCopying }];
}

/** The lines of all processes of our regsync. */
function running() {
  const { stdout } = spawnSync('ps', ['-axo', 'pid,args'], { encoding: 'utf8' });
  return stdout.split('\n').filter((line) => line.includes(ownRegsync));
}

async function completed(fleet, id, records) {
  const { status, message, progress } = await get(
    fleet[0],
    `syncs/${id}?wait=COMPLETED&timeout=${PATIENCE_MS / 1_000}s`,
  );
  if (status !== 'COMPLETED' || progress.done !== records) throw new Error(`sync ${id} is ${status}: ${message}`);
}

/** Our registry has each record as it was, with what is attached; each was indexed once, and the sync ended once. */
async function complete(id, records) {
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
