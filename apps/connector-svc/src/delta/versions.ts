import { type Schema, type Snapshot } from '../connector/connector.port';
import { type ConnectorFault } from '../connector/fault';
import { type Metadata } from './actions';
import { ahead } from './ahead';
import { type CommitHead } from './commit-file';
import { type DeltaLog, isBroken, type LogState } from './delta-log';
import { assertReadable } from './protocol-support';

/** Small files of one table that are read at the same time. */
export const requestsAtOnce = 8;

/** When a version was committed, and who says so (spec 3, "Time of a version"). */
export function timeOf(
  log: DeltaLog,
  version: bigint,
  { info }: CommitHead,
): Pick<Snapshot, 'committedAtMs' | 'timeSource'> {
  if (info.inCommitTimestampMs !== null)
    return { committedAtMs: info.inCommitTimestampMs, timeSource: 'in_commit_timestamp' };
  if (info.timestampMs !== null) return { committedAtMs: info.timestampMs, timeSource: 'commit_info' };
  const file = log.commit(version);
  return { committedAtMs: file && BigInt(file.modifiedAtMs), timeSource: 'file_modification' };
}

/**
 * The wanted versions, in order, as snapshots; without those that log cleanup has removed. What cannot be read is left out, and the first
 * fault is thrown at the end.
 */
export async function* versionsOf(
  log: DeltaLog,
  wanted: readonly bigint[],
  schemaOf: (metadata: Metadata) => Schema,
  current: bigint | null,
  signal?: AbortSignal,
): AsyncIterable<Snapshot> {
  const present = new Set(log.versions);
  const states = new RollingState(log);
  let fault: ConnectorFault | null = null;
  // Whatever a reading ahead meets is met again, in its turn.
  const readAhead = (version: bigint) =>
    log.head(version, signal).then(
      () => version,
      () => version,
    );
  const left = wanted.filter((version) => present.has(version));
  for await (const version of ahead(left, requestsAtOnce, readAhead)) {
    signal?.throwIfAborted();
    try {
      const head = await log.head(version, signal);
      const { metadata } = await states.at(version, head, signal);
      yield {
        ...{ id: version, parentId: version === 0n ? null : version - 1n, parentPresent: present.has(version - 1n) },
        ...{ sequenceNumber: null, manifestList: null, inCurrentLineage: true, isCurrent: version === current },
        ...{ operation: head.info.operation, summary: head.info.metrics, schema: schemaOf(metadata) },
        ...timeOf(log, version, head),
      };
    } catch (error) {
      if (!isBroken(error)) throw error;
      fault ??= error;
    }
  }
  if (fault !== null) throw fault;
}

/** Protocol and metadata of one version after the other: a version's are those of the one before, with what its commit changes. */
class RollingState {
  private version = -2n;
  private state: Pick<LogState, 'protocol' | 'metadata'> | null = null;

  constructor(private readonly log: DeltaLog) {}

  async at(version: bigint, head: CommitHead, signal?: AbortSignal): Promise<Pick<LogState, 'protocol' | 'metadata'>> {
    const before = this.version === version - 1n ? this.state : null;
    this.state = null;
    const state = before
      ? { protocol: head.protocol ?? before.protocol, metadata: head.metadata ?? before.metadata }
      : await this.log.stateAt(version, signal);
    if (head.protocol) assertReadable(state.protocol, `${this.log.root} at version ${version}`);
    [this.version, this.state] = [version, state];
    return state;
  }
}
