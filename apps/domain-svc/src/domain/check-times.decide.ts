import type { Domain, DomainCheck } from '@homeostat/shared';
import type { DomainSettings } from './domain.decide';

/** Checks come every interval for this long: most people watch the page while they create the record. */
const frequentMs = 180_000;
/** After that a check waits for this part of the claim's age, so the distances grow exponentially. */
const partOfAge = 0.1;
/** Each delay is spread by a tenth to either side: what was claimed together is not asked for together for ever. */
const spread = 0.1;

/**
 * When to ask DNS again after a check with this outcome: by backoff, and never later than the state's own end.
 * `domain` is as the step leaves it, but with the check before; `jitter` is in [0, 1).
 */
export function nextCheckAt(
  domain: Domain,
  outcome: DomainCheck['outcome'],
  settings: DomainSettings,
  jitter: number,
  now: Date,
): Date {
  const delayMs = delayAfter(domain, outcome, settings, now) * (1 - spread + 2 * spread * jitter);
  const at = now.getTime() + Math.ceil(delayMs);
  const endsAt = endOf(domain, settings)?.getTime() ?? Infinity;
  return new Date(endsAt > now.getTime() ? Math.min(at, endsAt) : at);
}

/** When a domain lapses whose record has been gone since `absentSince`. */
export function graceEndsAt(absentSince: Date, settings: DomainSettings): Date {
  return new Date(absentSince.getTime() + settings.lapseGraceMs);
}

function endOf({ status, window_ends_at, absent_since }: Domain, settings: DomainSettings): Date | null {
  if (status === 'pending') return window_ends_at;
  return status === 'at_risk' && absent_since ? graceEndsAt(absent_since, settings) : null;
}

function delayAfter(domain: Domain, outcome: DomainCheck['outcome'], settings: DomainSettings, now: Date): number {
  const { checkIntervalMs, maxCheckIntervalMs, recheckMs, windowMs } = settings;
  if (outcome === 'unasked') return retryMs(domain.last_check, settings, now);
  if (domain.status === 'verified') return recheckMs;
  if (domain.status === 'at_risk' || domain.reason === 'NameTaken') return maxCheckIntervalMs;
  const ageMs = now.getTime() - (domain.window_ends_at.getTime() - windowMs);
  return ageMs < frequentMs ? checkIntervalMs : between(checkIntervalMs, ageMs * partOfAge, maxCheckIntervalMs);
}

/** Doubles the time that passed between two questions that nobody answered. */
function retryMs(last: DomainCheck | null, settings: DomainSettings, now: Date): number {
  const { checkIntervalMs, maxCheckIntervalMs } = settings;
  if (last?.outcome !== 'unasked') return checkIntervalMs;
  return between(checkIntervalMs, 2 * (now.getTime() - Date.parse(last.at)), maxCheckIntervalMs);
}

function between(least: number, value: number, most: number): number {
  return Math.max(least, Math.min(value, most));
}
