import type { HouseError } from '@homeostat/shared';
import type { Request } from 'express';
import { z } from 'zod';
import { Allowance } from './allowance';
import { callerOf } from './caller';
import { httpSettings } from './http.settings';
import { Limits, addressOf } from './limits';

describe('an allowance', () => {
  let nowMs = 0;
  const allowance = (perSecond: number, burst: number) => new Allowance(perSecond, burst, () => nowMs);

  it('grants a burst, then says in how many seconds there is more', () => {
    const calls = allowance(0.5, 3);
    expect([1, 2, 3, 4, 5].map(() => calls.take('a'))).toEqual([0, 0, 0, 2, 2]);
    nowMs += 1_500;
    expect(calls.take('a')).toBe(1);
    nowMs += 500;
    expect([calls.take('a'), calls.take('a')]).toEqual([0, 2]);
  });

  it('never holds more than the burst, however long nobody asks', () => {
    const calls = allowance(10, 2);
    calls.take('a');
    nowMs += 3_600_000;
    expect([1, 2, 3].map(() => calls.take('a'))).toEqual([0, 0, 1]);
  });

  it('is each key’s own', () => {
    const calls = allowance(1, 1);
    expect(['a', 'b', 'a', 'b'].map((key) => calls.take(key))).toEqual([0, 0, 1, 1]);
  });

  it('remembers the 5 000 keys that it heard of last, and forgets who was quiet for ten thousand', () => {
    const calls = allowance(1, 1);
    const others = (count: number) => {
      for (let nth = 0; nth < count; nth += 1) calls.take(`other ${Math.random()}`);
    };
    calls.take('busy');
    others(4_999);
    expect(calls.take('busy')).toBe(1);
    others(10_000);
    expect(calls.take('busy')).toBe(0);
  });
});

describe('limits', () => {
  const secret = { RECONCILER_AUTH_SECRET: 'x'.repeat(32) };
  const limitsOf = (values: Record<string, string>) =>
    new Limits(z.object(httpSettings).parse({ RECONCILER_RATE_LIMIT: '1', ...values }));
  const from = (ip: string) => ({ ip, socket: {} }) as Request;
  const callers = [callerOf('a', 'b\u00a0c', []), callerOf('a', 'b', []), callerOf('b', 'b', [])];
  const firstRefused = (ask: () => void): number | null => {
    for (let nth = 1; nth <= 50; nth += 1) {
      try {
        ask();
      } catch (error) {
        expect((error as HouseError).code).toBe('too_many_requests');
        expect((error as HouseError).more.retryAfterSeconds).toBe(1);
        return nth;
      }
    }
    return null;
  };

  it('are those of a tenant’s subject, wherever it calls from', () => {
    const limits = limitsOf(secret);
    let turn = 0;
    const refused = callers.map((caller) => firstRefused(() => limits.called(caller, from(`10.0.0.${turn++}`))));
    expect(refused).toEqual([11, 11, 11]);
  });

  it('are those of an address, where no tokens are asked for but others can call', () => {
    const limits = limitsOf({ RECONCILER_HTTP_HOST: '0.0.0.0', RECONCILER_AUTH: 'none' });
    const ask = (ip: string) => firstRefused(() => limits.called(callers[0]!, from(ip)));
    expect([ask('10.0.0.1'), ask('10.0.0.2'), ask('10.0.0.1')]).toEqual([11, 11, 1]);
  });

  it('count failures by address, apart from calls', () => {
    const limits = limitsOf(secret);
    expect(firstRefused(() => limits.refused(from('10.0.0.1')))).toBe(11);
    expect(firstRefused(() => limits.refused(from('10.0.0.2')))).toBe(11);
    expect(firstRefused(() => limits.called(callers[0]!, from('10.0.0.1')))).toBe(11);
  });

  it('are none for the only user of this machine, nor where they are set to 0', () => {
    for (const values of [{}, { ...secret, RECONCILER_RATE_LIMIT: '0' }])
      expect(firstRefused(() => limitsOf(values).called(callers[0]!, from('127.0.0.1')))).toBeNull();
  });
});

it.each([
  ['10.1.2.3', '10.1.2.3'],
  ['::ffff:10.1.2.3', '10.1.2.3'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::', '2001:db8:1:2::/64'],
  ['::1', '0:0:0:0::/64'],
  ['unknown', '10.9.9.9'],
])('%s counts as %s', (ip, address) => {
  expect(addressOf({ ip, socket: { remoteAddress: '10.9.9.9' } })).toBe(address);
});
