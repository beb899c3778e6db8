import { type Decision, act, reach, settle, wait } from '@homeostat/reconcile';
import type { NameVerification } from '@homeostat/shared';
import { type NameTimes, lapseAt, patienceEndsAt, renewalAt, retryAt } from './name-times.decide';
import { type NameAnswer, type Unproven, fixOf, reasonOf, told } from './name-words.decide';
import type { RecordOrigin } from './record-origin';

/** A record as it is now, and where somebody could vouch for its name. */
export interface Candidate {
  readonly cid: string;
  readonly name: string;
  readonly tenant_id: string;
  /** When its signatures and keys last changed, in PostgreSQL's words: Date has no microseconds. */
  readonly changed_at: string | null;
  readonly isSigned: boolean;
  readonly at: RecordOrigin;
}

/** A record's name as observed; `answer` is null until its proof was looked for in this look. */
export interface NameSight {
  /** null: the record is not in the index any more. */
  readonly candidate: Candidate | null;
  readonly verification: NameVerification | null;
  /** Signatures or keys came or went since the last check. */
  readonly isChanged: boolean;
  readonly answer: NameAnswer | null;
  readonly enabled: boolean;
  /** In [0, 1), drawn anew for each look. */
  readonly jitter: number;
  readonly times: NameTimes;
}

/** The columns that a check writes; no other changes. */
export type NameFacts = Pick<
  NameVerification,
  'status' | 'reason' | 'message' | 'method' | 'key_id' | 'verified_at' | 'expires_at' | 'check_at' | 'failing_since'
>;

/** `record` writes down a check that changes no state; `verify`, `fail` and `lapse` leave one state for the next. */
export type NameStep =
  | { readonly do: 'enrol'; readonly candidate: Candidate; readonly domain: string }
  | { readonly do: 'record' | 'verify' | 'fail' | 'lapse'; readonly facts: NameFacts; readonly seen: string | null }
  | { readonly do: 'withdraw' };

export interface NameReach {
  readonly do: 'prove';
  readonly cid: string;
  readonly origin: string;
  /** Something is new: where the domain's keys as they are kept prove nothing, it is asked for them anew. */
  readonly anew: boolean;
}
type NameDecision = Decision<NameStep, NameReach>;

/** A check of a name whose domain can be asked. */
interface Check {
  readonly sight: NameSight;
  readonly candidate: Candidate;
  readonly name: NameVerification;
  readonly now: Date;
}

/** Leads a signed record's name to verified or failed, and keeps that fresh (spec 2, "Names"). */
export function decideName(sight: NameSight, now: Date): NameDecision {
  const { candidate, verification: name, answer, enabled, isChanged } = sight;
  if (!enabled) return settle('RECONCILER_NAME_ENABLED is false.');
  if (candidate === null) return withdrawn(name, 'The record is not in the index any more.');
  if (!candidate.isSigned) return withdrawn(name, 'The record is not signed.');
  if (candidate.at.origin === null) return withdrawn(name, candidate.at.because);
  const { origin, domain } = candidate.at;
  if (name === null)
    return act({ do: 'enrol', candidate, domain }, `It is signed, and ${domain} can vouch for its name.`);
  if (answer) return judged({ sight, candidate, name, now }, answer);
  if (!isChanged && now < name.check_at) {
    return wait(name.message ?? 'The first check is to come.', name.check_at, fixOf(name, origin));
  }
  const because = isChanged ? 'Its signatures or keys are not those of the last check.' : 'Its check is due.';
  return reach({ do: 'prove', cid: candidate.cid, origin, anew: isChanged || isAsked(name) }, because);
}

/** Somebody wants it checked, and it was not since. */
function isAsked({ check_asked_at: asked, checked_at: checked }: NameVerification): boolean {
  return asked !== null && (checked === null || asked > checked);
}

function withdrawn(name: NameVerification | null, because: string): NameDecision {
  return name ? act({ do: 'withdraw' }, because) : settle(because);
}

function judged(check: Check, answer: NameAnswer): NameDecision {
  const { name, now } = check;
  switch (answer.found) {
    case 'busy':
      return wait(`The keys of ${name.domain} are being fetched for another name.`, later(now, answer.busyMs));
    case 'proof':
      return proven(check, answer.keyId);
    case 'no_proof':
    case 'unasked':
      return unproven(check, answer);
  }
}

