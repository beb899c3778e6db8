import { createHash } from 'node:crypto';
import { nextPage } from './link';
import { type Descriptor, type Listed, type Manifest, acceptManifests, parseIndex, parseManifest } from './manifest';
import { BadArtifact, RegistryRefused } from './registry.errors';
import { type Answer, RegistryHttp, type RegistryPlace } from './registry.http';
import { type TagPage, firstPage, parseTags, tagPage } from './tags';

const MANIFEST_LIMIT = 4 * 1024 * 1024;
/** A registry that ignores paging answers with everything: this is a million tags. */
const TAGS_LIMIT = 64 * 1024 * 1024;
/** Pages of referrers of one manifest that are read, and referrers: anybody may attach any number. */
const REFERRER_PAGES = 20;
export const MOST_REFERRERS = 1_000;

export interface PulledManifest {
  readonly digest: string;
  readonly manifest: Manifest;
  readonly body: Buffer;
}

/** What refers to a manifest, each once; at most MOST_REFERRERS. */
export interface Referrers {
  readonly listed: readonly Listed[];
  /** Whether these are all. */
  readonly complete: boolean;
}

/** One repository of one registry, as the distribution specification 1.1 has it; registries differ from it (spec 2). */
export class RegistryClient {
  readonly http: RegistryHttp;
  private readonly base: string;

  constructor(place: RegistryPlace) {
    this.http = new RegistryHttp(place);
    this.base = `/v2/${place.repository}`;
  }

  /**
   * A page of tags; `cursor` is what the page before named as `next`, null for the first one. Null: the repository is
   * not there. `gone`: the tag after which the listing should go on is, so it must begin anew.
   */
  async tags(cursor: string | null, signal: AbortSignal): Promise<TagPage | 'gone' | null> {
    const path = cursor ?? firstPage(this.base);
    const answer = await this.http.get(path, { limit: TAGS_LIMIT, signal });
    if (answer.status === 404) return cursor === null ? null : 'gone';
    this.expect(answer, path);
    const next = nextPage(answer.header('link'), new URL(path, this.http.origin));
    const page = tagPage(parseTags(answer.body), path, next);
    return page.next === cursor && cursor !== null ? this.endless(path) : page;
  }

  /** A manifest by tag or digest; null: there is none. Throws BadArtifact for what is no manifest, or another one. */
  async manifest(reference: string, signal: AbortSignal): Promise<PulledManifest | null> {
    const body = await this.manifestBody(reference, signal);
    return body && { digest: digestOfBytes(body), manifest: parseManifest(body), body };
  }

  /** A blob of at most `limit` bytes, of which digest and size were checked; null: there is none. Throws BadArtifact where it is larger, or another one. */
  async blob({ digest, size }: Descriptor, limit: number, signal: AbortSignal): Promise<Buffer | null> {
    if (size > limit) throw new BadArtifact('TooLarge', `${size} bytes, and at most ${limit} are read`);
    const path = `${this.base}/blobs/${digest}`;
    const answer = await this.http.get(path, { limit, signal });
    if (answer.status === 404) return null;
    const { body } = this.expect(answer, path);
    const found = digestOfBytes(body);
    if (found !== digest)
      throw new BadArtifact('DigestMismatch', `the blob is ${found}, not the ${digest} that was asked for`);
    if (body.length === size) return body;
    throw new BadArtifact(
      'DigestMismatch',
      `the blob has ${body.length} bytes, and not the ${size} that its manifest says`,
    );
  }

  /** What refers to a manifest; null: the registry does not have the referrers API. Throws BadArtifact for what is no list. */
  async referrers(digest: string, signal: AbortSignal): Promise<Referrers | null> {
    const found = new Map<string, Listed>();
    let path: string | null = `${this.base}/referrers/${digest}`;
    for (let page = 0; path !== null && page < REFERRER_PAGES && found.size <= MOST_REFERRERS; page += 1) {
      const answer: Answer = await this.http.get(path, { limit: MANIFEST_LIMIT, signal });
      if (answer.status === 404 && page === 0) return null;
      for (const one of parseIndex(this.expect(answer, path).body)) found.set(one.digest, one);
      path = nextPage(answer.header('link'), new URL(path, this.http.origin));
    }
    return cut(found, path === null);
  }

  /** What refers to a manifest by the fallback tag; none where there is no such tag. Throws BadArtifact for what is no list. */
  async tagged(digest: string, signal: AbortSignal): Promise<Referrers> {
    const body = await this.manifestBody(digest.replace(':', '-'), signal);
    const found = body ? parseIndex(body) : [];
    return cut(new Map(found.map((one) => [one.digest, one])), true);
  }

  async close(): Promise<void> {
    await this.http.close();
  }

  private async manifestBody(reference: string, signal: AbortSignal): Promise<Buffer | null> {
    const path = `${this.base}/manifests/${reference}`;
    const answer = await this.http.get(path, { accept: acceptManifests, limit: MANIFEST_LIMIT, signal });
    if (answer.status === 404) return null;
    const { body, header } = this.expect(answer, path);
    const wanted = reference.startsWith('sha256:') ? reference : header('docker-content-digest');
    if (wanted === null || !wanted.startsWith('sha256:') || wanted === digestOfBytes(body)) return body;
    throw new BadArtifact('DigestMismatch', `the manifest is not the ${wanted} that it is said to be`);
  }

  private expect(answer: Answer, path: string): Answer {
    if (answer.status === 200) return answer;
    if (answer.status === 401 || answer.status === 403) {
      throw new RegistryRefused(`${this.http.origin} refuses our credentials for ${path} (${answer.status})`);
    }
    throw new Error(`${this.http.origin} answered ${answer.status} to ${path.split('?')[0]}`);
  }

  private endless(path: string): never {
    throw new Error(`${this.http.origin} names ${path} as the page that comes after itself`);
  }
}

function cut(found: ReadonlyMap<string, Listed>, complete: boolean): Referrers {
  const listed = [...found.values()].slice(0, MOST_REFERRERS);
  return { listed, complete: complete && listed.length === found.size };
}

/** What a registry calls these bytes. */
export function digestOfBytes(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
