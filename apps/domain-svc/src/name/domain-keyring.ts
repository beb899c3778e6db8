import type { Fetched, KeysAnswer } from './jwks.fetch';

/** Answers that are kept, of as many domains. */
const MOST_DOMAINS = 500;
/** For how long keys are kept of which their domain does not say it, and for how long a domain is left alone that could not be asked. */
const KEPT_MS = 300_000;
const LEFT_ALONE_MS = 60_000;
/** Between two fetches of one domain, whoever asks for them. */
const LEAST_MS = 10_000;

/** Until somebody asks whether another look's fetch has ended; after that, as long again as the fetch has taken so far. */
const PATIENCE_MS = 500;

/** A domain's answer, perhaps from an earlier fetch; or in how many milliseconds to ask for that of a fetch under way. */
export type Kept = { readonly answer: KeysAnswer; readonly isNew: boolean } | { readonly busyMs: number };

interface Entry {
  readonly answer: KeysAnswer;
  readonly askedAtMs: number;
  readonly keptMs: number;
}

/**
 * The keys of domains, as one fetch gave them to all names of a domain. There is one fetch of a domain at a time, and
 * nobody queues for it: however slow a domain is, it holds up one look.
 */
export class DomainKeyring {
  private readonly entries = new Map<string, Entry>();
  /** When the fetches under way began. */
  private readonly underWay = new Map<string, number>();

  constructor(
    private readonly fetch: (origin: string, signal: AbortSignal) => Promise<Fetched>,
    /** The longest that an answer is kept. */
    private readonly mostMs: number,
    private readonly nowMs: () => number = () => performance.now(),
  ) {}

  /** The answer that is kept, or else a new one. Throws the signal's reason when that is aborted. */
  async keysOf(origin: string, signal: AbortSignal): Promise<Kept> {
    const entry = this.entries.get(origin);
    if (entry && this.age(entry) < entry.keptMs) return { answer: entry.answer, isNew: false };
    return this.anew(origin, signal);
  }

  /** A new answer, unless the last one came just now. Throws the signal's reason when that is aborted. */
  async anew(origin: string, signal: AbortSignal): Promise<Kept> {
    const entry = this.entries.get(origin);
    if (entry && this.age(entry) < this.within(LEAST_MS)) return { answer: entry.answer, isNew: false };
    const begunMs = this.underWay.get(origin);
    if (begunMs !== undefined) return { busyMs: Math.max(PATIENCE_MS, this.nowMs() - begunMs) };
    this.underWay.set(origin, this.nowMs());
    try {
      const fetched = await this.fetch(origin, signal);
      this.keep(origin, fetched);
      return { answer: fetched.answer, isNew: true };
    } finally {
      this.underWay.delete(origin);
    }
  }

  private keep(origin: string, { answer, maxAgeMs }: Fetched): void {
    this.entries.delete(origin);
    this.entries.set(origin, { answer, askedAtMs: this.nowMs(), keptMs: this.keptMs(answer, maxAgeMs) });
    const [oldest] = this.entries.keys();
    if (this.entries.size > MOST_DOMAINS) this.entries.delete(oldest!);
  }

  private keptMs({ asked }: KeysAnswer, maxAgeMs: number | null): number {
    if (asked === 'unasked') return this.within(LEFT_ALONE_MS);
    return this.within(Math.max(LEAST_MS, maxAgeMs ?? KEPT_MS));
  }

  private within(ms: number): number {
    return Math.min(ms, this.mostMs);
  }

  private age({ askedAtMs }: Entry): number {
    return this.nowMs() - askedAtMs;
  }
}
