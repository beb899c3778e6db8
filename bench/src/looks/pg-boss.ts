import PgBoss from 'pg-boss';
import { BATCH, CONNECTIONS, type Contender, type Opened } from './contender';

const QUEUE = 'nothing';
const FILL = 10_000;
const PAUSE_MS = 500;

/** Its own workers ask at most twice a second, so its `fetch` and `complete` are called in loops, as its API has them. */
export const oneByOne: Contender = {
  name: 'pg-boss, one by one',
  settings: `${CONNECTIONS} loops of fetch and complete`,
  open: (url) => opened(url, 1, CONNECTIONS),
};

export const batched: Contender = {
  name: 'pg-boss, batched',
  settings: `2 loops of fetch and complete, batchSize ${BATCH}`,
  open: (url) => opened(url, BATCH, 2),
};

async function opened(url: string, batchSize: number, loops: number): Promise<Opened> {
  const boss = new PgBoss({ connectionString: url, max: CONNECTIONS, supervise: false, schedule: false });
  await boss.start();
  await boss.createQueue(QUEUE);
  let open = false;
  let going: Promise<unknown> = Promise.resolve();
  const work = async (done: (id: string | null) => void): Promise<void> => {
    while (open) {
      const jobs = await boss.fetch(QUEUE, { batchSize });
      const ids = jobs.map(({ id }) => id);
      if (ids.length > 0) await boss.complete(QUEUE, ids);
      else await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      for (const id of ids) done(id);
    }
  };
  return {
    async fill(count) {
      for (let left = count; left > 0; left -= FILL) {
        await boss.insert(Array.from({ length: Math.min(left, FILL) }, () => ({ name: QUEUE })));
      }
    },
    async start(done) {
      open = true;
      going = Promise.all(Array.from({ length: loops }, () => work(done)));
    },
    add: async () => (await boss.send(QUEUE, {}))!,
    async stop() {
      open = false;
      await going;
    },
    async close() {
      await boss.stop({ graceful: false });
    },
  };
}
