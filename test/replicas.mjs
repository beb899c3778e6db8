// Several processes on one database: `node test/replicas.mjs [--seed 1]`
// Two, then three of everything share the work, one is killed and one is told to stop; then each service by itself, with
// no broker between them: they find each other's changes by looking.
import { randomUUID } from 'node:crypto';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { prepare } from '../scripts/prepare.mjs';
import { startUp } from './house/child.mjs';
import { converged } from './house/convergence.mjs';
import { check, rowsOf } from './house/database.mjs';
import { removeServer, startPostgres } from './house/postmaster.mjs';
import { until } from './house/until.mjs';
import { openWorld } from './house/world.mjs';
import { broken, startLoad } from './load/load.mjs';
import { apart } from './replicas/apart.mjs';

const TAKEOVER_MS = 15_000;
/** The promise is a second; the machine that runs this has other work, too. */
const STOPS_MS = 2_000;
const LOAD_MS = 12_000;
const { values } = parseArgs({ options: { seed: { type: 'string', default: '1' } } });

await prepare('apps/homeostat');
const world = await openWorld();
let failed = 0;
for (const [name, story] of [
  ['two share the work', (url) => shared(url, 2)],
  ['three share the work', (url) => shared(url, 3)],
  ['each service by itself, without a broker', (url) => apart(url, world)],
]) {
  console.log(`== ${name}`);
  if (!(await passed(story))) failed += 1;
}
console.log(failed === 0 ? 'passed' : `FAILED: ${failed}`);
process.exit(failed === 0 ? 0 : 1);

async function passed(story) {
  // One of its own: a story that failed leaves processes behind, which would go on with the next one's database.
  const dataDir = join(tmpdir(), `homeostat-replicas-${process.pid}-${randomUUID()}`);
  const postgres = await startPostgres(dataDir);
  try {
    await story(postgres.url);
    return true;
  } catch (error) {
    console.log(`FAILED: ${error.stack}`);
    return false;
  } finally {
    await postgres.stop();
    await removeServer(dataDir, postgres.url);
  }
}

async function shared(url, count) {
  const fleet = Array.from({ length: count }, () => another(url));
  await Promise.all(fleet.map(({ url: address }) => address));
  const answering = new Map(await Promise.all(fleet.map(async (one) => [one, await one.url])));
  const load = await startLoad({ urls: () => [...answering.values()], seed: Number(values.seed), world });
  await sleep(LOAD_MS);
  await fairShares([...answering.values()]);
  await check(url, { atRest: false });

  const [killed, stopped] = fleet;
  await oversleep(url, stopped);
  await takeover(url, killed, () => answering.delete(killed));
  const fresh = another(url);
  answering.set(fresh, await fresh.url);
  await handover(url, stopped, () => answering.delete(stopped));
  await check(url, { atRest: false });

  await load.stop();
  await load.finish();
  console.log(`   at rest after ${Math.round(await converged(url, load.client, TAKEOVER_MS))} ms`);
  const wrong = await broken((sql, given) => rowsOf(url, sql, given), load);
  for (const one of answering.keys()) await one.end('SIGTERM');
  if (wrong.length > 0) throw new Error(wrong.slice(0, 20).join('\n'));
  const { made, built } = load.ledger;
  console.log(`   ${made.size} deployments, ${built.size} built, ${load.domains().length} domains`);
}

function another(url) {
  return startUp([], { ...world.settings, RECONCILER_DATABASE_URL: url, RECONCILER_SIMULATED_LATENCY_MS: '200' });
}

/** Each process has done at least half of what an even share would be. */
async function fairShares(addresses) {
  const looks = await Promise.all(addresses.map(looksOf));
  const sum = looks.reduce((one, other) => one + other);
  console.log(`   looks: ${looks.join(', ')}`);
  const least = sum / addresses.length / 2;
  if (looks.some((one) => one < least)) throw new Error(`the work is not shared: ${looks.join(', ')} looks`);
}

async function looksOf(address) {
  const text = await (await fetch(`${address}/metrics`)).text();
  const counts = text.matchAll(/^controller_runtime_reconcile_total\{[^}]*\} (\d+)/gm);
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}

/**
 * Resolves to how many leases the process holds on something that is to be looked at; with `running`, those that have not
 * run out: a row keeps the name of its last holder until somebody else claims it.
 */
async function leasesOf(url, { pid }, running = false) {
  const sql = `SELECT count(*)::integer AS count FROM reconcile_status
    WHERE lease_holder = $1 AND due_at IS NOT NULL ${running ? 'AND lease_until > now()' : ''}`;
  return (await rowsOf(url, sql, [`${hostname()}/${pid}`]))[0].count;
}

/** Kills a process that holds leases, and waits until others hold them. */
async function takeover(url, victim, gone) {
  const held = await caught(url, victim);
  gone();
  await victim.end('SIGKILL');
  const tookMs = await until(async () => (await leasesOf(url, victim)) === 0, TAKEOVER_MS, 'its work is taken over');
  console.log(`   killed with ${held} lease(s); taken over after ${Math.round(tookMs)} ms`);
  await check(url, { atRest: false });
}

/** Lets a process sleep until others have its leases; what it does when it wakes up must have no effect. */
async function oversleep(url, sleeper) {
  const held = await caught(url, sleeper);
  const tookMs = await until(async () => (await leasesOf(url, sleeper)) === 0, TAKEOVER_MS, 'its work is taken over');
  sleeper.child.kill('SIGCONT');
  await sleep(2_000);
  console.log(`   slept with ${held} lease(s) for ${Math.round(tookMs)} ms, and woke up`);
  await check(url, { atRest: false });
}

/** Stops a process in its tracks while it holds leases; resolves to how many. */
async function caught(url, victim) {
  let held = 0;
  const holding = async () => {
    victim.child.kill('SIGSTOP');
    held = await leasesOf(url, victim);
    if (held === 0) victim.child.kill('SIGCONT');
    return held > 0;
  };
  await until(holding, TAKEOVER_MS, 'the process holds a lease');
  return held;
}

/** Tells a process to stop: it hands back what it holds. */
async function handover(url, victim, gone) {
  gone();
  const tookMs = await victim.end('SIGTERM');
  const [how, left] = [await victim.ended, await leasesOf(url, victim, true)];
  console.log(`   stopped within ${Math.round(tookMs)} ms (${how}), with ${left} lease(s) left behind`);
  if (how !== 0 || left > 0 || tookMs > STOPS_MS) throw new Error(`it did not stop cleanly:\n${victim.said()}`);
}
