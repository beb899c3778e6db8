import { type LookupAddress, lookup as resolve } from 'node:dns';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { type SecureContext, createSecureContext, rootCertificates } from 'node:tls';
import ipaddr from 'ipaddr.js';
import { Agent, buildConnector } from 'undici';

/** Thrown when somebody names an address that is not on the public internet. */
export class NotPublic extends Error {
  override readonly name = 'NotPublic';
}

/**
 * Returns an agent for addresses that others name: it connects to public ones only, judged at the connect itself, so
 * that neither literals, mapped addresses nor a name that changes between look-up and connect get by. `allowPrivate` is
 * for development. `trust`: other certificates than the system's.
 */
export function publicAgent(options: { readonly allowPrivate: boolean; readonly trust?: SecureContext }): Agent {
  const { allowPrivate, trust } = options;
  const connect = buildConnector({
    timeout: 5_000,
    ...(trust && { secureContext: trust }),
    ...(!allowPrivate && { lookup: lookupPublic }),
  });
  const guarded: buildConnector.connector = (target, done) => {
    const host = target.hostname.replace(/^\[|\]$/g, '');
    if (allowPrivate || isIP(host) === 0 || isPublic(host)) return connect(target, done);
    done(new NotPublic(`${host} is no public address`), null);
  };
  return new Agent({ connect: guarded, headersTimeout: 15_000, bodyTimeout: 15_000 });
}

/** The certificates of a PEM file beside the system's, read once for all connections; undefined where there is no file. */
export function trustOf(caFile: string | null): SecureContext | undefined {
  if (caFile === null) return undefined;
  return createSecureContext({ ca: [...rootCertificates, readFileSync(caFile, 'utf8')] });
}

/** Whether an IP address is of the public internet: not private, loopback, link-local, mapped into such, or reserved. */
export function isPublic(address: string): boolean {
  return ipaddr.isValid(address) && ipaddr.process(address).range() === 'unicast';
}

type Found = (error: Error | null, address: string | LookupAddress[], family?: number) => void;

function lookupPublic(hostname: string, options: { readonly all?: boolean }, found: Found): void {
  resolve(hostname, { ...options, all: true }, (error, addresses) => {
    if (error) return found(error, []);
    const allowed = addresses.filter(({ address }) => isPublic(address));
    const [first] = allowed;
    if (!first) return found(new NotPublic(`${hostname} has no public address`), []);
    if (options.all) found(null, allowed);
    else found(null, first.address, first.family);
  });
}
