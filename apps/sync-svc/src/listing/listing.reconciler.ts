import { Database, type Description, type HouseReconciler, SETTINGS, type Tx } from '@homeostat/platform';
import type { Plan } from '@homeostat/reconcile';
import { REGISTRY_ID, type Registry } from '@homeostat/shared';
import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { isRecordCid } from '../registry/cid';
import { type LocalRegistry, REGISTRY, REGISTRY_FIX } from '../registry/local-registry';
import { BadArtifact, RegistryBusy } from '../registry/registry.errors';
import type { SyncSettings } from '../sync.config';
import {
  type ListingAnswer,
  type ListingReach,
  type ListingSight,
  type ListingStep,
  decideListing,
} from './listing.decide';
import { begin, removeMissing, takePage } from './listing.writes';

/** Tags that one look takes in: what is held in memory, and the distance between two reports of progress. */
const SLICE = 10_000;
/** No manifest has this digest, so the answer says only whether the registry has the referrers API. */
const NOBODY = `sha256:${'0'.repeat(64)}`;
const fallbackTag = /^sha256-([0-9a-f]{64})$/;

/** Lists the tags of the registry, so that the index knows what is new and what is gone. */
@Injectable()
export class ListingReconciler
  implements HouseReconciler<ListingSight, ListingStep, ListingReach>, OnApplicationBootstrap, OnApplicationShutdown
{
  readonly kind = 'registry';
  readonly reaches = { atOnce: 1, timeoutMs: 300_000 };
  readonly decide = decideListing;

  constructor(
    private readonly database: Database,
    @Inject(REGISTRY) private readonly registry: LocalRegistry,
    @Inject(SETTINGS) private readonly settings: SyncSettings,
  ) {}

  onApplicationBootstrap(): void {
    if (this.registry) return;
    new Logger('registry').warn(`The directory family waits for a registry: none is configured. ${REGISTRY_FIX}`);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.registry?.close();
  }

  async observe(): Promise<ReadonlyMap<string, ListingSight>> {
    const [row] = await this.database.query<Registry>('SELECT * FROM registry WHERE id = $1', [REGISTRY_ID]);
    return new Map([[REGISTRY_ID, this.sight(row!)]]);
  }

  async reach({ observed }: Plan<ListingSight, ListingReach>, signal: AbortSignal): Promise<ListingSight> {
    try {
      return { ...observed, answer: await this.list(observed, signal) };
    } catch (error) {
      if (error instanceof RegistryBusy) return { ...observed, answer: { found: 'busy', until: error.until } };
      throw error;
    }
  }

  async act([plan]: readonly Plan<ListingSight, ListingStep>[], tx: Tx): Promise<ReadonlySet<string>> {
    const { observed, step } = plan!;
    const done = await this.apply(observed, step, tx);
    return new Set(done ? [REGISTRY_ID] : []);
  }

  describe({ place, enabled, phase, listed, tags, finishedAt }: ListingSight): Description {
    const observed = { phase, listed, tags, finished_at: finishedAt };
    return { desired: { registry: place, indexed: enabled && place !== null }, observed };
  }

  private apply(sight: ListingSight, step: ListingStep, tx: Tx): Promise<boolean> {
    switch (step.do) {
      case 'begin':
        return begin(tx, sight);
      case 'take_page':
        return takePage(tx, sight, step);
      case 'remove_missing':
        return removeMissing(tx, sight);
    }
  }

  private async list({ cursor, page }: ListingSight, signal: AbortSignal): Promise<ListingAnswer> {
    const tags: string[] = [];
    let next = cursor;
    do {
      const answer = await this.registry!.tags(next, signal);
      if (answer === null) return { found: 'no_repository' };
      if (answer === 'gone') return { found: 'restart' };
      for (const tag of answer.tags) tags.push(tag);
      next = answer.next;
    } while (next !== null && tags.length < SLICE);
    const referrersApi = page === 0 ? await this.hasReferrersApi(signal) : null;
    const fallbacks = tags.flatMap((tag) => fallbackTag.exec(tag)?.slice(1) ?? []).map((hex) => `sha256:${hex}`);
    return { found: 'tags', cids: tags.filter(isRecordCid), fallbacks, count: tags.length, next, referrersApi };
  }

  /** Something else than a list, as from a web page for every path, is no API. */
  private async hasReferrersApi(signal: AbortSignal): Promise<boolean> {
    try {
      return (await this.registry!.referrers(NOBODY, signal)) !== null;
    } catch (error) {
      if (error instanceof BadArtifact) return false;
      throw error;
    }
  }

  private sight({ listing, phase, page, cursor, listed, tags, finished_at: finishedAt }: Registry): ListingSight {
    const { RECONCILER_INDEXER_ENABLED: enabled, RECONCILER_INDEXER_INTERVAL: intervalMs } = this.settings;
    const { RECONCILER_LOCAL_REGISTRY_ADDRESS: address } = this.settings;
    const place = address && `${address}/${this.settings.RECONCILER_LOCAL_REGISTRY_REPOSITORY}`;
    const progress = { listing, phase, page, cursor, listed, tags, finishedAt };
    return { place, fix: REGISTRY_FIX, enabled, intervalMs, ...progress, answer: null };
  }
}
