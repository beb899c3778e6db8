import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

interface FakeAnswer {
  readonly status: number;
  readonly body: string;
  readonly link?: string;
}

interface Artifact {
  /** Instead of the one that it should have. */
  readonly layers?: readonly object[];
  readonly mediaType?: string;
  /** The digest of the manifest that it refers to. */
  readonly subject?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** What a registry calls these bytes. */
export function sha256(bytes: Buffer | string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** A registry on loopback that holds whatever it is given, true or not, two tags a page, with the referrers API. */
export class FakeRegistry {
  /** By tag, and by digest. */
  readonly manifests = new Map<string, string>();
  readonly blobs = new Map<string, string>();
  /** By the digest of what they refer to, page by page: the bodies of the answers. */
  readonly referrers = new Map<string, readonly string[]>();
  /** The status of an answer to a listing after a tag; undefined: it is answered as it should be. */
  listingFault: ((last: string | null) => number | undefined) | null = null;
  /** Every path of the repository that was asked for. */
  readonly asked: string[] = [];
  readonly tags = new Set<string>();
  private readonly server = createServer((request, response) => {
    const { status, body, link } = this.answer(new URL(request.url!, 'http://fake.test'));
    response.writeHead(status, link ? { link } : {}).end(body);
  });

  /** Starts to listen; returns `127.0.0.1:port`. */
  async listen(): Promise<string> {
    await new Promise<void>((listening) => this.server.listen(0, '127.0.0.1', listening));
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((closed) => this.server.close(closed));
  }

  /** Holds an artifact around `content`, tagged or not; returns the digest of its manifest. */
  put(content: string, tag: string | null, { layers, mediaType, subject, annotations }: Artifact = {}): string {
    const digest = sha256(content);
    this.blobs.set(digest, content);
    const layer = { mediaType: mediaType ?? 'application/json', digest, size: Buffer.byteLength(content) };
    const pointer = subject && { mediaType: 'm', digest: subject, size: 1 };
    return this.hold(
      JSON.stringify({ schemaVersion: 2, layers: layers ?? [layer], subject: pointer, annotations }),
      tag,
    );
  }

  /** Holds any text as a manifest. */
  hold(manifest: string, tag: string | null): string {
    this.manifests.set(sha256(manifest), manifest);
    if (tag !== null) this.manifests.set(tag, manifest);
    if (tag !== null) this.tags.add(tag);
    return sha256(manifest);
  }

  /** Lists what refers to a manifest, by digests. */
  refer(subject: string, digests: readonly string[]): void {
    const manifests = digests.map((digest) => ({ mediaType: 'm', digest, size: 1 }));
    this.referrers.set(subject, [JSON.stringify({ manifests })]);
  }

  private answer(url: URL): FakeAnswer {
    const what = url.pathname.replace('/v2/dir/', '');
    this.asked.push(what);
    const [kind, reference = ''] = what.split('/');
    if (kind === 'tags') return this.listing(url.searchParams.get('last'));
    if (kind === 'referrers') return this.referring(reference, Number(url.searchParams.get('page') ?? 0));
    const found = kind === 'blobs' ? this.blobs.get(reference) : this.manifests.get(reference);
    return found === undefined ? { status: 404, body: '' } : { status: 200, body: found };
  }

  private listing(last: string | null): FakeAnswer {
    const fault = this.listingFault?.(last);
    if (fault !== undefined) return { status: fault, body: '{"errors":[]}' };
    const rest = [...this.tags].sort().filter((tag) => last === null || tag > last);
    const tags = rest.slice(0, 2);
    const link = rest.length > 2 ? `</v2/dir/tags/list?last=${tags.at(-1)}>; rel="next"` : undefined;
    return { status: 200, body: JSON.stringify({ tags }), link };
  }

  private referring(subject: string, page: number): FakeAnswer {
    const pages = this.referrers.get(subject) ?? ['{"manifests":[]}'];
    const link = page + 1 < pages.length ? `</v2/dir/referrers/${subject}?page=${page + 1}>; rel="next"` : undefined;
    return { status: 200, body: pages[page]!, link };
  }
}
