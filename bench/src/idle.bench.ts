import { setTimeout as pause } from 'node:timers/promises';
import type { Benchmark, Measured, Settings } from './harness/benchmark';
import { type House, openHouse } from './house/house';
import { settledWorld } from './house/world';

const QUIET_S = 20;
const WATCH_S = 60;

/** What it costs to run with nothing to do. */
export const idle: Benchmark = {
  name: 'idle',
  about: `settled resources (30 % domains, 30 % deployments, 30 % builds, 10 % VMs), and none: watched for ${WATCH_S} s after ${QUIET_S} s of quiet`,
  count: 100_000,
  smoke: 1_000,
  settings: { RECONCILER_VM_NETWORK: '10.76.0.0/15' },
  figures: (count) => {
    const original = count === 100_000 ? { statements: 120, cpu: 8 } : { statements: undefined, cpu: undefined };
    return [
      { name: 'SQL statements per minute', unit: '/min', bar: 60, original: original.statements },
      { name: 'the same with no resources', unit: '/min' },
      { name: 'CPU of the process', unit: '% of a core', bar: 0.5, original: original.cpu },
      { name: 'CPU of the process with no resources', unit: '% of a core' },
      { name: 'CPU of PostgreSQL', unit: '% of a core' },
      { name: 'CPU of PostgreSQL with no resources', unit: '% of a core' },
      { name: 'memory of the process', unit: 'MB', bar: 200 },
      { name: 'memory of the process with no resources', unit: 'MB' },
    ];
  },
  run,
};

async function run(settings: Settings): Promise<Measured> {
  const none = await watched(0, settings);
  const some = await watched(settings.count, settings);
  return {
    'SQL statements per minute': some.statements,
    'the same with no resources': none.statements,
    'CPU of the process': some.cpu,
    'CPU of the process with no resources': none.cpu,
    'CPU of PostgreSQL': some.postgresCpu,
    'CPU of PostgreSQL with no resources': none.postgresCpu,
    'memory of the process': some.rssMb,
    'memory of the process with no resources': none.rssMb,
  };
}

interface Watched {
  readonly statements: number;
  readonly cpu: number;
  readonly postgresCpu: number;
  readonly rssMb: number;
}

async function watched(count: number, { set, smoke, progress, profileDir }: Settings): Promise<Watched> {
  progress(`making ${count} settled resources`);
  const fill = count > 0 ? (database: House['database']) => settledWorld(database, count) : undefined;
  const [quietS, watchS] = smoke ? [1, 2] : [QUIET_S, WATCH_S];
  const house = await openHouse({ settings: { ...idle.settings, ...set }, fill, profileDir });
  try {
    await seconds(quietS, (left) => progress(`${count} resources: quiet, ${left} s left`));
    const counted = await house.database.countStatements();
    const before = await house.usage();
    await seconds(watchS, (left) => progress(`${count} resources: watched, ${left} s left`));
    const after = await house.usage();
    const statements = await counted();
    return {
      statements: (statements * 60) / watchS,
      cpu: share(after.cpuMs - before.cpuMs, watchS),
      postgresCpu: share((after.postgresCpuMs ?? NaN) - (before.postgresCpuMs ?? NaN), watchS),
      rssMb: after.rssMb,
    };
  } finally {
    await house.stop();
  }
}

function share(cpuMs: number, watchS: number): number {
  return (100 * cpuMs) / (watchS * 1_000);
}

async function seconds(count: number, each: (left: number) => void): Promise<void> {
  for (let left = count; left > 0; left -= 1) {
    each(left);
    await pause(1_000);
  }
}
