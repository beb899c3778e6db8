import {
  type CallOptions,
  type ColumnSelection,
  type PlanFile,
  type ReadingOptions,
  type Snapshot,
  type SourceTable,
  type StatisticsItem,
  type TableDescription,
  type TableName,
} from '../connector/connector.port';
import { selected } from '../connector/column-selection';
import { leavesOf } from '../connector/data-type';
import { ConnectorFault } from '../connector/fault';
import { ColumnFold, type FoldState, nothingKnown } from '../connector/folding';
import { markOf, stateOf } from '../connector/mark';
import { type ObjectStore } from '../storage/storage.port';
import { cutOf, type WantedColumn } from './file-columns';
import type { ManifestPosition } from './manifest';
import { type SnapshotEntry, type TableMetadata } from './metadata';
import { allLeaves, snapshotFiles } from './snapshot-files';
import { TableTally } from './table-tally';

/** What a catalog found of a table. */
export interface LoadedTable {
  readonly metadata: TableMetadata;
  readonly metadataLocation: string | null;
  /** Reaches the table's own places and no others. */
  readonly store: ObjectStore;
}

/** Where a reading of a snapshot stopped. */
interface Begun {
  readonly files: number;
  readonly position: ManifestPosition;
  readonly tally: object;
  readonly folds: readonly FoldState[];
}

const start: ManifestPosition = { manifest: 0, entries: 0 };

/** An Iceberg table as one metadata file has it. */
export class IcebergTable implements SourceTable {
  readonly description: TableDescription;
  readonly metadata: TableMetadata;
  readonly snapshotIds: readonly bigint[];
  private readonly store: ObjectStore;

  constructor(name: TableName, { metadata, metadataLocation, store }: LoadedTable) {
    this.metadata = metadata;
    this.store = store;
    this.snapshotIds = metadata.snapshots.map(({ id }) => id);
    const { formatVersion, uuid, location, lastUpdatedMs, currentSnapshotId, refs, properties } = metadata;
    const { schemas, currentSchemaId, partitionSpecs, defaultSpecId } = metadata;
    this.description = {
      ...{ name, format: 'iceberg', formatVersion, uuid, location, metadataLocation, lastUpdatedMs },
      ...{ currentSnapshotId, refs, properties, schemas, currentSchemaId, partitionSpecs, defaultSpecId },
    };
  }

  async *listSnapshots(known: ReadonlySet<bigint>, { signal }: CallOptions = {}): AsyncIterable<Snapshot> {
    const byId = new Map(this.metadata.snapshots.map((entry) => [entry.id, entry]));
    const lineage = lineageOf(this.metadata, byId);
    let fault: ConnectorFault | undefined;
    for (const entry of parentsFirst(this.metadata.snapshots, byId)) {
      signal?.throwIfAborted();
      if (known.has(entry.id)) continue;
      const snapshot = this.snapshot(entry, byId, lineage);
      if (snapshot) yield snapshot;
      else fault ??= new ConnectorFault('corrupt', `snapshot ${entry.id}: its schema ${entry.schemaId} is missing`);
    }
    if (fault) throw fault;
  }

  async *statistics(
    snapshot: Snapshot,
    columns: ColumnSelection,
    { signal, from, mayStop }: ReadingOptions = {},
  ): AsyncIterable<StatisticsItem> {
    const leaves = selected(leavesOf(snapshot.schema), columns);
    const folds = leaves.map((leaf) => new ColumnFold(leaf));
    const tally = new TableTally();
    const of = `${this.description.uuid} ${snapshot.id} ${snapshot.manifestList}`;
    const begun = from ? stateOf<Begun>(from, of) : null;
    let files = begun?.files ?? 0;
    if (begun) tally.resume(begun.tally);
    begun?.folds.forEach((state, at) => folds[at]!.resume(state));
    for await (const { file, facts, position } of this.files(snapshot, columns, begun?.position ?? start, signal)) {
      tally.add(file);
      if (file.content === 'data') folds.forEach((fold, at) => fold.add(facts[at] ?? nothingKnown));
      yield { item: 'file', key: `file:${files++}`, file };
      const sums = mayStop?.() ? tally.state() : null;
      if (!sums) continue;
      const state: Begun = { files, position, tally: sums, folds: folds.map((fold) => fold.state()) };
      return yield { item: 'mark', key: 'mark', mark: markOf(of, state) };
    }
    for (const [at, { fieldId }] of leaves.entries()) {
      yield { item: 'column', key: `column:#${fieldId}`, column: folds[at]!.result(this.ndvOf(snapshot, fieldId!)) };
    }
    yield { item: 'table', key: 'table', table: tally.result() };
  }

