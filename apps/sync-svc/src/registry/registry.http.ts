import { publicAgent, trustOf } from '@homeostat/platform';
import { Agent, type Dispatcher, request } from 'undici';
import { RegistryTokens } from './registry.tokens';
import { BadArtifact, RegistryBusy } from './registry.errors';

/** Where a registry is, and how it may be reached. */
export interface RegistryPlace {
  /** `host`, `host:port`, without a scheme. */
  readonly address: string;
  readonly repository: string;
  readonly credentials: { readonly username: string; readonly password: string } | null;
  /** Plain http. */
  readonly insecure: boolean;
  /** A PEM file with certificates to trust beside the system's. */
  readonly caFile: string | null;
  /** Whether the registry may send us to private addresses, or be at one where somebody else has named it. */
  readonly allowPrivate: boolean;
  /** Others have named it, and not our settings. */
  readonly foreign?: true;
}

export interface Answer {
  readonly status: number;
  readonly header: (name: string) => string | null;
  readonly body: Buffer;
}

/** An answer, and who gave it in the end. */
interface Hop extends Answer {
  readonly origin: string;
}

export interface Ask {
  readonly accept?: string;
  /** Bytes of an answer; more is a BadArtifact `TooLarge`. */
  readonly limit: number;
  readonly signal: AbortSignal;
}

/** What every registry answers to, if with 401. */
const BASE = '/v2/';
/** Of an answer that only says what went wrong. */
const ERROR_LIMIT = 64 * 1024;
const REDIRECTS = 5;
/** For how long a registry is left alone that does not say it itself, and at most. */
export const BUSY_MS = 5_000;
const MOST_BUSY_MS = 600_000;

/** GETs from one registry: answers its challenges, follows its redirects to safe places, bounds what comes back. */
export class RegistryHttp {
  readonly origin: string;
  private readonly own: Dispatcher;
  private readonly foreign: Dispatcher;
  private readonly tokens: RegistryTokens;
  private busyUntil = 0;
  private asking: Promise<boolean> | null = null;

  constructor(private readonly place: RegistryPlace) {
    this.origin = new URL(`${place.insecure ? 'http' : 'https'}://${place.address}`).origin;
    const trust = trustOf(place.caFile);
    const connect = { timeout: 5_000, ...(trust && { secureContext: trust }) };
    this.foreign = publicAgent({ allowPrivate: place.allowPrivate, trust });
    this.own = place.foreign
      ? this.foreign
      : new Agent({ connect, connections: 64, headersTimeout: 15_000, bodyTimeout: 15_000 });
    this.tokens = new RegistryTokens(place, (url, ask, authorization) => this.fetch(url, ask, authorization));
  }

  /** Asks for a path of the registry; answers its own challenges only, not of a place that it sends us to. Throws RegistryBusy, BadArtifact `TooLarge`, or what hindered it. */
  async get(path: string, ask: Ask): Promise<Answer> {
    if (Date.now() < this.busyUntil) throw this.busy(`${this.origin} asked to be left alone`);
    const url = new URL(path, this.origin);
    if (url.origin !== this.origin) throw new Error(`${path.slice(0, 200)} is no path of ${this.origin}`);
    const first = await this.fetch(url, ask, this.tokens.known());
    if (first.status !== 401 || first.origin !== this.origin) return first;
    return this.fetch(url, ask, await this.tokens.answer(first.header('www-authenticate') ?? '', ask));
  }

  async close(): Promise<void> {
    await Promise.all([this.own.destroy(), this.foreign.destroy()]);
  }

  /** Follows redirects; the registry's credentials go to no other origin. */
  private async fetch(from: URL, ask: Ask, authorization: string | null): Promise<Hop> {
    let url = from;
    for (let hops = 0; hops <= REDIRECTS; hops += 1) {
      const isOwn = url.origin === this.origin;
      const mayKnow = authorization !== null && (isOwn || url.origin === from.origin);
      const answer = await this.once(url, ask, mayKnow ? authorization : null);
      if (answer.status < 300 || answer.status > 399) return { ...answer, origin: url.origin };
      url = this.allowed(new URL(answer.header('location') ?? '', url));
    }
    throw new Error(`${from.origin} redirects more than ${REDIRECTS} times`);
  }

