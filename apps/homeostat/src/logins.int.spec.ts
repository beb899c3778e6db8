import { Database } from '@homeostat/platform';
import { type TestDatabase, testDatabase } from '@homeostat/testing';
import { randomUUID } from 'node:crypto';
import { type Login, refuseSurplus } from './login-rights';
import { makeLogin } from './logins';

/** Roles are the whole server's, so each has a name of its own. */
const login: Login = { name: `login ${randomUUID()}`, role: 'homeostat_deploy' };
const other = `other ${randomUUID()}`;
const secret = 'a-password-for-a-test';

let server: TestDatabase;
let database: Database;

const refused = (): Promise<string> =>
  refuseSurplus(database, [login]).then(
    () => '',
    (error: Error) => error.message,
  );

beforeAll(async () => {
  server = await testDatabase();
  database = new Database({ url: server.url, role: null, application: 'test', connections: 1 });
  await server.sql(`CREATE ROLE "${other}"`);
});

afterAll(async () => {
  await server.sql(`DROP OWNED BY "${login.name}"; DROP ROLE "${login.name}"; DROP ROLE "${other}"`);
  await database.close();
  await server.close();
});

it('makes a login that may take its role and nothing else, as often as it is asked to', async () => {
  for (let time = 0; time < 2; time += 1) {
    expect(await refused()).toBe('');
    await makeLogin(database, login, secret);
  }
  const url = new URL(server.url);
  [url.username, url.password] = [encodeURIComponent(login.name), secret];
  const own = new Database({ url: url.href, role: login.role, application: 'test', connections: 1 });
  expect(await own.query('SELECT current_user::text AS me')).toEqual([{ me: login.role }]);
  await expect(own.query(`SET ROLE "${other}"`)).rejects.toThrow(/permission denied/);
  await own.close();
});

it.each([
  ['is a superuser', 'ALTER ROLE "me" SUPERUSER', ['ALTER ROLE "me" NOSUPERUSER;']],
  ['passes by row security', 'ALTER ROLE "me" BYPASSRLS REPLICATION', ['ALTER ROLE "me" NOREPLICATION NOBYPASSRLS;']],
  ['may take another role', 'GRANT "other" TO "me"', ['REVOKE "other" FROM "me";']],
  [
    'may hand its role on',
    'GRANT homeostat_deploy TO "me" WITH ADMIN OPTION',
    ['REVOKE ADMIN OPTION FOR homeostat_deploy FROM "me";'],
  ],
  [
    'was granted a table',
    'GRANT SELECT ON vm TO "me"',
    [
      '-- In each database with one of the 1 objects that it owns or was granted:',
      'REASSIGN OWNED BY "me" TO CURRENT_USER; DROP OWNED BY "me";',
    ],
  ],
])('refuses a login that %s, and its statements mend that', async (_what, surplus, mends) => {
  const named = (sql: string): string => sql.replaceAll('"me"', `"${login.name}"`).replaceAll('"other"', `"${other}"`);
  await server.sql(named(surplus));
  const [, who, ...statements] = (await refused()).split('\n');
  expect(who).toBe(`${login.name} may do more than take homeostat_deploy:`);
  expect(statements).toEqual(mends.map((mend) => `  ${named(mend)}`));
  await server.sql(statements.join('\n'));
  expect(await refused()).toBe('');
});
