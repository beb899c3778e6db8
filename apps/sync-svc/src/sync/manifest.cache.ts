/** Of all manifests together; one is at most 4 MiB, and mostly a thousandth of that. */
const MOST_BYTES = 16 * 1024 * 1024;

/** The manifests of a remote registry that were read last, by the digests that they were checked to have. */
export class ManifestCache {
  private readonly bodies = new Map<string, Buffer>();
  private bytes = 0;

  get(digest: string): Buffer | undefined {
    return this.bodies.get(digest);
  }

  set(digest: string, body: Buffer): void {
    if (this.bodies.has(digest)) return;
    this.bodies.set(digest, body);
    this.bytes += body.length;
    for (const [oldest, { length }] of this.bodies) {
      if (this.bytes <= MOST_BYTES) return;
      this.bodies.delete(oldest);
      this.bytes -= length;
    }
  }
}
