import { createHmac, createPublicKey } from 'node:crypto';
import { type CryptoKey, type JWK, type JWTPayload, SignJWT, exportJWK, exportSPKI, generateKeyPair } from 'jose';

export const issuer = 'https://issuer.example';
const audience = 'homeostat';

/** What signs the tokens that a house takes. */
export interface Signer {
  readonly alg: string;
  readonly key: CryptoKey | Uint8Array;
  readonly kid?: string;
}

const claims = {
  sub: 'somebody',
  tenant: 'acme',
  scope: 'read write build peer admin',
  iss: issuer,
  aud: audience,
  exp: Math.floor(Date.now() / 1_000) + 3_600,
};
type Changes = { readonly [Name in keyof typeof claims | 'nbf']?: unknown };

/** A token as the issuer makes it, with some claims changed; undefined leaves one out. */
export function token({ alg, key, kid }: Signer, changes: Changes = {}, header: object = {}): Promise<string> {
  return new SignJWT({ ...claims, ...changes } as JWTPayload).setProtectedHeader({ alg, kid, ...header }).sign(key);
}

/** Authorization headers that no house may let in, by what is wrong about them. */
export async function forgeries(signer: Signer): Promise<Record<string, string | undefined>> {
  const good = await token(signer);
  const [header, payload, signature] = good.split('.') as [string, string, string];
  const stranger = await strangerTo(signer);
  const inAnHour = Math.floor(Date.now() / 1_000) + 3_600;
  const bearer = (text: string) => `Bearer ${text}`;
  return {
    'no token': undefined,
    'an empty one': 'Bearer ',
    rubbish: bearer('rubbish'),
    'another scheme': `Basic ${Buffer.from(`somebody:${good}`).toString('base64')}`,
    'the signature of a stranger': bearer(await token(stranger)),
    'the signature of another token': bearer([header, encoded({ ...claims, tenant: 'umbra' }), signature].join('.')),
    'no signature': bearer([header, payload, ''].join('.')),
    'alg none': bearer([encoded({ alg: 'none' }), payload, ''].join('.')),
    'alg None': bearer([encoded({ alg: 'None' }), payload, signature].join('.')),
    'a key of its own in the header': bearer(await withOwnKey(stranger)),
    'the address of a key in the header': bearer(await token(stranger, {}, { jku: 'http://127.0.0.1:1/keys' })),
    'an extension that must be understood': bearer(await criticalTo(signer)),
    'its time over': bearer(await token(signer, { exp: inAnHour - 7_200 })),
    'its time still to come': bearer(await token(signer, { nbf: inAnHour })),
    'no end': bearer(await token(signer, { exp: undefined })),
    'another audience': bearer(await token(signer, { aud: 'others' })),
    'no audience': bearer(await token(signer, { aud: undefined })),
    'another issuer': bearer(await token(signer, { iss: 'https://others.example' })),
    'no issuer': bearer(await token(signer, { iss: undefined })),
    'no subject': bearer(await token(signer, { sub: undefined })),
    'no tenant': bearer(await token(signer, { tenant: undefined })),
    'a tenant that is no name': bearer(await token(signer, { tenant: ['acme'] })),
  };
}

/** What the holder of the public key alone can sign: an HMAC with that key as the secret, in every spelling of it. */
export async function confusions(publicKey: CryptoKey, kid: string): Promise<Record<string, string>> {
  const pem = await exportSPKI(publicKey);
  const jwk = await exportJWK(publicKey);
  const der = createPublicKey(pem).export({ type: 'spki', format: 'der' });
  const secrets = {
    PEM: pem,
    'trimmed PEM': pem.trim(),
    DER: der,
    JWK: JSON.stringify(jwk),
    coordinate: coordinate(jwk),
  };
  const signed = `${encoded({ alg: 'HS256', kid })}.${encoded(claims)}`;
  return Object.fromEntries(
    Object.entries(secrets).map(([spelling, secret]) => {
      const mac = createHmac('sha256', secret).update(signed).digest('base64url');
      return [`the public key as a secret (${spelling})`, `Bearer ${signed}.${mac}`];
    }),
  );
}

function coordinate({ n, x }: JWK): Buffer {
  return Buffer.from((n ?? x)!, 'base64url');
}

async function strangerTo({ alg, kid }: Signer): Promise<Signer & { publicKey?: CryptoKey }> {
  if (alg === 'HS256') return { alg, kid, key: Buffer.from('another secret, which is long enough, too') };
  const { privateKey, publicKey } = await generateKeyPair(alg);
  return { alg, kid, key: privateKey, publicKey };
}

async function withOwnKey(stranger: Signer & { publicKey?: CryptoKey }): Promise<string> {
  const jwk = stranger.publicKey ? await exportJWK(stranger.publicKey) : { kty: 'oct', k: encoded('x') };
  return token(stranger, {}, { jwk });
}

function criticalTo({ alg, key, kid }: Signer): Promise<string> {
  const header = { alg, kid, crit: ['urn:new'], 'urn:new': true };
  return new SignJWT(claims).setProtectedHeader(header).sign(key, { crit: { 'urn:new': true } });
}

function encoded(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
