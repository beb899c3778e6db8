import { act, type Decision, reach, settle, type Verb, wait } from '@homeostat/reconcile';
import type { Domain } from '@homeostat/shared';
import { graceEndsAt, nextCheckAt } from './check-times.decide';
import { type Finding, findingOf } from './finding.decide';
import type { TxtAnswer } from './txt-lookup';

export interface DomainSettings {
  /** Between checks in a claim's first minutes, and the first retry when nobody could be asked. */
  readonly checkIntervalMs: number;
  readonly maxCheckIntervalMs: number;
  readonly windowMs: number;
  /** Between checks of a verified domain. */
  readonly recheckMs: number;
  /** How long the record of a verified domain must be absent before it lapses. */
  readonly lapseGraceMs: number;
}

/** A domain as observed; `answer` is null until DNS was asked in this look. */
export interface DomainSight {
  readonly domain: Domain;
  readonly recordName: string;
  /** Another tenant's claim to the name is verified or at risk. */
  readonly taken: boolean;
  readonly answer: TxtAnswer | null;
  /** In [0, 1), drawn anew for each look. */
  readonly jitter: number;
  readonly settings: DomainSettings;
}

/** The columns that a step writes; no other changes. */
export type DomainFacts = Pick<
  Domain,
  'status' | 'reason' | 'message' | 'check_at' | 'checks' | 'last_check' | 'verified_at' | 'absent_since'
>;

/** `record` writes down a check that changes no state; the others leave one state for the next. */
export interface DomainStep extends Verb {
  readonly do: 'record' | 'verify' | 'expire' | 'risk' | 'recover' | 'lapse';
  readonly facts: DomainFacts;
}

export type DomainReach = { readonly do: 'lookup' };
type DomainDecision = Decision<DomainStep, DomainReach>;
type Change = Partial<DomainFacts> & { readonly message: string };

/** Leads a claim to verified or expired, and a verified domain whose record is gone to lapsed (spec 1, "Domains"). */
export function decideDomain(sight: DomainSight, now: Date): DomainDecision {
  const { domain, answer, recordName } = sight;
  switch (domain.status) {
    case 'expired':
    case 'lapsed':
      return settle(domain.message ?? `It is ${domain.status}; restart it to claim the name again.`);
    case 'pending':
    case 'verified':
    case 'at_risk':
      if (answer) return judged(sight, findingOf(answer, domain.token, recordName, now), now);
      if (windowPassed(domain, now)) return expire(sight, domain.message);
      if (now < dueAt(domain))
        return wait(domain.message ?? 'The first check is to come.', dueAt(domain), fixOf(sight));
      return reach({ do: 'lookup' }, `The check of ${recordName} is due.`);
  }
}

function judged(sight: DomainSight, finding: Finding, now: Date): DomainDecision {
  const { status } = sight.domain;
  switch (finding.check.outcome) {
    case 'match':
      return status === 'pending' ? proven(sight, finding, now) : kept(sight, finding, now);
    case 'unasked':
      return status === 'pending' ? unproven(sight, finding, now) : checked(sight, 'record', finding, now);
    case 'absent':
    case 'other':
      return status === 'pending' ? unproven(sight, finding, now) : gone(sight, finding, now);
  }
}

/** Only who has proven the name learns that another tenant has it: else anyone could ask who is a customer. */
function proven(sight: DomainSight, finding: Finding, now: Date): DomainDecision {
  if (!sight.taken) return checked(sight, 'verify', finding, now, { status: 'verified', verified_at: now });
  const message = 'The record is right, but another tenant has verified this name and still holds it.';
  return unproven(sight, { ...finding, reason: 'NameTaken', message }, now);
}

function unproven(sight: DomainSight, finding: Finding, now: Date): DomainDecision {
  const { domain } = sight;
  if (!windowPassed(domain, now)) return checked(sight, 'record', finding, now);
  return expire(sight, finding.message, { checks: domain.checks + 1, last_check: finding.check });
}

function kept(sight: DomainSight, finding: Finding, now: Date): DomainDecision {
  const verb = sight.domain.status === 'at_risk' ? 'recover' : 'record';
  return checked(sight, verb, finding, now, { status: 'verified', absent_since: null });
}

/** Lapses after the grace, and only on two answers in a row: one after a silence may be the exception. */
function gone(sight: DomainSight, finding: Finding, now: Date): DomainDecision {
  const { domain, settings } = sight;
  const atRisk = domain.status === 'at_risk';
  const absentSince = (atRisk ? domain.absent_since : null) ?? now;
  const endsAt = graceEndsAt(absentSince, settings);
  if (atRisk && now >= endsAt && domain.last_check?.outcome !== 'unasked') return lapse(sight, finding, absentSince);
  const message = `${finding.message} Unless the token is there again, the domain lapses at ${endsAt.toISOString()}.`;
  const change = { status: 'at_risk', absent_since: absentSince } as const;
  return checked(sight, atRisk ? 'record' : 'risk', { ...finding, message }, now, change);
}

function expire({ domain }: DomainSight, last: string | null, change: Partial<DomainFacts> = {}): DomainDecision {
  const passed = `The window closed at ${domain.window_ends_at.toISOString()}; restart the domain to open another.`;
  const message = last === null ? passed : `${passed} Last: ${last}`;
  return step(domain, 'expire', { ...change, status: 'expired', reason: 'WindowPassed', message });
}

function lapse({ domain }: DomainSight, finding: Finding, absentSince: Date): DomainDecision {
  const since = `The token has been gone since ${absentSince.toISOString()}; restart the domain to claim it again.`;
  const checks = { checks: domain.checks + 1, last_check: finding.check };
  const message = `${finding.message} ${since}`;
  return step(domain, 'lapse', { ...checks, status: 'lapsed', reason: 'GracePassed', message, verified_at: null });
}

function checked(
  { domain, settings, jitter }: DomainSight,
  verb: DomainStep['do'],
  { check, reason, message }: Finding,
  now: Date,
  change: Partial<DomainFacts> = {},
): DomainDecision {
  const after = { ...domain, ...change, reason };
  const check_at = nextCheckAt(after, check.outcome, settings, jitter, now);
  return step(domain, verb, { ...change, reason, message, check_at, checks: domain.checks + 1, last_check: check });
}

function step(domain: Domain, verb: DomainStep['do'], change: Change): DomainDecision {
  const { status, reason, check_at, checks, last_check, verified_at, absent_since } = domain;
  const facts = { status, reason, check_at, checks, last_check, verified_at, absent_since, ...change };
  return act({ do: verb, facts }, change.message);
}

function windowPassed({ status, window_ends_at }: Domain, now: Date): boolean {
  return status === 'pending' && now >= window_ends_at;
}

/** The next check, or the end of the window where that is sooner. */
function dueAt({ status, check_at, window_ends_at }: Domain): Date {
  return status === 'pending' && window_ends_at < check_at ? window_ends_at : check_at;
}

function fixOf({ domain, recordName }: DomainSight): string | null {
  if (domain.reason === 'NameTaken') return 'Have the other claim deleted, or its record, so that it lapses.';
  switch (domain.last_check?.outcome) {
    case 'match':
      return null;
    case 'unasked':
      return `See that the name servers of ${domain.name} answer for ${recordName}.`;
    case 'other':
      return `Add the value shown as "record" to the TXT records at ${recordName}; the others may stay.`;
    case 'absent':
    case undefined:
      return `Create the TXT record ${recordName} with the value shown as "record".`;
  }
}
