/** A registry as regsync is to reach it. */
export interface RegsyncHost {
  /** `host:port`: without a port, regsync takes a plain name for a user's on Docker Hub. */
  readonly registry: string;
  readonly tls: 'enabled' | 'disabled';
  readonly user?: string;
  readonly pass?: string;
  /** PEM. */
  readonly regcert?: string;
}

/** One thing to copy: whole records by their tags, or one by its digest with whatever refers to it. */
export type RegsyncEntry =
  | { readonly source: string; readonly target: string; readonly tags: readonly string[] }
  | { readonly source: string; readonly target: string };

/**
 * The text of a configuration of regsync (its version 1). It is JSON, which YAML takes as it is. What regsync would
 * expand as Go templates is escaped; tags, which are regular expressions to it, are anchored and escaped, too. Throws
 * for an empty list of tags: to regsync that is everything.
 */
export function regsyncConfig(hosts: readonly RegsyncHost[], entries: readonly RegsyncEntry[]): string {
  const config = {
    version: 1,
    creds: hosts.map(({ regcert, ...host }) => ({ ...escaped(host), ...(regcert !== undefined && { regcert }) })),
    defaults: { skipDockerConfig: true, parallel: 4 },
    sync: entries.map(entryOf),
  };
  return JSON.stringify(config).replace(unprintable, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function entryOf(entry: RegsyncEntry): object {
  const { source, target } = escaped({ source: entry.source, target: entry.target });
  // What is attached, and was copied by a run that died before it listed it, is listed only when it is copied again.
  if (!('tags' in entry)) return { source, target, type: 'image', referrers: true, forceRecursive: true };
  if (entry.tags.length === 0) throw new Error('a copy of no tags would be a copy of all');
  const allow = entry.tags.map((tag) => `^${tag.replace(/[^a-zA-Z\d_-]/g, '\\$&')}$`);
  return { source, target, type: 'repository', tags: { allow }, referrers: true };
}

/** Characters that JSON leaves as they are, and YAML does not take. */
const unprintable = /[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]/g;

function escaped<T extends object>(texts: T): T {
  const entries = Object.entries(texts).map(([key, text]) => [key, String(text).replaceAll('{{', '{{"{{"}}')]);
  return Object.fromEntries(entries) as T;
}
