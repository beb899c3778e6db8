import { HouseError } from '@homeostat/shared';
import type { Request } from 'express';
import ipaddr from 'ipaddr.js';
import { Allowance } from './allowance';
import type { Caller } from './caller';
import { type HttpSettings, isOwnMachine } from './http.settings';

/** So many seconds' worth of calls may come at once (decision 14). */
const burstSeconds = 10;

/** How often one caller may ask something of this process, and one address fail to prove who it is. */
export class Limits {
  private readonly calls: Allowance | null;
  private readonly failures: Allowance | null;
  private readonly byAddress: boolean;

  constructor(settings: HttpSettings) {
    const { RECONCILER_RATE_LIMIT: rate } = settings;
    const allowance = () => (rate > 0 && !isOwnMachine(settings) ? new Allowance(rate, rate * burstSeconds) : null);
    this.calls = allowance();
    this.failures = allowance();
    this.byAddress = settings.RECONCILER_AUTH === 'none';
  }

  /** Throws HouseError `too_many_requests` where a caller has asked too often. */
  called({ tenant, subject }: Caller, request: Request): void {
    // Names of tenants and subjects hold no control characters.
    take(this.calls, this.byAddress ? addressOf(request) : `${tenant}\n${subject}`, 'this caller asks');
  }

  /**
   * Throws HouseError `too_many_requests` where callers of this address were refused too often. A valid token is not
   * asked where it comes from: behind one address there may be many callers, and one of them has an old token.
   */
  refused(request: Request): void {
    take(this.failures, addressOf(request), 'callers at this address fail to prove who they are');
  }
}

function take(allowance: Allowance | null, key: string, who: string): void {
  const retryAfterSeconds = allowance?.take(key) ?? 0;
  if (retryAfterSeconds > 0) throw new HouseError('too_many_requests', `${who} too often`, { retryAfterSeconds });
}

/** The address that a request came from; of IPv6 its /64, the least that a site is given (RFC 6177). */
export function addressOf({ ip, socket }: Pick<Request, 'ip'> & { socket: { remoteAddress?: string } }): string {
  // A proxy that is trusted may still pass on rubbish.
  const text = ip !== undefined && ipaddr.isValid(ip) ? ip : (socket.remoteAddress ?? '');
  if (!ipaddr.isValid(text)) return text;
  const address = ipaddr.process(text);
  if (address.kind() === 'ipv4') return address.toString();
  return `${address.toNormalizedString().split(':').slice(0, 4).join(':')}::/64`;
}
