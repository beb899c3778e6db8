import { createHash } from 'node:crypto';

/** A page of tags, and where the next one is: a path with its query. */
export interface TagPage {
  readonly tags: readonly string[];
  readonly next: string | null;
}

/** Tags per page that are asked for; some registries give all, or fewer. */
export const PAGE_SIZE = 1_000;

export function firstPage(base: string): string {
  return `${base}/tags/list?n=${PAGE_SIZE}`;
}

/** Reads an answer to a listing; docker-registry says `null` for none. Throws where it is no listing. */
export function parseTags(body: Buffer): string[] {
  let json: unknown;
  try {
    json = JSON.parse(body.toString());
  } catch {
    throw new Error('the registry answered something else than a list of tags');
  }
  const { tags = undefined } = Object(json) as { tags?: unknown };
  if (tags === null) return [];
  if (!Array.isArray(tags)) throw new Error('the registry answered something else than a list of tags');
  return tags.map(String);
}

/**
 * What a page means. A page that is full, and names no next one, may have been cut without a word (spec 2): what comes
 * after its last tag is tried. The same tags again, in whatever order, are from a registry that ignores where to go on,
 * and only earlier ones from one that has no more, and begins anew. Throws where the listing would not come to an end.
 */
export function tagPage(tags: readonly string[], path: string, named: string | null): TagPage {
  const { pathname, searchParams, hash } = new URL(path, 'http://registry.invalid');
  const last = searchParams.get('last') ?? '';
  const later = tags.filter((tag) => tag > last).length;
  const isTried = hash !== '';
  if (isTried && (later === 0 || hash === triedAfter(tags))) return { tags: [], next: null };
  if (named !== null && tags.length === 0) throw new Error('the registry answered an empty page, and names a next one');
  if (named !== null || tags.length !== PAGE_SIZE) return { tags, next: named };
  if (isTried && later < tags.length) throw new Error(ENDLESS);
  return { tags, next: `${pathname}?n=${PAGE_SIZE}&last=${encodeURIComponent(tags.at(-1)!)}${triedAfter(tags)}` };
}

const ENDLESS = `the registry answers ${PAGE_SIZE} tags at a time, in no order, and names no next page: nobody can tell where its listing ends`;

/** Marks, in a part of the path that is never sent, that the next page was not named but is only tried, and after which tags. */
function triedAfter(tags: readonly string[]): string {
  return `#tried-${createHash('sha256').update(tags.toSorted().join()).digest('hex')}`;
}
