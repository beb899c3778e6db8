import { listQuery, name, resourceId, timeout, waitQuery } from './schemas';

it.each([
  ['a', true],
  ['é 名前 🦀', true],
  ['a'.repeat(9), true],
  ['', false],
  ['a'.repeat(10), false],
  [' a', false],
  ['a\u00a0', false],
  ['a\nb', false],
  ['a\u0000b', false],
  ['a\u2028b', false],
  ['a\u0085b', false],
])('as a name, %j is accepted: %s', (text, accepted) => {
  expect(name(9).safeParse(text).success).toBe(accepted);
});

it('reads durations up to a bound into milliseconds', () => {
  expect(timeout(60_000).parse('1m')).toBe(60_000);
  expect(timeout(60_000).parse('1s500ms')).toBe(1_500);
  for (const bad of ['61s', '-1s', '5', '', '1 s'])
    expect([bad, timeout(60_000).safeParse(bad).success]).toEqual([bad, false]);
});

it('takes ids in any case, as they are stored', () => {
  expect(resourceId.parse('01993F5E-0000-7000-8000-00000000000A')).toBe('01993f5e-0000-7000-8000-00000000000a');
  expect(resourceId.safeParse('01993f5e00007000800000000000000a').success).toBe(false);
});

it('reads the query of a list, and knows no other members', () => {
  const query = listQuery(['status', 'project_id']);
  expect(query.parse({})).toEqual({ limit: 50 });
  expect(query.parse({ limit: '500', status: 'ready' })).toEqual({ limit: 500, status: 'ready' });
  for (const bad of [
    { limit: '501' },
    { limit: '' },
    { limit: '1e2' },
    { status: ['a', 'b'] },
    { project_id: '7' },
    { x: '1' },
  ]) {
    expect([bad, query.safeParse(bad).success]).toEqual([bad, false]);
  }
});

it('waits for known states only', () => {
  expect(waitQuery(['queued', 'ready']).parse({ wait: 'ready', timeout: '30s' })).toEqual({
    wait: 'ready',
    timeout: 30_000,
  });
  expect(waitQuery(['queued', 'ready']).safeParse({ wait: 'done' }).success).toBe(false);
});
