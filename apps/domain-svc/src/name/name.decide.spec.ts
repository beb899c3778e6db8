import type { NameVerification } from '@homeostat/shared';
import type { NameAnswer } from './name-words.decide';
import { type Candidate, type NameSight, decideName } from './name.decide';

const now = new Date('2026-11-21T12:00:00.000Z');
const [minute, hour, day] = [60_000, 3_600_000, 86_400_000];
const inMs = (ms: number): Date => new Date(now.getTime() + ms);

const candidate: Candidate = {
  cid: 'baearei…',
  name: 'https://fleet.example/translator',
  tenant_id: 'system',
  changed_at: '2026-11-21 11:00:00.123456+00',
  isSigned: true,
  at: { origin: 'https://fleet.example', domain: 'fleet.example' },
};
const pending: NameVerification = {
  id: '01993f5e-0000-7000-8000-0000000000a1',
  tenant_id: 'system',
  status: 'pending',
  reason: null,
  message: null,
  generation: '1',
  created_at: inMs(-day),
  updated_at: inMs(-day),
  name: candidate.name,
  domain: 'fleet.example',
  method: null,
  key_id: null,
  verified_at: null,
  checked_at: null,
  expires_at: null,
  check_at: now,
  check_asked_at: null,
  failing_since: null,
  record_seen: null,
};
const verified: NameVerification = {
  ...pending,
  status: 'verified',
  reason: 'Verified',
  method: 'jwks',
  key_id: 'one',
  verified_at: inMs(-9 * day),
  expires_at: inMs(2 * day),
};
/** Verified still, and its proof has been missing for a day. */
const doubted: NameVerification = {
  ...verified,
  reason: 'NoDomainKeyAttached',
  failing_since: inMs(-day),
  expires_at: inMs(2 * day),
};
const failed: NameVerification = {
  ...pending,
  status: 'failed',
  reason: 'NoDomainKeyAttached',
  message: 'as it was',
  method: 'jwks',
  failing_since: inMs(-8 * hour),
};

const sight = (more: Partial<NameSight>): NameSight => ({
  candidate,
  verification: pending,
  isChanged: false,
  answer: null,
  enabled: true,
  jitter: 0.5,
  times: { intervalMs: hour, ttlMs: 7 * day, graceMs: 3 * day },
  ...more,
});
const proof: NameAnswer = { found: 'proof', keyId: 'two' };
const missing: NameAnswer = { found: 'no_proof', missing: 'NoDomainKeyAttached', why: null };
const silence: NameAnswer = { found: 'unasked', why: 'silence' };
const after = (verification: NameVerification, answer: NameAnswer, more: Partial<NameSight> = {}) =>
  decideName(sight({ verification, answer, ...more }), now);

describe('without an answer', () => {
  const nobody: Candidate = { ...candidate, at: { origin: null, because: 'Its name is no URL.' } };
  const unsigned: Candidate = { ...candidate, isSigned: false };
  test.each([
    [
      'a signed record whose name a domain can vouch for is enrolled',
      { verification: null },
      { step: { do: 'enrol' } },
    ],
    ['one that is enrolled has its proof looked for', {}, { verdict: 'reach', reach: { do: 'prove' } }],
    [
      'a record without a signature is nobody’s business',
      { verification: null, candidate: unsigned },
      { verdict: 'settle' },
    ],
    ['nor is one with another name', { verification: null, candidate: nobody }, { because: 'Its name is no URL.' }],
    ['nor one that is gone', { verification: null, candidate: null }, { verdict: 'settle' }],
    [
      'one that is signed no more is withdrawn',
      { verification: verified, candidate: unsigned },
      { step: { do: 'withdraw' } },
    ],
    ['so is one that is gone', { verification: verified, candidate: null }, { step: { do: 'withdraw' } }],
    ['a name waits for its check', { verification: { ...verified, check_at: inMs(day) } }, { until: inMs(day) }],
    [
      'unless a signature or key has come or gone',
      { verification: { ...verified, check_at: inMs(day) }, isChanged: true },
      { verdict: 'reach', reach: { anew: true } },
    ],
    [
      'one whose check is due may be judged by keys that are kept',
      { verification: { ...failed, checked_at: inMs(-hour), check_asked_at: inMs(-2 * hour) } },
      { verdict: 'reach', reach: { anew: false } },
    ],
    [
      'where somebody asks for the check, the domain is asked for its keys',
      { verification: { ...failed, checked_at: inMs(-hour), check_asked_at: now } },
      { verdict: 'reach', reach: { anew: true } },
    ],
    ['nothing is done where that is switched off', { verification: null, enabled: false }, { verdict: 'settle' }],
  ])('%s', (_, more, expected) => {
    expect(decideName(sight(more), now)).toMatchObject(expected);
  });

  test.each([
    ['NoKeysAtDomain', /name the public key/],
    ['KeysUnusable', /100 keys/],
    ['NoDomainKeyAttached', /Attach the public key/],
    ['NoSignatureByDomainKey', /Sign the record/],
    ['CouldNotAsk', /can be fetched/],
  ])('a name that waits for want of a proof, %s, says how to mend it', (reason, fix) => {
    const waiting = sight({ verification: { ...failed, reason, check_at: inMs(hour) } });
    expect(decideName(waiting, now)).toMatchObject({ verdict: 'wait', fix: expect.stringMatching(fix) });
  });
});

