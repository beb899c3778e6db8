import { databaseUrl } from './database-url';

const password = 'pass-word-of-nobody';
const faultsOf = (text: string): string[] =>
  databaseUrl.safeParse(text).error?.issues.map(({ message }) => message) ?? [];

it.each([
  'postgres://user@host:5432/homeostat',
  'postgresql://user:p%23w%2F@host/homeostat',
  'postgresql://homeostat@localhost:5432/homeostat?host=/tmp/sockets',
  'postgres://embedded',
  'postgres://user@host/homeostat?sslmode=disable',
  'postgres://user@host/homeostat?sslmode=no-verify',
  `postgres://user@host/homeostat?sslmode=verify-full&sslrootcert=${__filename}`,
])('takes %s', (url) => {
  expect(faultsOf(url)).toEqual([]);
});

it.each([
  ['another kind of URL', `mysql://user:${password}@host/homeostat`, /is no PostgreSQL URL/],
  ['a # that is not encoded', `postgres://user:#${password}@host/homeostat`, /percent-encoded/],
  ['a / that is not encoded', `postgres://user:/${password}@host:x/homeostat`, /percent-encoded/],
  ['a port that is none', `postgres://user:${password}@host:port/homeostat`, /cannot be read/],
  ['options', `postgres://user:${password}@host/homeostat?options=-crole%3Dpostgres`, /must not have options/],
  ['TLS that checks nobody', `postgres://user:${password}@host/homeostat?sslmode=require`, /use verify-full/],
  ['TLS that checks no name', `postgres://user:${password}@host/homeostat?sslmode=verify-ca`, /use verify-full/],
  ['TLS that may be left out', `postgres://user:${password}@host/homeostat?sslmode=prefer`, /use verify-full/],
  ['a mode that does not exist', `postgres://user:${password}@host/homeostat?sslmode=verify-ful`, /use verify-full/],
  ['another word for TLS', `postgres://user:${password}@host/homeostat?ssl=0`, /must not have ssl/],
  ['TLS as libpq has it', `postgres://user:${password}@host/homeostat?uselibpqcompat=true`, /must not have ssl/],
  ['a file that is not there', `postgres://user:${password}@host/homeostat?sslrootcert=/none.crt`, /by sslrootcert/],
])('refuses %s, and does not repeat what may be a secret', (_what, url, why) => {
  const told = faultsOf(url).join('\n');
  expect(told).toMatch(why);
  expect(told).not.toContain(password);
});
