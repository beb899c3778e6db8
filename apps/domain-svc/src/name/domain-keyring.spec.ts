import { DomainKeyring } from './domain-keyring';
import type { Fetched, KeysAnswer } from './jwks.fetch';

const hourMs = 3_600_000;
const none: KeysAnswer = { asked: 'answered', keys: [] };
const silent: KeysAnswer = { asked: 'unasked', why: 'silence' };
const { signal } = new AbortController();

/** A keyring over domains that answer as told, under a clock that stands still until it is moved. */
function keyringOf(answer: KeysAnswer | Promise<Fetched>, maxAgeMs: number | null = null, mostMs = hourMs) {
  const asked: string[] = [];
  const clock = { nowMs: 0 };
  const fetch = async (origin: string): Promise<Fetched> => {
    asked.push(origin);
    return 'asked' in answer ? { answer, maxAgeMs } : answer;
  };
  return { keyring: new DomainKeyring(fetch, mostMs, () => clock.nowMs), asked, clock };
}

const origin = 'https://a.example';

test.each([
  ['five minutes where their domain does not say it', none, null, 300_000],
  ['as long as their domain says', none, 600_000, 600_000],
  ['ten seconds where they should not be kept at all', none, 0, 10_000],
  ['an hour at most', none, 365 * 24 * hourMs, hourMs],
])('keys are kept for %s', async (_, answer, maxAgeMs, keptMs) => {
  const { keyring, asked, clock } = keyringOf(answer, maxAgeMs);
  expect(await keyring.keysOf(origin, signal)).toEqual({ answer, isNew: true });
  clock.nowMs = keptMs - 1;
  expect(await keyring.keysOf(origin, signal)).toEqual({ answer, isNew: false });
  expect(asked).toEqual([origin]);
  clock.nowMs = keptMs;
  expect(await keyring.keysOf(origin, signal)).toEqual({ answer, isNew: true });
  expect(asked).toEqual([origin, origin]);
});

test('a domain that could not be asked is left alone for a minute', async () => {
  const { keyring, asked, clock } = keyringOf(silent, hourMs);
  await keyring.keysOf(origin, signal);
  clock.nowMs = 59_999;
  expect(await keyring.keysOf(origin, signal)).toEqual({ answer: silent, isNew: false });
  clock.nowMs = 60_000;
  await keyring.keysOf(origin, signal);
  expect(asked).toHaveLength(2);
});

test('new keys are fetched for whom the kept ones are not enough, every ten seconds at most', async () => {
  const { keyring, asked, clock } = keyringOf(none);
  await keyring.keysOf(origin, signal);
  clock.nowMs = 9_999;
  expect(await keyring.anew(origin, signal)).toEqual({ answer: none, isNew: false });
  clock.nowMs = 10_000;
  expect(await keyring.anew(origin, signal)).toEqual({ answer: none, isNew: true });
  expect(asked).toHaveLength(2);
});

test('of a domain that is being fetched, others are told when to ask again; of other domains nothing is held up', async () => {
  let answer = (_: Fetched): void => undefined;
  const { keyring, asked, clock } = keyringOf(new Promise<Fetched>((resolve) => (answer = resolve)));
  const first = keyring.keysOf(origin, signal);
  expect(await keyring.keysOf(origin, signal)).toEqual({ busyMs: 500 });
  clock.nowMs = 2_000;
  expect(await keyring.keysOf(origin, signal)).toEqual({ busyMs: 2_000 });
  const other = keyring.keysOf('https://b.example', signal);
  expect(asked).toEqual([origin, 'https://b.example']);
  answer({ answer: none, maxAgeMs: null });
  expect(await Promise.all([first, other])).toEqual([
    { answer: none, isNew: true },
    { answer: none, isNew: true },
  ]);
  expect(await keyring.keysOf(origin, signal)).toEqual({ answer: none, isNew: false });
});

test('a fetch that was called off is no answer, and leaves the way free', async () => {
  const failing = Promise.reject(new Error('called off'));
  failing.catch(() => undefined);
  const { keyring, asked } = keyringOf(failing);
  await expect(keyring.keysOf(origin, signal)).rejects.toThrow('called off');
  await expect(keyring.keysOf(origin, signal)).rejects.toThrow('called off');
  expect(asked).toHaveLength(2);
});

test('the answers of 500 domains are kept, and no more', async () => {
  const { keyring, asked } = keyringOf(none);
  const origins = Array.from({ length: 501 }, (_, n) => `https://${n}.example`);
  for (const one of origins) await keyring.keysOf(one, signal);
  await keyring.keysOf(origins[500]!, signal);
  await keyring.keysOf(origins[0]!, signal);
  expect(asked.slice(501)).toEqual([origins[0]]);
});
