import type { Domain } from '@homeostat/shared';
import fc from 'fast-check';
import {
  decideDomain,
  type DomainFacts,
  type DomainSettings,
  type DomainSight,
  type DomainStep,
} from './domain.decide';
import type { TxtAnswer } from './txt-lookup';

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
const settings: DomainSettings = {
  checkIntervalMs: 5 * second,
  maxCheckIntervalMs: 10 * minute,
  windowMs: 48 * hour,
  recheckMs: day,
  lapseGraceMs: 3 * day,
};

const now = new Date('2026-03-01T12:00:00.000Z');
const from = (ms: number): Date => new Date(now.getTime() + ms);
const token = 'hs-4f9c2ab81d7e6053';
const recordName = '99dn6s7bZoVpjzYciVNgN-zeitwork.example.com';

const check = (outcome: 'match' | 'other' | 'absent' | 'unasked', ageMs: number): Domain['last_check'] => ({
  at: from(-ageMs).toISOString(),
  outcome,
  why: null,
  seen: [],
});

const row = (more: Partial<Domain>): Domain => ({
  id: '01234567-89ab-cdef-0123-456789abcdef',
  tenant_id: 'default',
  name: 'example.com',
  project_id: null,
  token,
  status: 'pending',
  reason: null,
  message: null,
  generation: '1',
  created_at: now,
  updated_at: now,
  window_ends_at: from(48 * hour - second),
  check_at: now,
  checks: 0,
  last_check: null,
  check_asked_at: null,
  verified_at: null,
  absent_since: null,
  ...more,
});

const verified = (more: Partial<Domain> = {}): Domain =>
  row({
    status: 'verified',
    reason: 'Verified',
    verified_at: from(-10 * day),
    window_ends_at: from(-9 * day),
    ...more,
  });
const atRisk = (goneForMs: number, more: Partial<Domain> = {}): Domain =>
  verified({
    status: 'at_risk',
    reason: 'RecordAbsent',
    absent_since: from(-goneForMs),
    last_check: check('absent', 10 * minute),
    ...more,
  });
const sight = (domain: Domain, answer: TxtAnswer | null = null, more: Partial<DomainSight> = {}): DomainSight => ({
  domain,
  recordName,
  taken: false,
  answer,
  jitter: 0.5,
  settings,
  ...more,
});

const holds = (...records: string[]): TxtAnswer => ({ asked: 'answered', records });
const absent: TxtAnswer = { asked: 'absent', why: 'NXDOMAIN' };
const unasked: TxtAnswer = { asked: 'unasked', why: 'no name server answered within 2000 ms' };

