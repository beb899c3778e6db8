import { BadArtifact } from './registry.errors';

/**
 * Path and query of the next page that a Link header names (RFC 8288), null where it names none. Throws BadArtifact where
 * that is not of this origin: a listing is of one registry. A path that begins with `//` would name another host.
 */
export function nextPage(header: string | null, base: URL): string | null {
  const target = header === null ? undefined : /<([^<>]*)>\s*;[^,<]*\brel="?next"?/i.exec(header)?.[1];
  if (target === undefined) return null;
  const { href, origin, pathname, search } = new URL(target, base);
  if (origin === base.origin && !pathname.startsWith('//')) return pathname + search;
  throw new BadArtifact('NotARecord', `${base.origin} sends us to ${href.slice(0, 200)} for the next page`);
}
