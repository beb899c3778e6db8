import { Database, houseSettings, readSettings } from '@homeostat/platform';
import { z } from 'zod';
import { adminOf, makeBrokerUser } from './broker-user';
import { type Login, refuseSurplus } from './login-rights';
import { scramVerifier } from './scram';
import { services } from './up';

/** A login is called like its service, in PostgreSQL and in RabbitMQ. */
const variableOf = ({ name }: Login, of: 'DATABASE' | 'BROKER'): string =>
  `${name.toUpperCase().replaceAll('-', '_')}_${of}_PASSWORD`;

const password = z
  .string({ error: 'is missing' })
  .regex(/^[\w-]{16,}$/, 'needs at least 16 letters, digits, - or _: it stands in URLs, too');

/**
 * Makes a login for each service in PostgreSQL, which may do nothing but take the service's role, and a user in RabbitMQ,
 * which may do nothing but use the service's own queues. Whatever is there already is set right, except a login that
 * may do more: that throws, and says how to take it away. Returns the names.
 */
export async function makeLogins(): Promise<string[]> {
  const variables = services.flatMap((service) => [variableOf(service, 'DATABASE'), variableOf(service, 'BROKER')]);
  const {
    RECONCILER_DATABASE_URL: url,
    RECONCILER_AMQP_ADMIN_URL: broker,
    ...passwords
  } = readSettings({
    RECONCILER_DATABASE_URL: houseSettings.RECONCILER_DATABASE_URL,
    RECONCILER_AMQP_ADMIN_URL: z
      .string({
        error: 'is missing: write it like http://user:password@host:15672, the port of the management plug-in',
      })
      .regex(/^https?:\/\//, 'is no http(s) URL'),
    ...Object.fromEntries(variables.map((name) => [name, password])),
  });
  const given = passwords as Record<string, string>;
  const database = new Database({ url, role: null, application: 'homeostat logins', connections: 1 });
  try {
    await refuseSurplus(database, services);
    for (const service of services) await makeLogin(database, service, given[variableOf(service, 'DATABASE')]!);
  } finally {
    await database.close();
  }
  for (const service of services)
    await makeBrokerUser(adminOf(broker), service.name, given[variableOf(service, 'BROKER')]!);
  return services.map(({ name }) => name);
}

/** Makes a login, or sets it right. The server never sees the password: it would be in its log, should a statement fail. */
export async function makeLogin(database: Database, { name, role }: Login, secret: string): Promise<void> {
  await database.query(`DO $do$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${name}') THEN CREATE ROLE "${name}"; END IF;
  END $do$`);
  await database.query(
    `ALTER ROLE "${name}" LOGIN NOINHERIT NOCREATEDB NOCREATEROLE PASSWORD '${scramVerifier(secret)}'`,
  );
  await database.query(`GRANT ${role} TO "${name}"`);
}