  private async once(url: URL, ask: Ask, authorization: string | null): Promise<Answer> {
    const { accept = '*/*', signal } = ask;
    const headers = { accept, 'user-agent': 'homeostat', ...(authorization !== null && { authorization }) };
    const dispatcher = url.origin === this.origin ? this.own : this.foreign;
    const asked = await request(this.allowed(url), { dispatcher, headers, signal }).catch((error: unknown) => {
      throw unreachable(url, error, signal);
    });
    const header = (name: string) => [asked.headers[name] ?? null].flat()[0] ?? null;
    const { statusCode: status } = asked;
    if (status === 429 || status === 503) {
      await asked.body.dump({ limit: ERROR_LIMIT, signal }).catch(() => undefined);
      await this.minded(url, status, retryAfter(header('retry-after')), signal);
    }
    const limit = status === 200 ? ask.limit : ERROR_LIMIT;
    const body = await bodyOf(asked.body, limit, status === 200).catch((error: unknown) => {
      throw error instanceof BadArtifact ? error : unreachable(url, error, signal);
    });
    return { status, header, body };
  }

  /** Plain http only where the registry itself is asked by it; what others name is judged by the agent when it connects. */
  private allowed(url: URL): URL {
    const schemes = this.place.insecure ? ['http:', 'https:'] : ['https:'];
    if (schemes.includes(url.protocol) && url.username === '' && url.password === '') return url;
    throw new Error(`${this.origin} sends us to ${url.protocol}//${url.host}, where we do not go`);
  }

  /** Throws RegistryBusy; or another error, where a 503 that names no time is about what was asked for alone. */
  private async minded({ origin, pathname }: URL, status: number, until: Date | null, signal: AbortSignal) {
    if (status === 503 && until === null && pathname !== BASE && (await this.isThere(signal)))
      throw new Error(`${origin}${pathname}: it answered 503`);
    this.busyUntil = (until ?? busyFor(BUSY_MS)).getTime();
    throw this.busy(`${this.origin} answered ${status}`);
  }

  /** Whether the registry as a whole answers; asked once for all that want to know it. */
  private isThere(signal: AbortSignal): Promise<boolean> {
    this.asking ??= request(new URL(BASE, this.origin), { dispatcher: this.own, signal })
      .then(async ({ statusCode, body }) => {
        await body.dump({ limit: ERROR_LIMIT, signal }).catch(() => undefined);
        return statusCode !== 503 && statusCode !== 429;
      })
      .catch(() => false)
      .finally(() => (this.asking = null));
    return this.asking;
  }

  private busy(why: string): RegistryBusy {
    const until = new Date(this.busyUntil);
    return new RegistryBusy(`${why}; it is asked again at ${until.toISOString()}`, until);
  }
}

/** When to come back by a header Retry-After, of seconds or a date (RFC 9110, section 10.2.3); null: it says nothing. */
export function retryAfter(text: string | null): Date | null {
  if (text === null) return null;
  const ms = /^\d+$/.test(text.trim()) ? Number(text) * 1_000 : Date.parse(text) - Date.now();
  return Number.isFinite(ms) ? busyFor(ms) : null;
}

/** So many milliseconds from now, within limits. */
export function busyFor(ms: number): Date {
  return new Date(Date.now() + Math.min(Math.max(ms, 1_000), MOST_BUSY_MS));
}

async function bodyOf(body: Dispatcher.ResponseData['body'], limit: number, whole: boolean): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit && whole) throw new BadArtifact('TooLarge', `more than ${limit} bytes`);
    if (size > limit) break;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The innermost reason in words; a URL's query may hold what is signed or secret, so it is left out. */
function unreachable({ origin, pathname }: URL, error: unknown, signal: AbortSignal): Error {
  if (signal.aborted && signal.reason instanceof Error) return signal.reason;
  const { message, cause } = error as Error & { cause?: Error };
  return new Error(`${origin}${pathname}: ${cause?.message ?? message}`, { cause: error });
}
