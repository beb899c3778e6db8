import type { Outcome } from './notebook';

/** Timers as the engine needs them, so that a simulation can own the time. Each call returns its cancellation. */
export interface Timers {
  after(ms: number, run: () => void): () => void;
  /** Milliseconds since 1970, never going back. */
  nowMs(): number;
}

/** What the engine tells about its work; for metrics and logs. */
export interface Witness {
  looked(look: {
    kind: string;
    key: string;
    outcome: Outcome;
    step: string | null;
    because: string;
    tookMs: number;
    traceparent: string | null;
  }): void;
  /** `waitedMs`: from due to claimed. */
  claimed(kind: string, count: number, waitedMs: number): void;
  /** A lease ran out, or was taken over, while work under it went on. */
  lost(kind: string): void;
  failed(what: { kind: string; key: string | null; doing: string; error: unknown; traceparent?: string | null }): void;
}

/** What a loop does with one kind at this moment; for metrics. */
export interface Work {
  readonly kind: string;
  /** For how long each resource has been under lease here, in ms. */
  readonly heldMs: readonly number[];
  /** How many there may be at once. */
  readonly most: number;
}

/** How the engine divides its time. All of them have one value for the whole house. */
export interface EngineOptions {
  /** Resources per pass. */
  readonly batch: number;
  /** Passes of a kind under way at once. */
  readonly passes: number;
  /** How long a dead process keeps its resources from the others. */
  readonly leaseMs: number;
  /** How far ahead the loop sets timers of its own; beyond that the poll finds what is due. */
  readonly horizonMs: number;
  readonly auditSlice: number;
}

/** The values that every service runs with. leaseMs + a poll of 5 s stays below the 15 s that a takeover may take. */
export const engineDefaults: EngineOptions = {
  batch: 500,
  passes: 2,
  leaseMs: 8_000,
  horizonMs: 10_000,
  auditSlice: 1_000,
};
