import { randomBytes, timingSafeEqual } from 'node:crypto';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { RECORD_LIMIT } from '../../record/validation/record.validation';
import { nextPage } from '../../registry/link';
import { acceptManifests } from '../../registry/manifest';
import { BadArtifact, RegistryBusy } from '../../registry/registry.errors';
import type { Answer, RegistryHttp } from '../../registry/registry.http';

/** The remote registry as regsync may see it. */
export interface Behind {
  readonly http: RegistryHttp;
  readonly repository: string;
  /** By tag, the digest of the manifest that was checked: all that is to be copied. */
  readonly checked: ReadonlyMap<string, string>;
}

const relayed = ['content-type', 'docker-content-digest', 'oci-filters-applied'];
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

  async open(): Promise<void> {
    await new Promise<void>((listening) => this.server.listen(0, '127.0.0.1', listening));
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
    const { pathname, search } = new URL(url ?? '/', 'http://gate.invalid');
    if (pathname === '/v2/') return 200;
    const { repository, checked } = this.behind;
    const base = `/v2/${repository}/`;
    if (pathname === `${base}tags/list`) {
      const tags = { name: repository, tags: [...checked.keys()] };
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(tags));
      return null;
    }
    const path = this.allowed(pathname.startsWith(base) ? pathname.slice(base.length) : '');
    if (path === null) return 404;
    const answer = await this.read(base + path + search);
    if (answer.status !== 200) return answer.status === 404 ? 404 : 502;
    const next = nextPage(answer.header('link'), new URL(base + path, this.behind.http.origin));
    if (next !== null) response.setHeader('Link', `<${next}>; rel="next"`);
    relay(answer, response, method === 'HEAD');
    return null;
  }

  /** What a path leads to: a tag to what was checked; a digest, and the tag of a list of referrers, to themselves. */
  private allowed(path: string): string | null {
    const [, kind, name] = /^(manifests|blobs|referrers)\/([\w.:-]+)$/.exec(path) ?? [];
    if (kind === undefined || name === undefined) return null;
    if (/^sha256:[0-9a-f]{64}$/.test(name)) return path;
    if (kind !== 'manifests') return null;
    if (/^sha256-[0-9a-f]{64}$/.test(name)) return path;
    const digest = this.behind.checked.get(name);
    return digest === undefined ? null : `manifests/${digest}`;
  }

  private read(path: string): Promise<Answer> {
    const accept = path.includes('/manifests/') ? acceptManifests : '*/*';
    return this.behind.http.get(path, { accept, limit: RECORD_LIMIT, signal: this.signal });
  }

  private knows(authorization: string | undefined): boolean {
    const given = Buffer.from(authorization ?? '');
    return given.length === this.authorization.length && timingSafeEqual(given, this.authorization);
  }
}

function relay({ header, body }: Answer, response: ServerResponse, isHead: boolean): void {
  for (const name of relayed) {
    const value = header(name);
    if (value !== null) response.setHeader(name, value);
  }
  response.writeHead(200, { 'content-length': body.length });
  response.end(isHead ? undefined : body);
}

function statusOf(error: unknown): number {
  if (error instanceof RegistryBusy) return 429;
  return error instanceof BadArtifact ? 413 : 502;
}
