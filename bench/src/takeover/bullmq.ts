import { Queue, Worker, createPostgresBackend } from 'bullmq';
import { type Contender, endless } from './contender';

export const defaults: Contender = {
  name: 'BullMQ on PostgreSQL, default',
  settings: 'lockDuration 30 s, stalledInterval 30 s',
  beatMs: 30_000,
  slow: true,
  start: (url, begun) => started('default', url, {}, begun),
};

/** A lock is renewed at half of its time: like our leases, these outlast a process that hangs for 5.3 s. */
export const fastest: Contender = {
  name: 'BullMQ on PostgreSQL, fastest',
  settings: 'lockDuration 10.7 s, stalledInterval 1 s',
  beatMs: 5_300,
  slow: false,
  start: (url, begun) => started('fastest', url, { lockDuration: 10_700, stalledInterval: 1_000 }, begun),
};

async function started(
  name: string,
  url: string,
  locks: { readonly lockDuration?: number; readonly stalledInterval?: number },
  begun: (id: string) => void,
): Promise<() => Promise<string>> {
  const connection = { connectionString: url, max: 4, migrate: true };
  const queue = new Queue(name, { connection }, createPostgresBackend);
  await queue.waitUntilReady();
  const work = ({ id }: { id?: string }): Promise<never> => {
    begun(id!);
    return endless();
  };
  await new Worker(name, work, { connection, concurrency: 100, ...locks }, createPostgresBackend).waitUntilReady();
  return async () => (await queue.add(name, {})).id!;
}
