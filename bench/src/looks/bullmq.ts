import { Queue, Worker, createPostgresBackend } from 'bullmq';
import { BATCH, CONNECTIONS, type Contender } from './contender';

const QUEUE = 'nothing';

/** Batches are for its paying customers, so there is one mode. */
export const bullmq: Contender = {
  name: 'BullMQ on PostgreSQL',
  settings: `concurrency ${CONNECTIONS}, removeOnComplete`,
  async open(url) {
    const connection = { connectionString: url, max: CONNECTIONS, migrate: true };
    const queue = new Queue(QUEUE, { connection }, createPostgresBackend);
    await queue.waitUntilReady();
    const options = { removeOnComplete: true };
    let worker: { close(): Promise<void> } | null = null;
    return {
      async fill(count) {
        for (let left = count; left > 0; left -= BATCH) {
          const jobs = Array.from({ length: Math.min(left, BATCH) }, () => ({ name: QUEUE, data: {}, opts: options }));
          await queue.addBulk(jobs);
        }
      },
      async start(done) {
        const work = async ({ id }: { id?: string }): Promise<void> => done(id ?? null);
        // One that was paused waits for seconds when it goes on.
        const going = new Worker(QUEUE, work, { connection, concurrency: CONNECTIONS }, createPostgresBackend);
        worker = going;
        await going.waitUntilReady();
      },
      add: async () => (await queue.add(QUEUE, {}, options)).id!,
      stop: async () => worker?.close(),
      close: () => queue.close(),
    };
  },
};
