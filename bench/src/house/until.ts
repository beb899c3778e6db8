import { setTimeout as pause } from 'node:timers/promises';

/** Asks again and again until it is so. Throws what was waited for after `withinMs`. */
export async function until(
  what: string,
  withinMs: number,
  reached: () => Promise<boolean>,
  everyMs = 50,
): Promise<void> {
  for (const endMs = Date.now() + withinMs; !(await reached()); await pause(everyMs)) {
    if (Date.now() > endMs) throw new Error(`not within ${withinMs / 1_000} s: ${what}`);
  }
}
