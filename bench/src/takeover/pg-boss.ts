import PgBoss from 'pg-boss';
import { type Contender, endless } from './contender';

const QUEUE = 'endless';

/** Its jobs have no heartbeat but a time in which they must be done: a minute, as a call to the outside may take half of it. */
export const fastest: Contender = {
  name: 'pg-boss, fastest',
  settings: 'expireInSeconds 60, maintenanceIntervalSeconds 1, pollingIntervalSeconds 0.5',
  beatMs: 1_000,
  slow: true,
  async start(url, begun) {
    const boss = new PgBoss({ connectionString: url, max: 4, maintenanceIntervalSeconds: 1, schedule: false });
    boss.on('error', () => undefined);
    await boss.start();
    await boss.createQueue(QUEUE);
    const work = (jobs: readonly { id: string }[]): Promise<never> => {
      for (const { id } of jobs) begun(id);
      return endless();
    };
    await boss.work(QUEUE, { pollingIntervalSeconds: 0.5 }, work);
    return async () => (await boss.send(QUEUE, {}, { expireInSeconds: 60 }))!;
  },
};
