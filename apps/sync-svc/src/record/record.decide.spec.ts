import {
  type FoundReferrer,
  type RecordAnswer,
  type RecordSight,
  type ReferrerChanges,
  decideRecord,
} from './record.decide';

const now = new Date('2026-03-01T12:00:30Z');
const hourMs = 3_600_000;
const inMs = (ms: number) => new Date(now.getTime() + ms);
const sight = (more: Partial<RecordSight>): RecordSight => ({
  cid: 'baearei…',
  status: 'pending',
  generation: '1',
  manifestDigest: null,
  name: null,
  version: null,
  reason: null,
  message: null,
  changedAt: null,
  referrers: [],
  awaited: [],
  hasFallback: false,
  referrersApi: true,
  registry: true,
  enabled: true,
  fix: 'set it',
  intervalMs: hourMs,
  jitter: 0.5,
  answer: null,
  ...more,
});
const indexed = (more: Partial<RecordSight>) =>
  sight({ status: 'indexed', manifestDigest: 'sha256:a', changedAt: now, ...more });
const none: ReferrerChanges = { added: [], gone: [], more: false, doubt: null };
const nothing: RecordAnswer = { found: 'referrers', referrers: none };
const added: FoundReferrer[] = [
  {
    digest: 'sha256:d',
    kind: 'other',
    media_type: null,
    annotations: null,
    public_key: null,
    signature: null,
    fault: 'sha256:d: it is no JSON',
  },
];
const awaited: FoundReferrer[] = [{ ...added[0]!, digest: 'sha256:e', kind: 'awaited', fault: null }];
const fault: RecordAnswer = { found: 'fault', fault: 'NotJson', message: 'it is not JSON' };
const record = { name: 'n', version: '1' } as Extract<RecordAnswer, { found: 'record' }>['record'];

