import { setTimeout as pause } from 'node:timers/promises';
import type { HouseEvent } from '@homeostat/shared';
import { connect } from 'amqplib';
import { Agent, request } from 'undici';
import type { Benchmark, Measured, Settings } from './harness/benchmark';
import { rabbitmq } from './harness/needs';
import { quantile } from './harness/statistics';
import { type Fleet, openFleet } from './house/fleet';
import type { Database } from './house/postgres';
import { costliest, workOf } from './house/server-work';
import { until } from './house/until';

const PER_SECOND = 100;
/** Seconds at the same rate before, that find cold code and empty caches. */
const WARM_UP_S = 5;
const POOL_SIZE = 500;
const WITHIN_MS = 120_000;
const image = { image: { registry: 'registry.test', repository: 'bench' } };

/** Builds that a builder reports ready at a steady rate, to services in processes of their own with a broker in between. */
export const fleet: Benchmark = {
  name: 'fleet',
  about: `builds reported ready over HTTP, ${PER_SECOND} a second, to a fleet over RabbitMQ: from the report's answer until deployment.ready is heard; after ${WARM_UP_S} s that are not counted`,
  count: 60 * PER_SECOND,
  smoke: 100,
  needs: [rabbitmq],
  settings: {
    RECONCILER_VM_POOL_SIZE: String(POOL_SIZE),
    RECONCILER_VM_NETWORK: '10.76.0.0/15',
    RECONCILER_SIMULATED_LATENCY_MS: '0',
    RECONCILER_BUILD_TIMEOUT: '1h',
  },
  figures: () => [
    { name: 'from accepted to ready, median', unit: 'ms', bar: 25 },
    { name: 'from accepted to ready, 99th percentile', unit: 'ms', bar: 100 },
    { name: 'from accepted to ready, worst', unit: 'ms' },
    { name: 'from the report to its answer, median', unit: 'ms' },
    { name: 'reports per second', unit: '/s' },
    { name: 'CPU of all, of one core', unit: '%' },
    { name: 'SQL statements per deployment', unit: '' },
    { name: 'transactions per deployment', unit: '' },
  ],
  run,
};

async function run({ count, set, profileDir, progress, say }: Settings): Promise<Measured> {
  const house = await openFleet({ ...fleet.settings, ...set });
  try {
    const warmUp = Math.min(count, WARM_UP_S * PER_SECOND);
    const builds = await builtSoon(house, warmUp + count, progress);
    const heard = await listen(house.brokerUrl);
    await reportAll(house.url('deploy-svc'), builds.splice(0, warmUp), progress);
    const before = await house.cpuMs();
    const done = await workOf(house.database);
    const startedMs = performance.now();
    const accepted = await reportAll(house.url('deploy-svc'), builds, progress);
    const tookMs = performance.now() - startedMs;
    await until('all deployments are ready', WITHIN_MS, async () => heard.at.size >= warmUp + count);
    const spent = spentBetween(before, await house.cpuMs(), tookMs);
    say(
      `CPU, of one core: ${Object.entries(spent)
        .map(([name, percent]) => `${name} ${percent.toFixed(0)} %`)
        .join(', ')}`,
    );
    await heard.close();
    const { statements, transactions } = await workOf(house.database);
    if (profileDir) for (const line of await costliest(house.database)) say(line);
    const waits = accepted.map(({ deploymentId, answeredMs }) => heard.at.get(deploymentId)! - answeredMs);
    return {
      'from accepted to ready, median': quantile(waits, 0.5),
      'from accepted to ready, 99th percentile': quantile(waits, 0.99),
      'from accepted to ready, worst': Math.max(...waits),
      'from the report to its answer, median': quantile(
        accepted.map(({ askedMs, answeredMs }) => answeredMs - askedMs),
        0.5,
      ),
      'reports per second': (count / tookMs) * 1_000,
      'CPU of all, of one core': Object.values(spent).reduce((sum, percent) => sum + percent),
      'SQL statements per deployment': (statements - done.statements) / count,
      'transactions per deployment': (transactions - done.transactions) / count,
    };
  } finally {
    await house.stop();
  }
}

