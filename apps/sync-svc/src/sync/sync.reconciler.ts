import { Database, type Description, type HouseReconciler, SETTINGS, type Tx } from '@homeostat/platform';
import type { Plan } from '@homeostat/reconcile';
import { Inject, Injectable } from '@nestjs/common';
import { REGISTRY_FIX } from '../registry/local-registry';
import type { SyncSettings } from '../sync.config';
import { decideSync } from './sync.decide';
import type { SyncAnswer, SyncReach, SyncSight, SyncStep } from './sync.sight';
import { SyncWorker } from './sync.worker';
import { apply, isPaused } from './sync.writes';

/** Beside both runs of regsync that a slice may have: the questions to both registries. */
const QUESTIONS_MS = 600_000;

type Row = SyncSight['sync'] & { readonly busy: number; readonly lease_epoch: string | null };

/** Leads syncs to their end: one look is one slice of work, so that what is done stays done, whatever dies. */
@Injectable()
export class SyncReconciler implements HouseReconciler<SyncSight, SyncStep, SyncReach> {
  readonly kind = 'syncs';
  readonly reaches: { atOnce: number; timeoutMs: number };
  readonly decide = decideSync;

  constructor(
    private readonly database: Database,
    private readonly worker: SyncWorker,
    @Inject(SETTINGS) private readonly settings: SyncSettings,
  ) {
    const { RECONCILER_SYNCS_AT_ONCE: atOnce, RECONCILER_REGSYNC_TIMEOUT: timeoutMs } = settings;
    this.reaches = { atOnce, timeoutMs: Math.min(2 ** 31 - 1, 3 * timeoutMs + QUESTIONS_MS) };
  }

  async observe(keys: readonly string[]): Promise<ReadonlyMap<string, SyncSight>> {
    const rows = await this.database.query<Row>(observation, [keys]);
    return new Map(rows.map((row) => [row.id, this.sight(row)]));
  }

  async reach({ key, observed, step }: Plan<SyncSight, SyncReach>, signal: AbortSignal): Promise<SyncSight> {
    const answer = await this.ask(observed, step, signal);
    const now = (await this.observe([key])).get(key);
    return { ...(now ?? observed), answer };
  }

  async act(plans: readonly Plan<SyncSight, SyncStep>[], tx: Tx): Promise<ReadonlySet<string>> {
    const done = new Set<string>();
    const inOrder = plans.toSorted((one, other) => (orderOf(one) < orderOf(other) ? -1 : 1));
    for (const plan of inOrder) if (await apply(tx, plan)) done.add(plan.key);
    return done;
  }

  describe({ sync }: SyncSight): Description {
    const { remote_directory_url, remote_registry_address, remote_repository_name, cids } = sync;
    const { status, remote, total, done, failed, attempts, started_at } = sync;
    return {
      desired: {
        remote_directory_url,
        remote_registry_address,
        remote_repository_name,
        records: cids?.length ?? 'all',
      },
      observed: { status, remote, progress: { total, done, failed }, attempts, started_at },
    };
  }

  private ask(sight: SyncSight, { do: what }: SyncReach, signal: AbortSignal): Promise<SyncAnswer> {
    switch (what) {
      case 'find_regsync':
        return this.worker.findRegsync();
      case 'list':
        return this.worker.list(sight, signal);
      case 'copy':
        return this.worker.copy(sight, signal);
    }
  }

  private sight({ busy, lease_epoch, ...sync }: Row): SyncSight {
    return {
      sync,
      busy,
      epoch: lease_epoch ?? '0',
      registry: this.settings.RECONCILER_LOCAL_REGISTRY_ADDRESS !== null,
      registryFix: REGISTRY_FIX,
      jitter: Math.random(),
      settings: {
        enabled: this.settings.RECONCILER_REGSYNC_ENABLED,
        intervalMs: this.settings.RECONCILER_REGSYNC_INTERVAL,
        perHost: this.settings.RECONCILER_SYNCS_PER_HOST,
        retentionMs: this.settings.RECONCILER_SYNC_RETENTION,
      },
      answer: null,
    };
  }
}

/** Starts of one host lock it, so hosts come in one order for everybody. */
function orderOf({ key, observed }: Plan<SyncSight, SyncStep>): string {
  return `${observed.sync.remote_host} ${key}`;
}

/** Nothing that was told in confidence. */
const observation = `
  SELECT s.id, s.tenant_id, s.status, s.reason, s.message, s.generation, s.created_at, s.updated_at, s.remote_directory_url,
    s.remote_registry_address, s.remote_repository_name, s.insecure, s.cids, s.requires_regsync, s.auth, s.remote_host, s.remote,
    s.cursor, s.listed_at, s.total, s.done, s.failed, s.attempts, s.retry_at, s.started_at, s.progressed_at, s.finished_at,
    o.busy, l.lease_epoch
  FROM sync s
  LEFT JOIN LATERAL (
    SELECT count(*)::integer AS busy FROM sync o
    WHERE s.status = 'PENDING' AND o.remote_host = s.remote_host AND o.status = 'IN_PROGRESS' AND NOT ${isPaused}) AS o ON true
  LEFT JOIN LATERAL (
    SELECT r.lease_epoch FROM reconcile_status r WHERE r.kind = 'syncs' AND r.key = s.id) AS l ON true
  WHERE s.id = ANY ($1)`;
