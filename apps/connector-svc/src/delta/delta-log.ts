import { ByteCache } from '@homeostat/platform';
import { ConnectorFault, type FaultCode } from '../connector/fault';
import { StaleMark } from '../connector/mark';
import { type ObjectStore } from '../storage/storage.port';
import { type AddedFile, addedFile, fileKey, type Metadata, type Protocol, removedKey } from './actions';
import { type CheckpointPosition, type OpenCheckpoint, openCheckpoint } from './checkpoint';
import { actionsOf, type CommitHead, inFile, readHead } from './commit-file';
import { basesOf, type Checkpoint, type LogListing, newestNamed, readListing, rebuildable } from './log-listing';
import { assertReadable } from './protocol-support';

/** Protocol and metadata of a version, and the checkpoint they were built on; null when the log was read from version 0. */
export interface LogState {
  readonly protocol: Protocol;
  readonly metadata: Metadata;
  readonly base: bigint | null;
}

/** A file of a version. `fresh`: the version itself brought it. */
export interface LiveFile {
  readonly added: AddedFile;
  readonly fresh: boolean;
}

/** Some files of a version, and where the reading stands after them; null among commits, which are read from the first on. */
export interface VersionFiles {
  readonly live: LiveFile[];
  readonly position: VersionPosition | null;
}

/** All commits are read, and so much of the checkpoint below them. */
export interface VersionPosition extends CheckpointPosition {
  readonly checkpoint: string;
}

const mostCommitBytes = 2 * 1024 ** 3;
const smallCommit = 1024 * 1024;
/** Each holds up to a MiB of each of its files. */
const openAtOnce = 2;
const keptCommitBytes = 8 * 1024 * 1024;
const none: ReadonlySet<string> = new Set();
const start: CheckpointPosition = { part: 0, rows: 0 };

/** The log of one table, as its folder was when it was listed. */
export class DeltaLog {
  /** Versions that can be read, in order. */
  readonly versions: readonly bigint[];
  /** The newest version that any file of the log names. */
  readonly newest: bigint;
  private readonly heads = new Map<bigint, CommitHead>();
  private readonly checkpoints = new Map<Checkpoint, Promise<OpenCheckpoint>>();
  /** Commits that were found not to be readable: no state is built across them. */
  private readonly broken = new Set<bigint>();
  /** Small commits, so that the next version's state is built without reading them again. Commits never change. */
  private readonly cache = new ByteCache<bigint>(keptCommitBytes);

  private constructor(
    private readonly store: ObjectStore,
    readonly root: string,
    private readonly listing: LogListing,
  ) {
    this.versions = rebuildable(listing);
    this.newest = newestNamed(listing);
  }

  /** Lists the log of the table in folder `root`. Throws ConnectorFault `not_found` when there is none. */
  static async open(store: ObjectStore, root: string, signal?: AbortSignal): Promise<DeltaLog> {
    const folder = logFolder(root);
    const listing = await readListing(folder, store.list(folder, { signal }));
    if (newestNamed(listing) < 0n) throw new ConnectorFault('not_found', `${root}: no Delta table`);
    return new DeltaLog(store, root, listing);
  }

  /** The size and time of a version's commit file; null when it is not there. */
  commit(version: bigint) {
    return this.listing.commits.get(version) ?? null;
  }

  /** What a version's commit says beside its files. Throws ConnectorFault `corrupt`. */
  async head(version: bigint, signal?: AbortSignal): Promise<CommitHead> {
    const known = this.heads.get(version);
    if (known) return known;
    try {
      const head = await readHead(this.commitOf(version).uri, this.piecesOf(version, signal));
      this.heads.set(version, head);
      return head;
    } catch (error) {
      if (isBroken(error)) this.broken.add(version);
      throw error;
    }
  }

  /** Protocol and metadata at a version. Throws ConnectorFault: `corrupt` for gaps and broken files, `unsupported` for unknown features. */
  async stateAt(version: bigint, signal?: AbortSignal): Promise<LogState> {
    const state = await this.onBase(version, async (base) => {
      const below = base && (await this.opened(base, signal));
      let [protocol, metadata]: [Protocol | null, Metadata | null] = [null, null];
      for (let at = version; at > (base?.version ?? -1n) && !(protocol && metadata); at--) {
        const head = await this.head(at, signal);
        protocol ??= head.protocol;
        metadata ??= head.metadata;
      }
      protocol ??= below?.protocol ?? null;
      metadata ??= below?.metadata ?? null;
      if (!protocol || !metadata)
        throw new ConnectorFault('corrupt', `${this.root}: version ${version} has no protocol or no metadata`);
      return { protocol, metadata, base: base?.version ?? null };
    });
    assertReadable(state.protocol, `${this.root} at version ${version}`);
    return state;
  }