interface Build {
  readonly id: string;
  readonly deploymentId: string;
}

/** Deployments, each in an environment of its own, whose builds are under way. */
async function builtSoon({ database }: Fleet, count: number, progress: Settings['progress']): Promise<Build[]> {
  progress('deployments wait for their builds');
  await database.query(
    `WITH p AS (INSERT INTO project (id, tenant_id, name) VALUES (gen_random_uuid(), 'default', 'bench') RETURNING id),
       e AS (INSERT INTO environment (id, tenant_id, project_id, name)
         SELECT gen_random_uuid(), 'default', p.id, n FROM p, generate_series(1, $1) AS n RETURNING id, project_id),
       d AS (INSERT INTO deployment (id, tenant_id, project_id, environment_id)
         SELECT gen_random_uuid(), 'default', project_id, id FROM e RETURNING id)
     SELECT request_look('deployments', array_agg(id)) FROM d`,
    [count],
  );
  const waiting = `SELECT count(*)::integer AS count FROM build JOIN deployment d ON d.build_id = build.id
    WHERE build.status = 'queued' AND d.phase = 'waiting_for_build'`;
  await until(
    'all deployments wait for their builds',
    WITHIN_MS,
    async () => (await countOf(database, waiting)) === count,
  );
  const pooled = `SELECT count(*)::integer AS count FROM vm WHERE status = 'pooling'`;
  await until('the pool is full', WITHIN_MS, async () => (await countOf(database, pooled)) === POOL_SIZE);
  await database.query('VACUUM ANALYZE');
  await database.query('CHECKPOINT');
  return database.query<Build>('SELECT id, deployment_id AS "deploymentId" FROM build ORDER BY id');
}

interface Accepted extends Build {
  readonly askedMs: number;
  readonly answeredMs: number;
}

/** At a steady rate, whether those before were answered or not. */
async function reportAll(url: string, builds: readonly Build[], progress: Settings['progress']): Promise<Accepted[]> {
  const dispatcher = new Agent({ connections: 32, keepAliveTimeout: 30_000 });
  const startedMs = performance.now();
  const reports: Promise<Accepted>[] = [];
  for (const [n, build] of builds.entries()) {
    const dueMs = startedMs + (n * 1_000) / PER_SECOND;
    if (performance.now() < dueMs) await pause(dueMs - performance.now());
    if (n % PER_SECOND === 0) progress(`${n} of ${builds.length} builds`);
    reports.push(report(url, build, dispatcher));
  }
  const accepted = await Promise.all(reports);
  await dispatcher.close();
  return accepted;
}

async function report(url: string, build: Build, dispatcher: Agent): Promise<Accepted> {
  const askedMs = performance.now();
  const { statusCode, body } = await request(`${url}/v1/builds/${build.id}/ready`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(image),
    dispatcher,
  });
  const text = await body.text();
  if (statusCode !== 200) throw new Error(`build ${build.id}: ${statusCode} ${text}`);
  return { ...build, askedMs, answeredMs: performance.now() };
}

/** Notes when `deployment.ready` was heard, by deployment. */
async function listen(brokerUrl: string): Promise<{ at: Map<string, number>; close(): Promise<void> }> {
  const at = new Map<string, number>();
  const connection = await connect(brokerUrl, { noDelay: true });
  const channel = await connection.createChannel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  await channel.bindQueue(queue, 'homeostat.events', 'deployment.ready');
  const hear = (event: HouseEvent<'deployment.ready'>): void =>
    void at.set(event.data.deployment_id, performance.now());
  await channel.consume(queue, (message) => message && hear(JSON.parse(String(message.content))), { noAck: true });
  return { at, close: () => connection.close() };
}

function spentBetween(
  before: Readonly<Record<string, number>>,
  after: typeof before,
  ms: number,
): Record<string, number> {
  return Object.fromEntries(Object.entries(after).map(([name, cpuMs]) => [name, (100 * (cpuMs - before[name]!)) / ms]));
}

async function countOf({ query }: Database, sql: string): Promise<number> {
  return (await query<{ count: number }>(sql))[0]!.count;
}
