import { setTimeout as sleep } from 'node:timers/promises';

/** Resolves to the milliseconds after which `condition` gave something true; throws with what it gave last after `ms`. */
export async function until(condition, ms, what) {
  const startedMs = performance.now();
  for (let last; ; await sleep(100)) {
    const error = await condition().then(
      (value) => ((last = value), null),
      (thrown) => thrown,
    );
    const tookMs = performance.now() - startedMs;
    if (error === null && last === true) return tookMs;
    if (tookMs > ms) throw new Error(`not within ${ms} ms: ${what}; last: ${error ? error.message : last}`);
  }
}
