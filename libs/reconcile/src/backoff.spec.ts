import fc from 'fast-check';
import { Backoff, type BackoffOptions, defaultBackoff } from './backoff';

const roomy: BackoffOptions = { ...defaultBackoff, bucketBurst: 1_000_000 };
const failures = fc.integer({ min: 1, max: 10_000 });
const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const ceilingMs = (count: number): number => Math.min(300_000, 500 * 2 ** Math.min(count - 1, 30));

describe('the delay of one failing key', () => {
  it('is between half of its ceiling and all of it', () => {
    fc.assert(
      fc.property(failures, chance, (count, random) => {
        const delayMs = new Backoff(() => random, roomy).delayMs(count, 0);
        expect(delayMs).toBeGreaterThanOrEqual(ceilingMs(count) / 2);
        expect(delayMs).toBeLessThanOrEqual(ceilingMs(count));
      }),
    );
  });

  it('grows with every failure until it is five minutes', () => {
    const backoff = new Backoff(() => 1, roomy);
    const delays = [1, 2, 3, 9, 10, 11, 100_000].map((count) => backoff.delayMs(count, 0));
    expect(delays).toEqual([500, 1_000, 2_000, 128_000, 256_000, 300_000, 300_000]);
  });

  it('never shrinks for the same chance', () => {
    fc.assert(
      fc.property(failures, chance, (count, random) => {
        const backoff = new Backoff(() => random, roomy);
        expect(backoff.delayMs(count + 1, 0)).toBeGreaterThanOrEqual(backoff.delayMs(count, 0));
      }),
    );
  });
});

describe('the bucket that all failing keys share', () => {
  const slow: BackoffOptions = { baseMs: 2, maxMs: 2, bucketPerSecond: 10, bucketBurst: 3 };

  it('lets a burst through and then one retry after the other', () => {
    const backoff = new Backoff(() => 1, slow);
    expect([1, 2, 3, 4, 5].map(() => backoff.delayMs(1, 1_000))).toEqual([2, 2, 2, 100, 200]);
  });

  it('fills up again with time, but not beyond its burst', () => {
    const backoff = new Backoff(() => 1, slow);
    for (let retry = 0; retry < 3; retry++) backoff.delayMs(1, 1_000);
    expect(backoff.delayMs(1, 1_100)).toBe(2);
    expect([1, 2, 3, 4].map(() => backoff.delayMs(1, 100_000))).toEqual([2, 2, 2, 100]);
  });

  it('never hands out more retries in any span than its burst and its rate allow', () => {
    const steps = fc.array(fc.integer({ min: 0, max: 500 }), { minLength: 1, maxLength: 100 });
    fc.assert(
      fc.property(steps, (gapsMs) => {
        const backoff = new Backoff(() => 0, slow);
        let nowMs = 0;
        const retries = gapsMs.map((gapMs) => (nowMs += gapMs) + backoff.delayMs(1, nowMs));
        const lastMs = Math.max(...retries);
        expect(retries.length).toBeLessThanOrEqual(slow.bucketBurst + (lastMs * slow.bucketPerSecond) / 1000 + 1e-6);
      }),
    );
  });

  it('is not confused by a clock that goes back', () => {
    const backoff = new Backoff(() => 1, slow);
    for (let retry = 0; retry < 3; retry++) backoff.delayMs(1, 1_000);
    expect(backoff.delayMs(1, 500)).toBe(100);
    expect(backoff.delayMs(1, 1_000)).toBe(200);
  });
});
