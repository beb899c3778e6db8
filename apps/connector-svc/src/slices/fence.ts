import type { Database, Tx } from '@homeostat/platform';

/** The work is no longer ours, or no longer wanted: whatever is not committed is not written (spec 3, "uncertain"). */
export class Stopped extends Error {
  override readonly name = 'Stopped';
}

/** Lets so many through at a time: the jobs of a process share its few connections with everybody else. */
export class Turnstile {
  private readonly queue: (() => void)[] = [];

  constructor(private free: number) {}

  async pass<T>(work: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free -= 1;
    else await new Promise<void>((go) => this.queue.push(go));
    try {
      return await work();
    } finally {
      const next = this.queue.shift();
      if (next) next();
      else this.free += 1;
    }
  }
}

/** The right to write for one slice of a job: as long as its lease is ours, and nobody called the job off. */
export class Fence {
  constructor(
    private readonly database: Database,
    readonly jobId: string,
    /** Of the lease; no two slices have the same one. */
    private readonly epoch: string,
    private readonly turnstile: Turnstile,
  ) {}

  /** Notes that a slice is under way; false where that is not for us to do. */
  async begin(): Promise<boolean> {
    const rows = await this.database.query(
      `UPDATE reconcile_job j SET slice_epoch = $2 WHERE j.id = $1 AND j.status = 'JS_RUNNING' AND j.slice_epoch IS NULL AND ${leased}
       RETURNING j.id`,
      [this.jobId, this.epoch],
    );
    return rows.length > 0;
  }

  /**
   * Runs `work` in one transaction. Throws Stopped, with nothing written, unless the lease is still ours: whoever takes
   * the job over must change its row, and waits for this commit.
   */
  write<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    const fenced = async (tx: Tx): Promise<T> => {
      const [job] = await tx.query(
        `SELECT j.id FROM reconcile_job j WHERE j.id = $1 AND j.status = 'JS_RUNNING' AND j.slice_epoch = $2 AND ${leased} FOR SHARE OF j`,
        [this.jobId, this.epoch],
      );
      if (!job) throw new Stopped('the job was called off, or taken over');
      return work(tx);
    };
    return this.turnstile.pass(() => this.database.transaction(fenced));
  }

  /** Whether the slice may still write. */
  async holds(): Promise<boolean> {
    const rows = await this.database.query(
      `SELECT j.id FROM reconcile_job j WHERE j.id = $1 AND j.status = 'JS_RUNNING' AND j.slice_epoch = $2`,
      [this.jobId, this.epoch],
    );
    return rows.length > 0;
  }

  /** The slice has come to its end in good order, and writes no more. After another has claimed the job, that is not ours to say. */
  async end(): Promise<void> {
    await this.database.query(
      `UPDATE reconcile_job j SET slice_epoch = NULL WHERE j.id = $1 AND j.slice_epoch = $2 AND EXISTS (
         SELECT FROM reconcile_status s WHERE s.kind = 'reconcile-jobs' AND s.key = j.id AND s.lease_epoch = $2)`,
      [this.jobId, this.epoch],
    );
  }
}

/** The lease of job `j` has epoch `$2` and has not run out. */
const leased = `EXISTS (
  SELECT FROM reconcile_status s WHERE s.kind = 'reconcile-jobs' AND s.key = j.id AND s.lease_epoch = $2 AND s.lease_until > clock_timestamp())`;
