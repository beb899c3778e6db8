import type { Backoff } from './backoff';
import { Calendar } from './calendar';
import { withinDeadline } from './deadline';
import { type Held, Leases } from './leases';
import type { Lease, LookResult, NextClaim, Notebook } from './notebook';
import { type Conclusion, type Errand, Pass } from './pass';
import type { EngineOptions, Timers, Witness, Work } from './ports';
import type { AnyReconciler } from './reconciler';
import { Results } from './results';

/** What every worker of a loop shares. */
export interface WorkerPorts<Tx> {
  readonly notebook: Notebook<Tx>;
  readonly timers: Timers;
  readonly witness: Witness;
  readonly backoff: Backoff;
  readonly options: EngineOptions;
}

const unlimited = { atOnce: Infinity, timeoutMs: 30_000 };

/** Whatever is due first, among the dates of resources. */
const THE_FIRST = '';

/** What may be claimed now; `always`: more may be due than what a pass writes down itself. */
type Room = Pick<NextClaim, 'limit' | 'always'>;

/** Looks at the due resources of one kind, batch after batch, until none is due. */
export class Worker<Tx> {
  private readonly leases: Leases;
  private readonly pass: Pass<Tx>;
  private readonly calendar: Calendar;
  private returned: Conclusion[] = [];
  private passes = 0;
  private nudges = 0;
  private reaching = 0;
  /** Room for reaches that passes under way may yet need: nobody knows before the look. */
  private reserved = 0;
  /** The last claim came back full. Until then one pass gathers what comes while another is under way. */
  private backlog = false;
  private wanted = false;
  private stopping = false;
  private whenIdle: (() => void) | null = null;

  constructor(
    readonly reconciler: AnyReconciler<Tx>,
    private readonly ports: WorkerPorts<Tx>,
  ) {
    const { notebook, timers, witness, backoff, options } = ports;
    const { kind } = reconciler;
    this.leases = new Leases(kind, notebook as Notebook<never>, timers, options.leaseMs, witness, () => this.nudge());
    const results = new Results(backoff, () => timers.nowMs());
    this.pass = new Pass(reconciler, notebook, this.leases, results, timers, witness);
    this.calendar = new Calendar(timers, () => this.nudge());
  }

  /** What is being looked at; a kind that reaches out has its own bound, and the others that of their passes. */
  get work(): Work {
    const { batch, passes } = this.ports.options;
    return {
      kind: this.reconciler.kind,
      heldMs: this.leases.ages(),
      most: Math.min(this.limits.atOnce, batch * passes),
    };
  }

  /** Something may be due now. */
  nudge(): void {
    this.nudges += 1;
    this.again();
  }

  /** Something is due in `ms`, as the poll says. */
  wakeIn(ms: number): void {
    if (ms <= 0) this.again();
    else this.wakeFor(THE_FIRST, ms);
  }

  /** Starts nothing new, calls back what reaches out, and after at most `graceMs` hands back what is not committed. */
  async stop(graceMs: number): Promise<void> {
    this.stopping = true;
    this.calendar.cancel();
    this.leases.abort(new Error('shutting down'));
    const idle = new Promise<void>((done) => (this.whenIdle = done));
    const cancel = this.ports.timers.after(graceMs, () => this.whenIdle!());
    this.sayIdle();
    await idle;
    cancel();
    await this.leases.end();
  }

  private get limits(): { readonly atOnce: number; readonly timeoutMs: number } {
    return this.reconciler.reaches ?? unlimited;
  }

  private again(): void {
    this.wanted = true;
    this.pump();
  }

  /** Starts a pass where one may start: with what is due, and with what has come back from outside. */
  private pump(): void {
    const { options } = this.ports;
    if (this.passes >= (this.backlog ? options.passes : 1)) return;
    if (!this.wanted && this.returned.length === 0) return;
    const room = this.reserve();
    if (room.limit === 0 && this.returned.length === 0) return;
    this.passes += 1;
    void this.run(room).finally(() => {
      this.passes -= 1;
      this.pump();
      this.sayIdle();
    });
  }

  /** Room for a claim that is made now; none leaves the wish for one standing. */
  private reserve(): Room {
    const limit = Math.min(this.ports.options.batch, this.limits.atOnce - this.reaching - this.reserved);
    if (this.stopping || limit <= 0) return { limit: 0, always: false };
    const always = this.wanted;
    this.wanted = false;
    this.reserved += limit;
    return { limit, always };
  }

