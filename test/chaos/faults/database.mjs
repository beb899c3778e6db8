import { setTimeout as sleep } from 'node:timers/promises';

/** What happens to PostgreSQL. */
export const database = {
  async 'the database is killed'(fleet, chance) {
    await fleet.database.signal('SIGKILL');
    await sleep(chance.between(0, 2_000));
    await fleet.database.start();
  },

  async 'the database is restarted'(fleet, chance) {
    await fleet.database.signal('SIGINT');
    await sleep(chance.between(500, 2_000));
    await fleet.database.start();
  },

  async 'sessions of the database are terminated'(fleet, chance) {
    for (let times = chance.between(1, 4); times > 0; times -= 1) {
      const only = chance.pick([`AND state = 'idle in transaction'`, '']);
      await fleet.rows(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ${only}`,
      );
      await sleep(chance.between(50, 500));
    }
  },

  async 'the disk of the database is full'(fleet, chance) {
    const giveBack = await fleet.database.fill();
    if (!giveBack) return { skipped: 'only root can make a disk to fill' };
    await sleep(chance.between(1_000, 4_000));
    await giveBack();
    await fleet.database.start();
  },
};
