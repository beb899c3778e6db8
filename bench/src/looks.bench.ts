import { randomUUID } from 'node:crypto';
import type { Benchmark, Measured, Settings } from './harness/benchmark';
import { stoppable } from './house/cleanup';
import { openDatabase } from './house/house';
import type { Database } from './house/postgres';
import { bullmq } from './looks/bullmq';
import { CONNECTIONS, type Contender } from './looks/contender';
import { drained, lightly, withQueue } from './looks/drain';
import * as graphile from './looks/graphile-worker';
import * as ours from './looks/homeostat';
import * as boss from './looks/pg-boss';

const singles = [ours.oneByOne, graphile.oneByOne, bullmq, boss.oneByOne];
const batches = [ours.batched, graphile.batched, boss.batched];
/** So many are timed, in several rounds where fewer are due; or what is done within `LONGEST_MS`. The others wait behind them. */
const TIMED = 10_000;
/** Of those that take several at once. */
const TIMED_BATCHED = 50_000;
const LONGEST_MS = 20_000;
/** That many are done before, in another database, or what `WARM_UP_MS` is enough for: code is cold at first. */
const WARM_UP = 10_000;
const WARM_UP_MS = 5_000;
/** And as many in the same one, so that its connections are open and know their statements. */
const FIRST = 1_000;
/** Jobs of those that are timed one at a time. */
const LIGHT = 50;

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
    await withQueue(one, url, (queue) => drained(queue, { url, due: WARM_UP, most: WARM_UP, longestMs: WARM_UP_MS }));
  }
  const url = await emptyDatabase(server);
  const most = batches.includes(one) ? TIMED_BATCHED : TIMED;
  const rounds = smoke ? 1 : Math.ceil(TIMED / count);
  return withQueue(one, url, async (queue) => {
    if (!smoke) await drained(queue, { url, due: FIRST, most: FIRST, longestMs: LONGEST_MS });
    const sum = { done: 0, seconds: 0 };
    for (let round = 0; round < rounds; round += 1) {
      const { done, seconds } = await drained(queue, { url, due: count, most, longestMs: LONGEST_MS });
      sum.done += done;
      sum.seconds += seconds;
    }
    const perSecond = sum.done / sum.seconds;
    if (count > TIMED) return { [rate(one)]: perSecond };
    return { [rate(one)]: perSecond, [delay(one)]: await lightly(queue, smoke ? 2 : LIGHT) };
  });
}

async function emptyDatabase(server: Database): Promise<string> {
  const name = `queue_${randomUUID().replaceAll('-', '')}`;
  await server.query(`CREATE DATABASE ${name}`);
  const url = new URL(server.url);
  url.pathname = name;
  return url.href;
}
