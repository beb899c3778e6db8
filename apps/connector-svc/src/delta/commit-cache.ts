/** Small commits that were read, so that the next version's state is built without reading them again. Commits never change. */
export class CommitCache {
  private readonly kept = new Map<bigint, Buffer>();
  private bytes = 0;

  /** Keeps a commit; the oldest ones are let go when all together have more than `budget` bytes. */
  constructor(private readonly budget: number) {}

  get(version: bigint): Buffer | undefined {
    return this.kept.get(version);
  }

  set(version: bigint, commit: Buffer): void {
    if (this.kept.has(version)) return;
    this.kept.set(version, commit);
    this.bytes += commit.length;
    for (const [oldest, { length }] of this.kept) {
      if (this.bytes <= this.budget) return;
      this.kept.delete(oldest);
      this.bytes -= length;
    }
  }
}
