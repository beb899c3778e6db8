import { buildStates } from '@homeostat/shared';
import fc from 'fast-check';
import { type BuildSight, decideBuild } from './build.decide';

const now = new Date('2026-03-01T12:00:00.000Z');
const second = 1_000;
const minute = 60 * second;
const from = (ms: number): Date => new Date(now.getTime() + ms);
const settings = { timeoutMs: 10 * minute, queueTimeoutMs: 60 * minute };

type Row = BuildSight['build'];
const build = (status: Row['status'], more: Partial<Row> = {}): BuildSight => ({
  build: { id: 'b', status, created_at: from(-minute), started_at: null, ...more },
  settings,
});
const timesOut = (from: Row['status'], reason: string) => ({
  verdict: 'act',
  step: { do: 'time_out', from, reason },
  next: 'settled',
});
const waits = (until: Date) => ({ verdict: 'wait', until });

// prettier-ignore
const rows: [string, BuildSight, object][] = [
  ['waits for a builder until its deadline', build('queued'), waits(from(59 * minute))],
  ['waits for the start of a build that a builder prepares', build('initializing'), waits(from(59 * minute))],
  ['ends a build that no builder took', build('queued', { created_at: from(-60 * minute) }), timesOut('queued', 'QueueTimeout')],
  ['ends a build that its builder never started', build('initializing', { created_at: from(-61 * minute) }), timesOut('initializing', 'QueueTimeout')],
  ['leaves a queued build alone one millisecond before its deadline', build('queued', { created_at: from(1 - 60 * minute) }), waits(from(1))],
  ['waits for the end of a build, counted from its start', build('building', { created_at: from(-50 * minute), started_at: from(-minute) }), waits(from(9 * minute))],
  ['leaves a build alone one millisecond before its deadline', build('building', { started_at: from(1 - 10 * minute) }), waits(from(1))],
  ['ends a build that takes too long', build('building', { started_at: from(-10 * minute) }), timesOut('building', 'Timeout')],
  ['does not hold the queue against a build that started late', build('building', { created_at: from(-69 * minute), started_at: from(-9 * minute) }), waits(from(minute))],
  ['ends a build of which nobody knows when it started', build('building'), timesOut('building', 'Timeout')],
  ['never overwrites ready, however late it looks', build('ready', { started_at: from(-1_000 * minute) }), { verdict: 'settle' }],
  ['leaves a cancelled build alone', build('canceled', { created_at: from(-1_000 * minute) }), { verdict: 'settle' }],
  ['leaves a failed build alone', build('error', { started_at: from(-1_000 * minute) }), { verdict: 'settle' }],
];

test.each(rows)('%s', (_sentence, seen, expected) => {
  expect(decideBuild(seen, now)).toMatchObject(expected);
});

const ago = fc.nat(100 * minute).map((ms) => from(-ms));
const anything = fc.record({
  build: fc.record({
    id: fc.constant('b'),
    status: fc.constantFrom(...buildStates),
    created_at: ago,
    started_at: fc.option(ago),
  }),
  settings: fc.record({
    timeoutMs: fc.integer({ min: 1, max: 50 * minute }),
    queueTimeoutMs: fc.integer({ min: 1, max: 50 * minute }),
  }),
});

test('whatever it sees: a build at its end is left alone, and any other has a deadline ahead or is ended now', () => {
  fc.assert(
    fc.property(anything, (seen) => {
      const { status } = seen.build;
      const decision = decideBuild(seen, now);
      expect(decision.because).not.toBe('');
      if (!['queued', 'initializing', 'building'].includes(status)) return expect(decision.verdict).toBe('settle');
      if (decision.verdict === 'wait') return expect(decision.until.getTime()).toBeGreaterThan(now.getTime());
      expect(decision).toMatchObject({ verdict: 'act', step: { do: 'time_out', from: status } });
    }),
  );
});
