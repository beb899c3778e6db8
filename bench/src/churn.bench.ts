import { setTimeout as pause } from 'node:timers/promises';
import { orderOf } from './deployments.bench';
import { blocksRead, fixedWork, latency, sizes } from './churn/asked';
import type { Benchmark, Measured, Settings } from './harness/benchmark';
import { median } from './harness/statistics';
import type { DeployOrder } from './house/hands.events';
import { type House, openHouse } from './house/house';

const PER_SECOND = 20;
const ENVIRONMENTS = 200;
const SAMPLE_S = 10;
/** Until tables, caches and heap have come to their size. */
const WARM_UP_MIN = 5;

const DEAD = 'dead rows, of all';
const TABLES = 'bytes of tables per live row';
const INDEXES = 'bytes of indexes per live row';
const LATENCY = 'from created_at to ready_at, median';
const BESIDE = 'from created_at to ready_at, of a fixed piece of work beside it';
const BLOCKS = 'blocks that the server reads per deployment';
const MEMORY = 'memory of the process';
const lines = [
  { name: DEAD, unit: '%' },
  { name: TABLES, unit: 'B' },
  { name: INDEXES, unit: 'B' },
  { name: LATENCY, unit: 'ms' },
  { name: BLOCKS, unit: '' },
  { name: MEMORY, unit: 'MB' },
];
/** The machine is up to a third faster in one quarter of an hour than in the next: this one tells how much of a drift may be its own. */
const beside = { name: BESIDE, unit: '×' };
const drift = (name: string): string => `${name}: drift`;

/** Whether a house that is never at rest stays as it was after its first minutes. */
export const churn: Benchmark = {
  name: 'churn',
  about: `minutes of change: ${PER_SECOND} deployments a second, each superseding another, whose VM goes back to the pool; figures of the last five minutes, and their drift beside the five after the first ${WARM_UP_MIN}; of fewer than 15 minutes, thirds`,
  count: 30,
  smoke: 1,
  runs: 1,
  settings: { RECONCILER_VM_POOL_SIZE: '50', RECONCILER_DEPLOYMENT_GRACE_PERIOD: '2s' },
  figures: () => [
    ...lines.map(({ name }) => ({ name: drift(name), unit: '%', bar: 10 })),
    ...lines,
    { name: drift(BESIDE), unit: '%' },
    beside,
    { name: 'deployments made', unit: '' },
    { name: 'dead rows, of all, most', unit: '%' },
  ],
  run,
};

type Sample = Readonly<Record<string, number>> & { readonly minute: number };

async function run(settings: Settings): Promise<Measured> {
  const house = await openHouse({ settings: { ...churn.settings, ...settings.set }, profileDir: settings.profileDir });
  try {
    const minutes = settings.smoke ? 0.1 : settings.count;
    const ended = new AbortController();
    const load = changing(house, ended.signal);
    const samples = await sampled(house, minutes, settings).finally(() => ended.abort());
    const made = await load;
    return { ...figuresOf(samples, minutes), 'deployments made': made };
  } finally {
    await house.stop();
  }
}

/** One transaction a second, until told to stop; resolves to how many deployments that made. */
async function changing(house: House, ended: AbortSignal): Promise<number> {
  const order = await orderOf(house.database, ENVIRONMENTS);
  const startedMs = Date.now();
  for (let second = 0; ; second += 1) {
    await pause(Math.max(0, startedMs + second * 1_000 - Date.now()));
    if (ended.aborted) return second * PER_SECOND;
    const first = (second * PER_SECOND) % ENVIRONMENTS;
    const environments = order.environments.slice(first, first + PER_SECOND);
    await house.order('deploy', { ...order, environments } satisfies DeployOrder);
  }
}

async function sampled(house: House, minutes: number, { smoke, progress, plot }: Settings): Promise<Sample[]> {
  const everyS = smoke ? 1 : SAMPLE_S;
  const fixedMs = await fixedWork(house.database);
  const startedMs = Date.now();
  const samples: Sample[] = [];
  let readBefore = await blocksRead(house.database);
  while (Date.now() < startedMs + minutes * 60_000) {
    await pause(everyS * 1_000);
    const minute = (Date.now() - startedMs) / 60_000;
    progress(`${minute.toFixed(1)} of ${minutes.toFixed(1)} minutes`);
    const read = await blocksRead(house.database);
    const { ms, ready } = await latency(house.database, everyS);
    const { dead, tables, indexes } = await sizes(house.database);
    samples.push({
      minute,
      [DEAD]: dead,
      [TABLES]: tables,
      [INDEXES]: indexes,
      [LATENCY]: ms,
      [BESIDE]: ms / (await fixedMs()),
      [BLOCKS]: (read - readBefore) / ready,
      [MEMORY]: (await house.usage()).rssMb,
    });
    readBefore = await blocksRead(house.database);
    for (const { name, unit } of [...lines, beside]) plot(`${name} (${unit})`, minute, samples.at(-1)![name]!);
  }
  return samples;
}

function figuresOf(samples: readonly Sample[], minutes: number): Measured {
  const span = Math.min(WARM_UP_MIN, minutes / 3);
  const of = (name: string, from: number, until: number): number =>
    median(samples.filter(({ minute }) => minute > from && minute <= until).map((sample) => sample[name]!));
  const end = samples.at(-1)!.minute;
  const measured: Record<string, number> = {};
  for (const { name } of [...lines, beside]) {
    const early = of(name, span, 2 * span);
    measured[name] = of(name, end - span, end);
    measured[drift(name)] = 100 * (measured[name] / early - 1);
  }
  return { ...measured, 'dead rows, of all, most': Math.max(...samples.map((sample) => sample[DEAD]!)) };
}
