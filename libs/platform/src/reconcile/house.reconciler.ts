import type { Reconciler, Verb } from '@homeostat/reconcile';
import type { Kind } from '@homeostat/shared';
import type { Tx } from '../database/tx';

/** What is wished for one resource and what is there, for people who ask why it is not done yet. */
export interface Description {
  readonly desired: object;
  readonly observed: object;
}

/** A reconciler of this house: works on PostgreSQL, and can say what it sees. */
export interface HouseReconciler<Observed, Step extends Verb, Reach extends Verb = never> extends Reconciler<
  Observed,
  Step,
  Reach,
  Tx
> {
  readonly kind: Kind;
  describe(observed: Observed): Description;
}

/** Any of them, as the wiring holds it. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- each reconciler is typed; the wiring never looks inside
export type AnyHouseReconciler = HouseReconciler<any, any, any>;
