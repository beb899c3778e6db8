import { Backoff } from './backoff';
import type { Due, Notebook } from './notebook';
import { type EngineOptions, type Timers, type Witness, type Work, engineDefaults } from './ports';
import type { AnyReconciler } from './reconciler';
import { Worker } from './worker';

export interface LoopPorts<Tx> {
  readonly notebook: Notebook<Tx>;
  readonly timers: Timers;
  readonly witness: Witness;
  readonly random: () => number;
  readonly options?: EngineOptions;
}

/** Drives a list of reconcilers: nudged by events, polled by `poll`, checked by `audit`; whoever owns timers calls those. */
export class Loop<Tx> {
  private readonly workers = new Map<string, Worker<Tx>>();
  private readonly options: EngineOptions;
  private auditing = { kind: 0, after: null as string | null };

  constructor(
    reconcilers: readonly AnyReconciler<Tx>[],
    private readonly ports: LoopPorts<Tx>,
  ) {
    this.options = ports.options ?? engineDefaults;
    const backoff = new Backoff(ports.random);
    for (const reconciler of reconcilers) {
      this.workers.set(reconciler.kind, new Worker(reconciler, { ...ports, backoff, options: this.options }));
    }
  }

  get kinds(): string[] {
    return [...this.workers.keys()];
  }

  get work(): Work[] {
    return [...this.workers.values()].map((worker) => worker.work);
  }

  /** Looks at what is due of a kind, now; a kind that is not driven here is somebody else's. */
  nudge(kind: string): void {
    this.workers.get(kind)?.nudge();
  }

  /** Takes up what a question to the notebook, asked for several loops at once, has found to be due. */
  wake(due: readonly Due[]): void {
    for (const { kind, inMs } of due) this.workers.get(kind)?.wakeIn(inMs);
  }

  /** Finds what is due of any kind, in one question to the notebook. */
  async poll(): Promise<void> {
    try {
      this.wake(await this.ports.notebook.due(this.kinds));
    } catch (error) {
      this.ports.witness.failed({ kind: '*', key: null, doing: 'poll', error });
    }
  }

  /** Walks one slice of all resources, one kind after the other, and asks for a look where one should be due but is not. */
  async audit(): Promise<void> {
    const worker = [...this.workers.values()][this.auditing.kind];
    if (!worker) return;
    const { kind } = worker.reconciler;
    try {
      const { keys, last } = await this.ports.notebook.unattended(kind, this.auditing.after, this.options.auditSlice);
      const overlooked = await this.overlooked(worker.reconciler, keys);
      if (overlooked.length > 0) await this.ports.notebook.request(kind, overlooked);
      this.turnPage(last);
      if (overlooked.length > 0) worker.nudge();
    } catch (error) {
      this.ports.witness.failed({ kind, key: null, doing: 'audit', error });
    }
  }

  /** Stops every worker; what they hold is handed back within `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    await Promise.all([...this.workers.values()].map((worker) => worker.stop(graceMs)));
  }

  private turnPage(last: string | null): void {
    const kind = last === null ? (this.auditing.kind + 1) % this.workers.size : this.auditing.kind;
    this.auditing = { kind, after: last };
  }

  private async overlooked(reconciler: AnyReconciler<Tx>, keys: readonly string[]): Promise<string[]> {
    if (keys.length === 0) return [];
    const observed = await reconciler.observe(keys);
    const now = new Date(this.ports.timers.nowMs());
    return keys.filter((key) => {
      const seen: unknown = observed.get(key);
      if (seen === undefined) return false;
      const { verdict } = reconciler.decide(seen, now);
      return verdict !== 'settle' && verdict !== 'stall';
    });
  }
}
