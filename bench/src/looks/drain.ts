import { setTimeout as pause } from 'node:timers/promises';
import { median } from '../harness/statistics';
import { askOnce } from '../house/postgres';
import type { Contender, Opened } from './contender';

/** Between jobs that are timed one at a time. */
const LIGHT_PAUSE_MS = 20;

export async function withQueue<T>(one: Contender, url: string, work: (queue: Opened) => Promise<T>): Promise<T> {
  const queue = await one.open(url);
  try {
    return await work(queue);
  } finally {
    await queue.close();
  }
}

interface Drain {
  readonly url: string;
  readonly due: number;
  readonly most: number;
  readonly longestMs: number;
}

/**
 * Fills a queue that stands still, and says how soon up to `most` of it were done. The time begins once it says that it is
 * going, or its way to begin would be timed.
 */
export async function drained(
  queue: Opened,
  { url, due, most, longestMs }: Drain,
): Promise<{ readonly done: number; readonly seconds: number }> {
  await queue.fill(due);
  await askOnce(url, 'VACUUM ANALYZE');
  await askOnce(url, 'CHECKPOINT');
  let done = 0;
  let enough = (): void => {};
  const ended = new Promise<void>((resolve) => (enough = resolve));
  await queue.start(() => {
    done += 1;
    if (done === Math.min(due, most)) enough();
  });
  const startedMs = performance.now();
  const timer = setTimeout(enough, longestMs);
  await ended;
  const seconds = (performance.now() - startedMs) / 1_000;
  const doneInTime = done;
  clearTimeout(timer);
  await queue.stop();
  return { done: doneInTime, seconds };
}

/** The median of the ms from asking for one job to its being done, with nothing else to do. */
export async function lightly(queue: Opened, jobs: number): Promise<number> {
  const heardMs = new Map<string | null, number>();
  await queue.start((id) => heardMs.set(id, performance.now()));
  const waits: number[] = [];
  for (let n = 0; n < jobs; n += 1) {
    await pause(LIGHT_PAUSE_MS);
    const askedMs = performance.now();
    const id = await queue.add();
    while (!heardMs.has(id)) await pause(1);
    waits.push(heardMs.get(id)! - askedMs);
  }
  await queue.stop();
  return median(waits);
}
