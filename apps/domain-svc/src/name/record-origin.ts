import { isIP } from 'node:net';

/** Records' names go into events and lists; a longer one is no name that people use. */
const longestName = 1_000;

/** Where the keys are that can vouch for a name; or why there is no such place, as a sentence. */
export type RecordOrigin =
  { readonly origin: string; readonly domain: string } | { readonly origin: null; readonly because: string };

/**
 * The origin (RFC 6454) of a record's name, `https://domain/path`. Its port belongs to it: whoever has one port of a host
 * need not have the others. Plain http is an origin only where `allowHttp` says so (spec 2, "Names").
 */
export function originOf(name: string, allowHttp: boolean): RecordOrigin {
  if (name.length > longestName) return none(`Its name is longer than ${longestName} characters.`);
  if (!/^https?:\/\/[^/]/i.test(name) || /[\s\\\p{Cc}\p{Cs}]/u.test(name) || !URL.canParse(name)) {
    return none('Its name is no URL of the form https://domain/path.');
  }
  const { protocol, origin, host, hostname, username, password } = new URL(name);
  if (protocol === 'http:' && !allowHttp) return none('Its name begins with http://, which proves nothing.');
  if (username !== '' || password !== '') return none('Its name has a user in it.');
  if (isIP(hostname.replace(/^\[|\]$/g, '')) > 0) return none('Its name has an IP address in it, and no domain.');
  return { origin: origin.replace(/\.(?=:\d+$|$)/, ''), domain: host.replace(/\.(?=:\d+$|$)/, '') };
}

function none(because: string): RecordOrigin {
  return { origin: null, because };
}
