import type { NameVerification } from '@homeostat/shared';

export interface NameTimes {
  /** Between checks of a name that is not verified, at first. */
  readonly intervalMs: number;
  /** For how long a proof stands. */
  readonly ttlMs: number;
  /** For how long a verified name stays so without its proof, and one that nobody could ask about stays pending. */
  readonly graceMs: number;
}

/** A proof is renewed after this part of its time, and another part at random: what was verified together is not renewed together. */
const renewedAfter = 0.6;
const renewedWithin = 0.2;
const minuteMs = 60_000;
const dayMs = 86_400_000;
/** A check waits for these parts of the time since the first one failed, so the distances grow exponentially. */
const partOfAge = { unasked: 1, no_proof: 0.25 };
/** Each delay is spread by a tenth to either side. */
const spread = 0.1;

/** When a proof that was seen now is looked for again: before it expires. */
export function renewalAt({ ttlMs }: NameTimes, jitter: number, now: Date): Date {
  return after(now, ttlMs * (renewedAfter + renewedWithin * jitter));
}

/** When to look for a proof again that has been missing since `since`; not later than `end`, unless that has passed. */
export function retryAt(
  found: keyof typeof partOfAge,
  since: Date,
  end: Date | null,
  { intervalMs }: NameTimes,
  jitter: number,
  now: Date,
): Date {
  const least = found === 'unasked' ? Math.min(minuteMs, intervalMs) : intervalMs;
  const ageMs = now.getTime() - since.getTime();
  const delayMs = Math.max(least, Math.min(ageMs * partOfAge[found], dayMs));
  const at = after(now, delayMs * (1 - spread + 2 * spread * jitter));
  return end !== null && end > now && end < at ? end : at;
}

/** When a verified name lapses whose check failed now: after its proof's time, and after the grace. */
export function lapseAt({ expires_at, failing_since }: NameVerification, { graceMs }: NameTimes, now: Date): Date {
  const graceEnds = after(now, graceMs);
  if (expires_at === null) return graceEnds;
  return failing_since !== null || expires_at > graceEnds ? expires_at : graceEnds;
}

/** When a pending name fails that nobody could be asked about since `since`. */
export function patienceEndsAt(since: Date, { graceMs }: NameTimes): Date {
  return after(since, graceMs);
}

function after(from: Date, ms: number): Date {
  return new Date(from.getTime() + Math.ceil(ms));
}
