import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Server, createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Authority, newAuthority } from './certificates';

/** What a domain answers to one request; a text is the body of a 200. */
export type JwksAnswer = string | ((response: ServerResponse, request: IncomingMessage) => void);

/** Domains on loopback, `localhost` with a port each, whose certificates an authority of theirs has signed. */
export class JwksDomains {
  private readonly servers: JwksServer[] = [];

  private constructor(
    private readonly folder: string,
    private readonly authority: Authority,
    /** The authority's own certificate, in PEM. */
    readonly caFile: string,
  ) {}

  static async make(): Promise<JwksDomains> {
    const folder = mkdtempSync(join(tmpdir(), 'homeostat-domains-'));
    const caFile = join(folder, 'ca.pem');
    const authority = await newAuthority('Authority of a test');
    writeFileSync(caFile, authority.certificate);
    return new JwksDomains(folder, authority, caFile);
  }

  async start(answer: JwksAnswer): Promise<JwksServer> {
    const { key, certificate: cert } = await this.authority.issue('localhost');
    const server = createServer({ key, cert });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const started = new JwksServer(server, answer);
    this.servers.push(started);
    return started;
  }

  /** Ends every server that was started. */
  async stop(): Promise<void> {
    await Promise.all(this.servers.splice(0).map((server) => server.close()));
  }

  /** Forgets the authority. */
  forget(): void {
    rmSync(this.folder, { recursive: true });
  }
}

/** The web server of a domain, whose answer a test sets. */
export class JwksServer {
  /** Paths that were asked for. */
  readonly asked: string[] = [];
  connections = 0;
  /** `localhost:PORT`. */
  readonly domain: string;

  constructor(
    private readonly server: Server,
    public answer: JwksAnswer,
  ) {
    this.domain = `localhost:${(server.address() as AddressInfo).port}`;
    server.on('connection', () => (this.connections += 1));
    server.on('request', (request: IncomingMessage, response: ServerResponse) => this.respond(request, response));
  }

  /** Ends every connection, and listens no more; once more, it changes nothing. */
  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((closed) => this.server.close(closed));
  }

  private respond(request: IncomingMessage, response: ServerResponse): void {
    this.asked.push(request.url ?? '');
    if (typeof this.answer === 'string') response.end(this.answer);
    else this.answer(response, request);
  }
}
