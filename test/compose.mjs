// docker-compose.yml, for real: `node test/compose.mjs [--seed 1]`
// Builds the image, brings the fleet up, tells a story over the published ports, scales it under load, and then crashes
// each container in turn, database and broker included: by a kill -9 of its process, which its restart policy mends, or
// by `docker kill`, which `docker compose up` mends. After each, everything comes to rest with all invariants intact.
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { prepare } from '../scripts/prepare.mjs';
import { directory } from './compose/directory.mjs';
import { openEngine } from './compose/engine.mjs';
import { fences } from './compose/fences.mjs';
import { Fleet, bridgeAddress } from './compose/fleet.mjs';
import { story } from './compose/story.mjs';
import { converged } from './house/convergence.mjs';
import { check, rowsOf } from './house/database.mjs';
import { dice } from './house/dice.mjs';
import { openWorld } from './house/world.mjs';
import { broken, startLoad } from './load/load.mjs';

const CONVERGES_MS = 15_000;
const CALM_MS = [500, 2_000];
const SCALE = ['--scale', 'deploy-svc=3', '--scale', 'vm-pool-svc=2'];
const { values } = parseArgs({ options: { seed: { type: 'string', default: '1' } } });
const seed = Number(values.seed);
const chance = dice(seed);

await prepare('apps/homeostat');
const engine = await openEngine();
if (!engine) {
  console.log('SKIPPED: no Docker engine answers, and there are no tools to bring one up');
  process.exit(process.env.CI === 'true' ? 1 : 0);
}
const startedMs = performance.now();
const seconds = (sinceMs) => ((performance.now() - sinceMs) / 1000).toFixed(1);
const table = new Table({
  head: ['container', 'fault', 'back after s', 'then at rest after s'],
  style: { head: [], border: [] },
});
const world = await openWorld(await bridgeAddress(engine.env));
const fleet = new Fleet(engine.env);
const leave = async (code) => {
  await fleet.remove();
  await engine.close();
  process.exit(code);
};
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => leave(1));
let passed = false;
try {
  await theWhole();
  passed = true;
} catch (error) {
  console.log(`FAILED with seed ${seed}: ${error.stack}\n${await fleet.logs().catch(({ message }) => message)}`);
}
console.log(`${table}\n${passed ? 'passed' : 'FAILED'} in ${seconds(startedMs)} s, seed ${seed}`);
await leave(passed ? 0 : 1);

async function theWhole() {
  await timed('the image was built', () => fleet.open({ ...world.settings, RECONCILER_SIMULATED_LATENCY_MS: '50' }));
  await timed('the fleet was up', () => fleet.up());
  await fences(fleet);
  const urls = (path) => fleet.urlsFor(path);
  const admin = await fleet.token();
  const first = await timed('the story was told', () => story({ urls, world, admin, name: 'alone' }));
  const load = await startLoad({ urls, seed, world });
  fleet.scale = SCALE;
  await timed(`it was scaled (${SCALE.join(' ')})`, () => fleet.up());
  const again = await timed('the story was told again', () => story({ urls, world, admin, name: 'scaled' }));
  for (const id of [...first, ...again]) load.ledger.made.add(id);
  await check(fleet.databaseUrl, { atRest: false });
  for (const [at, container] of (await fleet.containers()).entries()) await faults(container, at, load);
  await load.stop();
  await load.finish();
  await allKept(load);
  await timed('the directory was mirrored', () => directory(fleet, admin));
  await check(fleet.databaseUrl, { atRest: false });
}

/** Servers and the gateway are crashed both ways, replicas by turns. */
async function faults({ name, service }, at, load) {
  const alone = !SCALE.some((one) => one.startsWith(`${service}=`));
  if (alone || at % 2 === 0) await round('kill -9', crash, name, load);
  if (alone || at % 2 === 1) await round('docker kill', kill, name, load);
}

async function round(fault, act, name, load) {
  const containers = await fleet.containers();
  const victim = containers.find((one) => one.name === name);
  await sleep(chance.between(...CALM_MS));
  const faultMs = performance.now();
  await act(victim);
  await fleet.whole(containers.length, victim);
  const backS = seconds(faultMs);
  const restMs = performance.now();
  await check(fleet.databaseUrl, { atRest: false });
  await load.stop();
  await load.finish();
  await converged(fleet.databaseUrl, load.client, CONVERGES_MS - (performance.now() - restMs));
  table.push([name, fault, backS, seconds(restMs)]);
  console.log(`${name}, ${fault}: back after ${backS} s, then at rest after ${seconds(restMs)} s`);
  load.go();
}

/** Docker takes this for a crash, so the restart policy acts. */
async function crash({ pid }) {
  process.kill(pid, 'SIGKILL');
}

/** Docker takes this for a person's wish, so it stays down until somebody brings it up. */
async function kill({ id }) {
  await fleet.docker('kill', id);
  await fleet.up();
}

async function allKept(load) {
  const wrong = await broken((sql, given) => rowsOf(fleet.databaseUrl, sql, given), load);
  if (wrong.length > 0) throw new Error(wrong.slice(0, 20).join('\n'));
  console.log(`${load.ledger.made.size} deployments and ${load.domains().length} domains, none lost`);
}

async function timed(what, work) {
  const sinceMs = performance.now();
  const found = await work();
  console.log(`${what}: ${seconds(sinceMs)} s`);
  return found;
}
