import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Benchmark, Measured, Settings } from './harness/benchmark';
import { median } from './harness/statistics';
import { stoppable } from './house/cleanup';
import { openDatabase } from './house/house';
import { type Database, askOnce } from './house/postgres';
import { bullmq } from './looks/bullmq';
import { CONNECTIONS, type Contender, type Opened } from './looks/contender';
import * as graphile from './looks/graphile-worker';
import * as ours from './looks/homeostat';
import * as boss from './looks/pg-boss';

const singles = [ours.oneByOne, graphile.oneByOne, bullmq, boss.oneByOne];
const batches = [ours.batched, graphile.batched, boss.batched];
/** So many are timed, or what is done within `LONGEST_MS`; the others wait behind them. */
const TIMED = 10_000;
const LONGEST_MS = 20_000;
/** That many are done before, or what `WARM_UP_MS` is enough for: code is cold at first. */
const WARM_UP = 10_000;
const WARM_UP_MS = 5_000;
/** Jobs of those that are timed one at a time. */
const LIGHT = 50;
const LIGHT_PAUSE_MS = 20;

const rate = ({ name }: Contender): string => `${name}: looks per second`;
const delay = ({ name }: Contender): string => `${name}: from asked for to done, median`;

/** Claims and records of work that does nothing, beside what others would take for it, all in one run on one server. */
export const looks: Benchmark = {
  name: 'looks',
  about: `due looks and jobs with nothing to do, in one process with ${CONNECTIONS} connections: ${[
    ...singles,
    ...batches,
  ]
    .map(({ name, settings }) => `${name} (${settings})`)
    .join('; ')}`,
  count: TIMED,
  smoke: 200,
  sizes: [1_000, 100_000, 1_000_000],
  across: {
    figures: [{ name: 'batched, with the most due to the fewest', unit: '×', atLeast: 0.9 }],
    measure(bySize) {
      const [fewest, most] = [Math.min, Math.max].map(
        (pick) => bySize.get(pick(...bySize.keys()))![rate(ours.batched)]!,
      );
      return { 'batched, with the most due to the fewest': most! / fewest! };
    },
  },
  settings: {},
  figures: (count) => [
    { name: 'one by one, ours to the best of the others', unit: '×', atLeast: 1.5 },
    { name: 'batched, ours to the best of the others', unit: '×', atLeast: 1 },
    { name: rate(ours.oneByOne), unit: '/s', atLeast: 2_500 },
    ...singles.slice(1).map((one) => ({ name: rate(one), unit: '/s' })),
    { name: rate(ours.batched), unit: '/s', atLeast: 10_000 },
    ...batches.slice(1).map((one) => ({ name: rate(one), unit: '/s' })),
    ...(count > TIMED ? [] : [...singles, ...batches].map((one) => ({ name: delay(one), unit: 'ms' }))),
  ],
  run,
};

async function run({ count, smoke, progress }: Settings): Promise<Measured> {
  const server = await stoppable(openDatabase);
  try {
    const measured: Record<string, number> = {};
    for (const one of [...singles, ...batches]) {
      progress(one.name);
      Object.assign(measured, await timed(one, { count, smoke, server: server.database }));
    }
    const best = (some: readonly Contender[]): number => Math.max(...some.map((one) => measured[rate(one)]!));
    return {
      'one by one, ours to the best of the others': measured[rate(ours.oneByOne)]! / best(singles.slice(1)),
      'batched, ours to the best of the others': measured[rate(ours.batched)]! / best(batches.slice(1)),
      ...measured,
    };
  } finally {
    await server.stop();
  }
}

/** In a database of its own, because what is not drained stays; and so does what was done, with some. */
async function timed(
  one: Contender,
  { count, smoke, server }: { readonly count: number; readonly smoke: boolean; readonly server: Database },
): Promise<Measured> {
  if (!smoke) {
    const url = await emptyDatabase(server);
    await withQueue(one, { count: WARM_UP, url, longestMs: WARM_UP_MS }, async () => {});
  }
  const measured: Record<string, number> = {};
  const url = await emptyDatabase(server);
  await withQueue(one, { count, url, longestMs: LONGEST_MS }, async (perSecond, lightly) => {
    measured[rate(one)] = perSecond;
    if (count <= TIMED) measured[delay(one)] = await lightly(smoke ? 2 : LIGHT);
  });
  return measured;
}

async function emptyDatabase(server: Database): Promise<string> {
  const name = `queue_${randomUUID().replaceAll('-', '')}`;
  await server.query(`CREATE DATABASE ${name}`);
  const url = new URL(server.url);
  url.pathname = name;
  return url.href;
}

/** Fills a queue while it stands still, has it drained as far as it is timed, and then hands over how many that were per second. */
async function withQueue(
  one: Contender,
  { count, url, longestMs }: { readonly count: number; readonly url: string; readonly longestMs: number },
  then: (perSecond: number, lightly: (jobs: number) => Promise<number>) => Promise<void>,
): Promise<void> {
  const queue = await one.open(url);
  try {
    await queue.fill(count);
    await askOnce(url, 'VACUUM ANALYZE');
    await askOnce(url, 'CHECKPOINT');
    let hear: (id: string | null) => void = () => {};
    const startedMs = performance.now();
    let done = 0;
    await new Promise<void>((resolve, reject) => {
      hear = () => (done += 1) === Math.min(count, TIMED) && resolve();
      queue.start((id) => hear(id)).catch(reject);
      setTimeout(resolve, longestMs).unref();
    });
    const seconds = (performance.now() - startedMs) / 1_000;
    await then(done / seconds, (jobs) => lightly(queue, jobs, (listener) => (hear = listener)));
  } finally {
    await queue.close();
  }
}

/** The median of the ms from asking for one job to its being done, with nothing else to do. */
async function lightly(
  queue: Opened,
  jobs: number,
  listen: (listener: (id: string | null) => void) => void,
): Promise<number> {
  const heardMs = new Map<string | null, number>();
  listen((id) => heardMs.set(id, performance.now()));
  const waits: number[] = [];
  for (let n = 0; n < jobs; n += 1) {
    await pause(LIGHT_PAUSE_MS);
    const askedMs = performance.now();
    const id = await queue.add();
    while (!heardMs.has(id)) await pause(1);
    waits.push(heardMs.get(id)! - askedMs);
  }
  return median(waits);
}
