import { Alarm } from './alarm';
import type { Backoff } from './backoff';
import { withinDeadline } from './deadline';
import { type Held, Leases } from './leases';
import type { Lease, LookResult, Notebook } from './notebook';
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

/** Looks at the due resources of one kind, batch after batch, until none is due. */
export class Worker<Tx> {
  private readonly leases: Leases;
  private readonly pass: Pass<Tx>;
  private readonly alarm: Alarm;
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
    this.leases = new Leases(kind, notebook as Notebook<never>, timers, options.leaseMs, witness);
    const results = new Results(backoff, () => timers.nowMs());
    this.pass = new Pass(reconciler, notebook, this.leases, results, timers, witness);
    this.alarm = new Alarm(timers, () => this.nudge());
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

  /** Something is due in `ms`. Beyond the horizon nothing is done: the poll will say so again. */
  wakeIn(ms: number): void {
    if (ms <= 0) this.again();
    else if (ms <= this.ports.options.horizonMs && !this.stopping) this.alarm.in(ms);
  }

  /** Starts nothing new, calls back what reaches out, and after at most `graceMs` hands back what is not committed. */
  async stop(graceMs: number): Promise<void> {
    this.stopping = true;
    this.alarm.cancel();
    this.leases.abort(new Error('shutting down'));
    const idle = new Promise<void>((done) => (this.whenIdle = done));
    const cancel = this.ports.timers.after(graceMs, () => this.whenIdle!());
    this.sayIdle();
    await idle;
    cancel();
    await this.leases.release();
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
    const limit = this.reserve();
    if (limit === 0 && this.returned.length === 0) return;
    this.passes += 1;
    void this.run(limit).finally(() => {
      this.passes -= 1;
      this.pump();
      this.sayIdle();
    });
  }

  /** For how many more a claim may be made now; 0 leaves the wish for one standing. */
  private reserve(): number {
    const room = Math.min(this.ports.options.batch, this.limits.atOnce - this.reaching - this.reserved);
    this.wanted ||= this.returned.length > 0;
    if (this.stopping || !this.wanted || room <= 0) return 0;
    this.wanted = false;
    this.reserved += room;
    return room;
  }

  /**
   * Passes, one after the other, for as long as the end of one claims more. A nudge meanwhile may have been for what a
   * pass held: no other claim could see that, so it is asked again.
   */
  private async run(limit: number): Promise<void> {
    let { nudges } = this;
    let batch = this.returned.length > 0 ? await this.conclude([], limit) : await this.claim(limit);
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
      this.drop(batch, error);
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

  /** Commits this and whatever has come back by now, and with it a claim of up to `limit`; resolves to what that claims. */
  private async conclude(looked: readonly Conclusion[], limit: number): Promise<Held[]> {
    const { batch: most, leaseMs } = this.ports.options;
    const batch = [...looked, ...this.returned.splice(0, most).filter(({ held }) => this.leases.holds(held))];
    if (batch.length === 0) return limit > 0 ? this.claim(limit) : [];
    let taken = null as Held[] | null;
    const claimed = (leases: readonly Lease[]): void => void (taken = this.claimed(leases, limit));
    try {
      this.noted(await this.pass.conclude(batch, limit > 0 ? { limit, leaseMs, claimed } : null));
      this.wanted ||= limit > 0 && taken === null;
    } catch (error) {
      const held = batch.map((one) => one.held);
      this.drop(held, error);
    }
    if (taken === null) this.reserved -= limit;
    return taken ?? [];
  }

  /** With the database away nothing can be written down: the leases run out by themselves, and someone looks again. */
  private drop(batch: readonly Held[], error: unknown): void {
    for (const held of batch) this.leases.drop(held);
    this.fault('pass', error);
  }

  private noted(written: readonly LookResult[]): void {
    for (const { lease, dueAt, tookMs } of written) {
      if (dueAt) this.wakeIn(dueAt.getTime() - lease.now.getTime() - tookMs);
    }
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
