import { join } from 'node:path';
import { startRabbitmq } from '@homeostat/platform';
import type { Changes, Start, Times } from './events/service';
import type { Benchmark, Measured, Settings } from './harness/benchmark';
import { rabbitmq } from './harness/needs';
import { quantile } from './harness/statistics';
import { type Child, openChild } from './house/child';
import { stoppable } from './house/cleanup';
import { ready } from './house/fleet';
import { openDatabase, quiet } from './house/house';
import { until } from './house/until';

const RATES = [10, 100, 1_000];
const BARS: Readonly<Record<number, { readonly median: number; readonly p99: number }>> = {
  100: { median: 15, p99: 60 },
};
const WARM_UP_S = 3;
const PROJECTS = 1_000;
/** The outbox keeps no more in memory; what is beyond would wait for the relay. */
const FLOOD = 10_000;
const FLOODS = 3;
const WITHIN_MS = 30_000;

const median = (rate: number): string => `${rate} a second: from the change to the handler, median`;
const p99 = (rate: number): string => `${rate} a second: from the change to the handler, 99th percentile`;

/** How soon another process hears of a change, and what the outbox costs beside a client that keeps nothing. */
export const events: Benchmark = {
  name: 'events',
  about: `seconds at each rate: rows changed in one process, each in a transaction of its own, handlers in another, RabbitMQ in between, after ${WARM_UP_S} s that are not counted; from the start of the transaction to the start of the handler. Then ${FLOODS} × ${FLOOD} events until the broker has confirmed them: by the outbox, and by amqplib alone, all in flight at once, as its documentation and RabbitMQ's advise for speed`,
  count: 30,
  smoke: 1,
  needs: [rabbitmq],
  settings: {},
  figures: () => [
    ...RATES.flatMap((rate) => [
      { name: median(rate), unit: 'ms', bar: BARS[rate]?.median },
      { name: p99(rate), unit: 'ms', bar: BARS[rate]?.p99 },
    ]),
    { name: 'the outbox: events per second', unit: '/s' },
    { name: 'amqplib alone, with confirms: events per second', unit: '/s' },
    { name: 'the outbox, of amqplib alone', unit: '×' },
  ],
  run,
};

async function run({ count, smoke, set, progress }: Settings): Promise<Measured> {
  const pair = await opened(set);
  try {
    await changed(pair, { count: (smoke ? 1 : WARM_UP_S) * 100, perSecond: 100 });
    const measured: Record<string, number> = {};
    for (const perSecond of RATES) {
      progress(`${perSecond} a second`);
      const waits = await changed(pair, { count: count * perSecond, perSecond });
      Object.assign(measured, { [median(perSecond)]: quantile(waits, 0.5), [p99(perSecond)]: quantile(waits, 0.99) });
    }
    return { ...measured, ...(await flooded(pair, smoke ? 200 : FLOOD, progress)) };
  } finally {
    await pair.stop();
  }
}

interface Pair {
  readonly author: Child;
  readonly reader: Child;
  readonly brokerUrl: string;
  readonly projects: readonly string[];
}

function opened(set: Settings['set']): Promise<Pair & { stop(): Promise<void> }> {
  return stoppable(async (undo) => {
    const { folder, database } = await openDatabase(undo);
    const broker = await startRabbitmq({ dataDir: join(folder, 'broker') });
    undo.push(broker.stop);
    const settings = {
      ...quiet,
      ...{ RECONCILER_DATABASE_URL: database.url, RECONCILER_AMQP_URL: broker.url, ...set },
    };
    const half = async (role: Start['role']): Promise<Child> => {
      const child = openChild(join(__dirname, 'events/service.js'));
      undo.push(child.stop);
      await ready({ name: role, url: await child.order<string>('serve', { role, settings } satisfies Start) });
      return child;
    };
    const rows = await database.query<{ id: string }>(
      `INSERT INTO project (id, tenant_id, name) SELECT gen_random_uuid(), 'default', n FROM generate_series(1, $1::integer) AS n RETURNING id`,
      [PROJECTS],
    );
    const projects = rows.map(({ id }) => id);
    return { reader: await half('reader'), author: await half('author'), brokerUrl: broker.url, projects };
  });
}

/** The ms from each change to its handler, one clock for both processes. */
async function changed({ author, reader, projects }: Pair, what: Omit<Changes, 'projects'>): Promise<number[]> {
  await reader.order('forget');
  const began = await author.order<Times>('change', { ...what, projects } satisfies Changes);
  await until('all is heard', WITHIN_MS, async () => (await reader.order<number>('count')) >= what.count);
  const heard = new Map(await reader.order<Times>('heard'));
  return began.map(([id, beganMs]) => heard.get(id)! - beganMs);
}

/** In turns, so that both find the same machine. */
async function flooded(
  { author, reader, brokerUrl }: Pair,
  count: number,
  progress: Settings['progress'],
): Promise<Measured> {
  await reader.order('forget');
  let [outboxS, bareS] = [0, 0];
  for (let n = 1; n <= FLOODS; n += 1) {
    progress(`flood ${n} of ${FLOODS}`);
    outboxS += await author.order<number>('flood', count);
    await until('all is heard', WITHIN_MS, async () => (await reader.order<number>('count')) >= (2 * n - 1) * count);
    bareS += await author.order<number>('bare', { brokerUrl, count });
    await until('all is heard', WITHIN_MS, async () => (await reader.order<number>('count')) >= 2 * n * count);
  }
  const all = FLOODS * count;
  return {
    'the outbox: events per second': all / outboxS,
    'amqplib alone, with confirms: events per second': all / bareS,
    'the outbox, of amqplib alone': bareS / outboxS,
  };
}
