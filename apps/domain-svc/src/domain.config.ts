import { accessSync, constants } from 'node:fs';
import { isIP, isIPv6 } from 'node:net';
import { duration, oneOf } from '@homeostat/platform';
import { z } from 'zod';

/** With a dash, it shares a DNS label (63 characters) with an id of at most 22. */
const longestLabel = 40;

const flag = (fallback: 'true' | 'false') => oneOf(['true', 'false'], fallback).transform((word) => word === 'true');

/** What domain-svc is told (spec 1, "Domains"; spec 2, "Names"). */
export const domainSettings = {
  /** Name servers to ask, "address" or "address:port", with commas between them; null for the system's. */
  RECONCILER_DNS_SERVERS: z
    .string()
    .optional()
    .transform((text, context): readonly string[] | null => {
      const servers = text?.split(',').map((one) => one.trim()) ?? null;
      if (servers === null || servers.every(isServer)) return servers;
      context.addIssue(`"${text}" is no list of IP addresses: write it like 192.0.2.53,[2001:db8::53]:5353`);
      return z.NEVER;
    }),
  /** How long one check may take, whatever the number of servers. */
  RECONCILER_DNS_TIMEOUT: duration('5s'),
  /** What the record's name has between the claim's id and the domain. */
  RECONCILER_DOMAIN_LABEL: z
    .string()
    .default('zeitwork')
    .refine(
      (text) => text.length <= longestLabel && /^[a-z\d]([a-z\d-]*[a-z\d])?$/.test(text),
      `may have letters a to z, digits and inner hyphens, ${longestLabel} in all`,
    ),
  /** From the claim, or its restart, to its end if nothing proved it. */
  RECONCILER_DOMAIN_WINDOW: duration('48h'),
  /** Between checks in a claim's first minutes; the first retry when nobody could be asked. */
  RECONCILER_DOMAIN_CHECK_INTERVAL: duration('5s'),
  RECONCILER_DOMAIN_MAX_CHECK_INTERVAL: duration('10m'),
  /** Between checks of a verified domain. */
  RECONCILER_DOMAIN_RECHECK: duration('24h'),
  /** How long the record of a verified domain must be absent before it lapses. */
  RECONCILER_DOMAIN_LAPSE_GRACE: duration('72h'),
  RECONCILER_NAME_ENABLED: flag('true'),
  /** Between checks of a name that is not verified, at first; and the longest that a domain's keys are kept. */
  RECONCILER_NAME_INTERVAL: duration('1h'),
  /** For how long a proof stands. It is renewed before. */
  RECONCILER_NAME_TTL: duration('168h'),
  /** For how long a verified name stays so without its proof, and one whose domain cannot be asked stays pending. */
  RECONCILER_NAME_GRACE: duration('72h'),
  /** How long one check may take. */
  RECONCILER_NAME_RECORD_TIMEOUT: duration('30s'),
  /** Whether names may begin with http://, and keys come by plain http. */
  RECONCILER_NAME_ALLOW_HTTP: flag('false'),
  /** A PEM file with certificates to trust beside the system's, for domains of one's own. */
  RECONCILER_NAME_CA_FILE: z.string().refine(isReadable, 'is no file that can be read').nullable().default(null),
  /** Whether names may have domains at addresses that are not public: for development. */
  RECONCILER_ALLOW_PRIVATE_ADDRESSES: flag('false'),
};

export type DomainServiceSettings = z.infer<z.ZodObject<typeof domainSettings>>;

/** Checked here because Node's Resolver takes port 99999, and ends the process at port 0. */
function isServer(text: string): boolean {
  const [, bracketed, plain, port = '53'] = /^(?:\[(.+)\]|([^:[]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const isAddress = isIP(text) > 0 || (bracketed ? isIPv6(bracketed) : isIP(plain ?? '') > 0);
  return isAddress && Number(port) >= 1 && Number(port) <= 65_535;
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
