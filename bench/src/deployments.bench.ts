import { setTimeout as pause } from 'node:timers/promises';
import type { Benchmark, Measured, Settings } from './harness/benchmark';
import type { DeployOrder } from './house/hands.events';
import { type House, type Spent, openHouse } from './house/house';
import type { Database } from './house/postgres';

const POOL_SIZE = 500;
const WITHIN_MS = 300_000;

/** Many deployments at once, from `queued` to `ready`. */
export const deployments: Benchmark = {
  name: 'deployments',
  about: 'deployments inserted by one transaction, one per environment; time from its commit until all are ready',
  count: 10_000,
  settings: {
    RECONCILER_VM_POOL_SIZE: String(POOL_SIZE),
    RECONCILER_VM_NETWORK: '10.76.0.0/15',
    RECONCILER_SIMULATED_LATENCY_MS: '0',
  },
  figures: (count) => [
    { name: 'until all are ready', unit: 's', ...held(count) },
    { name: 'deployments per second', unit: '/s' },
    { name: 'until the last build is ready', unit: 's' },
    { name: 'CPU of the process', unit: 's' },
    { name: 'CPU of PostgreSQL', unit: 's' },
    { name: 'SQL statements', unit: '' },
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
  try {
    await warm(house.database, progress);
    const order = { projectId: await project(house.database), environments: [] as string[] };
    order.environments = await environments(house.database, order.projectId, count);
    const before = await meters(house);
    const measured = await timed(house, order, progress);
    const after = await meters(house);
    await check(house.database, count);
    if (profileDir) for (const line of await costliest(house.database)) say(line);
    return { ...measured, ...spent(before, after) };
  } finally {
    await house.stop();
  }
}

async function warm({ query }: Database, progress: Settings['progress']): Promise<void> {
  progress('filling the pool');
  await until(async () => {
    const [row] = await query<{ count: number }>(`SELECT count(*)::integer AS count FROM vm WHERE status = 'pooling'`);
    return row!.count === POOL_SIZE;
  });
}

async function project({ query }: Database): Promise<string> {
  const [row] = await query<{ id: string }>(
    `INSERT INTO project (id, tenant_id, name) VALUES (gen_random_uuid(), 'default', 'bench') RETURNING id`,
  );
  return row!.id;
}

async function environments({ query }: Database, projectId: string, count: number): Promise<string[]> {
  const rows = await query<{ id: string }>(
    `INSERT INTO environment (id, tenant_id, project_id, name)
     SELECT gen_random_uuid(), 'default', $1, n FROM generate_series(1, $2) AS n RETURNING id`,
    [projectId, count],
  );
  await query('CHECKPOINT');
  return rows.map(({ id }) => id);
}

async function timed(house: House, order: DeployOrder, progress: Settings['progress']): Promise<Measured> {
  const count = order.environments.length;
  progress('inserting');
  const beganMs = await house.order<number>('deploy', order);
  let builtMs = 0;
  await until(async () => {
    const [at] = await house.database.query<Record<'queued' | 'waiting_for_build' | 'waiting_for_vm' | 'ready', number>>(stand);
    const sinceMs = Date.now() - beganMs;
    if (builtMs === 0 && at!.queued + at!.waiting_for_build === 0) builtMs = sinceMs;
    progress(`${(sinceMs / 1_000).toFixed(1)} s  ${Object.entries(at!).map(([name, n]) => `${name} ${n}`).join(', ')}`);
    return at!.ready === count;
  });
  const seconds = (Date.now() - beganMs) / 1_000;
  return { 'until all are ready': seconds, 'deployments per second': count / seconds, 'until the last build is ready': builtMs / 1_000 };
}

const stand = `
  SELECT count(*) FILTER (WHERE status = 'queued')::integer AS queued,
    count(*) FILTER (WHERE phase = 'waiting_for_build')::integer AS waiting_for_build,
    count(*) FILTER (WHERE phase = 'waiting_for_vm')::integer AS waiting_for_vm,
    count(*) FILTER (WHERE status = 'ready')::integer AS ready
  FROM deployment`;

/** Ten questions a second cost some three hundredths of a core, which the figure bears. */
const POLL_MS = 100;

async function until(reached: () => Promise<boolean>): Promise<void> {
  for (const endMs = Date.now() + WITHIN_MS; !(await reached()); await pause(POLL_MS)) {
    if (Date.now() > endMs) throw new Error(`not done within ${WITHIN_MS / 1_000} s`);
  }
}

interface Meters extends Spent {
  readonly statements: number;
  readonly transactions: number;
  readonly walMb: number;
}

async function meters(house: House): Promise<Meters> {
  await house.database.query('SELECT pg_stat_clear_snapshot()');
  const [row] = await house.database.query<Omit<Meters, keyof Spent>>(
    `SELECT (SELECT coalesce(sum(calls), 0)::float8 FROM pg_stat_statements WHERE userid <> 'homeostat'::regrole) AS statements,
       (SELECT (xact_commit + xact_rollback)::float8 FROM pg_stat_database WHERE datname = current_database()) AS transactions,
       pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8 / 2 ^ 20 AS "walMb"`,
  );
  return { ...row!, ...(await house.usage()) };
}

function spent(before: Meters, after: Meters): Measured {
  return {
    'CPU of the process': (after.cpuMs - before.cpuMs) / 1_000,
    'CPU of PostgreSQL': ((after.postgresCpuMs ?? NaN) - (before.postgresCpuMs ?? NaN)) / 1_000,
    'SQL statements': after.statements - before.statements,
    transactions: after.transactions - before.transactions,
    'WAL written': after.walMb - before.walMb,
    'peak memory of the process': after.peakRssMb,
  };
}

/** Speed is worth nothing when the result is wrong. */
async function check({ query }: Database, count: number): Promise<void> {
  const [row] = await query<Record<string, number>>(
    `SELECT (SELECT count(*) FROM deployment d JOIN build b ON b.id = d.build_id AND b.deployment_id = d.id
         JOIN image i ON i.id = d.image_id AND i.build_id = b.id JOIN vm_claim c ON c.deployment_id = d.id AND c.vm_id = d.vm_id
         JOIN vm v ON v.id = d.vm_id AND v.claim_id = c.id WHERE d.status = 'ready' AND b.status = 'ready')::integer AS whole,
       (SELECT count(*) FROM build)::integer AS builds,
       (SELECT count(DISTINCT vm_id) FROM vm_claim)::integer AS "claimedVms",
       (SELECT count(DISTINCT private_ip) FROM vm WHERE claim_id IS NOT NULL)::integer AS addresses`,
  );
  for (const [what, found] of Object.entries(row!)) {
    if (found !== count) throw new Error(`${what}: ${found}, and should be ${count}`);
  }
}

async function costliest({ query }: Database): Promise<string[]> {
  const rows = await query<{ ms: number; calls: string; rows: string; sql: string }>(
    `SELECT total_exec_time AS ms, calls, rows, left(regexp_replace(query, '\\s+', ' ', 'g'), 150) AS sql FROM pg_stat_statements
     ORDER BY total_exec_time DESC LIMIT 20`,
  );
  return rows.map(({ ms, calls, rows: n, sql }) => `${ms.toFixed(0).padStart(7)} ms ${calls.padStart(6)} calls ${n.padStart(7)} rows  ${sql}`);
}
