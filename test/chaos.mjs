// kill -9 at random moments, under load, on one data folder: `node test/chaos.mjs [--kills 50] [--seed 1]`
// Everything in one process, its PostgreSQL, or both are killed, the first few times while the folder is being made. What
// must hold at any instant is checked after every restart, and that all comes to rest within 15 s after the last one.
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { prepare } from '../scripts/prepare.mjs';
import { House } from './chaos/house.mjs';
import { converged } from './house/convergence.mjs';
import { rowsOf } from './house/database.mjs';
import { dice } from './house/dice.mjs';
import { openWorld } from './house/world.mjs';
import { broken, startLoad } from './load/load.mjs';

const CONVERGES_MS = 15_000;
const FIRST_STARTS = 5;
const options = { kills: { type: 'string', default: '50' }, seed: { type: 'string', default: '1' } };
const { values } = parseArgs({ options });
const kills = Number(values.kills);
const seed = Number(values.seed);
const chance = dice(seed);

await prepare('apps/homeostat');
const startedMs = performance.now();
const world = await openWorld();
const house = new House();
let load = null;
try {
  await story();
  console.log(`passed: ${summary()}`);
} catch (error) {
  console.log(`FAILED: ${error.stack}\n--- it said:\n${house.process?.said()}`);
  await house.kill({ withDatabase: true });
  console.log(`${summary()}; the data are left in ${house.folder}`);
  process.exitCode = 1;
}
process.exit();

async function story() {
  for (let kill = 1; kill <= FIRST_STARTS; kill += 1) await firstStart();
  begin({ steady: true });
  await house.up();
  load = await startLoad({ urls: () => (house.address ? [house.address] : []), seed, world });
  for (let kill = 1; kill <= kills; kill += 1) await round(kill);
  await lastRound();
  const wrong = await broken((sql, given) => rowsOf(house.databaseUrl, sql, given), load);
  if (wrong.length > 0) throw new Error(wrong.slice(0, 20).join('\n'));
  await house.remove();
}

/** On an empty folder, or on what the kill before has left of it. */
async function firstStart() {
  const afterMs = chance.between(1, 2_500);
  begin({ steady: true });
  await sleep(afterMs);
  await house.kill({ withDatabase: chance.chance(0.5) });
  console.log(`a first start, killed after ${afterMs} ms`);
}

async function round(kill) {
  const victim = kill % 5 === 3 ? 'both' : kill % 10 === 5 ? 'database' : 'house';
  const early = victim !== 'database' && chance.chance(0.25);
  const afterMs = early ? chance.between(1, 900) : chance.between(100, 7_000);
  const when = early ? 'while it started' : `up after ${Math.round(await house.up())} ms`;
  await sleep(afterMs);
  const { made, built } = load.ledger;
  const so = `${made.size} deployments, ${built.size} built, ${load.domains().length} domains`;
  console.log(`${String(kill).padStart(3)}/${kills} ${victim.padEnd(8)} ${when}, killed ${afterMs} ms later; ${so}`);
  if (victim === 'database') return restartDatabase();
  await house.kill({ withDatabase: victim === 'both' });
  begin({ steady: false });
}

async function restartDatabase() {
  const tookMs = await house.restartDatabase(chance.pick(['SIGKILL', 'SIGINT']), chance.between(100, 2_000));
  console.log(`    the database was away; it was ready ${Math.round(tookMs)} ms after its return`);
}

/** Starts the house. Settings that may change between two lives do. */
function begin({ steady }) {
  const changing = {
    RECONCILER_VM_RELEASE_POLICY: chance.pick(['reuse', 'reuse', 'delete']),
    RECONCILER_SIMULATED_LATENCY_MS: String(chance.pick([0, 50, 400])),
    RECONCILER_SIMULATED_FAILURE_PERCENT: String(chance.pick([0, 0, 5, 20])),
  };
  house.begin({ ...world.settings, RECONCILER_SIMULATED_LATENCY_MS: '50', ...(steady ? {} : changing) });
}

/** Nobody wants anything new any more: from the last start on, all comes to rest. */
async function lastRound() {
  await house.up();
  await load.stop();
  await house.kill({ withDatabase: false });
  begin({ steady: true });
  const lastStartMs = performance.now();
  await house.up();
  await load.finish();
  await converged(house.databaseUrl, load.client, CONVERGES_MS - (performance.now() - lastStartMs));
  console.log(`at rest ${Math.round(performance.now() - lastStartMs)} ms after the last start`);
}

function summary() {
  const sorted = house.starts.toSorted((one, other) => one - other).map(Math.round);
  const { requests, repeated } = load?.client.counts ?? { requests: 0, repeated: 0 };
  return (
    `${kills} kills in ${Math.round((performance.now() - startedMs) / 1000)} s, seed ${seed}; ` +
    `starts took ${sorted[sorted.length >> 1]} ms (median), ${sorted.at(-1)} ms (worst); ${requests} requests, ${repeated} repeated`
  );
}
