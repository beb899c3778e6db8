import { Alarm } from './alarm';
import type { Backoff } from './backoff';
import { type Held, Leases } from './leases';
import type { LookResult, Notebook } from './notebook';
import { type Conclusion, type Errand, Pass } from './pass';
import type { EngineOptions, Timers, Witness } from './ports';
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
  private reaching = 0;
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
    const fault = (doing: string, error: unknown): void => this.fault(doing, error);
    this.leases = new Leases(kind, notebook as Notebook<never>, timers, options.leaseMs, fault);
    const results = new Results(backoff, () => timers.nowMs());
    this.pass = new Pass(reconciler, notebook, this.leases, results, timers, witness);
    this.alarm = new Alarm(timers, () => this.nudge());
  }

  /** Something may be due now. */
  nudge(): void {
    this.wanted = true;
    this.pump();
  }

  /** Something is due in `ms`. Beyond the horizon nothing is done: the poll will say so again. */
  wakeIn(ms: number): void {
    if (ms <= 0) this.nudge();
    else if (ms <= this.ports.options.horizonMs && !this.stopping) this.alarm.in(ms);
  }

  /** Starts nothing new, calls back what reaches out, and after at most `graceMs` hands back what is not committed. */
  async stop(graceMs: number): Promise<void> {
    this.stopping = true;
    this.alarm.cancel();
    this.leases.abort(new Error('shutting down'));
    await new Promise<void>((done) => {
      this.whenIdle = done;
      this.ports.timers.after(graceMs, done);
      this.sayIdle();
    });
    await this.leases.release();
  }

  private get limits(): { readonly atOnce: number; readonly timeoutMs: number } {
    return this.reconciler.reaches ?? unlimited;
  }

  private pump(): void {
    const room = Math.min(this.ports.options.batch, this.limits.atOnce - this.reaching);
    if (this.stopping || !this.wanted || room <= 0 || this.passes >= this.ports.options.passes) return;
    this.wanted = false;
    this.passes += 1;
    void this.run(room)
      .catch((error) => this.fault('pass', error))
      .finally(() => {
        this.passes -= 1;
        this.pump();
        this.sayIdle();
      });
  }

  private async run(room: number): Promise<void> {
    const { notebook, options, witness } = this.ports;
    const leases = await notebook.claim(this.reconciler.kind, room, options.leaseMs);
    if (leases.length === 0) return;
    if (leases.length === room) this.nudge();
    const waitedMs = leases.map(({ now, dueAt }) => now.getTime() - dueAt.getTime());
    witness.claimed(this.reconciler.kind, leases.length, Math.max(...waitedMs));
    const batch = this.leases.take(leases);
    await this.orDrop(batch, async () => {
      const looked = await this.pass.look(batch);
      for (const one of looked) if (!isConclusion(one)) void this.reach(one);
      this.noted(await this.pass.conclude(looked.filter(isConclusion)));
    });
  }

  private async reach(errand: Errand): Promise<void> {
    this.reaching += 1;
    const conclusion = await this.pass.answer(errand, this.withinDeadline(errand));
    this.reaching -= 1;
    if (this.leases.holds(errand.held) && !this.stopping) this.returned.push(conclusion);
    await this.commitReturned();
    this.pump();
    this.sayIdle();
  }

  /** The outside world may ignore the signal; the worker does not. */
  private async withinDeadline({ held, plan }: Errand): Promise<unknown> {
    const { timeoutMs } = this.limits;
    const { signal } = held.abort;
    const late = new Error(`${plan.step.do} of ${plan.key}: no answer within ${timeoutMs} ms`);
    const cancel = this.ports.timers.after(timeoutMs, () => held.abort.abort(late));
    try {
      return await new Promise((answer, refuse) => {
        signal.addEventListener('abort', () => refuse(signal.reason as Error), { once: true });
        this.reconciler.reach!(plan, signal).then(answer, refuse);
      });
    } finally {
      cancel();
    }
  }

  /** Whatever has come back by now is committed together; meanwhile more may come. */
  private async commitReturned(): Promise<void> {
    if (this.committing) return;
    this.committing = true;
    while (this.returned.length > 0) {
      const batch = this.returned.splice(0, this.ports.options.batch);
      const held = batch.map((one) => one.held);
      await this.orDrop(held, async () => this.noted(await this.pass.conclude(batch)));
    }
    this.committing = false;
  }

  /** With the database away nothing can be written down: the leases run out by themselves, and someone looks again. */
  private async orDrop(batch: readonly Held[], work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      for (const held of batch) this.leases.drop(held);
      this.fault('pass', error);
    }
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
