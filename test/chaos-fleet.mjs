// Every fault that we can think of, on services as processes of their own over RabbitMQ, under load:
// `node test/chaos-fleet.mjs [--seeds 1] [--seed 1] [--fault <words of its name>]`
// A seed has a fleet of its own and goes through all faults in an order of its own. After each fault everything must come
// to rest within 15 s with all invariants intact, and a subscriber outside must have had every event that was committed.
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { prepare } from '../scripts/prepare.mjs';
import { broker } from './chaos/faults/broker.mjs';
import { clock } from './chaos/faults/clock.mjs';
import { database } from './chaos/faults/database.mjs';
import { events } from './chaos/faults/events.mjs';
import { network } from './chaos/faults/network.mjs';
import { processes } from './chaos/faults/processes.mjs';
import { versions } from './chaos/faults/versions.mjs';
import { Fleet } from './chaos/fleet.mjs';
import { converged } from './house/convergence.mjs';
import { dice } from './house/dice.mjs';
import { openWorld } from './house/world.mjs';
import { broken, startLoad } from './load/load.mjs';

const CONVERGES_MS = 15_000;
const CALM_MS = [500, 2_000];
const faults = { ...processes, ...broker, ...database, ...network, ...events, ...clock, ...versions };

const text = (fallback) => ({ type: 'string', default: fallback });
const { values } = parseArgs({ options: { seeds: text('1'), seed: text('1'), fault: text('') } });
const names = Object.keys(faults).filter((name) => name.includes(values.fault));
const first = Number(values.seed);
const seeds = Array.from({ length: Number(values.seeds) }, (_, at) => first + at);

await prepare('apps/homeostat');
const world = await openWorld();
const startedMs = performance.now();
const rounds = [];
const failed = [];
for (const seed of seeds) await life(seed);
report();
process.exit(failed.length === 0 ? 0 : 1);

/** A fleet from its start to its end, with all faults in between. */
async function life(seed) {
  const chance = dice(seed);
  const fleet = new Fleet(seed, { ...world.settings, RECONCILER_SIMULATED_LATENCY_MS: '50' });
  let last = 'the start';
  try {
    await fleet.up();
    const load = await startLoad({ urls: (path) => fleet.urlsFor(path), seed, world });
    for (const name of shuffled(names, chance)) {
      last = name;
      await round({ seed, name, fleet, load, chance });
    }
    const wrong = await broken((sql, given) => fleet.rows(sql, given), load);
    if (wrong.length > 0) throw new Error(wrong.slice(0, 20).join('\n'));
  } catch (error) {
    failed.push({ seed, last });
    console.log(`FAILED with seed ${seed}, at "${last}": ${error.stack}\n${fleet.said()}`);
  } finally {
    await fleet.down();
  }
}

async function round({ seed, name, fleet, load, chance }) {
  load.go();
  await sleep(chance.between(...CALM_MS));
  const found = (await faults[name](fleet, chance)) ?? {};
  if (found.skipped) return console.log(`${seed} ${name}: SKIPPED, ${found.skipped}`);
  const overMs = performance.now();
  await fleet.check();
  await Promise.all([load.stop().then(() => load.finish()), fleet.ready()]);
  await converged(fleet.database.url, load.client, CONVERGES_MS - (performance.now() - overMs));
  const tookMs = performance.now() - overMs;
  if (load.surprises().length > 0) throw new Error(load.surprises().join('\n'));
  const missing = await fleet.subscriber.missing(fleet.database.url, CONVERGES_MS);
  if (missing.length > 0)
    throw new Error(`${missing.length} event(s) never came, such as ${JSON.stringify(missing[0])}`);
  rounds.push({ name, tookMs, ...found });
  const so = `${load.ledger.made.size} deployments, ${fleet.subscriber.seen.size} events`;
  console.log(`${seed} ${name}: at rest after ${Math.round(tookMs)} ms; ${so}`);
}

function shuffled(list, chance) {
  return list
    .map((item) => ({ item, at: chance.between(0, 1e9) }))
    .sort((one, other) => one.at - other.at)
    .map(({ item }) => item);
}

function report() {
  const table = new Table({
    head: ['fault', 'times', 'median ms', 'worst ms', 'beside'],
    style: { head: [], border: [] },
  });
  for (const name of names) {
    const of = rounds.filter((one) => one.name === name);
    const times = of.map(({ tookMs }) => tookMs).sort((one, other) => one - other);
    if (times.length === 0) continue;
    table.push([name, times.length, Math.round(times[times.length >> 1]), Math.round(times.at(-1)), beside(of)]);
  }
  const seconds = Math.round((performance.now() - startedMs) / 1000);
  console.log(`${table}\n${rounds.length} faults in ${seconds} s; from a fault's end to rest`);
  console.log(
    failed.length === 0
      ? 'passed'
      : `FAILED: ${failed.map(({ seed, last }) => `seed ${seed} at "${last}"`).join(', ')}`,
  );
}

/** The worst of what a fault measured itself. */
function beside(of) {
  const worst = (key) => Math.round(Math.max(...of.map((one) => one[key] ?? 0)));
  const told = { takeoverMs: 'taken over after', stopMs: 'stopped after' };
  return Object.entries(told)
    .filter(([key]) => worst(key) > 0)
    .map(([key, words]) => `${words} ${worst(key)} ms at most`)
    .join(', ');
}
