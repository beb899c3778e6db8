import { type Decision, act, reach, settle, stall, wait } from '@homeostat/reconcile';

/** How far the listing of the registry's tags is, and what was just listed. */
export interface ListingSight {
  /** Address and repository; null where no registry is configured. */
  readonly place: string | null;
  readonly fix: string;
  readonly enabled: boolean;
  readonly intervalMs: number;
  readonly listing: string;
  readonly phase: 'idle' | 'listing' | 'removing';
  readonly page: number;
  readonly cursor: string | null;
  readonly listed: number;
  readonly tags: number | null;
  readonly finishedAt: Date | null;
  readonly answer: ListingAnswer | null;
}

export type ListingAnswer =
  | {
      readonly found: 'tags';
      /** Tags that may be CIDs of records. */
      readonly cids: readonly string[];
      /** Digests of manifests whose referrers are under a tag. */
      readonly fallbacks: readonly string[];
      readonly count: number;
      /** Where the listing goes on; null: it is complete. */
      readonly next: string | null;
      /** Whether the registry has the referrers API; null: not asked. */
      readonly referrersApi: boolean | null;
    }
  | { readonly found: 'no_repository' }
  | { readonly found: 'restart' }
  | { readonly found: 'busy'; readonly until: Date };

export type ListingReach = { readonly do: 'list' };
export type ListingStep =
  | { readonly do: 'begin' }
  | ({ readonly do: 'take_page' } & Extract<ListingAnswer, { found: 'tags' }>)
  | { readonly do: 'remove_missing' };

/** Beyond this, a registry lists tags without an end. */
export const MOST_TAGS = 5_000_000;
const NO_REPOSITORY_MS = 30_000;

/** Lists all tags, page after page; then takes what is gone out of the index; then rests (spec 2, "Indexer"). */
export function decideListing(sight: ListingSight, now: Date): Decision<ListingStep, ListingReach> {
  const { place, phase, finishedAt, intervalMs, answer } = sight;
  if (place === null) return stall('The directory waits for a registry: none is configured.', sight.fix);
  if (!sight.enabled) return settle('RECONCILER_INDEXER_ENABLED is false.');
  if (phase === 'removing') return act({ do: 'remove_missing' }, 'What the complete listing lacks is gone.');
  if (answer !== null) return taken(sight, answer, now);
  if (phase === 'listing') return reach({ do: 'list' }, `${sight.listed} tag(s) of ${place} are listed so far.`);
  const due = finishedAt === null ? now : new Date(finishedAt.getTime() + intervalMs);
  if (due > now) return wait(`${sight.tags ?? 0} tag(s) of ${place} are listed; the next listing is not due yet.`, due);
  return act({ do: 'begin' }, `The tags of ${place} are to be listed.`);
}

function taken(sight: ListingSight, answer: ListingAnswer, now: Date): Decision<ListingStep> {
  const { place, intervalMs, listed } = sight;
  switch (answer.found) {
    case 'busy':
      return wait(`${place} asked to be left alone for a while.`, answer.until);
    case 'restart':
      return act({ do: 'begin' }, 'The tag after which the listing should go on is gone: it begins anew.');
    case 'no_repository': {
      const until = new Date(now.getTime() + Math.min(intervalMs, NO_REPOSITORY_MS));
      // Never "everything was removed": what is indexed stays until a listing says so.
      return wait(`${place} does not exist yet.`, until, 'Push a record to it, or mirror one into it.');
    }
    case 'tags': {
      if (listed + answer.count > MOST_TAGS) {
        return stall(`${place} lists more than ${MOST_TAGS} tags.`, 'Look whether the registry pages for ever.');
      }
      const { found: _, ...page } = answer;
      const because = answer.next === null ? 'the listing is complete' : 'the listing goes on';
      return act({ do: 'take_page', found: 'tags', ...page }, `${answer.count} tag(s) were listed; ${because}.`);
    }
  }
}
