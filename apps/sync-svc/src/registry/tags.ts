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

/** Marks, in a part of the path that is never sent, that the next page was not named but is only tried. */
const TRIED = '#tried';

/**
 * What a page means. A page that is full, and names no next one, may have been cut without a word (spec 2): what comes
 * after its last tag is tried. An answer that does not begin after that tag is by a registry that ignores it, or has no
 * more, and begins anew.
 */
export function tagPage(tags: readonly string[], path: string, named: string | null): TagPage {
  const { pathname, searchParams, hash } = new URL(path, 'http://registry.invalid');
  const [first] = tags;
  if (hash === TRIED && (first === undefined || first <= searchParams.get('last')!)) return { tags: [], next: null };
  if (named !== null && first === undefined)
    throw new Error('the registry answered an empty page, and names a next one');
  if (named !== null || tags.length !== PAGE_SIZE) return { tags, next: named };
  return { tags, next: `${pathname}?n=${PAGE_SIZE}&last=${encodeURIComponent(tags.at(-1)!)}${TRIED}` };
}
