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
