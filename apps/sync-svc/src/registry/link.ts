/**
 * Path and query of the next page that a Link header names (RFC 8288), null where it names none. Throws where that is
 * not of this origin: a listing is of one registry.
 */
export function nextPage(header: string | null, base: URL): string | null {
  const target = header === null ? undefined : /<([^<>]*)>\s*;[^,<]*\brel="?next"?/i.exec(header)?.[1];
  if (target === undefined) return null;
  const { origin, pathname, search } = new URL(target, base);
  if (origin === base.origin) return pathname + search;
  throw new Error(`${base.origin} sends us to ${origin} for the next page`);
}
