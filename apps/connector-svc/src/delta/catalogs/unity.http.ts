import { type Dispatcher, request } from 'undici';
import { type CallOptions } from '../../connector/connector.port';
import { ConnectorFault } from '../../connector/fault';
import { type RestAuth } from '../../iceberg/catalogs/rest.auth';
import { byStatus } from '../../storage/aws';
import { type ExactJson, exactJson, member } from '../exact-json';

const mostAnswerBytes = 32 * 1024 * 1024;

/** Sends requests to a Unity Catalog. Throws ConnectorFault; its text has the server's own message, never headers or bodies. */
export class UnityHttp {
  constructor(
    private readonly base: string,
    private readonly auth: RestAuth,
    private readonly dispatcher: Dispatcher,
  ) {}

  /** The JSON of a 200; asks once more with a new proof when the first one was refused. A `body` is sent by POST. */
  async ask(
    path: string,
    query: Readonly<Record<string, string>>,
    options: CallOptions,
    body?: unknown,
  ): Promise<ExactJson> {
    const url = new URL(`${this.base}/${path}`);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    try {
      return await this.send(url, body, options);
    } catch (error) {
      const isRefused = error instanceof ConnectorFault && ['unauthenticated', 'not_ready'].includes(error.code);
      if (!isRefused || !this.auth.renew()) throw error;
      return this.send(url, body, options);
    }
  }

  async close(): Promise<void> {
    await this.dispatcher.destroy();
  }

  private async send(url: URL, sent: unknown, options: CallOptions): Promise<ExactJson> {
    const [method, body] =
      sent === undefined ? (['GET', undefined] as const) : (['POST', JSON.stringify(sent)] as const);
    const subject = `${method} ${url.origin}${url.pathname}`;
    const type = body === undefined ? {} : { 'content-type': 'application/json' };
    try {
      const headers = { accept: 'application/json', ...type, ...(await this.auth.headers(url, options)) };
      const answer = await request(url, {
        ...{ dispatcher: this.dispatcher, method, body, headers },
        signal: options.signal,
      });
      const text = await textOf(answer.body, subject);
      if (answer.statusCode === 200) return parsed(text, subject);
      throw new ConnectorFault(
        byStatus(answer.statusCode),
        `${subject}: ${answer.statusCode} ${messageIn(text)}`.trim(),
      );
    } catch (error) {
      throw faultOf(error, subject, options.signal);
    }
  }
}

async function textOf(body: AsyncIterable<Buffer>, subject: string): Promise<string> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of body) {
    pieces.push(piece);
    size += piece.length;
    if (size > mostAnswerBytes)
      throw new ConnectorFault('too_large', `${subject}: more than ${mostAnswerBytes} bytes came`);
  }
  return Buffer.concat(pieces).toString('utf8');
}

function parsed(text: string, subject: string): ExactJson {
  try {
    return exactJson(text);
  } catch {
    throw new ConnectorFault('incomplete_answer', `${subject}: the answer is not JSON, or only a part of it`);
  }
}

/** `error_code` and `message` of an error answer (its OpenAPI), on one line and not long. */
function messageIn(text: string): string {
  try {
    const answer = exactJson(text);
    const said = [member(answer, 'error_code'), member(answer, 'message')].filter((one) => typeof one === 'string');
    return said.join(': ').replace(/\s+/g, ' ').slice(0, 300);
  } catch {
    return '';
  }
}

function faultOf(error: unknown, subject: string, signal: AbortSignal | undefined): unknown {
  if (error instanceof ConnectorFault) return error;
  if (signal?.aborted) return signal.reason;
  const { code = '', name, message } = error as NodeJS.ErrnoException;
  if (name === 'NotPublic') return new ConnectorFault('forbidden', `${subject}: ${message}`);
  if (code.endsWith('_TIMEOUT')) return new ConnectorFault('timeout', `${subject}: no answer in time`);
  const isCut = code === 'UND_ERR_SOCKET' || code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH';
  return new ConnectorFault(isCut ? 'incomplete_answer' : 'unreachable', `${subject}: ${code || name}`);
}
