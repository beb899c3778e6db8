import { Loop, type Timers } from '@homeostat/reconcile';
import type { Kind } from '@homeostat/shared';
import type { Database } from '../database/database';
import { PostgresNotebook } from '../database/notebook';
import type { Tx } from '../database/tx';
import type { Log } from '../logs';
import { apart } from '../telemetry/traceparent';
import type { AnyHouseReconciler } from './house.reconciler';
import { witness } from './witness';

/** The engine's time, by this process. */
export const processTimers: Timers = {
  after(ms: number, run: () => void): () => void {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  nowMs: () => performance.timeOrigin + performance.now(),
};

/** The reconcilers of one service at work: what event handlers nudge, and the heart beats for. */
export class Looks {
  readonly loop: Loop<Tx>;

  constructor(
    readonly reconcilers: readonly AnyHouseReconciler[],
    readonly database: Database,
    holder: string,
    log: Log,
  ) {
    const notebook = new PostgresNotebook(database, holder);
    this.loop = new Loop(reconcilers, { notebook, timers: processTimers, witness: witness(log), random: Math.random });
  }

  /** Something of this kind may be due: look now, not at the next poll. */
  nudge(kind: Kind): void {
    apart(() => this.loop.nudge(kind));
  }
}
