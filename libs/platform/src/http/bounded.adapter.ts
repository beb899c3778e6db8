import { STATUS_CODES, type ServerResponse, createServer } from 'node:http';
import type { Duplex } from 'node:stream';
import { HouseError, type ProblemCode } from '@homeostat/shared';
import { ExpressAdapter } from '@nestjs/platform-express';
import { problemOf } from './problem';

/** How long a client may take for what, and how much its headers may hold (decision 14). */
export const patience = {
  /** From the first byte, or the opening of a connection, to the end of the headers. */
  headersTimeout: 10_000,
  /** To the end of the body; the time that an answer takes does not count. */
  requestTimeout: 30_000,
  /** Longer than the 60 s for which load balancers keep idle connections, or requests would meet closed ones. */
  keepAliveTimeout: 65_000,
  /** How often Node looks for those who have used up the above. */
  connectionsCheckingInterval: 2_000,
  maxHeaderSize: 16_384,
};

/** Longer than the longest `?wait`; then a connection is closed on which nothing was sent or read. */
const silenceMs = 330_000;
/** What a client that is refused gets to read the answer. */
const lingerMs = 1_000;

/** Express on a server that no client can hold on to for as long as it likes, with `connections` at most. */
export class BoundedAdapter extends ExpressAdapter {
  constructor(
    private readonly connections: number,
    private readonly limits: typeof patience = patience,
  ) {
    super();
  }

  override initHttpServer(): void {
    const server = createServer(this.limits, this.getInstance());
    server.maxConnections = this.connections;
    server.setTimeout(silenceMs);
    server.on('clientError', refuse);
    this.httpServer = server;
  }
}

const codes: Readonly<Record<string, ProblemCode>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
  HPE_HEADER_OVERFLOW: 'headers_too_large',
};

/** What cannot be read as a request never gets to Express; it is answered like all else, and nothing follows it. */
function refuse(error: NodeJS.ErrnoException, socket: Duplex & { _httpMessage?: ServerResponse }): void {
  if (!socket.writable || error.code === 'ECONNRESET' || socket._httpMessage?.headersSent) return void socket.destroy();
  const code = codes[error.code ?? ''] ?? 'invalid_input';
  const { problem } = problemOf(new HouseError(code, 'this could not be read as an HTTP/1.1 request'))!;
  const body = JSON.stringify(problem);
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
    'Connection: close',
    'Cache-Control: no-store',
    'Content-Type: application/problem+json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  // Were it destroyed at once, what the client is still sending would cost it the answer.
  const late = setTimeout(() => socket.destroy(), lingerMs);
  socket.resume().once('close', () => clearTimeout(late));
}
