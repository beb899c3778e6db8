import type { Decision } from './decision';

/** Steps and reaches are named by an imperative; the name is what the record of passes shows. */
export interface Verb {
  readonly do: string;
}

/** A step that `decide` chose, with what it saw. */
export interface Plan<Observed, Step> {
  readonly key: string;
  readonly observed: Observed;
  readonly step: Step;
  readonly because: string;
}

/**
 * One resource family's way to what should be true: observe → decide → act. The engine supplies the rest: leases,
 * order, retries, the record of what was done and why (design.md, "The engine").
 */
export interface Reconciler<Observed, Step extends Verb, Reach extends Verb = never, Tx = unknown> {
  readonly kind: string;
  /** Calls to the outside world: how many at once per process, and how long each may take. */
  readonly reaches?: { readonly atOnce: number; readonly timeoutMs: number };
  /** Reads everything needed about all keys in a few queries. A key that is missing in the answer is gone. */
  observe(keys: readonly string[]): Promise<ReadonlyMap<string, Observed>>;
  /** Pure: no I/O, no clock, no randomness, no throw. */
  decide(observed: Observed, now: Date): Decision<Step, Reach>;
  /** Asks or changes the outside world, once, idempotently; returns what is observed now. */
  reach?(plan: Plan<Observed, Reach>, signal: AbortSignal): Promise<Observed>;
  /** Writes steps to our rows, each conditional on the state it leaves. Returns the keys whose write took effect. */
  act(plans: readonly Plan<Observed, Step>[], tx: Tx): Promise<ReadonlySet<string>>;
}

/** Any reconciler, whatever it observes: what the loop holds in its list. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the loop never looks inside; each reconciler is typed
export type AnyReconciler<Tx> = Reconciler<any, any, any, Tx>;
