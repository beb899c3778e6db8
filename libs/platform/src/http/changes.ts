import { HouseError } from '@homeostat/shared';
import { type BeforeApplicationShutdown, Injectable } from '@nestjs/common';

/** Who waits for which resource, in this process: told of changes after their commit. */
@Injectable()
export class Changes implements BeforeApplicationShutdown {
  private readonly waiting = new Map<string, Set<() => void>>();
  /** How many wait at this moment. */
  waiters = 0;
  /** True once the process is going down: nobody should wait any longer. */
  closed = false;

  /** How many requests may wait at once; each holds a connection and reads once a second. */
  constructor(private readonly most = 1_000) {}

  /** Wakes whoever waits for one of these resources. */
  tell(keys: Iterable<string>): void {
    for (const key of keys) for (const wake of [...(this.waiting.get(key) ?? [])]) wake();
  }

  /** Returns at the next change of a resource, after `ms`, when `signal` is aborted, or at the end of the process. */
  next(key: string, ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (this.closed || signal.aborted) return resolve();
      const wakes = this.waiting.get(key) ?? new Set();
      const wake = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', wake);
        wakes.delete(wake);
        if (wakes.size === 0) this.waiting.delete(key);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      signal.addEventListener('abort', wake);
      this.waiting.set(key, wakes.add(wake));
    });
  }

  /** Counts a waiter in while `work` goes on. Throws HouseError `unavailable` when there are too many. */
  async seated<T>(work: () => Promise<T>): Promise<T> {
    if (this.waiters >= this.most)
      throw new HouseError('unavailable', 'too many requests are waiting already', { retryAfterSeconds: 5 });
    this.waiters += 1;
    try {
      return await work();
    } finally {
      this.waiters -= 1;
    }
  }

  beforeApplicationShutdown(): void {
    this.closed = true;
    this.tell([...this.waiting.keys()]);
  }
}
