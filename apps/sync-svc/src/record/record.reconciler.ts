import { Database, type Description, type HouseReconciler, SETTINGS, type Tx } from '@homeostat/platform';
import type { Plan } from '@homeostat/reconcile';
import type { DirectoryRecord } from '@homeostat/shared';
import { Inject, Injectable } from '@nestjs/common';
import { REGISTRY_FIX } from '../registry/local-registry';
import { BadArtifact, RegistryBusy } from '../registry/registry.errors';
import type { SyncSettings } from '../sync.config';
import { type RecordAnswer, type RecordReach, type RecordSight, type RecordStep, decideRecord } from './record.decide';
import { RecordPull } from './record.pull';
import { write } from './record.writes';

/** Each may hold a record of 4 MiB. */
const PULLS_AT_ONCE = 32;

type Row = Pick<DirectoryRecord, 'id' | 'cid' | 'status' | 'generation' | 'manifest_digest' | 'name' | 'version'> &
  Pick<DirectoryRecord, 'reason' | 'message' | 'updated_at' | 'indexed_at' | 'referred_at'> & {
    readonly referrers: string[];
    readonly awaited: string[];
    readonly has_fallback: boolean;
    readonly referrers_api: boolean | null;
  };

/** Brings each tag of the registry that looks like a record into the index, or says why not. */
@Injectable()
export class RecordReconciler implements HouseReconciler<RecordSight, RecordStep, RecordReach> {
  readonly kind = 'records';
  readonly reaches = { atOnce: PULLS_AT_ONCE, timeoutMs: 60_000 };
  readonly decide = decideRecord;

  constructor(
    private readonly database: Database,
    private readonly pull: RecordPull,
    @Inject(SETTINGS) private readonly settings: SyncSettings,
  ) {}

  async observe(keys: readonly string[]): Promise<ReadonlyMap<string, RecordSight>> {
    const rows = await this.database.query<Row>(observation, [keys]);
    return new Map(rows.map((row) => [row.id, this.sight(row)]));
  }

  async reach({ key, observed, step }: Plan<RecordSight, RecordReach>, signal: AbortSignal): Promise<RecordSight> {
    return { ...observed, answer: await this.ask(key, observed, step, signal) };
  }

  act(plans: readonly Plan<RecordSight, RecordStep>[], tx: Tx): Promise<ReadonlySet<string>> {
    return write(tx, plans);
  }

  describe({
    cid,
    status,
    reason,
    message,
    manifestDigest,
    name,
    version,
    referrers,
    awaited,
    answer: _,
  }: RecordSight): Description {
    const observed = { status, reason, message, manifest_digest: manifestDigest, name, version };
    return {
      desired: { cid, indexed: true },
      observed: { ...observed, referrers: referrers.length, awaited: awaited.length },
    };
  }

  private async ask(key: string, sight: RecordSight, { do: what }: RecordReach, signal: AbortSignal) {
    try {
      return what === 'pull' ? await this.pull.pull(key, sight, signal) : await this.pull.reread(key, sight, signal);
    } catch (error) {
      return answerOf(error);
    }
  }

  private sight({
    manifest_digest,
    indexed_at,
    referred_at,
    updated_at,
    has_fallback,
    referrers_api,
    ...row
  }: Row): RecordSight {
    const { RECONCILER_INDEXER_ENABLED: enabled, RECONCILER_INDEXER_INTERVAL: intervalMs } = this.settings;
    return {
      ...row,
      manifestDigest: manifest_digest,
      changedAt: row.status === 'quarantined' ? updated_at : (referred_at ?? indexed_at),
      hasFallback: has_fallback,
      referrersApi: referrers_api,
      registry: this.settings.RECONCILER_LOCAL_REGISTRY_ADDRESS !== null,
      enabled,
      fix: REGISTRY_FIX,
      intervalMs,
      jitter: Math.random(),
      answer: null,
    };
  }
}

/** What an error says of the artifact, or of the registry. Throws it where it says nothing of either. */
function answerOf(error: unknown): RecordAnswer {
  if (error instanceof RegistryBusy) return { found: 'busy', until: error.until };
  if (error instanceof BadArtifact) return { found: 'fault', fault: error.fault, message: error.message };
  throw error;
}

const observation = `
  SELECT r.id, r.cid, r.status, r.generation, r.manifest_digest, r.name, r.version, r.reason, r.message, r.updated_at, r.indexed_at,
    r.referred_at,
    g.referrers_api, ARRAY (SELECT digest FROM referrer WHERE record_id = r.id) AS referrers,
    ARRAY (SELECT digest FROM referrer WHERE record_id = r.id AND kind = 'awaited' ORDER BY found_at, digest) AS awaited,
    EXISTS (SELECT FROM fallback_tag f WHERE f.digest = r.manifest_digest) AS has_fallback
  FROM record r CROSS JOIN (SELECT referrers_api FROM registry LIMIT 1) AS g WHERE r.id = ANY ($1)`;
