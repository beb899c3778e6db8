/** Thrown where no retry can help; the resource waits for a person, who is told the `fix`. */
export class Stalled extends Error {
  override readonly name = 'Stalled';

  constructor(
    message: string,
    readonly fix: string,
  ) {
    super(message);
  }
}

/** Thrown by a notebook when leases were lost before the commit: nothing of that transaction was written. */
export class StaleLeases extends Error {
  override readonly name = 'StaleLeases';

  constructor(readonly keys: readonly string[]) {
    super(`lost the lease of ${keys.length} resource(s) before the commit; nothing was written`);
  }
}

/** Thrown by a notebook when the database cannot be reached: the pass is dropped whole, and no resource is to blame. */
export class Unavailable extends Error {
  override readonly name = 'Unavailable';
}
