import { setTimeout as pause } from 'node:timers/promises';
import type { Benchmark, Measured, Settings } from './harness/benchmark';
import { median, quantile } from './harness/statistics';
import { type House, openHouse } from './house/house';
import type { Database } from './house/postgres';
import { WORLD_NETWORK, settledWorld } from './house/world';
import { deployed, post } from './one.bench';

const QUIET_S = 20;
const WATCH_S = 60;
const CHANGES = 30;
/** What was read, once the server has said so: an idle connection tells it within so long. */
const STATISTICS_S = 11;

const STATEMENTS = 'SQL statements per minute';
const ROWS = 'rows read per minute';
const LOOKED = 'one change, from created_at to its first look, median';

/** What it costs to run with nothing to do, and how soon a change is looked at among all that rests. */
export const idle: Benchmark = {
  name: 'idle',
  about: `settled resources (30 % domains, 30 % deployments, 30 % builds, 10 % VMs), watched for ${WATCH_S} s after ${QUIET_S} s of quiet; then ${CHANGES} deployments, one at a time`,
  count: 100_000,
  smoke: 1_000,
  runs: 3,
  sizes: [1_000, 100_000, 1_000_000],
  settings: { RECONCILER_VM_NETWORK: WORLD_NETWORK },
  across: {
    figures: [
      { name: 'statements per minute, most to fewest resources', unit: '×', bar: 1.1 },
      { name: 'rows read per minute, most to fewest resources', unit: '×', bar: 1.1 },
      { name: 'one change, most to fewest resources', unit: '×' },
    ],
    measure: (bySize) => {
      const [fewest, most] = [bySize.get(Math.min(...bySize.keys()))!, bySize.get(Math.max(...bySize.keys()))!];
      return {
        'statements per minute, most to fewest resources': most[STATEMENTS]! / fewest[STATEMENTS]!,
        'rows read per minute, most to fewest resources': most[ROWS]! / fewest[ROWS]!,
        'one change, most to fewest resources': most[LOOKED]! / fewest[LOOKED]!,
      };
    },
  },
  figures: (count) => {
    const original = count === 100_000 ? { statements: 120, cpu: 8 } : { statements: undefined, cpu: undefined };
    return [
      { name: STATEMENTS, unit: '/min', bar: 60, original: original.statements },
      { name: ROWS, unit: '/min' },
      { name: 'CPU of the process', unit: '% of a core', bar: 0.5, original: original.cpu },
      { name: 'CPU of PostgreSQL', unit: '% of a core' },
      { name: 'memory of the process', unit: 'MB', bar: 200 },
      { name: LOOKED, unit: 'ms', bar: 15 },
      { name: 'one change, from created_at to its first look, 99th percentile', unit: 'ms' },
    ];
  },
  run,
};

async function run({ count, set, smoke, progress, profileDir }: Settings): Promise<Measured> {
  progress(`making ${count} settled resources`);
  const fill = (database: Database): Promise<void> => settledWorld(database, count);
  const house = await openHouse({ settings: { ...idle.settings, ...set }, fill, profileDir });
  try {
    const [quietS, watchS] = smoke ? [1, 2] : [QUIET_S, WATCH_S];
    await seconds(quietS, (left) => progress(`quiet, ${left} s left`));
    const watched = await watch(house, watchS, smoke ? 0 : STATISTICS_S, progress);
    const waits = await changes(house, smoke ? 2 : CHANGES, progress);
    return {
      ...watched,
      [LOOKED]: median(waits),
      'one change, from created_at to its first look, 99th percentile': quantile(waits, 0.99),
    };
  } finally {
    await house.stop();
  }
}

/** Both readings of the rows come as late, so that as much is missing in each. */
async function watch(
  house: House,
  watchS: number,
  statisticsS: number,
  progress: Settings['progress'],
): Promise<Measured> {
  const rows = rowsRead(house.database, statisticsS);
  const counted = await house.database.countStatements();
  const before = await house.usage();
  await seconds(watchS, (left) => progress(`watched, ${left} s left`));
  const after = await house.usage();
  const statements = await counted();
  const read = (await rowsRead(house.database, statisticsS)) - (await rows);
  const share = (ms: number): number => (100 * ms) / (watchS * 1_000);
  return {
    [STATEMENTS]: (statements * 60) / watchS,
    [ROWS]: (read * 60) / watchS,
    'CPU of the process': share(after.cpuMs - before.cpuMs),
    'CPU of PostgreSQL': share((after.postgresCpuMs ?? NaN) - (before.postgresCpuMs ?? NaN)),
    'memory of the process': after.rssMb,
  };
}

/** From tables and from indexes, by everybody; the bench itself asks for none of ours meanwhile. */
async function rowsRead({ query }: Database, afterS: number): Promise<number> {
  await pause(afterS * 1_000);
  await query('SELECT pg_stat_clear_snapshot()');
  const [row] = await query<{ rows: number }>(
    `SELECT (SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) FROM pg_stat_user_tables)::float8
       + (SELECT coalesce(sum(idx_tup_read), 0) FROM pg_stat_user_indexes)::float8 AS rows`,
  );
  return row!.rows;
}

/** The first one finds cold code, and is not counted. */
async function changes(house: House, count: number, progress: Settings['progress']): Promise<number[]> {
  const { id } = await post(house, 'projects', { name: 'bench' });
  const waits: number[] = [];
  for (let n = 0; n <= count; n += 1) {
    progress(`change ${n} of ${count}`);
    waits.push((await deployed(house, id, n)).lookMs);
  }
  return waits.slice(1);
}

async function seconds(count: number, each: (left: number) => void): Promise<void> {
  for (let left = count; left > 0; left -= 1) {
    each(left);
    await pause(1_000);
  }
}
