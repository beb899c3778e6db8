import { setTimeout as pause } from 'node:timers/promises';
import { median, quantile } from '../harness/statistics';
import type { House } from '../house/house';

const PER_SECOND = 50;
const LIMIT = 50;
/** Each takes as long as all records. */
const PEER_ROUNDS = 3;

/** What is searched for, and the same in ILIKE. */
const searches: readonly (readonly [queries: readonly string[], patterns: readonly string[]])[] = [
  [['skill:10007'], ['%skill-id=10007%']],
  [
    ['skill:language/skill_7', 'domain:science/domain_7'],
    ['%skill-name=language/skill_7\n%', '%domain-name=science/domain_7\n%'],
  ],
  [['name:*agent-123'], ['%name=%agent-123\n%']],
  [['locator:https://images.example.com/org-7/*'], ['%locator-url=https://images.example.com/org-7/%']],
  [
    ['name:*agents*', 'author:author 7'],
    ['%name=%agents%', '%author=author 7\n%'],
  ],
  [['name:no-such-name'], ['%name=no-such-name\n%']],
];

export interface Searched {
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of the same searches by ILIKE, one after the other. */
  readonly peerMs: number;
}

/**
 * Asks for as many pages over HTTP as warm-up, one after the other: code that is new to the engine takes twice as long. Then
 * at a steady rate, whether those before were answered or not; then the same without any index.
 */
export async function searched(house: House, requests: number): Promise<Searched> {
  const urls = searches.map(([queries]) => {
    const asked = queries.map((query) => `query=${encodeURIComponent(query)}`).join('&');
    return `${house.url}/v1/records?limit=${LIMIT}&${asked}`;
  });
  for (let n = 0; n < requests; n += 1) await page(urls[n % urls.length]!);
  const startMs = performance.now();
  const times = await Promise.all(
    Array.from({ length: requests }, async (_, n) => {
      const atMs = startMs + (n * 1_000) / PER_SECOND;
      await pause(atMs - performance.now());
      const sentMs = performance.now();
      await page(urls[n % urls.length]!);
      return performance.now() - sentMs;
    }),
  );
  return { p50Ms: median(times), p99Ms: quantile(times, 0.99), peerMs: median(await withoutIndexes(house)) };
}

async function page(url: string): Promise<void> {
  const answer = await fetch(url);
  if (answer.status !== 200) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
  await answer.json();
}

async function withoutIndexes({ database }: House): Promise<number[]> {
  const times: number[] = [];
  for (let round = 0; round < PEER_ROUNDS; round += 1) {
    for (const [, patterns] of searches) {
      const where = patterns.map((_, at) => `terms ILIKE $${at + 1}`).join(' AND ');
      const startedMs = performance.now();
      await database.query(
        `SELECT id, name, version FROM plain WHERE ${where} ORDER BY id DESC LIMIT ${LIMIT}`,
        patterns,
      );
      times.push(performance.now() - startedMs);
    }
  }
  return times;
}