describe('decideRecord', () => {
  it.each([
    ['pulls a new tag', sight({}), { verdict: 'reach', reach: { do: 'pull' } }],
    ['leaves it where the indexer is off', sight({ enabled: false }), { verdict: 'settle' }],
    ['waits for a registry', sight({ registry: false }), { verdict: 'wait', fix: 'set it' }],
    [
      'indexes what was pulled, and asks for its referrers an hour later, on the minute',
      sight({ answer: { found: 'record', record, referrers: none } }),
      { verdict: 'act', step: { do: 'index' }, next: new Date('2026-03-01T13:01:00Z') },
    ],
    [
      'has nothing to ask later where the listing tells of referrers',
      sight({ referrersApi: false, answer: { found: 'record', record, referrers: none } }),
      { verdict: 'act', step: { do: 'index' }, next: 'settled' },
    ],
    [
      'sets aside what refers to another manifest',
      sight({ answer: { found: 'referrer', subject: 'sha256:b' } }),
      { verdict: 'act', step: { do: 'set_aside', subject: 'sha256:b' }, next: 'settled' },
    ],
    [
      'quarantines what is at fault',
      sight({ answer: fault }),
      { verdict: 'act', step: { do: 'quarantine', fault: 'NotJson' } },
    ],
    [
      'waits, and not in step with all others, where the registry is busy',
      sight({ answer: { found: 'busy', until: inMs(10_000) } }),
      { verdict: 'wait', until: inMs(30_000) },
    ],
    [
      'looks at what is in quarantine again',
      sight({ status: 'quarantined' }),
      { verdict: 'reach', reach: { do: 'pull' } },
    ],
    [
      'leaves it there while nothing has changed, ever longer',
      sight({
        status: 'quarantined',
        reason: 'NotJson',
        message: 'it is not JSON',
        changedAt: inMs(-40 * hourMs),
        answer: fault,
      }),
      { verdict: 'wait', until: new Date('2026-03-01T22:01:00Z') },
    ],
    [
      'says another reason for it',
      sight({ status: 'quarantined', reason: 'DigestMismatch', message: 'm', changedAt: now, answer: fault }),
      { verdict: 'act', step: { do: 'quarantine', fault: 'NotJson' } },
    ],
    [
      'indexes it once it was mended',
      sight({
        status: 'quarantined',
        reason: 'NotJson',
        answer: { found: 'record', record, referrers: none },
      }),
      { verdict: 'act', step: { do: 'index' } },
    ],
    ['asks for the referrers of what is indexed', indexed({}), { verdict: 'reach', reach: { do: 'read_referrers' } }],
    ['rests where the listing will tell', indexed({ referrersApi: false }), { verdict: 'settle' }],
    ['reads the fallback tag', indexed({ referrersApi: false, hasFallback: true }), { verdict: 'reach' }],
    [
      'notices that the fallback tag is gone',
      indexed({ referrersApi: false, referrers: ['sha256:d'] }),
      { verdict: 'reach' },
    ],
    [
      'asks for referrers an hour later at first',
      indexed({ answer: nothing }),
      { verdict: 'wait', until: new Date('2026-03-01T13:01:00Z') },
    ],
    [
      'asks after a quarter of the time since the last change, and at least once a day',
      indexed({ answer: nothing, changedAt: inMs(-8 * hourMs) }),
      { verdict: 'wait', until: new Date('2026-03-01T14:01:00Z') },
    ],
    [
      'asks at least once a day',
      indexed({ answer: nothing, changedAt: new Date(0) }),
      { verdict: 'wait', until: new Date('2026-03-02T12:01:00Z') },
    ],
    [
      'notes referrers that went',
      indexed({ answer: { found: 'referrers', referrers: { ...none, gone: ['sha256:d'] } } }),
      { verdict: 'act', step: { do: 'note_referrers' } },
    ],
    [
      'reads at once what is left of many referrers',
      indexed({ answer: { found: 'referrers', referrers: { ...none, added, more: true } } }),
      { verdict: 'act', step: { do: 'note_referrers' }, next: 'now' },
    ],
    [
      'reads at once what is left of those that a new record has',
      sight({ referrersApi: false, answer: { found: 'record', record, referrers: { ...none, added, more: true } } }),
      { verdict: 'act', step: { do: 'index' }, next: 'now' },
    ],
    [
      'says which referrer it left aside, and why',
      indexed({ answer: { found: 'referrers', referrers: { ...none, added } } }),
      { because: '1 referrer(s) came, 0 went. 1 of them cannot be read, the first because sha256:d: it is no JSON.' },
    ],
    [
      'looks soon for what is listed and not there, and says so',
      indexed({ answer: { found: 'referrers', referrers: { ...none, added: awaited } } }),
      { verdict: 'act', because: expect.stringContaining('It waits for sha256:e: '), next: inMs(5_000) },
    ],
    [
      'looks soon for what a new record has, where the listing would tell of others',
      sight({ referrersApi: false, answer: { found: 'record', record, referrers: { ...none, added: awaited } } }),
      { verdict: 'act', because: expect.stringContaining('It waits for sha256:e: '), next: inMs(5_000) },
    ],
    [
      'looks for it ever more rarely',
      indexed({ awaited: ['sha256:e', 'sha256:f'], changedAt: inMs(-60_000), answer: nothing }),
      {
        ...{ verdict: 'wait', until: inMs(15_000), fix: 'Push what is missing, or delete its manifest.' },
        because: expect.stringContaining('It waits for sha256:e and 1 more: '),
      },
    ],
    [
      'waits no more for what is there at last',
      indexed({
        awaited: ['sha256:d'],
        answer: {
          found: 'referrers',
          referrers: { ...none, added: [{ ...added[0]!, kind: 'signature', fault: null }] },
        },
      }),
      { verdict: 'act', because: '1 referrer(s) came, 0 went.', next: new Date('2026-03-01T13:01:00Z') },
    ],
    [
      'waits no more for what is gone',
      indexed({
        awaited: ['sha256:d'],
        answer: { found: 'referrers', referrers: { ...none, gone: ['sha256:d'] } },
      }),
      { verdict: 'act', because: '0 referrer(s) came, 1 went.', next: new Date('2026-03-01T13:01:00Z') },
    ],
    [
      'says that it does not know of referrers',
      indexed({ answer: { found: 'referrers', referrers: { ...none, doubt: 'it is no list' } } }),
      { verdict: 'wait', because: 'It is indexed; what has come or gone is not known: it is no list.' },
    ],
    [
      'pulls a referrer again when somebody asks: its tag may have been mended',
      sight({ status: 'referrer' }),
      { verdict: 'reach', reach: { do: 'pull' } },
    ],
  ])('%s', (_what, world, decision) => {
    expect(decideRecord(world, now)).toMatchObject(decision);
  });
});
