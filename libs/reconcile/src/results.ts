import type { Backoff } from './backoff';
import type { Decision, NextLook } from './decision';
import { Stalled } from './errors';
import { databaseNow, type Held } from './leases';
import type { LookResult, Outcome } from './notebook';
import type { Verb } from './reconciler';

/** Turns what a look came to into what is written down about it. */
export class Results {
  constructor(
    private readonly backoff: Backoff,
    private readonly nowMs: () => number,
  ) {}

  acted(held: Held, step: Verb, because: string, next: NextLook): LookResult {
    const { dueAt } = next === 'now' ? this.in(held, 0) : { dueAt: next === 'settled' ? null : next };
    return this.result(held, { outcome: 'acted', step: step.do, because, dueAt });
  }

  /** What a decision without a step means. */
  rested(held: Held, decision: Exclude<Decision<Verb, Verb>, { verdict: 'act' | 'reach' }>): LookResult {
    const { because } = decision;
    switch (decision.verdict) {
      case 'wait':
        return this.result(held, { outcome: 'waiting', because, fix: decision.fix, dueAt: decision.until });
      case 'settle':
        return this.result(held, { outcome: 'settled', because });
      case 'stall':
        return this.result(held, { outcome: 'stalled', because, fix: decision.fix });
    }
  }

  gone(held: Held): LookResult {
    return this.result(held, { outcome: 'gone', because: 'it exists no more' });
  }

  /** The row had changed: look again at once, and with backoff if that happens over and over. */
  conflict(held: Held, step: Verb): LookResult {
    const { failures } = held.lease;
    const delayMs = failures === 0 ? 0 : this.backoff.delayMs(failures, this.nowMs());
    const because = `${step.do}: the row had changed meanwhile`;
    return this.result(held, {
      outcome: 'conflict',
      step: step.do,
      because,
      failures: failures + 1,
      ...this.in(held, delayMs),
    });
  }

  failed(held: Held, step: Verb | null, error: unknown): LookResult {
    const because = error instanceof Error ? error.message : String(error);
    if (error instanceof Stalled) {
      return this.result(held, { outcome: 'stalled', step: step?.do ?? null, because, fix: error.fix });
    }
    const failures = held.lease.failures + 1;
    const delayMs = this.backoff.delayMs(failures, this.nowMs());
    return this.result(held, {
      outcome: 'failed',
      step: step?.do ?? null,
      because,
      failures,
      ...this.in(held, delayMs),
    });
  }

  /** What is due at once must be so by the database's clock, however far from it ours has drifted: since the claim. */
  private in(held: Held, delayMs: number): { dueAt: Date } {
    if (delayMs === 0) return { dueAt: held.lease.now };
    return { dueAt: new Date(databaseNow(held, this.nowMs()).getTime() + delayMs) };
  }

  private result(held: Held, what: Partial<LookResult> & { outcome: Outcome; because: string }): LookResult {
    const tookMs = this.nowMs() - held.claimedAtMs;
    return { lease: held.lease, step: null, fix: null, dueAt: null, failures: 0, tookMs, ...what };
  }
}
