/** What was read from elsewhere and never changes under its key, so that it is not read again. */
export class ByteCache<Key> {
  private readonly kept = new Map<Key, Buffer>();
  private bytes = 0;

  /** Keeps what it is given; the oldest is let go when all together have more than `budget` bytes. */
  constructor(private readonly budget: number) {}

  get(key: Key): Buffer | undefined {
    return this.kept.get(key);
  }

  set(key: Key, body: Buffer): void {
    if (this.kept.has(key)) return;
    this.kept.set(key, body);
    this.bytes += body.length;
    for (const [oldest, { length }] of this.kept) {
      if (this.bytes <= this.budget) return;
      this.kept.delete(oldest);
      this.bytes -= length;
    }
  }
}
