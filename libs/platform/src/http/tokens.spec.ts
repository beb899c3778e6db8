import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HouseError } from '@homeostat/shared';
import { SignJWT, exportJWK, generateKeyPair } from 'jose';
import type { HttpSettings } from './http.settings';
import { issueToken, tokenCheck } from './tokens';

const secret = 'a secret of at least thirty-two bytes';
const settings: HttpSettings = {
  RECONCILER_HTTP_HOST: '127.0.0.1',
  RECONCILER_HTTP_PORT: 0,
  RECONCILER_AUTH_AUDIENCE: 'homeostat',
  RECONCILER_RATE_LIMIT: 0,
  RECONCILER_HTTP_CONNECTIONS: 1_000,
  RECONCILER_AUTH_ISSUER: 'us',
  RECONCILER_AUTH_SECRET: secret,
};
const claims = {
  subject: 'me',
  tenant: 'acme',
  scopes: ['read', 'build'],
  expiresInSeconds: 60,
  issuer: 'us',
} as const;
const check = tokenCheck(settings)!;

const codeOf = (token: Promise<string> | string, by = check) =>
  Promise.resolve(token)
    .then(by)
    .then(
      () => 'let in',
      (error: unknown) => (error instanceof HouseError ? error.code : String(error)),
    );

/** A token by jose, with one thing about it another. */
function jwt(
  change: (token: SignJWT) => SignJWT,
  key: Parameters<SignJWT['sign']>[0] = Buffer.from(secret),
  alg = 'HS256',
) {
  const token = new SignJWT({ tenant: 'acme', scope: 'read' }).setProtectedHeader({ alg });
  return change(token.setSubject('me').setIssuer('us').setAudience('homeostat').setExpirationTime('1m')).sign(key);
}

it('tells who calls, for whom, and what is allowed', async () => {
  const caller = await check(await issueToken(secret, claims));
  expect(caller).toEqual({ subject: 'me', tenant: 'acme', scopes: new Set(['read', 'build']), allTenants: false });
});

it('lets admin read, write and build for all tenants, but not be a peer', async () => {
  const caller = await check(await issueToken(secret, { ...claims, scopes: ['admin'] }));
  expect(caller).toMatchObject({ scopes: new Set(['admin', 'read', 'write', 'build']), allTenants: true });
});

it.each([
  ['another secret', jwt((token) => token, Buffer.from('another secret of at least thirty-two bytes'))],
  ['another algorithm', jwt((token) => token, Buffer.from(secret.repeat(3)), 'HS512')],
  [
    'no signature',
    `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from('{"sub":"me"}').toString('base64url')}.`,
  ],
  ['its time over', jwt((token) => token.setExpirationTime('-1s'))],
  ['its time still to come', jwt((token) => token.setNotBefore('1m'))],
  ['another issuer', jwt((token) => token.setIssuer('them'))],
  ['another audience', jwt((token) => token.setAudience('others'))],
  [
    'a tenant that is no text',
    new SignJWT({ tenant: 7 })
      .setProtectedHeader({ alg: 'HS256' })
      .setSubject('me')
      .setIssuer('us')
      .setAudience('homeostat')
      .setExpirationTime('1m')
      .sign(Buffer.from(secret)),
  ],
  [
    'no end',
    new SignJWT({ tenant: 'acme' })
      .setProtectedHeader({ alg: 'HS256' })
      .setSubject('me')
      .setIssuer('us')
      .setAudience('homeostat')
      .sign(Buffer.from(secret)),
  ],
  ['no sense', 'rubbish'],
])('refuses a token with %s', async (_what, token) => {
  expect(await codeOf(token)).toBe('unauthenticated');
});

it('asks for no token where nothing is set up', () => {
  expect(tokenCheck({ ...settings, RECONCILER_AUTH_SECRET: undefined })).toBeNull();
});

describe('with the keys of an issuer', () => {
  let issuer: Server;
  let url: string;
  let keys: Awaited<ReturnType<typeof generateKeyPair>>;
  const byKeys = (at: string) =>
    tokenCheck({ ...settings, RECONCILER_AUTH_SECRET: undefined, RECONCILER_AUTH_JWKS_URL: at })!;

  beforeAll(async () => {
    keys = await generateKeyPair('ES256');
    const jwks = JSON.stringify({ keys: [await exportJWK(keys.publicKey)] });
    issuer = createServer((request, response) => {
      response.statusCode = request.url === '/keys' ? 200 : 500;
      response.setHeader('content-type', 'application/json').setHeader('connection', 'close').end(jwks);
    });
    await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}`;
  });

  afterAll(() => new Promise((resolve) => issuer.close(resolve)));

  it('takes what the issuer has signed, and nothing else', async () => {
    const check = byKeys(`${url}/keys`);
    expect(
      await codeOf(
        jwt((token) => token, keys.privateKey, 'ES256'),
        check,
      ),
    ).toBe('let in');
    const others = await generateKeyPair('ES256');
    expect(
      await codeOf(
        jwt((token) => token, others.privateKey, 'ES256'),
        check,
      ),
    ).toBe('unauthenticated');
    expect(await codeOf(issueToken(secret, claims), check)).toBe('unauthenticated');
  });

  it('blames nobody when the keys cannot be fetched', async () => {
    const token = jwt((one) => one, keys.privateKey, 'ES256');
    expect(await codeOf(token, byKeys(`${url}/broken`))).toBe('unavailable');
    expect(await codeOf(token, byKeys('http://127.0.0.1:1/keys'))).toBe('unavailable');
  });
});
