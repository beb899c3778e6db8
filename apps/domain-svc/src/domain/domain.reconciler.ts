import { Database, type Description, type HouseReconciler, SETTINGS, type Tx } from '@homeostat/platform';
import type { Plan } from '@homeostat/reconcile';
import type { Domain } from '@homeostat/shared';
import { Inject, Injectable } from '@nestjs/common';
import type { DomainServiceSettings } from '../domain.config';
import {
  type DomainReach,
  type DomainSettings,
  type DomainSight,
  type DomainStep,
  decideDomain,
} from './domain.decide';
import { write } from './domain.writes';
import { recordName } from './record-name';
import { TxtLookup } from './txt-lookup';

/** Each lookup has a socket of its own. With every one of these silent, others wait for one timeout at most. */
const LOOKUPS_AT_ONCE = 100;
/** A lookup keeps its own deadline; the engine's is for the case that it does not. */
const SLACK_MS = 2_000;

/** Asks DNS for the records of claims and of verified domains, and writes down what was seen. */
@Injectable()
export class DomainReconciler implements HouseReconciler<DomainSight, DomainStep, DomainReach> {
  readonly kind = 'domains';
  readonly reaches: { atOnce: number; timeoutMs: number };
  readonly decide = decideDomain;
  private readonly dns: TxtLookup;
  private readonly times: DomainSettings;
  private readonly label: string;

  constructor(
    private readonly database: Database,
    @Inject(SETTINGS) settings: DomainServiceSettings,
  ) {
    this.dns = new TxtLookup(settings.RECONCILER_DNS_SERVERS, settings.RECONCILER_DNS_TIMEOUT);
    this.reaches = { atOnce: LOOKUPS_AT_ONCE, timeoutMs: settings.RECONCILER_DNS_TIMEOUT + SLACK_MS };
    this.times = timesOf(settings);
    this.label = settings.RECONCILER_DOMAIN_LABEL;
  }

  async observe(keys: readonly string[]): Promise<ReadonlyMap<string, DomainSight>> {
    const rows = await this.database.query<Domain & { taken: boolean }>(
      `SELECT d.*, EXISTS (
         SELECT FROM domain o WHERE o.name = d.name AND o.status IN ('verified', 'at_risk') AND o.id <> d.id) AS taken
       FROM domain d WHERE d.id = ANY ($1)`,
      [keys],
    );
    return new Map(rows.map(({ taken, ...domain }) => [domain.id, this.sight(domain, taken)]));
  }

  async reach({ observed }: Plan<DomainSight, DomainReach>, signal: AbortSignal): Promise<DomainSight> {
    return { ...observed, answer: await this.dns.lookup(observed.recordName, signal) };
  }

  act(plans: readonly Plan<DomainSight, DomainStep>[], tx: Tx): Promise<ReadonlySet<string>> {
    return write(tx, plans);
  }

  /** Without the token; and without `taken`, which is only told to who has proven the name. */
  describe({ domain, recordName: record }: DomainSight): Description {
    const { name, status, checks, last_check, window_ends_at, verified_at, absent_since } = domain;
    const desired = { status: 'verified', record: { name: record, type: 'TXT' } };
    return { desired, observed: { name, status, checks, last_check, window_ends_at, verified_at, absent_since } };
  }

  private sight(domain: Domain, taken: boolean): DomainSight {
    const record = recordName(domain.id, domain.name, this.label);
    return { domain, recordName: record, taken, answer: null, jitter: Math.random(), settings: this.times };
  }
}

function timesOf(settings: DomainServiceSettings): DomainSettings {
  return {
    checkIntervalMs: settings.RECONCILER_DOMAIN_CHECK_INTERVAL,
    maxCheckIntervalMs: settings.RECONCILER_DOMAIN_MAX_CHECK_INTERVAL,
    windowMs: settings.RECONCILER_DOMAIN_WINDOW,
    recheckMs: settings.RECONCILER_DOMAIN_RECHECK,
    lapseGraceMs: settings.RECONCILER_DOMAIN_LAPSE_GRACE,
  };
}
