import { type Dispatcher, request } from 'undici';
import { type CallOptions } from '../../connector/connector.port';
import { ConnectorFault } from '../../connector/fault';
import { byStatus } from '../../storage/aws';
import { sourceBytes, sourceRequests } from '../../storage/metrics';
import { type Json, JsonReader, parseJson } from '../json';
import { type RestAuth } from './rest.auth';

/** What is asked of a catalog; a `form` or `json` is sent as such, by POST. */
interface Asked extends CallOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly form?: Readonly<Record<string, string>>;
  readonly json?: object;
  /** Bytes of the answer that are read at most. */
  readonly limit: number;
}

/** Sends requests to the paths below one address, with a proof of who asks. */
export class RestHttp {
  constructor(
    private readonly base: string,
    private readonly auth: RestAuth,
    private readonly dispatcher: Dispatcher,
  ) {}

  /** The JSON of a 200; asks once more with a new proof when the first one was refused. Throws ConnectorFault, as `askCatalog` does. */
  async ask(path: string, query: Readonly<Record<string, string>>, asked: Asked): Promise<Json> {
    const url = new URL(`${this.base.replace(/\/+$/, '')}/${path}`);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const send = async () => {
      const headers = { ...asked.headers, ...(await this.auth.headers(url, asked)) };
      return askCatalog(this.dispatcher, { ...asked, url, headers });
    };
    try {
      return await send();
    } catch (error) {
      const isRefused = error instanceof ConnectorFault && ['unauthenticated', 'not_ready'].includes(error.code);
      if (!isRefused || !this.auth.renew()) throw error;
      return send();
    }
  }

  async close(): Promise<void> {
    await this.dispatcher.destroy();
  }
}

/** Sends a request and returns the JSON of a 200. Throws ConnectorFault; its text has the server's own message, never headers or bodies. */
export async function askCatalog(dispatcher: Dispatcher, asked: Asked & { readonly url: URL }): Promise<Json> {
  const [method, type, body] = sent(asked);
  const subject = `${method} ${asked.url.origin}${asked.url.pathname}`;
  sourceRequests.inc({ to: 'catalog' });
  try {
    const answer = await request(asked.url, {
      ...{ dispatcher, method, body, signal: asked.signal },
      headers: { accept: 'application/json', ...type, ...asked.headers },
    });
    const text = await textOf(answer.body, asked.limit, subject);
    if (answer.statusCode === 200) return parsed(text, subject);
    throw new ConnectorFault(byStatus(answer.statusCode), `${subject}: ${answer.statusCode} ${messageOf(text)}`.trim());
  } catch (error) {
    throw faultOf(error, subject, asked.signal);
  }
}

function sent({ form, json }: Asked): [method: 'GET' | 'POST', type: Record<string, string>, body: string | undefined] {
  if (form) {
    return ['POST', { 'content-type': 'application/x-www-form-urlencoded' }, new URLSearchParams(form).toString()];
  }
  if (json) return ['POST', { 'content-type': 'application/json' }, JSON.stringify(json)];
  return ['GET', {}, undefined];
}

async function textOf(body: AsyncIterable<Buffer>, limit: number, subject: string): Promise<string> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of body) {
    pieces.push(piece);
    size += piece.length;
    if (size > limit) throw new ConnectorFault('too_large', `${subject}: more than ${limit} bytes came`);
  }
  sourceBytes.inc({ from: 'catalog' }, size);
  return Buffer.concat(pieces).toString('utf8');
}

function parsed(body: string, subject: string): Json {
  try {
    return parseJson(body, subject);
  } catch {
    throw new ConnectorFault('incomplete_answer', `${subject}: the answer is not JSON, or only a part of it`);
  }
}

/** The message of Iceberg's error envelope, of Unity Catalog's, or of an OAuth error; nothing of other bodies. */
function messageOf(body: string): string {
  try {
    const answer = JsonReader.of(parseJson(body, ''), '');
    if (answer.has('error_description')) return cut(answer.text('error_description'));
    if (!answer.has('error'))
      return cut(`${answer.has('error_code') ? `${answer.text('error_code')}: ` : ''}${answer.text('message')}`);
    const error = answer.object('error');
    return cut(`${error.has('type') ? `${error.text('type')}: ` : ''}${error.text('message')}`);
  } catch {
    return '';
  }
}

function cut(message: string): string {
  return message.replace(/\s+/g, ' ').slice(0, 300);
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
