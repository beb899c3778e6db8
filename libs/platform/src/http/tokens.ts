import { HouseError } from '@homeostat/shared';
import {
  SignJWT,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
  createRemoteJWKSet,
  errors,
  jwtVerify,
} from 'jose';
import { type Caller, type Scope, callerOf } from './caller';
import type { HttpSettings } from './http.settings';

export interface TokenClaims {
  readonly subject: string;
  readonly tenant: string;
  readonly scopes: readonly Scope[];
  readonly expiresInSeconds: number;
  readonly issuer?: string;
  readonly audience?: string;
}

/** Returns a signed token (HS256) for services that know the same secret. */
export function issueToken(secret: string, claims: TokenClaims): Promise<string> {
  const token = new SignJWT({ tenant: claims.tenant, scope: claims.scopes.join(' ') })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setSubject(claims.subject)
    .setAudience(claims.audience ?? 'homeostat')
    .setIssuedAt()
    .setExpirationTime(Math.floor(Date.now() / 1_000) + claims.expiresInSeconds);
  if (claims.issuer !== undefined) token.setIssuer(claims.issuer);
  return token.sign(Buffer.from(secret));
}

/** Checks a bearer token; throws HouseError `unauthenticated` where it is not valid, `unavailable` where that is not known. */
export type CheckToken = (token: string) => Promise<Caller>;

/** Returns how tokens are checked, or null where none are asked for. */
export function tokenCheck(settings: HttpSettings): CheckToken | null {
  const { RECONCILER_AUTH_JWKS_URL: url, RECONCILER_AUTH_SECRET: secret } = settings;
  const common: JWTVerifyOptions = {
    audience: settings.RECONCILER_AUTH_AUDIENCE,
    issuer: settings.RECONCILER_AUTH_ISSUER,
    requiredClaims: ['exp', 'sub', 'tenant'],
  };
  if (secret) {
    const key = Buffer.from(secret);
    return (token) => checked(jwtVerify(token, key, { ...common, algorithms: ['HS256'] }));
  }
  if (!url) return null;
  const keys: JWTVerifyGetKey = createRemoteJWKSet(new URL(url), { timeoutDuration: 5_000 });
  const algorithms = ['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519'];
  return (token) => checked(jwtVerify(token, keys, { ...common, algorithms }));
}

async function checked(verified: Promise<{ payload: JWTPayload }>): Promise<Caller> {
  const { sub, tenant, scope } = await verified.then(({ payload }) => payload, refuse);
  if (!isName(sub) || !isName(tenant))
    throw new HouseError('unauthenticated', 'the claims sub and tenant must be texts');
  return callerOf(sub, tenant, typeof scope === 'string' ? scope.split(' ') : []);
}

function isName(claim: unknown): claim is string {
  return typeof claim === 'string' && /^[^\p{Cc}\p{Cs}]{1,255}$/u.test(claim);
}

/** jose's messages name the claim or the part that is wrong, never the token. */
function refuse(error: unknown): never {
  const ofToken =
    error instanceof errors.JOSEError &&
    !(error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid) &&
    error.code !== 'ERR_JOSE_GENERIC';
  if (ofToken) throw new HouseError('unauthenticated', `the token is not valid: ${error.message}`);
  throw new HouseError('unavailable', 'the keys that tokens are signed with cannot be fetched just now', {
    retryAfterSeconds: 5,
  });
}
