import { type ListingAnswer, type ListingSight, MOST_TAGS, decideListing } from './listing.decide';

const now = new Date('2026-03-01T12:00:00Z');
const inMs = (ms: number) => new Date(now.getTime() + ms);
const sight = (more: Partial<ListingSight>): ListingSight => ({
  place: 'registry.test/dir',
  fix: 'start one',
  enabled: true,
  intervalMs: 60_000,
  listing: '1',
  phase: 'idle',
  page: 0,
  cursor: null,
  listed: 0,
  tags: null,
  finishedAt: null,
  answer: null,
  ...more,
});
const page = (more: object): ListingAnswer => ({
  ...{ found: 'tags', cids: ['a'], fallbacks: [], count: 2, next: null, referrersApi: true },
  ...more,
});

describe('decideListing', () => {
  it.each([
    [
      'waits for a person where no registry is configured',
      sight({ place: null }),
      { verdict: 'stall', fix: 'start one' },
    ],
    ['rests where the indexer is off', sight({ enabled: false }), { verdict: 'settle' }],
    ['begins at once where nothing was ever listed', sight({}), { verdict: 'act', step: { do: 'begin' } }],
    [
      'rests until the next listing is due',
      sight({ finishedAt: inMs(-1_000), tags: 5 }),
      { verdict: 'wait', until: inMs(59_000) },
    ],
    ['begins when it is', sight({ finishedAt: inMs(-60_000) }), { verdict: 'act', step: { do: 'begin' } }],
    [
      'goes on with a listing that a crash has left',
      sight({ phase: 'listing', page: 3, cursor: '/v2/…' }),
      { verdict: 'reach' },
    ],
    [
      'takes a page, and goes on at once',
      sight({ phase: 'listing', answer: page({ next: '/v2/…' }) }),
      { verdict: 'act', step: { do: 'take_page', next: '/v2/…', cids: ['a'] }, next: 'now' },
    ],
    [
      'takes out what is gone after the last page alone',
      sight({ phase: 'removing' }),
      { verdict: 'act', step: { do: 'remove_missing' } },
    ],
    [
      'begins anew where the tag to go on after is gone',
      sight({ phase: 'listing', page: 2, answer: { found: 'restart' } }),
      { verdict: 'act', step: { do: 'begin' } },
    ],
    [
      'never takes a repository that is not there for an empty one',
      sight({ phase: 'listing', answer: { found: 'no_repository' } }),
      { verdict: 'wait', until: inMs(30_000) },
    ],
    [
      'leaves a busy registry alone',
      sight({ phase: 'listing', answer: { found: 'busy', until: inMs(9) } }),
      { verdict: 'wait', until: inMs(9) },
    ],
    [
      'calls a person where a registry pages for ever',
      sight({ phase: 'listing', listed: MOST_TAGS, answer: page({ next: '/v2/…' }) }),
      { verdict: 'stall' },
    ],
  ])('%s', (_what, world, decision) => {
    expect(decideListing(world, now)).toMatchObject(decision);
  });
});
