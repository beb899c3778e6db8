import { type Decision, act, reach, settle, wait } from '@homeostat/reconcile';
import type { RecordStatus, Referrer } from '@homeostat/shared';

/** One tag of the registry that looks like a record's CID: what is known of it, and what the registry just said. */
export interface RecordSight {
  readonly cid: string;
  readonly status: RecordStatus;
  readonly generation: string;
  readonly manifestDigest: string | null;
  readonly name: string | null;
  readonly version: string | null;
  readonly reason: string | null;
  readonly message: string | null;
  /** When it was indexed or quarantined or, if that is later, when its referrers last changed. */
  readonly changedAt: Date | null;
  /** Digests of the referrers that are known. */
  readonly referrers: readonly string[];
  /** Those of them that the registry lists, and did not have when they were asked for. */
  readonly awaited: readonly string[];
  /** Whether the registry lists referrers under a tag for it. */
  readonly hasFallback: boolean;
  /** Whether the registry has the referrers API; null: not known yet. */
  readonly referrersApi: boolean | null;
  readonly registry: boolean;
  readonly enabled: boolean;
  readonly fix: string;
  readonly intervalMs: number;
  /** At random from 0 up to 1. */
  readonly jitter: number;
  readonly answer: RecordAnswer | null;
}

/** A signature, a key, or something else that is attached to a record. */
export interface FoundReferrer {
  readonly digest: string;
  readonly kind: Referrer['kind'];
  readonly media_type: string | null;
  readonly annotations: Readonly<Record<string, string>> | null;
  readonly public_key: string | null;
  readonly signature: string | null;
  /** Why it could not be read; null: it could. */
  readonly fault: string | null;
}

/** Referrers that are new, or are there at last, and known ones that the registry does not list any more. */
export interface ReferrerChanges {
  readonly added: readonly FoundReferrer[];
  readonly gone: readonly string[];
  /** Whether there are more that are new than one look reads. */
  readonly more: boolean;
  /** Why nobody can tell what is gone; null: the list is whole. */
  readonly doubt: string | null;
}

export interface FoundRecord {
  readonly manifest_digest: string;
  readonly annotations: Readonly<Record<string, string>> | null;
  readonly size: number;
  readonly name: string;
  readonly version: string;
  readonly version_key: string;
  readonly schema_version: string;
  readonly authored_at: string;
  readonly terms: readonly string[];
}

type Fault = { readonly found: 'fault'; readonly fault: string; readonly message: string };

export type RecordAnswer =
  | { readonly found: 'record'; readonly record: FoundRecord; readonly referrers: ReferrerChanges }
  | { readonly found: 'referrers'; readonly referrers: ReferrerChanges }
  | { readonly found: 'referrer'; readonly subject: string }
  | Fault
  | { readonly found: 'busy'; readonly until: Date };

export type RecordReach = { readonly do: 'pull' } | { readonly do: 'read_referrers' };
export type RecordStep =
  | { readonly do: 'index'; readonly record: FoundRecord; readonly referrers: ReferrerChanges }
  | { readonly do: 'note_referrers'; readonly referrers: ReferrerChanges }
  | { readonly do: 'set_aside'; readonly subject: string }
  | { readonly do: 'quarantine'; readonly fault: string; readonly message: string };

const AWAITED_FIX = 'Push what is missing, or delete its manifest.';
const DAY_MS = 86_400_000;
/** Signatures mostly come soon after their record: the distance between looks grows with the time since the last change. */
const partOfAge = 0.25;
const MINUTE_MS = 60_000;
/** Between looks at first for what is listed and not there: mostly it is on its way. */
const AWAITED_MS = 5_000;

/** Pulls what is new, and sets aside what is no record; then watches for signatures and keys (spec 2, "Indexer"). */
export function decideRecord(sight: RecordSight, now: Date): Decision<RecordStep, RecordReach> {
  const { answer, status } = sight;
  if (answer !== null) return taken(sight, answer, now);
  if (!sight.enabled) return settle('RECONCILER_INDEXER_ENABLED is false.');
  if (!sight.registry) return wait('No registry is configured.', new Date(now.getTime() + DAY_MS), sight.fix);
  switch (status) {
    case 'pending':
      return reach({ do: 'pull' }, 'The tag is new.');
    case 'indexed':
      return mayHaveReferrers(sight)
        ? reach({ do: 'read_referrers' }, 'Signatures and keys may have come or gone.')
        : settle('It is indexed; the listing will say when a signature or a key comes.');
    case 'quarantined':
      return reach({ do: 'pull' }, 'It may have been mended.');
    case 'referrer':
      return reach({ do: 'pull' }, 'Its tag may have been pushed anew.');
  }
}