  async *plan(snapshot: Snapshot, options: CallOptions = {}): AsyncIterable<PlanFile> {
    for await (const { file } of this.files(snapshot, 'all', start, options.signal)) yield file;
  }

  private files(snapshot: Snapshot, columns: ColumnSelection, from: ManifestPosition, signal?: AbortSignal) {
    return snapshotFiles(this.store, this.metadata, snapshot, this.wanted(snapshot, columns), from, signal);
  }

  /** The selected columns, and after them, where all are asked for, those that the snapshot's schema has no more. */
  private wanted(snapshot: Snapshot, columns: ColumnSelection): WantedColumn[] {
    const { properties } = this.metadata;
    const leaves = leavesOf(snapshot.schema);
    const own = new Set(leaves.map(({ fieldId }) => fieldId));
    const gone =
      columns === 'all' ? [...allLeaves(this.metadata).values()].filter(({ fieldId }) => !own.has(fieldId)) : [];
    return [
      ...selected(leaves, columns).map((leaf) => ({ leaf, path: leaf.path, cutAt: cutOf(properties, leaf.path) })),
      ...gone.map((leaf) => ({ leaf, path: null, cutAt: cutOf(properties, leaf.path) })),
    ];
  }

  /** As the writer of the statistics file left it in the metadata, for this very snapshot. */
  private ndvOf(snapshot: Snapshot, fieldId: number): bigint | null {
    const blobs = this.metadata.statistics
      .filter((file) => file.snapshotId === snapshot.id)
      .flatMap((file) => file.blobs);
    const blob = blobs.find(
      ({ type, snapshotId, fieldIds }) =>
        type === 'apache-datasketches-theta-v1' &&
        snapshotId === snapshot.id &&
        fieldIds.length === 1 &&
        fieldIds[0] === fieldId,
    );
    const ndv = blob?.properties['ndv'];
    return ndv !== undefined && /^\d+$/.test(ndv) ? BigInt(ndv) : null;
  }

  private snapshot(
    entry: SnapshotEntry,
    byId: ReadonlyMap<bigint, SnapshotEntry>,
    lineage: ReadonlySet<bigint>,
  ): Snapshot | null {
    const schemaId = entry.schemaId ?? this.metadata.currentSchemaId;
    const schema = this.metadata.schemas.find(({ id }) => id === schemaId);
    if (!schema) return null;
    const { id, parentId, sequenceNumber, operation, manifestList, summary } = entry;
    return {
      ...{ id, parentId, sequenceNumber, operation, manifestList, summary, schema },
      parentPresent: parentId !== null && byId.has(parentId),
      committedAtMs: entry.timestampMs,
      timeSource: 'snapshot',
      isCurrent: id === this.metadata.currentSnapshotId,
      inCurrentLineage: lineage.has(id),
    };
  }
}

/** The current snapshot and its ancestors. */
function lineageOf(metadata: TableMetadata, byId: ReadonlyMap<bigint, SnapshotEntry>): Set<bigint> {
  const lineage = new Set<bigint>();
  let id = metadata.currentSnapshotId;
  while (id !== null && !lineage.has(id) && byId.has(id)) {
    lineage.add(id);
    id = byId.get(id)!.parentId;
  }
  return lineage;
}

/** The order of the metadata, but no snapshot before its parent. */
function parentsFirst(entries: readonly SnapshotEntry[], byId: ReadonlyMap<bigint, SnapshotEntry>): SnapshotEntry[] {
  const placed = new Set<SnapshotEntry>();
  for (const entry of entries) {
    const chain: SnapshotEntry[] = [];
    const seen = new Set<SnapshotEntry>();
    let next: SnapshotEntry | undefined = entry;
    while (next && !placed.has(next) && !seen.has(next)) {
      seen.add(next);
      chain.push(next);
      next = next.parentId === null ? undefined : byId.get(next.parentId);
    }
    for (const one of chain.reverse()) placed.add(one);
  }
  return [...placed];
}
