import { isIP } from 'node:net';
import { isValid, isValidCIDR } from 'ipaddr.js';
import { z } from 'zod';
import { whole } from '../settings';

/** Where a service listens, and whose tokens it takes (spec 0, "Where" and "Who may call"). */
export const httpSettings = {
  RECONCILER_HTTP_HOST: z.string().default('127.0.0.1'),
  RECONCILER_HTTP_PORT: whole(7080, 0, 65_535),
  /** `none`: whoever reaches the port may do everything. */
  RECONCILER_AUTH: z.literal('none', 'can only be "none", or not set').optional(),
  RECONCILER_AUTH_JWKS_URL: z
    .string()
    .regex(/^https?:\/\//, 'is no http(s) URL')
    .refine((text) => URL.canParse(text), 'is no http(s) URL')
    .optional(),
  /** Signs and checks tokens by HS256; it is as long as the digest at least (RFC 7518, section 3.2). */
  RECONCILER_AUTH_SECRET: z
    .string()
    .refine((text) => Buffer.byteLength(text) >= 32, 'is shorter than 32 bytes')
    .optional(),
  RECONCILER_AUTH_ISSUER: z.string().optional(),
  RECONCILER_AUTH_AUDIENCE: z.string().default('homeostat'),
  /** Requests per second of one caller, ten times as many at once; 0 for any number (decision 14). */
  RECONCILER_RATE_LIMIT: whole(500, 0, 1_000_000),
  RECONCILER_HTTP_CONNECTIONS: whole(12_000, 1, 1_000_000),
  /** Whose X-Forwarded-For is believed. */
  RECONCILER_TRUST_PROXY: z
    .string()
    .transform((text) => text.split(',').map((one) => one.trim()))
    .refine((list) => list.every((one) => isValid(one) || isValidCIDR(one)), 'is no list of addresses and networks')
    .optional(),
};

export type HttpSettings = z.infer<z.ZodObject<typeof httpSettings>>;

/** True for the names and addresses that only this machine reaches. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** True where no token is asked for because only this machine can call. */
export function isOwnMachine(settings: HttpSettings): boolean {
  const { RECONCILER_AUTH_JWKS_URL: jwks, RECONCILER_AUTH_SECRET: secret } = settings;
  return !jwks && !secret && isLoopback(settings.RECONCILER_HTTP_HOST);
}

/** Returns what is wrong about who could reach the service without a token, or with which; nothing when all is well. */
export function checkExposure(settings: HttpSettings): string[] {
  const { RECONCILER_HTTP_HOST: host, RECONCILER_AUTH: none } = settings;
  const { RECONCILER_AUTH_JWKS_URL: jwks, RECONCILER_AUTH_SECRET: secret } = settings;
  const faults: string[] = [];
  if (jwks && secret) faults.push('RECONCILER_AUTH_SECRET and RECONCILER_AUTH_JWKS_URL are both set: choose one');
  if (none && (jwks || secret)) faults.push('RECONCILER_AUTH is "none", yet tokens are set up: choose one');
  if (!isLoopback(host) && !none && !jwks && !secret) {
    faults.push(
      `RECONCILER_HTTP_HOST is ${host}, which others can reach: set RECONCILER_AUTH_SECRET or ` +
        'RECONCILER_AUTH_JWKS_URL, or RECONCILER_AUTH=none if whoever reaches it may do everything',
    );
  }
  return faults;
}
