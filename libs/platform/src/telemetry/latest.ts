/** Whoever asks for metrics does not wait for a database that is slow or away. */
const PATIENCE_MS = 2_000;

/**
 * An answer that is asked for anew after `freshMs`, but only a hundredth of the time at most is spent on it. A failure
 * was time spent waiting, most likely: it is no reason to know nothing for long.
 */
export class Latest<T> {
  private answer: Promise<T> | null = null;
  private until = 0;

  constructor(
    private readonly ask: () => Promise<T>,
    private readonly freshMs: number,
  ) {}

  get(): Promise<T> {
    const startedMs = performance.now();
    if (this.answer !== null && startedMs < this.until) return this.answer;
    this.until = Infinity;
    const keepFor = (ms: number): void => void (this.until = performance.now() + Math.max(this.freshMs, ms));
    this.answer = this.ask();
    this.answer.then(
      () => keepFor(99 * (performance.now() - startedMs)),
      () => keepFor(0),
    );
    return this.answer;
  }
}

/** The rows that come in time; none when they do not, or cannot be had. */
export async function inTime<Row>(answer: Promise<Row[]>): Promise<Row[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Row[]>((resolve) => (timer = setTimeout(() => resolve([]), PATIENCE_MS)));
  return Promise.race([answer.catch(() => []), late]).finally(() => clearTimeout(timer));
}
