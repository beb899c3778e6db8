const FIRST_MS = Date.parse('0001-01-01T00:00:00Z');
export const LAST_INSTANT_MS = Date.parse('9999-12-31T23:59:59.999Z');

/**
 * Milliseconds since 1970 of a time that both JavaScript and PostgreSQL know; null for leap seconds, the year 0, and
 * what an offset moves beyond the years 1 to 9999.
 */
export function instantOf(text: string): number | null {
  const ms = Date.parse(text);
  return ms >= FIRST_MS && ms <= LAST_INSTANT_MS ? ms : null;
}
