import { randomBytes, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ByteCache } from '@homeostat/platform';
import { RECORD_LIMIT } from '../../record/validation/record.validation';
import { acceptManifests, imageManifest } from '../../registry/manifest';
import { digestOfBytes } from '../../registry/registry.client';
import { BadArtifact, RegistryBusy } from '../../registry/registry.errors';
import type { RegistryHttp } from '../../registry/registry.http';
import type { Attached } from '../attached';
import { manifestFault } from '../manifest-fault';

/** The remote registry as regsync may see it. */
export interface Behind {
  readonly http: RegistryHttp;
  readonly repository: string;
  /** By tag, the digest of the manifest that was checked: all that is to be copied. */
  readonly checked: ReadonlyMap<string, string>;
  readonly attached: Attached;
  /** Those that were read, by the digests that they were checked to have. */
  readonly manifests: ByteCache<string>;
}

const index = 'application/vnd.oci.image.index.v1+json';
const user = 'regsync';

/**
 * A registry on loopback through which regsync reads the remote one (decision 20). It has the tags alone that are to be
 * copied, each as it was checked; whatever the remote names, a redirect or a place for tokens, is judged by our own
 * client; and the credentials of the remote stay here. Open to nobody without its password, which lives as long as it.
 */
export class Gate {
  readonly login = { user, pass: randomBytes(24).toString('base64url') };
  private readonly authorization = Buffer.from(`Basic ${Buffer.from(`${user}:${this.login.pass}`).toString('base64')}`);
  private readonly server: Server;

  constructor(
    private readonly behind: Behind,
    private readonly signal: AbortSignal,
  ) {
    this.server = createServer((request, response) => void this.serve(request, response));
  }

  /** `127.0.0.1:port`, once it is open. */
  get address(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** The address of the registry behind it. */
  get remote(): string {
    return new URL(this.behind.http.origin).host;
  }

  /** Throws where there is no place to listen at. */
  async open(): Promise<void> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((closed) => this.server.close(closed));
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const status = await this.answer(request, response).catch(statusOf);
    if (status !== null && !response.headersSent) response.writeHead(status).end();
  }

  /** Returns the status of what has no other answer; null where it was answered. */
  private async answer({ method, url, headers }: IncomingMessage, response: ServerResponse): Promise<number | null> {
    if (!this.knows(headers.authorization)) {
      response.setHeader('WWW-Authenticate', 'Basic realm="gate"');
      return 401;
    }
    if (method !== 'GET' && method !== 'HEAD') return 405;
    const { pathname } = new URL(url ?? '/', 'http://gate.invalid');
    if (pathname === '/v2/') return 200;
    const base = `/v2/${this.behind.repository}/`;
    const found = await this.found(pathname.startsWith(base) ? pathname.slice(base.length) : '');
    if (typeof found === 'number') return found;
    const { type, body } = found;
    const about = { 'docker-content-digest': digestOfBytes(body), 'content-length': body.length };
    response.writeHead(200, { 'content-type': type, ...about }).end(method === 'HEAD' ? undefined : body);
    return null;
  }

  /** What a path leads to: a tag to what was checked, a digest to itself, whatever lists referrers to our own list. */
  private async found(path: string): Promise<Found | number> {
    const { repository, checked } = this.behind;
    if (path === 'tags/list') return json('application/json', { name: repository, tags: [...checked.keys()] });
    const [, kind, name] = /^(manifests|blobs|referrers)\/([\w.:-]+)$/.exec(path) ?? [];
    if (kind === undefined || name === undefined) return 404;
    const subject = /^(?:referrers\/sha256:|manifests\/sha256-)([0-9a-f]{64})$/.exec(path)?.[1];
    if (subject !== undefined) return this.referrers(`sha256:${subject}`);
    if (/^sha256:[0-9a-f]{64}$/.test(name)) return kind === 'blobs' ? this.blob(name) : this.manifest(name);
    const digest = kind === 'manifests' ? checked.get(name) : undefined;
    return digest === undefined ? 404 : this.manifest(digest);
  }

  /** A list of what regsync can copy: one that it could not would cost it the whole record. */
  private async referrers(subject: string): Promise<Found> {
    return json(index, { schemaVersion: 2, mediaType: index, manifests: await this.behind.attached.all(subject) });
  }

  private async manifest(digest: string): Promise<Found | number> {
    const { manifests } = this.behind;
    const body = manifests.get(digest) ?? (await this.read(`manifests/${digest}`, digest));
    if (typeof body === 'number') return body;
    manifests.set(digest, body);
    if (manifestFault(body) !== null) return 404;
    const { mediaType = imageManifest } = JSON.parse(body.toString()) as { mediaType?: string };
    return { type: mediaType, body };
  }

  private async blob(digest: string): Promise<Found | number> {
    const body = await this.read(`blobs/${digest}`, digest);
    return typeof body === 'number' ? body : { type: 'application/octet-stream', body };
  }

  /** What the remote has by a digest; the status of our answer where it has none, or something else. */
  private async read(path: string, digest: string): Promise<Buffer | number> {
    const { http, repository } = this.behind;
    const ask = {
      accept: path.startsWith('blobs/') ? '*/*' : acceptManifests,
      limit: RECORD_LIMIT,
      signal: this.signal,
    };
    const { status, body } = await http.get(`/v2/${repository}/${path}`, ask);
    if (status === 200 && digestOfBytes(body) === digest) return body;
    return status === 404 ? 404 : 502;
  }

  private knows(authorization: string | undefined): boolean {
    const given = Buffer.from(authorization ?? '');
    return given.length === this.authorization.length && timingSafeEqual(given, this.authorization);
  }
}

interface Found {
  readonly type: string;
  readonly body: Buffer;
}

function json(type: string, value: object): Found {
  return { type, body: Buffer.from(JSON.stringify(value)) };
}

function statusOf(error: unknown): number {
  if (error instanceof RegistryBusy) return 429;
  return error instanceof BadArtifact ? 413 : 502;
}