// prettier-ignore
const steps: [string, DomainSight, DomainStep['do'], Partial<DomainFacts>][] = [
  ['verifies when the record is the token', sight(row({}), holds(token)), 'verify',
    { status: 'verified', reason: 'Verified', verified_at: now, checks: 1, check_at: from(day) }],
  ['verifies when one of many records contains the token', sight(row({}), holds('v=spf1 -all', `key=${token};`)), 'verify',
    { status: 'verified' }],
  ['verifies on a record beyond those that are kept', sight(row({}), holds(...Array<string>(999).fill('x'), token)), 'verify',
    { status: 'verified' }],
  ['does not put together a token from two records', sight(row({}), holds(token.slice(0, 9), token.slice(9))), 'record',
    { status: 'pending', reason: 'RecordDiffers' }],
  ['does not take the token in other letter case', sight(row({}), holds(token.toUpperCase())), 'record',
    { reason: 'RecordDiffers' }],
  ['never takes an empty token for proof', sight(row({ token: '' }), holds('anything')), 'record',
    { reason: 'RecordDiffers' }],
  ['checks a fresh claim again after the interval', sight(row({}), absent), 'record',
    { status: 'pending', reason: 'RecordAbsent', check_at: from(5 * second) }],
  ['checks every interval until the third minute', sight(row({ window_ends_at: from(48 * hour - 179 * second) }), absent), 'record',
    { check_at: from(5 * second) }],
  ['waits for a tenth of the age after that', sight(row({ window_ends_at: from(47 * hour) }), absent), 'record',
    { check_at: from(6 * minute) }],
  ['waits for no longer than the longest interval', sight(row({ window_ends_at: from(24 * hour) }), absent), 'record',
    { check_at: from(10 * minute) }],
  ['checks no later than the window’s end', sight(row({ window_ends_at: from(minute) }), absent), 'record',
    { check_at: from(minute) }],
  ['spreads the checks by the jitter it observes', sight(row({ window_ends_at: from(24 * hour) }), absent, { jitter: 0 }), 'record',
    { check_at: from(9 * minute) }],
  ['tells "could not ask" from "absent"', sight(row({ last_check: check('absent', 5 * second) }), unasked), 'record',
    { status: 'pending', reason: 'CouldNotAsk', check_at: from(5 * second) }],
  ['doubles the distance while nobody answers', sight(row({ last_check: check('unasked', 40 * second) }), unasked), 'record',
    { reason: 'CouldNotAsk', check_at: from(80 * second) }],
  ['doubles it up to the longest interval', sight(row({ last_check: check('unasked', 9 * minute) }), unasked), 'record',
    { check_at: from(10 * minute) }],
  ['keeps a proven name pending that another tenant holds', sight(row({}), holds(token), { taken: true }), 'record',
    { status: 'pending', reason: 'NameTaken', verified_at: null, check_at: from(10 * minute) }],
  ['does not tell who has proven nothing that the name is taken', sight(row({}), absent, { taken: true }), 'record',
    { reason: 'RecordAbsent', message: `There is no TXT record at ${recordName} (NXDOMAIN).` }],
  ['expires when the window has passed', sight(row({ window_ends_at: now, message: 'It was so.' })), 'expire',
    { status: 'expired', reason: 'WindowPassed', checks: 0, last_check: null }],
  ['expires on an answer that comes after the window', sight(row({ window_ends_at: from(-second) }), absent), 'expire',
    { status: 'expired', reason: 'WindowPassed', checks: 1 }],
  ['expires when nobody could be asked to the last', sight(row({ window_ends_at: from(-second) }), unasked), 'expire',
    { status: 'expired', reason: 'WindowPassed' }],
  ['verifies on a proof that was asked for inside the window', sight(row({ window_ends_at: from(-second) }), holds(token)), 'verify',
    { status: 'verified' }],
  ['expires a name that stayed taken', sight(row({ window_ends_at: from(-second) }), holds(token), { taken: true }), 'expire',
    { status: 'expired' }],

  ['stays verified while the token is there', sight(verified(), holds(token)), 'record',
    { status: 'verified', reason: 'Verified', verified_at: from(-10 * day), check_at: from(day) }],
  ['stays verified when nobody can be asked, and asks again soon', sight(verified(), unasked), 'record',
    { status: 'verified', reason: 'CouldNotAsk', absent_since: null, check_at: from(5 * second) }],
  ['is at risk when the record is gone, and asks more often', sight(verified(), absent), 'risk',
    { status: 'at_risk', reason: 'RecordAbsent', absent_since: now, check_at: from(10 * minute) }],
  ['is at risk when the record holds another value', sight(verified(), holds('parked')), 'risk',
    { status: 'at_risk', reason: 'RecordDiffers', absent_since: now }],
  ['recovers when the token is back', sight(atRisk(2 * day), holds(token)), 'recover',
    { status: 'verified', reason: 'Verified', absent_since: null, verified_at: from(-10 * day), check_at: from(day) }],
  ['stays at risk inside the grace, which counts from the first absence', sight(atRisk(2 * day), absent), 'record',
    { status: 'at_risk', absent_since: from(-2 * day) }],
  ['looks again at the end of the grace', sight(atRisk(3 * day - minute), absent), 'record',
    { check_at: from(minute) }],
  ['lapses after the grace', sight(atRisk(3 * day), absent), 'lapse',
    { status: 'lapsed', reason: 'GracePassed', verified_at: null, absent_since: from(-3 * day) }],
  ['recovers at the last moment', sight(atRisk(4 * day), holds(token)), 'recover', { status: 'verified' }],
  ['does not lapse when nobody can be asked', sight(atRisk(9 * day), unasked), 'record',
    { status: 'at_risk', reason: 'CouldNotAsk', absent_since: from(-9 * day), check_at: from(5 * second) }],
  ['does not lapse on the first answer after a silence', sight(atRisk(9 * day, { last_check: check('unasked', minute) }), absent), 'record',
    { status: 'at_risk', reason: 'RecordAbsent', check_at: from(10 * minute) }],
  ['starts the grace anew when it is not known since when', sight(atRisk(0, { absent_since: null }), absent), 'record',
    { status: 'at_risk', absent_since: now }],
];

test.each(steps)('%s', (_sentence, seen, verb, facts) => {
  const decision = decideDomain(seen, now);
  expect(decision).toMatchObject({ verdict: 'act', next: 'now', step: { do: verb, facts } });
});