  /**
   * Passes, one after the other, for as long as the end of one claims more: what it wrote down may be due at once, because
   * of its own step or of a wish that came for what it held, and that no other claim could see.
   */
  private async run(room: Room): Promise<void> {
    let { nudges } = this;
    let batch = this.returned.length > 0 ? await this.conclude([], room) : await this.claim(room.limit);
    while (batch.length > 0 && !this.stopping) {
      const looked = await this.look(batch);
      this.reserved -= batch.length;
      for (const one of looked) if (!isConclusion(one)) void this.reach(one);
      this.wanted ||= this.backlog || this.nudges > nudges;
      nudges = this.nudges;
      batch = await this.conclude(looked.filter(isConclusion), this.reserve());
    }
    await this.leases.release(batch);
    this.wanted ||= this.nudges > nudges;
  }

  private async claim(limit: number): Promise<Held[]> {
    const { notebook, options } = this.ports;
    try {
      return this.claimed(await notebook.claim(this.reconciler.kind, limit, options.leaseMs), limit);
    } catch (error) {
      this.reserved -= limit;
      this.fault('pass', error);
      return [];
    }
  }

  private claimed(leases: readonly Lease[], limit: number): Held[] {
    this.reserved -= limit - leases.length;
    this.backlog = leases.length === limit;
    if (this.backlog) this.again();
    const waitedMs = leases.map(({ now, dueAt }) => now.getTime() - dueAt.getTime());
    if (leases.length > 0) this.ports.witness.claimed(this.reconciler.kind, leases.length, Math.max(...waitedMs));
    return this.leases.take(leases);
  }

  private async look(batch: readonly Held[]): Promise<(Conclusion | Errand)[]> {
    try {
      return await this.pass.look(batch);
    } catch (error) {
      this.giveUp(batch, error);
      return [];
    }
  }

  private async reach(errand: Errand): Promise<void> {
    this.reaching += 1;
    const { plan, held } = errand;
    const ask = (signal: AbortSignal): Promise<unknown> => this.reconciler.reach!(plan, signal);
    const asked = withinDeadline(ask, held.abort, {
      ms: this.limits.timeoutMs,
      of: `${plan.step.do} of ${plan.key}`,
      timers: this.ports.timers,
    });
    await asked.catch(() => undefined);
    if (this.leases.holds(held) && !this.stopping) this.returned.push(await this.pass.answer(errand, asked));
    this.reaching -= 1;
    this.pump();
    this.sayIdle();
  }

  /** Commits this and whatever has come back by now, and with it a claim within `room`; resolves to what that claims. */
  private async conclude(looked: readonly Conclusion[], { limit, always }: Room): Promise<Held[]> {
    const { batch: most, leaseMs } = this.ports.options;
    const batch = [...looked, ...this.returned.splice(0, most).filter(({ held }) => this.leases.holds(held))];
    if (batch.length === 0 && always) return this.claim(limit);
    let taken = null as Held[] | null;
    const claimed = (leases: readonly Lease[]): void => void (taken = this.claimed(leases, limit));
    try {
      const written = await this.pass.conclude(batch, limit > 0 ? { limit, always, leaseMs, claimed } : null);
      this.noted(written, taken !== null);
    } catch (error) {
      const held = batch.map((one) => one.held);
      this.giveUp(held, error);
    }
    if (taken === null) this.reserved -= limit;
    this.wanted ||= limit > 0 && batch.length > 0 && taken === null;
    return taken ?? [];
  }

  /** With the database away nothing can be written down: someone looks again once it is back. */
  private giveUp(batch: readonly Held[], error: unknown): void {
    for (const held of batch) this.leases.doubt(held);
    this.fault('pass', error);
  }

  /** `claimed`: what is due at once was claimed along with it, as far as there was room. */
  private noted(written: readonly LookResult[], claimed: boolean): void {
    for (const { lease, dueAt, tookMs } of written) {
      const inMs = dueAt ? dueAt.getTime() - lease.now.getTime() - tookMs : Infinity;
      if (inMs > 0) this.wakeFor(lease.key, inMs);
      else if (!claimed) this.again();
    }
  }

  /** Beyond the horizon nothing is done: the poll will say so again. */
  private wakeFor(key: string, inMs: number): void {
    if (inMs <= this.ports.options.horizonMs && !this.stopping) this.calendar.set(key, inMs);
    else this.calendar.delete(key);
  }

  private sayIdle(): void {
    if (this.passes === 0 && this.reaching === 0) this.whenIdle?.();
  }

  private fault(doing: string, error: unknown): void {
    this.ports.witness.failed({ kind: this.reconciler.kind, key: null, doing, error });
  }
}

function isConclusion(looked: Conclusion | Errand): looked is Conclusion {
  return 'result' in looked || 'next' in looked;
}
