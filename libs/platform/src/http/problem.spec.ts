import { Unavailable } from '@homeostat/reconcile';
import { HouseError } from '@homeostat/shared';
import { ForbiddenException } from '@nestjs/common';
import { faultOfOurs, problemOf } from './problem';

const refusal = (code: string) => Object.assign(new Error('duplicate key value violates "domain_pkey"'), { code });

it.each([
  ['a code of the house', new HouseError('conflict', 'it is ready, not queued'), 409, 'conflict', null],
  ['too often', new HouseError('too_many_requests', 'wait', { retryAfterSeconds: 9 }), 429, 'too_many_requests', 9],
  ['a database that is away', new Unavailable('connect ECONNREFUSED 10.0.0.1'), 503, 'unavailable', 1],
  ['a broken unique constraint', refusal('23505'), 409, 'already_exists', null],
  ['a lock that did not come', refusal('55P03'), 503, 'unavailable', 1],
  ['a value of another form', refusal('22P02'), 400, 'invalid_input', null],
  ['what Nest says', new ForbiddenException(), 403, 'forbidden', null],
  [
    'what Express says',
    Object.assign(new Error('Failed to decode param'), { status: 400 }),
    400,
    'invalid_input',
    null,
  ],
  ['an upload that was broken off', refusal('ECONNRESET'), 400, 'invalid_input', null],
])('tells callers of %s', (_what, error, status, code, retryAfterSeconds) => {
  expect(problemOf(error)).toMatchObject({
    problem: { status, code, type: `urn:homeostat:problem:${code}` },
    retryAfterSeconds,
  });
});

it('never repeats what the database says', () => {
  for (const error of [refusal('23505'), refusal('23503'), new Unavailable('connect ECONNREFUSED 10.0.0.1')]) {
    expect(JSON.stringify(problemOf(error))).not.toMatch(/domain_pkey|10\.0\.0\.1/);
  }
});

it('says nothing of faults of ours but where to find them', () => {
  for (const error of [new TypeError('x is undefined'), refusal('42703'), 'a text', null, undefined])
    expect(problemOf(error)).toBeNull();
  expect(faultOfOurs('4f')).toMatchObject({ status: 500, code: 'internal', detail: expect.stringContaining('4f') });
});
