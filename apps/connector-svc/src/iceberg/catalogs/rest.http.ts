import { type Dispatcher, request } from 'undici';
import { type CallOptions } from '../../connector/connector.port';
import { ConnectorFault } from '../../connector/fault';
import { byStatus } from '../../storage/aws';
import { type Json, JsonReader, parseJson } from '../json';

/** A request to a catalog; `form` is sent as such, by POST. */
export interface CatalogRequest extends CallOptions {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly form?: Readonly<Record<string, string>>;
  /** Bytes of the answer that are read at most. */
  readonly limit: number;
}

/** Sends a request and returns the JSON of a 200. Throws ConnectorFault; its text has the server's own message, never headers or bodies. */
export async function askCatalog(dispatcher: Dispatcher, asked: CatalogRequest): Promise<Json> {
  const subject = `${asked.form ? 'POST' : 'GET'} ${asked.url.origin}${asked.url.pathname}`;
  try {
    const answer = await request(asked.url, {
      dispatcher,
      method: asked.form ? 'POST' : 'GET',
      headers: { accept: 'application/json', ...formType(asked), ...asked.headers },
      body: asked.form && new URLSearchParams(asked.form).toString(),
      signal: asked.signal,
    });
    const body = await textOf(answer.body, asked.limit, subject);
    if (answer.statusCode === 200) return parsed(body, subject);
    throw new ConnectorFault(byStatus(answer.statusCode), `${subject}: ${answer.statusCode} ${messageOf(body)}`.trim());
  } catch (error) {
    throw faultOf(error, subject, asked.signal);
  }
}

function formType(asked: CatalogRequest): Record<string, string> {
  return asked.form ? { 'content-type': 'application/x-www-form-urlencoded' } : {};
}

async function textOf(body: AsyncIterable<Buffer>, limit: number, subject: string): Promise<string> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of body) {
    pieces.push(piece);
    size += piece.length;
    if (size > limit) throw new ConnectorFault('too_large', `${subject}: more than ${limit} bytes came`);
  }
  return Buffer.concat(pieces).toString('utf8');
}

function parsed(body: string, subject: string): Json {
  try {
    return parseJson(body, subject);
  } catch {
    throw new ConnectorFault('incomplete_answer', `${subject}: the answer is not JSON, or only a part of it`);
  }
}

/** The message of Iceberg's error envelope, or of an OAuth error; nothing of other bodies. */
function messageOf(body: string): string {
  try {
    const answer = JsonReader.of(parseJson(body, ''), '');
    if (answer.has('error_description')) return cut(answer.text('error_description'));
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
