import { setMaxListeners } from 'node:events';
import { ByteCache, Changes, Database, SETTINGS, Secrets, Unopenable, sqlState } from '@homeostat/platform';
import { Unavailable, engineDefaults } from '@homeostat/reconcile';
import type { Sync } from '@homeostat/shared';
import { Inject, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { isRecordCid } from '../registry/cid';
import { type LocalRegistry, REGISTRY } from '../registry/local-registry';
import type { SyncSettings } from '../sync.config';
import { Attached } from './attached';
import { copySlice } from './copy';
import { Regsync } from './regsync/regsync';
import { RegsyncTool, type Tool } from './regsync/regsync.tool';
import { type Remote, type SyncSecrets, openRemote } from './remote/remote';
import { REMOTE_DIRECTORY, type RemoteDirectory } from './remote/remote-directory.port';
import { HOW_TO_INSTALL } from './sync.decide';
import type { SyncAnswer, SyncSight } from './sync.sight';
import { setbackOf } from './sync.fault';

/** Records of one run of regsync: the distance between two reports of progress. */
const RECORDS = 100;
/** Manifests that a slice keeps; one is at most 4 MiB, and mostly a thousandth of that. */
const MANIFEST_BYTES = 16 * 1024 * 1024;
/** Tags that one look takes in. */
const TAGS = 10_000;
/** How long a sync that was called off goes on at most, and how often its log is written down. */
const REREAD_MS = 1_000;

/** Works on syncs, slice by slice: opens the remote registry, lists or copies some of it, closes it again. */
@Injectable()
export class SyncWorker implements OnApplicationBootstrap {
  private readonly secrets: Secrets;

  constructor(
    private readonly database: Database,
    private readonly changes: Changes,
    private readonly tool: RegsyncTool,
    private readonly regsync: Regsync,
    @Inject(REGISTRY) private readonly local: LocalRegistry,
    @Inject(REMOTE_DIRECTORY) private readonly directory: RemoteDirectory,
    @Inject(SETTINGS) private readonly settings: SyncSettings,
  ) {
    this.secrets = new Secrets(settings.RECONCILER_SECRETS_KEY);
  }

  async onApplicationBootstrap(): Promise<void> {
    if (!this.local || !this.settings.RECONCILER_REGSYNC_ENABLED) return;
    const tool = await this.tool.find();
    if (!('program' in tool)) new Logger('syncs').warn(`Syncs wait for regsync. ${tool.message} ${HOW_TO_INSTALL}`);
  }

  /** Whether regsync is there, in a version that is safe. */
  async findRegsync(): Promise<SyncAnswer> {
    return answerOf(await this.tool.find());
  }

  /** Reads the remote's tags, from where the listing stands. Throws Unavailable. */
  list(sight: SyncSight, signal: AbortSignal): Promise<SyncAnswer> {
    return this.watched(sight, signal, (stop) =>
      this.withRemote(sight, stop, async ({ client, registry }) => {
        const cids: string[] = [];
        let { cursor } = sight.sync;
        do {
          const page = await client.tags(cursor, stop);
          if (page === 'gone') return { found: 'restart' };
          if (page === null) {
            const message = `${registry.address}/${registry.repository} does not exist`;
            return { found: 'failed', reason: 'NoSuchRepository', message };
          }
          cids.push(...page.tags.filter(isRecordCid));
          cursor = page.next;
        } while (cursor !== null && cids.length < TAGS);
        return { found: 'tags', remote: registry, cids, next: cursor };
      }),
    );
  }

  /** Copies the next records. Throws Unavailable. */
  async copy(sight: SyncSight, signal: AbortSignal): Promise<SyncAnswer> {
    const tool = await this.tool.find();
    if (!('program' in tool)) return answerOf(tool);
    const begun: string[] = [];
    const copying = (cid: string): void => void begun.push(cid);
    const note = () => this.noteCopying(sight, begun.splice(0));
    const work = async ({ client, registry: remote }: Remote, stop: AbortSignal): Promise<SyncAnswer> => {
      const { target } = this.regsync;
      const manifests = new ByteCache<string>(MANIFEST_BYTES);
      const attached = new Attached(client, manifests, stop);
      const sides = { remote: client, local: this.local!, signal: stop, attached, manifests };
      const slice = await copySlice({
        ...{ cids: await this.next(sight.sync.id), sides, remote, target },
        run: (gate, entries, missingOnly) =>
          this.regsync.run({ program: tool.program, gate, entries, missingOnly, copying }, stop),
      });
      return { found: 'slice', ...slice };
    };
    return this.watched(sight, signal, (stop) => this.withRemote(sight, stop, (remote) => work(remote, stop)), note);
  }

  /** Runs `work` until it is done, or nobody wants it any more; `note` is called every second. */
  private async watched(
    { sync, epoch }: SyncSight,
    signal: AbortSignal,
    work: (stop: AbortSignal) => Promise<SyncAnswer>,
    note: () => Promise<void> = async () => undefined,
  ): Promise<SyncAnswer> {
    const over = new AbortController();
    const stop = AbortSignal.any([signal, over.signal]);
    // Each request under way listens to it.
    setMaxListeners(0, stop);
    const watch = async (): Promise<void> => {
      let heldAtMs = performance.now();
      while (!stop.aborted) {
        await this.changes.next(sync.id, REREAD_MS, stop);
        if (stop.aborted) return;
        const askedAtMs = performance.now();
        const holds = await this.holds(sync.id, epoch).catch(() => null);
        if (holds) heldAtMs = askedAtMs;
        // With the database away, the lease is over when nobody could confirm it for as long as one lasts.
        if (holds === false || performance.now() - heldAtMs > engineDefaults.leaseMs)
          return over.abort(new Error('the sync was called off, or taken over'));
        await note().catch(() => undefined);
      }
    };
    void watch();
    try {
      return await work(stop);
    } catch (error) {
      if (stop.aborted) return { found: 'stopped' };
      if (error instanceof Unavailable || isDatabases(error)) throw error;
      return setbackOf(error);
    } finally {
      over.abort(new Error('the slice is over'));
    }
  }

  private async withRemote(
    { sync }: SyncSight,
    stop: AbortSignal,
    work: (remote: Remote) => Promise<SyncAnswer>,
  ): Promise<SyncAnswer> {
    const secrets = await this.secretsOf(sync.id);
    if (secrets === null) {
      const message =
        'What it was told in confidence cannot be read: RECONCILER_SECRETS_KEY lacks the key that sealed it.';
      return { found: 'retry', costs: false, reason: 'SecretsUnreadable', message, until: null };
    }
    const means = { directory: this.directory, allowPrivate: this.settings.RECONCILER_ALLOW_PRIVATE_ADDRESSES };
    const remote = await openRemote(sync, secrets, means, stop);
    try {
      return await work(remote);
    } finally {
      await remote.client.close();
    }
  }

  /** null: they cannot be opened. */
  private async secretsOf(id: string): Promise<SyncSecrets | null> {
    const [row] = await this.database.query<Pick<Sync, 'id' | 'tenant_id' | 'secrets'>>(
      'SELECT id, tenant_id, secrets FROM sync WHERE id = $1',
      [id],
    );
    if (!row || row.secrets === null) return {};
    try {
      return this.secrets.open(row.secrets, row);
    } catch (error) {
      if (error instanceof Unopenable) return null;
      throw error;
    }
  }

  private async next(id: string): Promise<string[]> {
    const rows = await this.database.query<{ cid: string }>(
      `SELECT cid FROM sync_record WHERE sync_id = $1 AND state IN ('pending', 'copying') ORDER BY tries, cid LIMIT ${RECORDS}`,
      [id],
    );
    return rows.map(({ cid }) => cid);
  }

  /** Whether the sync is still to be worked on, and by us. */
  private async holds(id: string, epoch: string): Promise<boolean> {
    const rows = await this.database.query(`SELECT s.id FROM sync s WHERE s.id = $1 AND ${ours}`, [id, epoch]);
    return rows.length > 0;
  }

  private async noteCopying({ sync, epoch }: SyncSight, cids: readonly string[]): Promise<void> {
    if (cids.length === 0) return;
    await this.database.query(
      `UPDATE sync_record r SET state = 'copying' FROM sync s
       WHERE s.id = $1 AND r.sync_id = $1 AND r.cid = ANY ($3) AND r.state = 'pending' AND ${ours}`,
      [sync.id, epoch, cids],
    );
  }
}

/** Sync `s` is under way, and its lease has epoch `$2` and has not run out. */
const ours = `s.status = 'IN_PROGRESS' AND EXISTS (
  SELECT FROM reconcile_status l WHERE l.kind = 'syncs' AND l.key = s.id AND l.lease_epoch = $2 AND l.lease_until > clock_timestamp())`;

/** Its words are SQL's, and not for callers. */
function isDatabases(error: unknown): boolean {
  return /^[0-9A-Z]{5}$/.test(sqlState(error));
}

function answerOf(tool: Tool): SyncAnswer {
  return 'program' in tool ? { found: 'tool' } : { found: 'no_tool', ...tool };
}
