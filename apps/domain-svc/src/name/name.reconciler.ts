import { Database, type Description, type HouseReconciler, SETTINGS, type Tx } from '@homeostat/platform';
import type { Plan } from '@homeostat/reconcile';
import type { NameVerification } from '@homeostat/shared';
import { Inject, Injectable } from '@nestjs/common';
import type { DomainServiceSettings } from '../domain.config';
import { DomainKeyring, type Kept } from './domain-keyring';
import { JwksFetch, type KeysAnswer } from './jwks.fetch';
import type { NameTimes } from './name-times.decide';
import type { NameAnswer } from './name-words.decide';
import { type NameReach, type NameSight, type NameStep, decideName } from './name.decide';
import { write } from './name.writes';
import { originOf } from './record-origin';
import { type Attached, proofOf } from './record-proof';

/** Each may hold a key set of 1 MiB. With every one of them at a silent domain, others wait for one fetch at most. */
const PROOFS_AT_ONCE = 32;

/** A record and its verification, of which one may be missing. */
type Row = NameVerification & {
  readonly key: string;
  readonly cid: string | null;
  readonly record_name: string;
  readonly record_tenant: string;
  readonly changed_at: string | null;
  readonly is_signed: boolean;
  readonly is_changed: boolean;
};

/** Looks for signatures by the keys of domains, and writes down who vouches for the names of records. */
@Injectable()
export class NameReconciler implements HouseReconciler<NameSight, NameStep, NameReach> {
  readonly kind = 'name-verifications';
  readonly reaches: { atOnce: number; timeoutMs: number };
  readonly decide = decideName;
  private readonly keyring: DomainKeyring;
  private readonly times: NameTimes;

  constructor(
    private readonly database: Database,
    @Inject(SETTINGS) private readonly settings: DomainServiceSettings,
  ) {
    this.reaches = { atOnce: PROOFS_AT_ONCE, timeoutMs: settings.RECONCILER_NAME_RECORD_TIMEOUT };
    this.times = timesOf(settings);
    const { RECONCILER_ALLOW_PRIVATE_ADDRESSES: allowPrivate, RECONCILER_NAME_CA_FILE: caFile } = settings;
    const jwks = new JwksFetch({ allowPrivate, caFile });
    this.keyring = new DomainKeyring((origin, signal) => jwks.fetch(origin, signal), this.times.intervalMs);
  }

  async observe(keys: readonly string[]): Promise<ReadonlyMap<string, NameSight>> {
    const rows = await this.database.query<Row>(observation, [keys]);
    return new Map(rows.map((row) => [row.key, this.sight(row)]));
  }

  async reach({ key, observed, step }: Plan<NameSight, NameReach>, signal: AbortSignal): Promise<NameSight> {
    return { ...observed, answer: await this.prove(key, step, signal) };
  }

  act(plans: readonly Plan<NameSight, NameStep>[], tx: Tx): Promise<ReadonlySet<string>> {
    return write(tx, plans);
  }

  describe({ candidate, verification, isChanged }: NameSight): Description {
    const { cid = null, name = verification?.name, isSigned = false } = candidate ?? {};
    const { status, reason, key_id, verified_at, checked_at, expires_at, failing_since } = verification ?? {};
    const found = { status, reason, key_id, verified_at, checked_at, expires_at, failing_since };
    return {
      desired: { name, vouched_for_by: candidate?.at.origin ?? null },
      observed: { cid, signed: isSigned, changed_since_check: isChanged, ...found },
    };
  }

  /**
   * What is kept may prove a name. What it does not prove is asked for anew where something is new: the key may have been
   * named just now. Else one fetch serves all names of the domain for as long as it may be kept.
   */
  private async prove(id: string, { cid, origin, anew }: NameReach, signal: AbortSignal): Promise<NameAnswer> {
    const kept = await this.keyring.keysOf(origin, signal);
    const answer = await this.judge(id, cid, kept, signal);
    if (answer.found !== 'no_proof' || !anew || !('answer' in kept) || kept.isNew) return answer;
    return this.judge(id, cid, await this.keyring.anew(origin, signal), signal);
  }

  private async judge(id: string, cid: string, kept: Kept, signal: AbortSignal): Promise<NameAnswer> {
    if ('busyMs' in kept) return { found: 'busy', busyMs: kept.busyMs };
    const keys = kept.answer;
    if (keys.asked === 'unasked') return { found: 'unasked', why: keys.why };
    if (keys.asked === 'unusable') return { found: 'no_proof', missing: 'KeysUnusable', why: keys.why };
    if (keys.keys.length === 0) return { found: 'no_proof', missing: 'NoKeysAtDomain', why: null };
    return this.proofBy(keys, { cid, ...(await this.attachedTo(id)) }, signal);
  }

  private async proofBy(
    { keys }: Extract<KeysAnswer, { asked: 'answered' }>,
    attached: Attached,
    signal: AbortSignal,
  ): Promise<NameAnswer> {
    const proof = await proofOf(attached, keys, signal);
    if (proof.keyId !== null) return { found: 'proof', keyId: proof.keyId };
    return { found: 'no_proof', missing: proof.missing, why: null };
  }

  private async attachedTo(id: string): Promise<Omit<Attached, 'cid'>> {
    const [row] = await this.database.query<Omit<Attached, 'cid'>>(attachments, [id]);
    return row!;
  }

  private sight({ key, cid, record_name: name, record_tenant: tenant_id, changed_at, ...row }: Row): NameSight {
    const { is_signed: isSigned, is_changed: isChanged, ...verification } = row;
    const { RECONCILER_NAME_ENABLED: enabled, RECONCILER_NAME_ALLOW_HTTP: allowHttp } = this.settings;
    return {
      candidate: cid === null ? null : { cid, name, tenant_id, changed_at, isSigned, at: originOf(name, allowHttp) },
      verification: verification.id === null ? null : verification,
      isChanged,
      answer: null,
      enabled,
      jitter: Math.random(),
      times: this.times,
    };
  }
}

function timesOf(settings: DomainServiceSettings): NameTimes {
  return {
    intervalMs: settings.RECONCILER_NAME_INTERVAL,
    ttlMs: settings.RECONCILER_NAME_TTL,
    graceMs: settings.RECONCILER_NAME_GRACE,
  };
}

/** One character more of a name than is taken. */
const observation = `
  SELECT wanted.key, r.cid, left(r.name, 1001) AS record_name, r.tenant_id AS record_tenant, r.signed AS is_signed,
    greatest(r.indexed_at, r.referred_at)::text AS changed_at,
    v.record_seen IS DISTINCT FROM greatest(r.indexed_at, r.referred_at) AS is_changed, v.*
  FROM unnest($1::uuid[]) AS wanted (key)
  LEFT JOIN record r ON r.id = wanted.key AND r.status = 'indexed'
  LEFT JOIN name_verification v ON v.id = wanted.key
  WHERE r.id IS NOT NULL OR v.id IS NOT NULL`;

/** Oldest first: what others attach later comes after what the record's maker attached. None that is used is longer. */
const attachments = `
  SELECT coalesce(array_agg(public_key ORDER BY found_at, digest) FILTER (WHERE length(public_key) <= 4096), '{}') AS "publicKeys",
    coalesce(array_agg(signature ORDER BY found_at, digest) FILTER (WHERE length(signature) <= 2048), '{}') AS signatures
  FROM referrer WHERE record_id = $1`;
