import { Resolver } from 'node:dns/promises';

/** What became of a question: the records, each with its strings joined; proof of their absence; or no knowledge. */
export type TxtAnswer =
  | { readonly asked: 'answered'; readonly records: readonly string[] }
  | { readonly asked: 'absent'; readonly why: 'NXDOMAIN' | 'NODATA' }
  | { readonly asked: 'unasked'; readonly why: string };

const triesPerServer = 2;

/**
 * Asks for TXT records within a deadline of its own, since the Resolver overruns its timeout × tries. Each lookup has
 * its own Resolver, because cancel() ends everything that one has under way. Nothing caps the records: an answer is
 * one DNS message (64 KiB), and the record that matters may be the last.
 */
export class TxtLookup {
  private readonly perTryMs: number;

  /** `servers`: "address" or "address:port", null for the system's. Throws when one is no IP address. */
  constructor(
    private readonly servers: readonly string[] | null,
    private readonly timeoutMs: number,
  ) {
    const count = this.resolver(timeoutMs).getServers().length;
    this.perTryMs = Math.ceil(timeoutMs / (triesPerServer * Math.max(1, count)));
  }

  /** What the name servers say about `name` (fully qualified). Throws the signal's reason when that is aborted. */
  async lookup(name: string, signal?: AbortSignal): Promise<TxtAnswer> {
    signal?.throwIfAborted();
    const resolver = this.resolver(this.perTryMs);
    const cancel = (): void => resolver.cancel();
    const deadline = setTimeout(cancel, this.timeoutMs);
    signal?.addEventListener('abort', cancel, { once: true });
    try {
      const records = await resolver.resolveTxt(name);
      return { asked: 'answered', records: records.map((strings) => strings.join('')) };
    } catch (error) {
      signal?.throwIfAborted();
      return this.withoutRecords(error as NodeJS.ErrnoException);
    } finally {
      clearTimeout(deadline);
      signal?.removeEventListener('abort', cancel);
    }
  }

  private resolver(timeout: number): Resolver {
    const resolver = new Resolver({ timeout, tries: triesPerServer });
    if (this.servers) resolver.setServers(this.servers);
    return resolver;
  }

  private withoutRecords(error: NodeJS.ErrnoException): TxtAnswer {
    switch (error.code) {
      case 'ENOTFOUND':
        return { asked: 'absent', why: 'NXDOMAIN' };
      case 'ENODATA':
        return { asked: 'absent', why: 'NODATA' };
      case 'ETIMEOUT':
      case 'ECANCELLED':
        return { asked: 'unasked', why: `no name server answered within ${this.timeoutMs} ms` };
      case 'ESERVFAIL':
        return {
          asked: 'unasked',
          why: 'the name servers failed (SERVFAIL); the zone or its DNSSEC signatures may be broken',
        };
      case 'EREFUSED':
        return { asked: 'unasked', why: 'the name servers refused the question (REFUSED)' };
      case 'ECONNREFUSED':
        return { asked: 'unasked', why: 'no name server could be reached' };
      default:
        return { asked: 'unasked', why: `the name servers gave no usable answer (${error.code ?? error.message})` };
    }
  }
}
