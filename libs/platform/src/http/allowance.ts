interface Bucket {
  readonly left: number;
  readonly atMs: number;
}

/** Keys are kept in two halves of so many; when one is full the other is forgotten, and whoever was quiet starts anew. */
const half = 5_000;

/** A token bucket for every key: `burst` calls at once, and `perSecond` in the long run. */
export class Allowance {
  private recent = new Map<string, Bucket>();
  private earlier = new Map<string, Bucket>();

  constructor(
    private readonly perSecond: number,
    private readonly burst: number,
    /** Milliseconds of a clock that never goes back. */
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Takes one call from the key's allowance. Returns 0, or in how many whole seconds there is one again. */
  take(key: string): number {
    const atMs = this.now();
    const { left: before, atMs: beforeMs } = this.recent.get(key) ??
      this.earlier.get(key) ?? { left: this.burst, atMs };
    const left = Math.min(this.burst, before + ((atMs - beforeMs) / 1_000) * this.perSecond);
    const granted = left >= 1;
    this.remember(key, { left: granted ? left - 1 : left, atMs });
    return granted ? 0 : Math.ceil((1 - left) / this.perSecond);
  }

  private remember(key: string, bucket: Bucket): void {
    this.recent.set(key, bucket);
    if (this.recent.size < half) return;
    this.earlier = this.recent;
    this.recent = new Map();
  }
}
