import type { Plan, Verb } from '@homeostat/reconcile';

/** Plans by the name of their step, each group in key order: rows are locked in that order, so batches cannot deadlock. */
export function byStep<Observed, Step extends Verb>(
  plans: readonly Plan<Observed, Step>[],
): ReadonlyMap<Step['do'], readonly Plan<Observed, Step>[]> {
  const groups = new Map<Step['do'], Plan<Observed, Step>[]>();
  for (const plan of plans.toSorted((one, other) => (one.key < other.key ? -1 : 1))) {
    const group = groups.get(plan.step.do) ?? [];
    group.push(plan);
    groups.set(plan.step.do, group);
  }
  return groups;
}
