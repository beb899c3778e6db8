import { accessSync, constants } from 'node:fs';
import { z } from 'zod';

const form = 'write it like postgres://user@host:5432/homeostat, with what is special in a password percent-encoded';

/** pg takes the modes between these for verify-full, and libpq does not: nobody could tell from the URL what is checked. */
const modes = ['disable', 'no-verify', 'verify-full'];

/**
 * The setting RECONCILER_DATABASE_URL. What is said of a faulty one never quotes it, since it may hold a password. TLS
 * is asked for by `sslmode=verify-full`, with the issuer's certificate in the file of `sslrootcert` unless it is public.
 */
export const databaseUrl = z
  .string({
    error: 'is missing: set it to a PostgreSQL URL, or start everything with `npm start`, which brings its own',
  })
  .regex(/^postgres(ql)?:\/\//, `is no PostgreSQL URL: ${form}`)
  .superRefine((text, context) => {
    for (const fault of faultsOf(text)) context.addIssue(fault);
  });

function faultsOf(text: string): string[] {
  if (!/^postgres(ql)?:\/\//.test(text)) return [];
  if (!URL.canParse(text)) return [`cannot be read: ${form}`];
  const { searchParams: given, hash, pathname } = new URL(text);
  const mode = given.get('sslmode');
  return [
    ...(hash || pathname.includes('@') ? [`has a # or @ in the wrong place: ${form}`] : []),
    ...(given.has('options') ? ['must not have options: each service takes its role and its limits by them'] : []),
    ...(given.has('ssl') || given.has('uselibpqcompat') ? ['must not have ssl or uselibpqcompat: use sslmode'] : []),
    ...(mode !== null && !modes.includes(mode) ? [modeFault] : []),
    ...['sslrootcert', 'sslcert', 'sslkey'].filter((name) => !isReadable(given.get(name))).map(unreadable),
  ];
}

const modeFault =
  'has an sslmode that does not say what is checked: use verify-full (with sslrootcert=<file> for an issuer of your own), ' +
  'no-verify (encrypted, to whoever answers), or disable';

function isReadable(file: string | null): boolean {
  if (file === null) return true;
  try {
    accessSync(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

function unreadable(name: string): string {
  return `names a file by ${name} that cannot be read`;
}