  /**
   * The files of a version, or those behind a position, some at a time and in no order. Commits are read from the newest to the oldest: what a newer one added or
   * removed is skipped below, so only the paths of the commits behind a checkpoint are held, and nothing of the checkpoint.
   * Throws StaleMark where the position is in another checkpoint.
   */
  async *filesAt(version: bigint, from: VersionPosition | null, signal?: AbortSignal): AsyncIterable<VersionFiles> {
    const base = await this.onBase(version, async (one) => {
      if (one) await this.opened(one, signal);
      return one;
    });
    const seen = new Set<string>();
    for (let at = version; at > (base?.version ?? -1n); at--) {
      const commit = this.filesOfCommit(at, seen, at === version, signal);
      for await (const live of commit) if (!from) yield { live, position: null };
    }
    const checkpoint = JSON.stringify(base?.files.map(({ uri, size }) => [uri, size]) ?? null);
    if (from && from.checkpoint !== checkpoint)
      throw new StaleMark(`version ${version} is built on another checkpoint`);
    if (!base) return;
    const { files, protocol } = await this.opened(base, signal);
    const hasVectors = protocol.readerFeatures?.includes('deletionVectors') ?? false;
    const brought = base.version === version && hasVectors ? await this.addedBy(version, signal) : none;
    for await (const { files: batch, position } of files(from ?? start, signal)) {
      const live = batch.map((added) => ({ added, key: keyOf(added) })).filter(({ key }) => !seen.has(key));
      yield {
        live: live.map(({ added, key }) => ({ added, fresh: brought.has(key) })),
        position: { ...position, checkpoint },
      };
    }
  }

  /** The keys of the files that a commit adds; none for a commit that log cleanup has removed. */
  private async addedBy(version: bigint, signal?: AbortSignal): Promise<ReadonlySet<string>> {
    const keys = new Set<string>();
    if (!this.commit(version)) return keys;
    for await (const batch of this.filesOfCommit(version, new Set(), true, signal)) {
      for (const { added } of batch) keys.add(keyOf(added));
    }
    return keys;
  }

  private async *filesOfCommit(
    version: bigint,
    seen: Set<string>,
    fresh: boolean,
    signal?: AbortSignal,
  ): AsyncIterable<LiveFile[]> {
    const { uri } = this.commitOf(version);
    const touched = new Set<string>();
    const removed: string[] = [];
    for await (const actions of actionsOf(uri, this.piecesOf(version, signal))) {
      const batch: LiveFile[] = [];
      inFile(uri, () => {
        for (const [name, body] of actions) {
          if (name === 'remove') removed.push(removedKey(body));
          if (name !== 'add') continue;
          const added = addedFile(body);
          const key = keyOf(added);
          if (!seen.has(key) && !touched.has(key)) batch.push({ added, fresh });
          touched.add(key);
        }
      });
      yield batch;
    }
    for (const key of touched) seen.add(key);
    for (const key of removed) seen.add(key);
  }

  /** Tries the bases of a version from the newest on: a broken checkpoint is passed over as long as an older base is left. */
  private async onBase<T>(version: bigint, work: (base: Checkpoint | null) => Promise<T>): Promise<T> {
    let first = new ConnectorFault(
      'corrupt',
      `${this.root}: version ${version} cannot be rebuilt, ${this.gapBelow(version)}`,
    );
    for (const [index, base] of basesOf(this.listing, version, this.broken).entries()) {
      try {
        return await work(base);
      } catch (error) {
        if (!isBroken(error)) throw error;
        if (index === 0) first = error;
      }
    }
    throw first;
  }

  private gapBelow(version: bigint): string {
    let at = version;
    while (at > 0n && this.listing.commits.has(at) && !this.broken.has(at)) at--;
    return `commit ${at} is ${this.broken.has(at) ? 'broken' : 'missing'} and no checkpoint stands in`;
  }

  private opened(checkpoint: Checkpoint, signal?: AbortSignal): Promise<OpenCheckpoint> {
    const known = this.checkpoints.get(checkpoint);
    if (known) return known;
    if (this.checkpoints.size >= openAtOnce) this.checkpoints.delete([...this.checkpoints.keys()][0]!);
    const opening = openCheckpoint(this.store, logFolder(this.root), checkpoint, signal);
    this.checkpoints.set(checkpoint, opening);
    // A broken file stays broken, but what a retry may mend is tried again.
    opening.catch((error: unknown) => {
      if (!isBroken(error)) this.checkpoints.delete(checkpoint);
    });
    return opening;
  }

  private async *piecesOf(version: bigint, signal?: AbortSignal): AsyncIterable<Buffer> {
    const { uri, size } = this.commitOf(version);
    if (size > smallCommit) return yield* this.store.stream(uri, { limit: mostCommitBytes, signal });
    const kept = this.cache.get(version) ?? (await this.store.read(uri, { limit: smallCommit, signal }));
    this.cache.set(version, kept);
    yield kept;
  }

  private commitOf(version: bigint) {
    const commit = this.listing.commits.get(version);
    if (!commit) throw new ConnectorFault('corrupt', `${this.root}: commit ${version} is missing`);
    return commit;
  }
}

/** The URI of a table's log, with a slash at the end. */
export function logFolder(root: string): string {
  return `${root}/_delta_log/`;
}

/** Whether an error is a fault of single files, beside which others may be readable; not so when the source refuses us, or is away. */
export function isBroken(error: unknown): error is ConnectorFault {
  return error instanceof ConnectorFault && faultsOfFiles.has(error.code);
}

const faultsOfFiles = new Set<FaultCode>(['corrupt', 'not_found', 'outside_root', 'too_large', 'unsupported']);

function keyOf({ path, vector }: AddedFile): string {
  return fileKey(path, vector);
}
