import { allReady, check, instant, orderOf, poolIsFull } from './deployments.bench';
import type { Benchmark, Measured, Settings } from './harness/benchmark';
import { rabbitmq } from './harness/needs';
import type { DeployOrder } from './house/hands.events';
import { type Fleet, openFleet } from './house/fleet';
import { costliest, workOf } from './house/server-work';

const REPLICAS = [1, 2, 3];
/** As many before those that are timed: the more processes there are, the more of them find cold code at first. */
const WARM_UP = 10_000;
const took = (replicas: number): string => `${replicas} of each service: until all are ready`;
/** What those seconds go into, on the way from the first commit to the last deployment. */
const SPENT = [
  { name: 'CPU of the services', unit: 's' },
  { name: 'CPU of PostgreSQL', unit: 's' },
  { name: 'CPU of RabbitMQ', unit: 's' },
  { name: 'SQL statements', unit: '' },
] as const;
type Spent = Readonly<Record<(typeof SPENT)[number]['name'], number>>;

/** Many deployments at once, by a fleet with more and more of each service. */
export const replicas: Benchmark = {
  name: 'replicas',
  about:
    'deployments inserted by one transaction in each replica of deploy-svc: from the first commit until all are ready, by fleets over RabbitMQ with 1, 2 and 3 of each service, PostgreSQL and RabbitMQ on the same machine, after as many as warm-up',
  count: 10_000,
  smoke: 100,
  needs: [rabbitmq],
  settings: instant,
  figures: () => [
    ...REPLICAS.map((one) => ({ name: took(one), unit: 's' })),
    { name: '3 of each, of the time that 1 takes', unit: '×', bar: 1 },
    ...REPLICAS.flatMap((one) => SPENT.map(({ name, unit }) => ({ name: `${one} of each: ${name}`, unit }))),
  ],
  run,
};

async function run(settings: Settings): Promise<Measured> {
  const measured: Record<string, number> = {};
  for (const one of settings.smoke ? [2] : REPLICAS) Object.assign(measured, await deployedBy(one, settings));
  const ofOne = (measured[took(3)] ?? NaN) / (measured[took(1)] ?? NaN);
  return { ...measured, '3 of each, of the time that 1 takes': ofOne };
}

async function deployedBy(many: number, { count, smoke, set, progress, profileDir, say }: Settings): Promise<Measured> {
  progress(`${many} of each`);
  const house = await openFleet({ ...replicas.settings, ...set }, { replicas: many, hands: true });
  try {
    await poolIsFull(house.database, progress);
    const warmUp = smoke ? many : WARM_UP;
    const { projectId, environments } = await orderOf(house.database, warmUp + count);
    const deploy = async (some: readonly string[]): Promise<number> => {
      const share = Math.ceil(some.length / many);
      const orders = Array.from({ length: many }, (_, at): DeployOrder => ({
        projectId,
        environments: some.slice(at * share, (at + 1) * share),
      }));
      const beganMs = Math.min(...(await house.order<number>('deploy', orders)));
      await allReady(house.database, beganMs, progress);
      return Date.now() - beganMs;
    };
    await deploy(environments.slice(0, warmUp));
    await poolIsFull(house.database, progress);
    const before = await spent(house);
    const tookMs = await deploy(environments.slice(warmUp));
    const after = await spent(house);
    if (profileDir !== undefined) for (const line of await costliest(house.database)) say(line);
    await check(house.database, warmUp + count);
    const between = SPENT.map(({ name }) => [`${many} of each: ${name}`, after[name] - before[name]]);
    return { [took(many)]: tookMs / 1_000, ...Object.fromEntries(between) };
  } finally {
    await house.stop();
  }
}

async function spent({ cpuMs, database }: Fleet): Promise<Spent> {
  const { PostgreSQL, RabbitMQ, ...services } = await cpuMs();
  const { statements } = await workOf(database);
  return {
    'CPU of the services': Object.values(services).reduce((sum, ms) => sum + ms, 0) / 1_000,
    'CPU of PostgreSQL': PostgreSQL! / 1_000,
    'CPU of RabbitMQ': RabbitMQ! / 1_000,
    'SQL statements': statements,
  };
}
