import { Alarm } from './alarm';
import type { Backoff } from './backoff';
import { withinDeadline } from './deadline';
import { type Held, Leases } from './leases';
import type { LookResult, Notebook } from './notebook';
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
  private committing = false;
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

  private pump(): void {
    const { options } = this.ports;
    const room = Math.min(options.batch, this.limits.atOnce - this.reaching - this.reserved);
    if (this.stopping || !this.wanted || room <= 0 || this.passes >= (this.backlog ? options.passes : 1)) return;
    this.wanted = false;
    this.passes += 1;
    this.reserved += room;
    void this.run(room).finally(() => {
      this.passes -= 1;
      this.pump();
      this.sayIdle();
    });
  }

  /** A nudge meanwhile may have been for what this pass held: no other claim could see that, so it is asked again. */
  private async run(room: number): Promise<void> {
    const { nudges } = this;
    const looked = await this.look(room);
    this.reserved -= room;
    for (const one of looked) if (!isConclusion(one)) void this.reach(one);
    await this.conclude(looked.filter(isConclusion));
    if (looked.length > 0 && this.nudges > nudges) this.again();
  }

  private async look(room: number): Promise<(Conclusion | Errand)[]> {
    let batch: readonly Held[] = [];
    try {
      batch = await this.claim(room);
      return await this.pass.look(batch);
    } catch (error) {
      this.drop(batch, error);
      return [];
    }
  }

  private async claim(room: number): Promise<Held[]> {
    const { notebook, options, witness } = this.ports;
    const { kind } = this.reconciler;
    const leases = await notebook.claim(kind, room, options.leaseMs);
    if (leases.length === 0) {
      this.backlog = false;
      return [];
    }
    if (this.stopping) {
      await notebook.release(kind, leases);
      return [];
    }
    const batch = this.leases.take(leases);
    this.backlog = leases.length === room;
    if (this.backlog) this.again();
    const waitedMs = leases.map(({ now, dueAt }) => now.getTime() - dueAt.getTime());
    witness.claimed(kind, leases.length, Math.max(...waitedMs));
    return batch;
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
    await this.concludeReturned();
    this.pump();
    this.sayIdle();
  }

  /** Whatever has come back by now is committed together; meanwhile more may come, and what is held may be wished for. */
  private async concludeReturned(): Promise<void> {
    if (this.committing) return;
    this.committing = true;
    while (this.returned.length > 0) {
      await this.conclude(this.returned.splice(0, this.ports.options.batch));
      this.again();
    }
    this.committing = false;
  }

  private async conclude(batch: readonly Conclusion[]): Promise<void> {
    try {
      this.noted(await this.pass.conclude(batch));
    } catch (error) {
      const held = batch.map((one) => one.held);
      this.drop(held, error);
    }
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
    if (this.passes === 0 && this.reaching === 0 && !this.committing) this.whenIdle?.();
  }

  private fault(doing: string, error: unknown): void {
    this.ports.witness.failed({ kind: this.reconciler.kind, key: null, doing, error });
  }
}

function isConclusion(looked: Conclusion | Errand): looked is Conclusion {
  return 'result' in looked || 'next' in looked;
}
