// kill -9 at random moments, under load, on one data folder: `node test/chaos.mjs [--kills 50] [--seed 1]`
// Everything in one process, its PostgreSQL, or both are killed; what must hold at any instant is checked after every
// restart, and that all has come to rest within 15 s after the last one.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { prepare } from '../scripts/prepare.mjs';
import { startUp } from './house/child.mjs';
import { converged } from './house/convergence.mjs';
import { check, rowsOf } from './house/database.mjs';
import { dice } from './house/dice.mjs';
import { postmasterOf, removeServer, startPostgres } from './house/postmaster.mjs';
import { until } from './house/until.mjs';
import { broken, startLoad } from './load/load.mjs';

const CONVERGES_MS = 15_000;
const options = { kills: { type: 'string', default: '50' }, seed: { type: 'string', default: '1' } };
const { values } = parseArgs({ options });
const kills = Number(values.kills);
const chance = dice(Number(values.seed));
const folder = join(tmpdir(), `homeostat-chaos-${process.pid}`);
const dataDir = join(folder, 'postgres');
const settings = {
  RECONCILER_VM_POOL_SIZE: '8',
  RECONCILER_VM_QUARANTINE: '2s',
  RECONCILER_DEPLOYMENT_GRACE_PERIOD: '2s',
  RECONCILER_BUILD_TIMEOUT: '4s',
  RECONCILER_BUILD_QUEUE_TIMEOUT: '20s',
};
const starts = [];
/** The fleet at this moment, and its database: a server that we started ourselves, where it is not the fleet's own. */
let house = null;
let address = null;
let databaseUrl = null;
let own = null;

await prepare('apps/homeostat');
const startedMs = performance.now();
await begin(true);
databaseUrl = (await startPostgres(dataDir)).url;
const load = await startLoad({ urls: () => (address ? [address] : []), seed: Number(values.seed) });
let failed = await attempt(async () => {
  for (let kill = 1; kill <= kills; kill += 1) await round(kill);
  await lastRound();
});
if (failed) await leave();
else failed = await attempt(end);
console.log(summary());
process.exit(failed ? 1 : 0);

/** True when it failed. */
async function attempt(work) {
  try {
    await work();
    return false;
  } catch (error) {
    console.log(`FAILED: ${error.stack}\n--- the fleet said:\n${house?.said() ?? ''}`);
    return true;
  }
}

async function round(kill) {
  const victim = kill % 5 === 3 ? 'both' : kill % 10 === 5 ? 'database' : 'house';
  const early = victim !== 'database' && chance.chance(0.25);
  const afterMs = early ? chance.between(1, 900) : chance.between(100, 7_000);
  const startMs = early ? null : await begun();
  await sleep(afterMs);
  if (victim === 'database') await killDatabase();
  else await killHouse(victim === 'both');
  console.log(
    `${String(kill).padStart(3)}/${kills} ${victim.padEnd(8)} ${startMs === null ? 'while it started' : `up after ${Math.round(startMs)} ms`}, ` +
      `killed ${afterMs} ms later; ${load.ledger.made.size} deployments, ${load.ledger.built.size} built`,
  );
  if (victim !== 'database') await begin(false);
}

/** Starts the fleet. Settings that may change between two lives do. */
async function begin(steady) {
  const failing = steady ? '0' : String(chance.pick([0, 0, 5, 20]));
  house = startUp(['--data', folder], {
    ...settings,
    RECONCILER_VM_RELEASE_POLICY: steady ? 'reuse' : chance.pick(['reuse', 'reuse', 'delete']),
    RECONCILER_SIMULATED_LATENCY_MS: steady ? '50' : String(chance.pick([0, 50, 400])),
    RECONCILER_SIMULATED_FAILURE_PERCENT: failing,
  });
  house.startedMs = performance.now();
  if (steady) await begun();
}

/** Waits until the fleet is up, checks, and resolves to how long the start took. */
async function begun() {
  const known = house.took;
  address = await house.url;
  house.took ??= performance.now() - house.startedMs;
  if (known === undefined) starts.push(house.took);
  if (databaseUrl) await check(databaseUrl, { atRest: false });
  return house.took;
}

async function killHouse(withDatabase) {
  address = null;
  if (withDatabase) await kill9Database();
  await house.end('SIGKILL');
}

async function kill9Database() {
  const pid = await postmasterOf(dataDir).catch(() => null);
  if (pid) process.kill(pid, 'SIGKILL');
}

/** The fleet lives on without a database for a moment, and must find the new one by itself. */
async function killDatabase() {
  await kill9Database();
  await sleep(chance.between(100, 2_000));
  own = await startPostgres(dataDir);
  const ready = async () => (await fetch(`${address}/readyz`)).ok;
  const tookMs = await until(ready, CONVERGES_MS, 'the fleet is ready again after its database came back');
  console.log(`    the database was away; the fleet was ready ${Math.round(tookMs)} ms after its return`);
  await check(databaseUrl, { atRest: false });
}

/** Nobody wants anything new any more: from the last start on, all comes to rest. */
async function lastRound() {
  await begun();
  await load.stop();
  await killHouse(false);
  await begin(true);
  const lastStartMs = performance.now();
  await load.finish();
  await converged(databaseUrl, address, CONVERGES_MS - (performance.now() - lastStartMs));
  console.log(`at rest ${Math.round(performance.now() - lastStartMs)} ms after the last start`);
}

async function end() {
  const promises = await broken((sql, values) => rowsOf(databaseUrl, sql, values), load.ledger);
  const wrong = [...promises, ...load.client.surprises];
  const tookMs = await house.end('SIGTERM');
  const how = await house.ended;
  if (how !== 0) wrong.push(`SIGTERM: it ended with ${how} after ${Math.round(tookMs)} ms`);
  await own?.stop();
  await removeServer(dataDir, databaseUrl);
  await rm(folder, { recursive: true });
  if (wrong.length > 0) throw new Error(wrong.slice(0, 20).join('\n'));
}

/** Ends all processes and leaves the data to whoever looks for the fault. */
async function leave() {
  await killHouse(true);
  console.log(`the data are left in ${folder}`);
}

function summary() {
  const { counts } = load.client;
  const sorted = starts.toSorted((one, other) => one - other).map(Math.round);
  return (
    `${failed ? 'FAILED' : 'passed'}: ${kills} kills in ${Math.round((performance.now() - startedMs) / 1000)} s, seed ${values.seed}; ` +
    `starts took ${sorted[sorted.length >> 1]} ms (median), ${sorted.at(-1)} ms (worst); ` +
    `${counts.requests} requests, ${counts.repeated} repeated; ${load.ledger.made.size} deployments, ${load.ledger.built.size} built`
  );
}