describe('a proof', () => {
  test.each([
    ['verifies a pending name', pending, 'verify', now],
    ['verifies one that had failed', failed, 'verify', now],
    ['renews one that is verified', verified, 'record', verified.verified_at],
    ['takes the doubt from one that is verified', doubted, 'record', verified.verified_at],
  ])('%s', (_, name, verb, verified_at) => {
    const facts = { status: 'verified', key_id: 'two', verified_at, expires_at: inMs(7 * day), failing_since: null };
    expect(after(name, proof)).toMatchObject({ step: { do: verb, facts, seen: candidate.changed_at } });
  });

  test.each([0, 0.5, 0.999])('is renewed before it expires, whatever the dice say (%d)', (jitter) => {
    const decision = after(pending, proof, { jitter }) as unknown as { next: Date };
    expect(decision.next.getTime()).toBeGreaterThanOrEqual(inMs(4.2 * day).getTime());
    expect(decision.next.getTime()).toBeLessThanOrEqual(inMs(5.6 * day).getTime());
  });
});

describe('a verified name without its proof', () => {
  test.each([
    ['stays verified to the end of its time', verified, missing, inMs(3 * day)],
    ['and that where nobody can be asked', verified, silence, inMs(3 * day)],
    [
      'for the grace at least, however late it is checked',
      { ...verified, expires_at: inMs(-day) },
      missing,
      inMs(3 * day),
    ],
    ['and for its own time at least', { ...verified, expires_at: inMs(5 * day) }, missing, inMs(5 * day)],
    ['and no longer for being checked again', doubted, missing, doubted.expires_at],
    ['nor for being signed again', doubted, missing, doubted.expires_at],
  ])('%s', (_, name, answer, expires_at) => {
    const decision = after(name, answer, { isChanged: name === doubted });
    const failing_since = name.failing_since ?? now;
    expect(decision).toMatchObject({
      step: { do: 'record', facts: { status: 'verified', expires_at, failing_since } },
    });
  });

  test.each([
    ['not a millisecond before', 1, 'record', 'verified'],
    ['at the very end', 0, 'lapse', 'failed'],
    ['after it', -1, 'lapse', 'failed'],
  ])('lapses when the grace is over: %s', (_, leftMs, verb, status) => {
    for (const answer of [missing, silence]) {
      const decision = after({ ...doubted, expires_at: inMs(leftMs) }, answer);
      expect(decision).toMatchObject({ step: { do: verb, facts: { status } } });
    }
  });

  test('is checked at the end of the grace at the latest', () => {
    expect(after({ ...doubted, expires_at: inMs(minute) }, missing)).toMatchObject({ next: inMs(minute) });
  });

  test('says what is missing and when it lapses', () => {
    const facts = { reason: 'NoDomainKeyAttached', message: expect.stringContaining(inMs(3 * day).toISOString()) };
    expect(after(verified, missing)).toMatchObject({ step: { facts } });
  });

  test('has neither key nor time when it has lapsed', () => {
    const facts = {
      reason: 'CouldNotAsk',
      key_id: null,
      verified_at: null,
      message: expect.stringContaining('lapsed'),
    };
    expect(after({ ...doubted, expires_at: now }, silence)).toMatchObject({ step: { facts } });
  });
});

describe('a pending name', () => {
  test.each([
    ['NoKeysAtDomain', null],
    ['KeysUnusable', 'it redirects'],
    ['NoDomainKeyAttached', null],
    ['NoSignatureByDomainKey', null],
  ] as const)('fails at once where its domain has answered: %s', (reason, why) => {
    const answer: NameAnswer = { found: 'no_proof', missing: reason, why };
    expect(after(pending, answer)).toMatchObject({ step: { do: 'fail', facts: { status: 'failed', reason } } });
  });

  test('waits for a domain that cannot be asked, for the grace', () => {
    const waits = { do: 'record', facts: { status: 'pending', reason: 'CouldNotAsk', failing_since: now } };
    expect(after(pending, silence)).toMatchObject({ step: waits });
    const late = { ...pending, failing_since: inMs(-3 * day) };
    expect(after(late, silence)).toMatchObject({ step: { do: 'fail', facts: { reason: 'CouldNotAsk' } } });
  });
});

describe('a failed name', () => {
  test('keeps its last result where its domain cannot be asked', () => {
    const facts = { status: 'failed', reason: 'NoDomainKeyAttached', message: 'as it was' };
    expect(after(failed, silence)).toMatchObject({ step: { do: 'record', facts } });
  });

  test.each([
    ['an hour at first', failed, { failing_since: now }, hour],
    ['a quarter of the time that it has failed for', failed, {}, 2 * hour],
    ['a day at most', failed, { failing_since: inMs(-90 * day) }, day],
  ])('is checked again after %s', (_, name, more, ms) => {
    expect(after({ ...name, ...more }, missing)).toMatchObject({ next: inMs(ms) });
  });

  test('is checked more often at first while its domain cannot be asked', () => {
    expect(after({ ...failed, failing_since: now }, silence)).toMatchObject({ next: inMs(minute) });
    expect(after({ ...failed, failing_since: inMs(-5 * minute) }, silence)).toMatchObject({ next: inMs(5 * minute) });
  });

  test('begins anew with new signatures', () => {
    expect(after(failed, missing, { isChanged: true })).toMatchObject({
      next: inMs(hour),
      step: { facts: { failing_since: now } },
    });
  });
});

test('a name waits while the keys of its domain are being fetched for another one', () => {
  expect(after(pending, { found: 'busy', busyMs: 4_000 })).toMatchObject({ verdict: 'wait', until: inMs(4_000) });
});
