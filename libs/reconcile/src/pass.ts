import type { Decision, NextLook } from './decision';
import { StaleLeases, Unavailable } from './errors';
import { halving } from './halving';
import { databaseNow, type Held, type Leases } from './leases';
import type { LookResult, NextClaim, Notebook } from './notebook';
import type { Timers, Witness } from './ports';
import type { AnyReconciler, Plan, Verb } from './reconciler';
import type { Results } from './results';

/** A look that has come to its end and waits for the commit: a step to apply, or only something to record. */
export type Conclusion =
  | { readonly held: Held; readonly plan: Plan<unknown, Verb>; readonly next: NextLook }
  | { readonly held: Held; readonly result: LookResult };

/** A look that must go to the outside world before it can be concluded. */
export interface Errand {
  readonly held: Held;
  readonly plan: Plan<unknown, Verb>;
}

/** The phases of a pass over a batch: observe and decide; then, for what is concluded, act and record. */
export class Pass<Tx> {
  constructor(
    private readonly reconciler: AnyReconciler<Tx>,
    private readonly notebook: Notebook<Tx>,
    private readonly leases: Leases,
    private readonly results: Results,
    private readonly timers: Timers,
    private readonly witness: Witness,
  ) {}

  /** Observes a batch and decides on each; a batch that cannot be read is halved until the key at fault backs off. */
  async look(batch: readonly Held[]): Promise<(Conclusion | Errand)[]> {
    const looked: (Conclusion | Errand)[] = [];
    const observeAndDecide = async (part: readonly Held[]): Promise<void> => {
      const observed = await this.reconciler.observe(part.map((held) => held.lease.key));
      for (const held of part) looked.push(this.lookAt(held, observed.get(held.lease.key)));
    };
    await halving(batch, {
      run: observeAndDecide,
      alone: async (held, error) => void looked.push(this.failed(held, null, 'observe', error)),
      isSuspect: hasFailed,
    });
    return looked;
  }

  /** The second half of a look that reached out: decides on what came back. */
  async answer({ held, plan }: Errand, asked: Promise<unknown>): Promise<Conclusion> {
    try {
      const looked = this.decide(held, await asked);
      if ('result' in looked || 'next' in looked) return looked;
      return { held, result: this.results.acted(held, plan.step, plan.because, 'now') };
    } catch (error) {
      return this.failed(held, plan.step, 'reach', error);
    }
  }

  /**
   * Applies and records a batch in one transaction; halves it when that fails; drops what others have taken over. The last
   * part takes the `next` claim along, in any case where there were others: nobody asks what they left due.
   */
  async conclude(batch: readonly Conclusion[], next: NextClaim | null): Promise<LookResult[]> {
    const written: LookResult[] = [];
    const last = batch.findLast(({ held }) => hasFailed(held)) ?? batch.at(-1)!;
    const along = (part: readonly Conclusion[]): NextClaim | null =>
      next && part.includes(last) ? { ...next, always: next.always || part.length < batch.length } : null;
    const commit = async (part: readonly Conclusion[]): Promise<void> => {
      written.push(...(await this.commitUnlessStale(part, along(part))));
    };
    const alone = async (one: Conclusion, error: unknown): Promise<void> => {
      const failed = this.failed(one.held, 'plan' in one ? one.plan.step : null, 'commit', error);
      written.push(...(await this.commitFailure(failed, along([one]))));
    };
    await halving(batch, { run: commit, alone, isSuspect: ({ held }) => hasFailed(held) });
    for (const { lease, ...look } of written) {
      const { key, traceparent } = lease;
      this.witness.looked({ kind: this.reconciler.kind, key, traceparent, ...look });
    }
    return written;
  }

  private lookAt(held: Held, observed: unknown): Conclusion | Errand {
    return observed === undefined ? { held, result: this.results.gone(held) } : this.decide(held, observed);
  }

  private decide(held: Held, observed: unknown): Conclusion | Errand {
    const { key } = held.lease;
    try {
      const decision: Decision<Verb, Verb> = this.reconciler.decide(observed, databaseNow(held, this.timers.nowMs()));
      const { because } = decision;
      if (decision.verdict === 'act') {
        return { held, plan: { key, observed, step: decision.step, because }, next: decision.next };
      }
      if (decision.verdict === 'reach') return { held, plan: { key, observed, step: decision.reach, because } };
      return { held, result: this.results.rested(held, decision) };
    } catch (error) {
      return this.failed(held, null, 'decide', error);
    }
  }

  private async commitUnlessStale(batch: readonly Conclusion[], next: NextClaim | null): Promise<LookResult[]> {
    try {
      return await this.commit(batch, next);
    } catch (error) {
      if (!(error instanceof StaleLeases)) throw error;
      const lost = new Set(error.keys);
      for (const { held } of batch) if (lost.has(held.lease.key)) this.leases.lose(held);
      const ours = batch.filter(({ held }) => !lost.has(held.lease.key));
      return ours.length > 0 ? this.commitUnlessStale(ours, next) : [];
    }
  }

  /** Not even the failure can be written down: its lease runs out by itself, and the rest of the batch goes on. */
  private async commitFailure(failed: Conclusion, next: NextClaim | null): Promise<LookResult[]> {
    try {
      return await this.commitUnlessStale([failed], next);
    } catch (error) {
      if (error instanceof Unavailable) throw error;
      this.leases.drop(failed.held);
      this.witness.failed({ kind: this.reconciler.kind, ...subject(failed.held), doing: 'record', error });
      return [];
    }
  }

  private async commit(batch: readonly Conclusion[], next: NextClaim | null): Promise<LookResult[]> {
    const plans = batch.flatMap((one) => ('plan' in one ? [one.plan] : []));
    const written = await this.notebook.transaction(async (tx) => {
      const done = plans.length > 0 ? await this.reconciler.act(plans, tx) : new Set<string>();
      const results = batch.map((one) => this.resultOf(one, done));
      this.notebook.record(tx, this.reconciler.kind, results, next);
      return results;
    });
    for (const { held } of batch) this.leases.drop(held);
    return written;
  }

  private resultOf(one: Conclusion, done: ReadonlySet<string>): LookResult {
    if ('result' in one) return one.result;
    const { held, plan, next } = one;
    return done.has(plan.key)
      ? this.results.acted(held, plan.step, plan.because, next)
      : this.results.conflict(held, plan.step);
  }

  private failed(held: Held, step: Verb | null, doing: string, error: unknown): Conclusion & { result: LookResult } {
    this.witness.failed({ kind: this.reconciler.kind, ...subject(held), doing: step?.do ?? doing, error });
    return { held, result: this.results.failed(held, step, error) };
  }
}

function hasFailed({ lease: { failures } }: Held): boolean {
  return failures > 0;
}

function subject({ lease: { key, traceparent } }: Held): { key: string; traceparent: string | null } {
  return { key, traceparent };
}
