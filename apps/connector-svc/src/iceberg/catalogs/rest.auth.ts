import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import { type Dispatcher } from 'undici';
import { type CallOptions } from '../../connector/connector.port';
import { type AwsKeys } from '../../storage/aws';
import { JsonReader } from '../json';
import { askCatalog } from './rest.http';

/** How requests to a catalog prove who asks. */
export interface RestAuth {
  /** The headers for a GET of `url`. */
  headers(url: URL, options: CallOptions): Promise<Readonly<Record<string, string>>>;
  /** Called when a catalog answered 401 or 419: whether asking once more, with a new proof, makes sense. */
  renew(): boolean;
}

/** No proof at all. */
export const noAuth: RestAuth = { headers: async () => ({}), renew: () => false };

/** A token that does not change. */
export function bearerAuth(token: string): RestAuth {
  return { headers: async () => ({ authorization: `Bearer ${token}` }), renew: () => false };
}

export interface OAuth2Settings {
  readonly server: URL;
  readonly clientId: string;
  readonly clientSecret: string;
  /** `scope`, `audience`, `resource`. */
  readonly extras: Readonly<Record<string, string>>;
}

const largestToken = 1 << 20;
const renewBeforeMs = 30_000;
/** For servers that do not say how long a token lives. */
const unknownLifeS = 300;

/** Tokens for client credentials (RFC 6749, 4.4), fetched once for all who wait, and anew before they expire or when one was refused. */
export class OAuth2Auth implements RestAuth {
  private token: Promise<{ readonly value: string; readonly renewAt: number }> | null = null;

  constructor(
    private readonly settings: OAuth2Settings,
    private readonly dispatcher: Dispatcher,
  ) {}

  async headers(_url: URL): Promise<Readonly<Record<string, string>>> {
    const held = await (this.token ??= this.fetch());
    if (held.renewAt > performance.now()) return { authorization: `Bearer ${held.value}` };
    this.renew();
    const { value } = await (this.token ??= this.fetch());
    return { authorization: `Bearer ${value}` };
  }

  renew(): boolean {
    this.token = null;
    return true;
  }

  private async fetch() {
    const { server, clientId, clientSecret, extras } = this.settings;
    const form = { grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret, ...extras };
    try {
      const answer = await askCatalog(this.dispatcher, { url: server, headers: {}, form, limit: largestToken });
      const token = JsonReader.of(answer, server.pathname);
      const lifeS = token.has('expires_in') ? Number(token.raw('expires_in')) : unknownLifeS;
      const lifeMs = Math.max(1, lifeS || unknownLifeS) * 1000;
      const renewAt = performance.now() + Math.max(lifeMs - renewBeforeMs, lifeMs / 2);
      return { value: token.text('access_token'), renewAt };
    } catch (error) {
      this.token = null;
      throw error;
    }
  }
}

/** AWS Signature Version 4 with these keys. */
export function sigV4Auth(settings: {
  readonly region: string;
  readonly service: string;
  readonly keys: AwsKeys;
}): RestAuth {
  const { region, service, keys } = settings;
  const signer = new SignatureV4({ service, region, credentials: keys, sha256: Sha256 });
  return {
    async headers(url) {
      const { headers } = await signer.sign({
        method: 'GET',
        protocol: url.protocol,
        hostname: url.hostname,
        path: url.pathname,
        query: Object.fromEntries(url.searchParams),
        headers: { host: url.host },
      });
      const { host: _host, ...signed } = headers;
      return signed;
    },
    renew: () => false,
  };
}
