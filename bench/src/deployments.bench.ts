import type { Benchmark, Measured, Settings } from './harness/benchmark';
import type { DeployOrder } from './house/hands.events';
import { type House, type Spent, openHouse } from './house/house';
import type { Database } from './house/postgres';
import { type ServerWork, costliest, workOf } from './house/server-work';
import { until } from './house/until';

const POOL_SIZE = 500;
const WITHIN_MS = 600_000;
const READY = 'until all are ready';

/** A pool that is full at the start, room for 100 000 VMs, and a provider that never keeps anybody waiting. */
export const instant = {
  RECONCILER_VM_POOL_SIZE: String(POOL_SIZE),
  RECONCILER_VM_NETWORK: '10.64.0.0/12',
  RECONCILER_SIMULATED_LATENCY_MS: '0',
};

/** Many deployments at once, from `queued` to `ready`. */
export const deployments: Benchmark = {
  name: 'deployments',
  about:
    'deployments inserted by one transaction, one per environment: from its commit until all are ready, with the pool full at the start',
  count: 10_000,
  smoke: 100,
  sizes: [10_000, 100_000],
  across: {
    figures: [{ name: 'seconds per deployment, most to fewest', unit: '×', bar: 1.2 }],
    measure: (bySize) => {
      const each = [...bySize].map(([count, measured]) => ({ count, seconds: measured[READY]! / count }));
      const [fewest, most] = each.toSorted((one, other) => one.count - other.count);
      return { 'seconds per deployment, most to fewest': most!.seconds / fewest!.seconds };
    },
  },
  settings: instant,
  figures: (count) => [
    { name: READY, unit: 's', ...held(count) },
    { name: 'deployments per second', unit: '/s' },
    { name: 'until the last build is ready', unit: 's' },
    { name: 'CPU of the process', unit: 's' },
    { name: 'CPU of PostgreSQL', unit: 's' },
    { name: 'SQL statements, without BEGIN and COMMIT', unit: '' },
    { name: 'transactions', unit: '' },
    { name: 'WAL written', unit: 'MB' },
    { name: 'peak memory of the process', unit: 'MB' },
  ],
  run,
};

/** The original was measured with these numbers of deployments, at its best settings. */
function held(count: number): { bar?: number; original?: number } {
  if (count === 10_000) return { bar: 8, original: 31 };
  return count === 1_000 ? { original: 2 } : {};
}

async function run({ count, set, profileDir, progress, say }: Settings): Promise<Measured> {
  const house = await openHouse({ settings: { ...deployments.settings, ...set }, profileDir });
  const { database } = house;
  try {
    await poolIsFull(database, progress);
    const order = await orderOf(database, count);
    const before = await meters(house);
    const beganMs = await house.order<number>('deploy', order);
    await allReady(database, beganMs, progress);
    const seconds = (Date.now() - beganMs) / 1_000;
    const after = await meters(house);
    await check(database, count);
    if (profileDir) for (const line of await costliest(database)) say(line);
    return {
      [READY]: seconds,
      'deployments per second': count / seconds,
      'until the last build is ready': (await lastBuildMs(database)) / 1_000 - beganMs / 1_000,
      ...spent(before, after),
    };
  } finally {
    await house.stop();
  }
}

/** Waits until there are VMs for the first ones. */
export async function poolIsFull({ query }: Database, progress: Settings['progress']): Promise<void> {
  progress('filling the pool');
  await until('the pool is full', WITHIN_MS, async () => {
    const [row] = await query<{ full: boolean }>(
      `SELECT count(*) = $1 AND NOT EXISTS (SELECT FROM reconcile_status WHERE due_at < now()) AS full FROM vm WHERE status = 'pooling'`,
      [POOL_SIZE],
    );
    return row!.full;
  });
}

/** Makes a project with so many environments. */
export async function orderOf({ query }: Database, count: number): Promise<DeployOrder> {
  const [project] = await query<{ id: string }>(
    `INSERT INTO project (id, tenant_id, name) VALUES (gen_random_uuid(), 'default', 'bench') RETURNING id`,
  );
  const environments = await query<{ id: string }>(
    `INSERT INTO environment (id, tenant_id, project_id, name)
     SELECT gen_random_uuid(), 'default', $1, n FROM generate_series(1, $2) AS n RETURNING id`,
    [project!.id, count],
  );
  await query('CHECKPOINT');
  return { projectId: project!.id, environments: environments.map(({ id }) => id) };
}

/**
 * The questions should not be what is measured: while some wait the first of them is found soon, and the rest is told twice a
 * second, or as rarely as it takes to be a thirtieth of the time.
 */
export async function allReady({ query }: Database, beganMs: number, progress: Settings['progress']): Promise<void> {
  let [toldMs, restMs] = [0, 0];
  await until('all deployments are ready', WITHIN_MS, async () => {
    if (Date.now() - toldMs > restMs) {
      toldMs = Date.now();
      const rows = await query<{ state: string; count: string }>(
        'SELECT coalesce(phase, status) AS state, count(*) FROM deployment GROUP BY 1 ORDER BY 1',
      );
      restMs = Math.max(500, 30 * (Date.now() - toldMs));
      progress(
        `${((toldMs - beganMs) / 1_000).toFixed(1)} s: ${rows.map(({ state, count }) => `${state} ${count}`).join(', ')}`,
      );
    }
    const [row] = await query<{ some: boolean }>(
      `SELECT EXISTS (SELECT FROM deployment WHERE status <> 'ready') AS some`,
    );
    return !row!.some;
  });
}

type Meters = Spent & ServerWork;

async function meters(house: House): Promise<Meters> {
  return { ...(await workOf(house.database)), ...(await house.usage()) };
}

function spent(before: Meters, after: Meters): Measured {
  return {
    'CPU of the process': (after.cpuMs - before.cpuMs) / 1_000,
    'CPU of PostgreSQL': ((after.postgresCpuMs ?? NaN) - (before.postgresCpuMs ?? NaN)) / 1_000,
    'SQL statements, without BEGIN and COMMIT': after.statements - before.statements,
    transactions: after.transactions - before.transactions,
    'WAL written': after.walMb - before.walMb,
    'peak memory of the process': after.peakRssMb,
  };
}

/** Speed is worth nothing when the result is wrong. */
export async function check({ query }: Database, count: number): Promise<void> {
  const [row] = await query<Record<string, number>>(
    `SELECT (SELECT count(*) FROM deployment d JOIN build b ON b.id = d.build_id AND b.deployment_id = d.id
         JOIN image i ON i.id = d.image_id AND i.build_id = b.id JOIN vm_claim c ON c.deployment_id = d.id AND c.vm_id = d.vm_id
         JOIN vm v ON v.id = d.vm_id AND v.claim_id = c.id WHERE d.status = 'ready' AND b.status = 'ready')::integer AS whole,
       (SELECT count(*) FROM build)::integer AS builds,
       (SELECT count(DISTINCT vm_id) FROM vm_claim)::integer AS "claimed VMs",
       (SELECT count(DISTINCT private_ip) FROM vm WHERE claim_id IS NOT NULL)::integer AS addresses`,
  );
  for (const [what, found] of Object.entries(row!)) {
    if (found !== count) throw new Error(`${what}: ${found}, and should be ${count}`);
  }
}

async function lastBuildMs({ query }: Database): Promise<number> {
  const [row] = await query<{ ms: number }>(
    'SELECT extract(epoch FROM max(finished_at))::float8 * 1000 AS ms FROM build',
  );
  return row!.ms;
}
