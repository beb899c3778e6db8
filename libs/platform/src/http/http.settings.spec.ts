import { z } from 'zod';
import { checkExposure, httpSettings, isLoopback } from './http.settings';

const read = (values: Record<string, string>) => z.object(httpSettings).parse(values);
const secret = 'x'.repeat(32);
const jwks = 'https://issuer.example/keys';

it.each([
  ['loopback needs nothing', {}, 0],
  ['loopback by its IPv6 address, too', { RECONCILER_HTTP_HOST: '::1' }, 0],
  ['every other address needs a secret', { RECONCILER_HTTP_HOST: '0.0.0.0' }, 1],
  ['a name needs one, too', { RECONCILER_HTTP_HOST: '127.0.0.1.example.org' }, 1],
  ['with a secret all is well', { RECONCILER_HTTP_HOST: '0.0.0.0', RECONCILER_AUTH_SECRET: secret }, 0],
  ['with keys all is well', { RECONCILER_HTTP_HOST: '::', RECONCILER_AUTH_JWKS_URL: jwks }, 0],
  ['or when it is wanted so', { RECONCILER_HTTP_HOST: '0.0.0.0', RECONCILER_AUTH: 'none' }, 0],
  ['two ways at once are one too many', { RECONCILER_AUTH_SECRET: secret, RECONCILER_AUTH_JWKS_URL: jwks }, 1],
  ['none and a secret contradict each other', { RECONCILER_AUTH: 'none', RECONCILER_AUTH_SECRET: secret }, 1],
])('%s', (_sentence, values, faults) => {
  expect(checkExposure(read(values))).toHaveLength(faults);
});

it('refuses short secrets, addresses of keys that are no URLs, and other words than none', () => {
  const values = { RECONCILER_AUTH_SECRET: 'short', RECONCILER_AUTH_JWKS_URL: 'keys', RECONCILER_AUTH: 'yes' };
  const { error } = z.object(httpSettings).safeParse(values);
  expect(new Set(error?.issues.map(({ path }) => path[0]))).toEqual(new Set(Object.keys(values)));
});

it('knows what only this machine reaches', () => {
  expect(['127.0.0.1', '127.8.8.8', 'localhost', '::1'].every(isLoopback)).toBe(true);
  expect(['0.0.0.0', '::', '10.0.0.1', '128.0.0.1', '127.evil.example', ''].some(isLoopback)).toBe(false);
});
