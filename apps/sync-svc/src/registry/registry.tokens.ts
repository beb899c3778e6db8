import { parseChallenge } from './challenge';
import { RegistryRefused } from './registry.errors';
import type { Answer, Ask, RegistryPlace } from './registry.http';

type Fetch = (url: URL, ask: Ask, authorization: string | null) => Promise<Answer>;

interface Token {
  readonly authorization: string;
  readonly until: number;
}

const TOKEN_LIMIT = 64 * 1024;
/** The least that a token is good for where its maker does not say (the distribution project's token specification). */
const SECONDS = 60;
/** Tokens are renewed a little before their end. */
const SLACK_MS = 5_000;

/** What proves to a registry who asks: learned from its challenges, and kept for as long as it is good. */
export class RegistryTokens {
  private token: Token | null = null;
  private asking: Promise<Token> | null = null;

  constructor(
    private readonly place: RegistryPlace,
    private readonly fetch: Fetch,
  ) {}

  /** The value of Authorization that is known to be good; null: none is known, or needed. */
  known(): string | null {
    return this.token && Date.now() < this.token.until ? this.token.authorization : null;
  }

  /** Answers a challenge. Throws where it cannot be answered; credentials are in no message. */
  async answer(header: string, ask: Ask): Promise<string> {
    this.asking ??= this.fresh(header, ask).finally(() => (this.asking = null));
    this.token = await this.asking;
    return this.token.authorization;
  }

  private async fresh(header: string, ask: Ask): Promise<Token> {
    const challenge = parseChallenge(header);
    const { address } = this.place;
    if (challenge === null) throw new RegistryRefused(`${address} refuses us, and names no way to log in that we know`);
    if (challenge.scheme === 'basic') {
      const authorization = this.basic();
      if (authorization === null)
        throw new RegistryRefused(`${address} asks for a user name and password: none is set`);
      return { authorization, until: Infinity };
    }
    const url = new URL(challenge.realm);
    if (challenge.service !== null) url.searchParams.set('service', challenge.service);
    url.searchParams.set('scope', challenge.scope ?? `repository:${this.place.repository}:pull`);
    return this.made(await this.fetch(url, { signal: ask.signal, limit: TOKEN_LIMIT }, this.basic()), url);
  }

  private made({ status, body }: Answer, { origin }: URL): Token {
    if (status === 401 || status === 403) throw new RegistryRefused(`${origin} refuses us a token (${status})`);
    if (status !== 200) throw new Error(`${origin} answered ${status} when it was asked for a token`);
    const { token, access_token, expires_in } = parsed(body);
    const text = typeof token === 'string' ? token : access_token;
    if (typeof text !== 'string' || !/^[\x21-\x7e]+$/.test(text)) throw new Error(`${origin} answered without a token`);
    const seconds = typeof expires_in === 'number' && expires_in > 0 ? expires_in : SECONDS;
    return { authorization: `Bearer ${text}`, until: Date.now() + seconds * 1_000 - SLACK_MS };
  }

  private basic(): string | null {
    const { credentials } = this.place;
    if (credentials === null) return null;
    return `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`;
  }
}

function parsed(body: Buffer): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(body.toString())) as Readonly<Record<string, unknown>>;
  } catch {
    return {};
  }
}
