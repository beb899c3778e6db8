const PATIENCE_MS = 20_000;
const TICK_MS = 30;

/** Asks until the answer is not false, and resolves to it. Throws what was waited for after 20 s. */
export async function until<T>(what: string, ask: () => Promise<T | false> | T | false): Promise<T> {
  for (const endMs = Date.now() + PATIENCE_MS; ; await new Promise((later) => setTimeout(later, TICK_MS))) {
    const found = await ask();
    if (found !== false) return found;
    if (Date.now() > endMs) throw new Error(`waited in vain until ${what}`);
  }
}

/** Longer than any test that asks: it is the test's own limit that tells. */
const LIMIT_MS = 90_000;

/** Asks until the answer is as it should be, and resolves to it. Throws with the last answer after 90 s. */
export async function eventually<T>(ask: () => Promise<T> | T, isSo: (answer: T) => boolean): Promise<T> {
  for (const endMs = Date.now() + LIMIT_MS; ; await new Promise((later) => setTimeout(later, 10))) {
    const answer = await ask();
    if (isSo(answer)) return answer;
    if (Date.now() > endMs) throw new Error(`waited in vain; the last answer was ${JSON.stringify(answer)}`);
  }
}
