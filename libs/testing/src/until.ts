const PATIENCE_MS = 20_000;
/** Longer than any test that asks: it is the test's own limit that tells. */
const LIMIT_MS = 90_000;
const TICK_MS = 10;

/** Asks until the answer is not false, and resolves to it. Throws what was waited for after 20 s. */
export async function until<T>(what: string, ask: () => Promise<T | false> | T | false): Promise<T> {
  const found = await asked(
    ask,
    (answer) => answer !== false,
    PATIENCE_MS,
    () => ` until ${what}`,
  );
  return found as T;
}

/** Asks until the answer is as it should be, and resolves to it. Throws with the last answer after 90 s. */
export function eventually<T>(ask: () => Promise<T> | T, isSo: (answer: T) => boolean): Promise<T> {
  return asked(ask, isSo, LIMIT_MS, (answer) => `; the last answer was ${JSON.stringify(answer)}`);
}

async function asked<T>(
  ask: () => Promise<T> | T,
  isSo: (answer: T) => boolean,
  limitMs: number,
  words: (answer: T) => string,
): Promise<T> {
  for (const endMs = Date.now() + limitMs; ; await new Promise((later) => setTimeout(later, TICK_MS))) {
    const answer = await ask();
    if (isSo(answer)) return answer;
    if (Date.now() > endMs) throw new Error(`waited in vain${words(answer)}`);
  }
}
