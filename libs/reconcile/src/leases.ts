import { Alarm } from './alarm';
import type { Lease, Notebook } from './notebook';
import type { Timers, Witness } from './ports';

/** A resource under lease in this process: since when, and how to stop what is done to it. */
export interface Held {
  readonly lease: Lease;
  readonly claimedAtMs: number;
  readonly abort: AbortController;
}

/** The database's time, carried on from the claim by the process's own timer. */
export function databaseNow(held: Held, nowMs: number): Date {
  return new Date(held.lease.now.getTime() + nowMs - held.claimedAtMs);
}

/** After a fault, the notebook is asked again this much later. */
const MEND_MS = 1_000;

/** The leases that this process holds on one kind, kept alive while work goes on. */
export class Leases {
  private readonly held = new Map<string, Held>();
  /** What a fault has left behind, and when the last of those leases has run out by itself. */
  private inDoubt: { lease: Lease; overAtMs: number }[] = [];
  private readonly beat: Alarm;
  private readonly mend: Alarm;

  constructor(
    private readonly kind: string,
    private readonly notebook: Notebook<never>,
    private readonly timers: Timers,
    private readonly leaseMs: number,
    private readonly witness: Witness,
    /** Told when leases that were in doubt have been handed back. */
    private readonly handedBack: () => void,
  ) {
    this.beat = new Alarm(timers, () => void this.renew());
    this.mend = new Alarm(timers, () => void this.handBack());
  }

  take(leases: readonly Lease[]): Held[] {
    const claimedAtMs = this.timers.nowMs();
    const batch = leases.map((lease) => ({ lease, claimedAtMs, abort: new AbortController() }));
    for (const held of batch) this.replace(held);
    if (this.held.size > 0) this.beat.in(this.leaseMs / 3);
    return batch;
  }

  /** For how long each has been held. */
  ages(): number[] {
    const nowMs = this.timers.nowMs();
    return [...this.held.values()].map(({ claimedAtMs }) => nowMs - claimedAtMs);
  }

  holds(held: Held): boolean {
    return this.held.get(held.lease.key) === held;
  }

  /** No longer ours: written down, lost, or given up. */
  drop(held: Held): void {
    if (this.holds(held)) this.held.delete(held.lease.key);
  }

  /**
   * Work under it has failed, and maybe was committed all the same: it is handed back once the notebook answers. Another
   * look finds out; its epoch keeps whatever is still on its way to the notebook from being written after that.
   */
  doubt(held: Held): void {
    if (!this.holds(held)) return;
    this.drop(held);
    this.inDoubt.push({ lease: held.lease, overAtMs: this.timers.nowMs() + this.leaseMs });
    this.mend.in(MEND_MS);
  }

  /** Another process has it: what is done under it stops. */
  lose(held: Held): void {
    if (!this.holds(held)) return;
    this.drop(held);
    this.witness.lost(this.kind);
    held.abort.abort(new Error('the lease was lost'));
  }

  /** Tells everything that is under way to stop. */
  abort(why: Error): void {
    for (const held of this.held.values()) held.abort.abort(why);
  }

  /** Hands everything back. */
  async end(): Promise<void> {
    await Promise.all([this.release([...this.held.values()]), this.handBack()]);
    this.mend.cancel();
  }

  /** Hands back what is still held of these, so that others need not wait for the leases to run out. */
  async release(which: readonly Held[]): Promise<void> {
    const left = which.filter((held) => this.holds(held));
    for (const held of left) this.drop(held);
    if (this.held.size === 0) this.beat.cancel();
    const leases = left.map(({ lease }) => lease);
    if (leases.length > 0)
      await this.notebook.release(this.kind, leases).catch((error) => this.fault('release', error));
  }

  /** A lease that ran out unnoticed may come back here: what was done under it stops. */
  private replace(held: Held): void {
    const { key } = held.lease;
    this.held.get(key)?.abort.abort(new Error('the lease had run out'));
    this.held.set(key, held);
  }

  private async renew(): Promise<void> {
    const mine = [...this.held.values()];
    if (mine.length === 0) return;
    this.beat.in(this.leaseMs / 3);
    try {
      const leases = mine.map((held) => held.lease);
      const kept = await this.notebook.renew(this.kind, leases, this.leaseMs);
      for (const held of mine) if (!kept.has(held.lease.key)) this.lose(held);
    } catch (error) {
      this.fault('renew', error);
    }
  }

  private async handBack(): Promise<void> {
    const left = this.inDoubt.filter(({ overAtMs }) => overAtMs > this.timers.nowMs());
    this.inDoubt = [];
    if (left.length === 0) return;
    try {
      await this.notebook.release(
        this.kind,
        left.map(({ lease }) => lease),
      );
      this.handedBack();
    } catch {
      this.inDoubt.push(...left);
      this.mend.in(MEND_MS);
    }
  }

  private fault(doing: string, error: unknown): void {
    this.witness.failed({ kind: this.kind, key: null, doing, error });
  }
}
