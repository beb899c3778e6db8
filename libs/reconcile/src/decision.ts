/** When to look again after a step: at once, at a time, or only when something asks for it. */
export type NextLook = 'now' | 'settled' | Date;

/**
 * What one look at one resource concludes. `Step` is a change of our own rows, `Reach` a question to, or an order
 * for, the world outside the database. `because` is a sentence for people, `fix` what a person could do.
 */
export type Decision<Step, Reach = never> =
  | { readonly verdict: 'act'; readonly step: Step; readonly because: string; readonly next: NextLook }
  | { readonly verdict: 'reach'; readonly reach: Reach; readonly because: string }
  | { readonly verdict: 'wait'; readonly because: string; readonly until: Date; readonly fix: string | null }
  | { readonly verdict: 'settle'; readonly because: string }
  | { readonly verdict: 'stall'; readonly because: string; readonly fix: string };

/** One step on our own rows, then another look (at once, unless `next` says otherwise). */
export function act<Step>(step: Step, because: string, next: NextLook = 'now'): Decision<Step> {
  return { verdict: 'act', step, because, next };
}

/** One call to the outside world; what it answers is observed, and decided upon again in the same pass. */
export function reach<Reach>(what: Reach, because: string): Decision<never, Reach> {
  return { verdict: 'reach', reach: what, because };
}

/** Not a failure: nothing to do before `until`, unless something changes. */
export function wait(because: string, until: Date, fix: string | null = null): Decision<never> {
  return { verdict: 'wait', because, until, fix };
}

/** As it should be: no look until something changes. */
export function settle(because: string): Decision<never> {
  return { verdict: 'settle', because };
}

/** Out of the engine's hands: only a person or a new wish can mend it, so nothing is retried. */
export function stall(because: string, fix: string): Decision<never> {
  return { verdict: 'stall', because, fix };
}