function proven({ sight, candidate, name, now }: Check, keyId: string): NameDecision {
  const { times, jitter } = sight;
  const isVerified = name.status === 'verified';
  const facts: NameFacts = {
    status: 'verified',
    reason: 'Verified',
    message: `The record is signed by the key "${keyId}" of ${name.domain}.`,
    method: 'jwks',
    key_id: keyId,
    verified_at: isVerified ? name.verified_at : now,
    expires_at: later(now, times.ttlMs),
    check_at: renewalAt(times, jitter, now),
    failing_since: null,
  };
  return step(isVerified ? 'record' : 'verify', facts, candidate);
}

function unproven(check: Check, answer: Unproven): NameDecision {
  const { name, now, sight } = check;
  switch (name.status) {
    case 'verified': {
      const end = lapseAt(name, sight.times, now);
      return now < end ? doubted(check, answer, end) : failed(check, answer, 'lapse');
    }
    case 'pending': {
      const end = patienceEndsAt(sinceOf(check), sight.times);
      return answer.found === 'unasked' && now < end ? awaited(check, answer, end) : failed(check, answer, 'fail');
    }
    case 'failed':
      return failed(check, answer, 'record');
  }
}

/** Still verified: the result stands until its time is over, and the grace. */
function doubted(check: Check, answer: Unproven, end: Date): NameDecision {
  const message = `${told(answer, check.name.domain)} Unless that is mended, the name lapses at ${end.toISOString()}.`;
  return noted(check, answer, end, { reason: reasonOf(answer), message, expires_at: end });
}

/** Nothing is known yet, and a while is waited for the domain. */
function awaited(check: Check, answer: Unproven, end: Date): NameDecision {
  const message = `${told(answer, check.name.domain)} If that lasts, the name fails at ${end.toISOString()}.`;
  return noted(check, answer, end, { reason: reasonOf(answer), message });
}

function noted(
  { sight, candidate, name, now }: Check,
  { found }: Unproven,
  end: Date,
  change: Partial<NameFacts>,
): NameDecision {
  const since = sinceOf({ sight, name, now });
  const check_at = retryAt(found, since, end, sight.times, sight.jitter, now);
  return step('record', { ...factsOf(name), ...change, check_at, failing_since: since }, candidate);
}

/** Where nobody can be asked, what was found before is still the last result. */
function failed(check: Check, answer: Unproven, verb: 'record' | 'fail' | 'lapse'): NameDecision {
  const { sight, candidate, name, now } = check;
  const since = sinceOf(check);
  const check_at = retryAt(answer.found, since, null, sight.times, sight.jitter, now);
  const times = { check_at, expires_at: check_at, failing_since: since };
  if (verb === 'record' && answer.found === 'unasked') return step(verb, { ...factsOf(name), ...times }, candidate);
  const lapsed =
    verb === 'lapse' ? ` The name has lapsed; the proof had been missing since ${since.toISOString()}.` : '';
  const said = { reason: reasonOf(answer), message: told(answer, check.name.domain) + lapsed };
  return step(
    verb,
    { status: 'failed', ...said, method: 'jwks', key_id: null, verified_at: null, ...times },
    candidate,
  );
}

/** Since when the proof has been missing. New signatures and keys are a new try, and no longer time for a verified name. */
function sinceOf({ sight, name, now }: Pick<Check, 'sight' | 'name' | 'now'>): Date {
  return (sight.isChanged && name.status !== 'verified' ? null : name.failing_since) ?? now;
}

function step(
  verb: 'record' | 'verify' | 'fail' | 'lapse',
  facts: NameFacts,
  { changed_at: seen }: Candidate,
): NameDecision {
  return act({ do: verb, facts, seen }, facts.message ?? 'It was checked.', facts.check_at);
}

function factsOf(name: NameVerification): NameFacts {
  const { status, reason, message, method, key_id, verified_at, expires_at, check_at, failing_since } = name;
  return { status, reason, message, method, key_id, verified_at, expires_at, check_at, failing_since };
}

function later(now: Date, ms: number): Date {
  return new Date(now.getTime() + Math.ceil(ms));
}