function taken(sight: RecordSight, answer: RecordAnswer, now: Date): Decision<RecordStep> {
  switch (answer.found) {
    case 'busy':
      return wait('The registry asked to be left alone for a while.', later(answer.until, sight, now));
    case 'fault':
      return faulty(sight, answer, now);
    case 'referrer': {
      const { subject } = answer;
      return act({ do: 'set_aside', subject }, `It refers to the manifest ${subject}.`, 'settled');
    }
    case 'record': {
      const { record, referrers } = answer;
      const awaited = awaitedOf(sight, referrers);
      const settled = sight.referrersApi === false && awaited.length === 0;
      const otherwise = settled ? 'settled' : nextReading(now, sight, now, awaited);
      const because = `${record.name} ${record.version} was pulled and is valid.${aside(referrers)}${waitsFor(awaited)}`;
      return act({ do: 'index', record, referrers }, because, referrers.more ? 'now' : otherwise);
    }
    case 'referrers': {
      const { referrers } = answer;
      const { added, gone, more, doubt } = referrers;
      const awaited = awaitedOf(sight, referrers);
      if (added.length + gone.length === 0) {
        const news =
          doubt === null ? 'no signature and no key has come or gone' : `what has come or gone is not known: ${doubt}`;
        const until = nextReading(sight.changedAt ?? now, sight, now, awaited);
        return wait(`It is indexed; ${news}.${waitsFor(awaited)}`, until, awaited.length > 0 ? AWAITED_FIX : null);
      }
      const because = `${added.length} referrer(s) came, ${gone.length} went.${aside(referrers)}${waitsFor(awaited)}`;
      return act({ do: 'note_referrers', referrers }, because, more ? 'now' : nextReading(now, sight, now, awaited));
    }
  }
}

/** What was left aside, and why; of many, the first. */
function aside({ added, doubt }: ReferrerChanges): string {
  const faulty = added.filter(({ fault }) => fault !== null);
  const [first] = faulty;
  const left = first ? ` ${faulty.length} of them cannot be read, the first because ${first.fault}.` : '';
  return doubt === null ? left : `${left} What is gone is not known: ${doubt}.`;
}

/** What is listed after this look, and not there. */
function awaitedOf({ awaited }: RecordSight, { added, gone }: ReferrerChanges): string[] {
  const known = new Set([...gone, ...added.map(({ digest }) => digest)]);
  const fresh = added.filter(({ kind }) => kind === 'awaited').map(({ digest }) => digest);
  return [...awaited.filter((digest) => !known.has(digest)), ...fresh];
}

function waitsFor([first, ...rest]: readonly string[]): string {
  if (first === undefined) return '';
  const others = rest.length > 0 ? ` and ${rest.length} more` : '';
  return ` It waits for ${first}${others}: the registry lists that as attached, and does not have its manifest or its content yet.`;
}

/** Spread over four times as long as the registry wants to be left alone: all that wait would come back at once. */
function later(until: Date, { jitter }: RecordSight, now: Date): Date {
  return new Date(until.getTime() + Math.max(0, until.getTime() - now.getTime()) * 4 * jitter);
}

/** Kept, and looked at again ever more rarely: its tag may be pushed anew, or a newer version of ours may know it. */
function faulty(sight: RecordSight, { fault, message }: Fault, now: Date): Decision<RecordStep> {
  const { status, reason, changedAt } = sight;
  if (status === 'quarantined' && reason === fault && sight.message === message) {
    return wait(`It cannot be indexed: ${message}.`, nextReading(changedAt ?? now, sight, now));
  }
  return act({ do: 'quarantine', fault, message }, message, nextReading(now, sight, now));
}

/** Without the referrers API they are under a tag, and the listing tells of tags. */
function mayHaveReferrers({ referrersApi, hasFallback, referrers }: RecordSight): boolean {
  return referrersApi !== false || hasFallback || referrers.length > 0;
}

/**
 * At least the listing's interval, or sooner where something is awaited; at most a day. On the minute, so that looks of
 * many records are one batch.
 */
function nextReading(changedAt: Date, { intervalMs }: RecordSight, now: Date, awaited: readonly string[] = []): Date {
  const leastMs = awaited.length > 0 ? Math.min(AWAITED_MS, intervalMs) : intervalMs;
  const ageMs = now.getTime() - changedAt.getTime();
  const at = now.getTime() + Math.min(DAY_MS, Math.max(leastMs, ageMs * partOfAge));
  return new Date(leastMs < MINUTE_MS ? at : Math.ceil(at / MINUTE_MS) * MINUTE_MS);
}
