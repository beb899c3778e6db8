/** Exponential backoff per key, half of it by chance, under a token bucket that all failing keys of a process share. */
export interface BackoffOptions {
  readonly baseMs: number;
  readonly maxMs: number;
  /** Retries per second that all keys together may use, and how many may come at once. */
  readonly bucketPerSecond: number;
  readonly bucketBurst: number;
}

/** controller-runtime's shape (per item, and a bucket over all), with a base that suits a database queue. */
export const defaultBackoff: BackoffOptions = { baseMs: 500, maxMs: 300_000, bucketPerSecond: 100, bucketBurst: 1000 };

/** Tells how long a failing key waits before its next look. */
export class Backoff {
  private tokens: number;
  private filledAt = 0;

  constructor(
    private readonly random: () => number,
    private readonly options: BackoffOptions = defaultBackoff,
  ) {
    this.tokens = options.bucketBurst;
  }

  /** Milliseconds until the retry after the `failures`-th failure in a row (1 = the first), seen at `nowMs`. */
  delayMs(failures: number, nowMs: number): number {
    return Math.max(this.perKeyMs(failures), this.reserveMs(nowMs));
  }

  private perKeyMs(failures: number): number {
    const ceiling = Math.min(this.options.maxMs, this.options.baseMs * 2 ** Math.min(failures - 1, 30));
    return ceiling / 2 + (this.random() * ceiling) / 2;
  }

  private reserveMs(nowMs: number): number {
    const { bucketPerSecond, bucketBurst } = this.options;
    const elapsedMs = Math.max(0, nowMs - this.filledAt);
    this.tokens = Math.min(bucketBurst, this.tokens + (elapsedMs * bucketPerSecond) / 1000) - 1;
    this.filledAt = Math.max(this.filledAt, nowMs);
    return this.tokens >= 0 ? 0 : (-this.tokens * 1000) / bucketPerSecond;
  }
}
