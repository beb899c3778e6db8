import { publicAgent, trustOf } from '@homeostat/platform';
import { type Dispatcher, request } from 'undici';
import { type DomainKey, keysIn } from './domain-keys';

/** Of all that a fetch takes, from the look-up to the last byte. */
const FETCH_MS = 5_000;
const MOST_BYTES = 1 << 20;
/** A fault may quote what others chose, such as the names in a certificate. */
const LONGEST_FAULT = 300;

/**
 * What a domain says. `answered`: its keys that may sign, perhaps none. `unusable`: it answers, and not with a key set.
 * `unasked`: it could not be asked, so nothing is known.
 */
export type KeysAnswer =
  | { readonly asked: 'answered'; readonly keys: readonly DomainKey[] }
  | { readonly asked: 'unusable'; readonly why: string }
  | { readonly asked: 'unasked'; readonly why: string };

/** An answer, and for how long its domain lets others keep it; null: it does not say. */
export interface Fetched {
  readonly answer: KeysAnswer;
  readonly maxAgeMs: number | null;
}

/** Where a domain names its keys (RFC 8615). */
export function jwksUrl(origin: string): string {
  return `${origin}/.well-known/jwks.json`;
}

/**
 * Fetches the keys of domains that others name: from public addresses only, judged at the connect, without redirects,
 * within limits of size and time.
 */
export class JwksFetch {
  private readonly agent: Dispatcher;

  /** `caFile`: a PEM file with certificates to trust beside the system's. */
  constructor({ allowPrivate, caFile }: { readonly allowPrivate: boolean; readonly caFile: string | null }) {
    this.agent = publicAgent({ allowPrivate, trust: trustOf(caFile) });
  }

  /** Asks once. Throws the signal's reason when that is aborted, and nothing else. */
  async fetch(origin: string, signal: AbortSignal): Promise<Fetched> {
    const tooLong = AbortSignal.timeout(FETCH_MS);
    try {
      return await this.ask(jwksUrl(origin), AbortSignal.any([signal, tooLong]));
    } catch (error) {
      signal.throwIfAborted();
      const why = tooLong.aborted ? `no whole answer came within ${FETCH_MS / 1_000} s` : faultOf(error as Error);
      const refused = (error as Error).name === 'NotPublic';
      return { answer: { asked: refused ? 'unusable' : 'unasked', why }, maxAgeMs: null };
    }
  }

  private async ask(url: string, signal: AbortSignal): Promise<Fetched> {
    const headers = { accept: 'application/jwk-set+json, application/json', 'user-agent': 'homeostat' };
    const { statusCode, headers: said, body } = await request(url, { dispatcher: this.agent, headers, signal });
    const maxAgeMs = maxAgeOf([said['cache-control'] ?? ''].flat().join());
    if (statusCode !== 200) {
      await body.dump({ limit: 1, signal }).catch(() => undefined);
      return { answer: withStatus(statusCode), maxAgeMs };
    }
    const text = await textOf(body);
    if (text === null) return { answer: { asked: 'unusable', why: `it has more than ${MOST_BYTES} bytes` }, maxAgeMs };
    const found = await keysIn(text);
    if ('fault' in found) return { answer: { asked: 'unusable', why: `it ${found.fault}` }, maxAgeMs };
    return { answer: { asked: 'answered', keys: found.keys }, maxAgeMs };
  }
}

/** A domain without the file has no keys; whoever redirects, or asks for a login, has them somewhere else. */
function withStatus(status: number): KeysAnswer {
  if (status === 404 || status === 410) return { asked: 'answered', keys: [] };
  if (status >= 300 && status < 400)
    return { asked: 'unusable', why: `it redirects (${status}), where nobody follows` };
  const passing = status >= 500 || status === 408 || status === 425 || status === 429;
  return { asked: passing ? 'unasked' : 'unusable', why: `it answers ${status}` };
}

async function textOf(body: Dispatcher.ResponseData['body']): Promise<string | null> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MOST_BYTES) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** RFC 9111, section 5.2.2, of which a domain's keys need no more. */
function maxAgeOf(cacheControl: string): number | null {
  if (/\bno-(store|cache)\b/i.test(cacheControl)) return 0;
  const [, seconds] = /\bmax-age="?(\d{1,9})\b/i.exec(cacheControl) ?? [];
  return seconds === undefined ? null : Number(seconds) * 1_000;
}

/** The innermost reason in words; of several addresses, the first one's. */
function faultOf(error: Error & { errors?: readonly Error[] }): string {
  const { message } = error.errors?.[0] ?? (error.cause as Error | undefined) ?? error;
  return message.slice(0, LONGEST_FAULT).replace(/[\p{Cc}\p{Cs}]/gu, '\ufffd');
}