// prettier-ignore
const others: [string, DomainSight, object][] = [
  ['asks when the check is due', sight(row({})), { verdict: 'reach', reach: { do: 'lookup' } }],
  ['waits for the check', sight(row({ check_at: from(5 * second) })), { verdict: 'wait', until: from(5 * second) }],
  ['waits no longer than the window', sight(row({ check_at: from(hour), window_ends_at: from(minute) })),
    { verdict: 'wait', until: from(minute) }],
  ['tells to create the record before anything was seen', sight(row({ check_at: from(1) })),
    { fix: `Create the TXT record ${recordName} with the value shown as "record".` }],
  ['tells to add the value beside others', sight(row({ check_at: from(1), last_check: check('other', 0) })),
    { fix: `Add the value shown as "record" to the TXT records at ${recordName}; the others may stay.` }],
  ['tells to mend the name servers', sight(row({ check_at: from(1), last_check: check('unasked', 0) })),
    { fix: `See that the name servers of example.com answer for ${recordName}.` }],
  ['tells what frees a taken name', sight(row({ check_at: from(1), reason: 'NameTaken', last_check: check('match', 0) })),
    { fix: 'Have the other claim deleted, or its record, so that it lapses.' }],
  ['waits for the next check of a verified domain', sight(verified({ check_at: from(day), last_check: check('match', 0) })),
    { verdict: 'wait', until: from(day), fix: null }],
  ['asks again about a verified domain', sight(verified()), { verdict: 'reach' }],
  ['asks again about a domain at risk', sight(atRisk(9 * day)), { verdict: 'reach' }],
  ['leaves an expired domain alone', sight(row({ status: 'expired' })), { verdict: 'settle' }],
  ['leaves a lapsed domain alone, though its check is due', sight(row({ status: 'lapsed', message: 'Gone.' })),
    { verdict: 'settle', because: 'Gone.' }],
];

test.each(others)('%s', (_sentence, seen, expected) => {
  expect(decideDomain(seen, now)).toMatchObject(expected);
});

const lastCheckOf = (seen: DomainSight): NonNullable<Domain['last_check']> => {
  const decision = decideDomain(seen, now);
  if (decision.verdict !== 'act') throw new Error(`expected a step, not ${decision.verdict}`);
  return decision.step.facts.last_check!;
};

test('keeps ten values of 255 characters of what was seen', () => {
  const { seen } = lastCheckOf(sight(row({}), holds(...Array<string>(20).fill('x'.repeat(4_000)))));
  expect(seen).toEqual(Array<string>(10).fill('x'.repeat(255)));
});

test('keeps nothing that the database cannot store', () => {
  const { seen } = lastCheckOf(sight(row({}), holds('a\0b', `${'x'.repeat(254)}😀`)));
  expect(seen).toEqual(['a\ufffdb', `${'x'.repeat(254)}\ufffd`]);
});

test('never puts the token into a sentence', () => {
  for (const [, seen] of [...steps, ...others]) {
    if (seen.domain.token !== '') expect(JSON.stringify(said(seen))).not.toContain(token);
  }
});

function said(seen: DomainSight): unknown {
  const decision = decideDomain(seen, now);
  return decision.verdict === 'act' ? [decision.because, decision.step.facts.message] : decision;
}

const legal = ['pending>verified', 'pending>expired', 'verified>at_risk', 'at_risk>verified', 'at_risk>lapsed'];
const world = fc.record({
  answer: fc.constantFrom(absent, unasked, holds('other'), holds(token), holds()),
  taken: fc.boolean(),
  jitter: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  lateMs: fc.oneof(fc.constant(0), fc.nat(3 * day)),
});

test('whatever DNS answers and however late: only legal moves, for a reason, and always a next look', () => {
  fc.assert(
    fc.property(fc.array(world, { maxLength: 60 }), (worlds) => {
      let domain = row({});
      let at = now;
      for (const { answer, lateMs, ...observed } of worlds) {
        at = new Date(at.getTime() + lateMs);
        const before = domain;
        domain = looked(sight(domain, null, observed), answer, at);
        if (domain.status !== before.status) expect(legal).toContain(`${before.status}>${domain.status}`);
        if (answer === unasked) expect(['pending', 'expired', before.status]).toContain(domain.status);
        expect(domain.status === 'verified' || domain.status === 'at_risk').toBe(domain.verified_at !== null);
        const next = decideDomain(sight(domain, null, observed), at);
        if (domain.status === 'expired' || domain.status === 'lapsed') return expect(next.verdict).toBe('settle');
        if (next.verdict !== 'wait') throw new Error(`expected to wait, not to ${next.verdict}`);
        expect(next.until.getTime()).toBeGreaterThan(at.getTime());
        expect(next.because).toMatch(/\.$/);
        at = next.until;
      }
    }),
    { numRuns: 500 },
  );
});

/** One look: whatever is asked for is answered, and the step is written. */
function looked(seen: DomainSight, answer: TxtAnswer, at: Date): Domain {
  const first = decideDomain(seen, at);
  const decision = first.verdict === 'reach' ? decideDomain({ ...seen, answer }, at) : first;
  if (decision.verdict !== 'act') throw new Error(`expected a step, not ${decision.verdict}`);
  return { ...seen.domain, ...decision.step.facts };
}
