import { allReady, check, instant, orderOf, poolIsFull } from './deployments.bench';
import type { Benchmark, Measured, Settings } from './harness/benchmark';
import type { DeployOrder } from './house/hands.events';
import { openFleet } from './house/fleet';

const REPLICAS = [1, 2, 3];
const took = (replicas: number): string => `${replicas} of each service: until all are ready`;

/** Many deployments at once, by a fleet with more and more of each service. */
export const replicas: Benchmark = {
  name: 'replicas',
  about:
    'deployments inserted by one transaction in each replica of deploy-svc: from the first commit until all are ready, by fleets over RabbitMQ with 1, 2 and 3 of each service, PostgreSQL and RabbitMQ on the same machine',
  count: 10_000,
  smoke: 100,
  settings: instant,
  figures: () => [
    ...REPLICAS.map((one) => ({ name: took(one), unit: 's' })),
    { name: '3 of each, of the time that 1 takes', unit: '×', bar: 1 },
  ],
  run,
};

async function run(settings: Settings): Promise<Measured> {
  const measured: Record<string, number> = {};
  for (const one of settings.smoke ? [2] : REPLICAS) measured[took(one)] = await seconds(one, settings);
  const ofOne = (measured[took(3)] ?? NaN) / (measured[took(1)] ?? NaN);
  return { ...measured, '3 of each, of the time that 1 takes': ofOne };
}

async function seconds(many: number, { count, set, progress }: Settings): Promise<number> {
  progress(`${many} of each`);
  const house = await openFleet({ ...replicas.settings, ...set }, { replicas: many, hands: true });
  try {
    await poolIsFull(house.database, progress);
    const { projectId, environments } = await orderOf(house.database, count);
    const share = Math.ceil(count / many);
    const orders = Array.from({ length: many }, (_, at): DeployOrder => ({
      projectId,
      environments: environments.slice(at * share, (at + 1) * share),
    }));
    const beganMs = Math.min(...(await house.order<number>('deploy', orders)));
    await allReady(house.database, beganMs, progress);
    const tookMs = Date.now() - beganMs;
    await check(house.database, count);
    return tookMs / 1_000;
  } finally {
    await house.stop();
  }
}
