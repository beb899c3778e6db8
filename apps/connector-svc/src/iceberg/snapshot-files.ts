import { type PartitionSpec, type PlanFile, type Snapshot } from '../connector/connector.port';
import { type Leaf, leavesOf, type LeafType } from '../connector/data-type';
import { ConnectorFault } from '../connector/fault';
import { type ColumnFacts } from '../connector/folding';
import { type ObjectStore } from '../storage/storage.port';
import { factsOf, fileColumn, type WantedColumn } from './file-columns';
import {
  type ManifestEntry,
  type ManifestFile,
  type ManifestPosition,
  type ManifestRef,
  readManifestList,
  readManifests,
} from './manifest';
import { type SnapshotEntry, type TableMetadata } from './metadata';
import { partitionText } from './partition';

/** A file of a snapshot, and the facts of its columns, in the order of the wanted ones; undefined where it says nothing. */
export interface SnapshotFile {
  readonly file: PlanFile;
  readonly facts: readonly (ColumnFacts | undefined)[];
  /** Where the reading stands after it. */
  readonly position: ManifestPosition;
}

const contents = ['data', 'position_deletes', 'equality_deletes'] as const;
/** Reserved field ids of position deletes (Iceberg spec, "Reserved Field IDs"). */
const deletedPathId = 2147483546;

/** Reads the files of a snapshot behind a position, those of delete manifests first; what is held in memory does not grow with their number. */
export async function* snapshotFiles(
  store: ObjectStore,
  metadata: TableMetadata,
  snapshot: Snapshot,
  wanted: readonly WantedColumn[],
  from: ManifestPosition,
  signal?: AbortSignal,
): AsyncGenerator<SnapshotFile, void, undefined> {
  const entry = metadata.snapshots.find(({ id }) => id === snapshot.id);
  if (!entry) throw new ConnectorFault('not_found', `snapshot ${snapshot.id} is not in the table's metadata`);
  const manifests = await manifestsOf(store, entry, signal);
  const deletesFirst = [...manifests].sort((a, b) => Number(b.holdsDeletes) - Number(a.holdsDeletes));
  const specs = new Map(metadata.partitionSpecs.map((spec) => [spec.id, spec]));
  const types = typesOf(metadata);
  for await (const { manifest, entry: live, position } of readManifests(store, deletesFirst, from, signal)) {
    yield { ...described(live, manifest, specs.get(manifest.specId), types, wanted), position };
  }
}

/** Every column that a schema of the table ever had, by field id; the newest schema decides the type. */
export function allLeaves(metadata: TableMetadata): Map<number, Leaf> {
  return new Map(metadata.schemas.flatMap(leavesOf).map((leaf) => [leaf.fieldId!, leaf]));
}

function typesOf(metadata: TableMetadata): (id: number) => LeafType | undefined {
  const leaves = allLeaves(metadata);
  return (id) => leaves.get(id)?.type;
}

async function manifestsOf(store: ObjectStore, entry: SnapshotEntry, signal?: AbortSignal): Promise<ManifestRef[]> {
  if (entry.manifestList !== null) return readManifestList(store, entry.manifestList, signal);
  const common = { length: 0, specId: 0, holdsDeletes: false, sequenceNumber: 0n, addedSnapshotId: entry.id };
  return entry.manifests.map((path) => ({ ...common, path }));
}

function described(
  { file, snapshotId, sequenceNumber }: ManifestEntry,
  manifest: ManifestRef,
  spec: PartitionSpec | undefined,
  typeOf: (id: number) => LeafType | undefined,
  wanted: readonly WantedColumn[],
): Omit<SnapshotFile, 'position'> {
  const content = contentOf(file, manifest);
  const facts = content === 'data' ? wanted.map((column) => factsOf(file, column)) : [];
  return {
    facts,
    file: {
      path: file.file_path,
      content,
      format: file.file_format.toUpperCase(),
      recordCount: file.record_count,
      bytes: file.file_size_in_bytes,
      specId: manifest.specId,
      partition: partitionText(spec, file.partition, typeOf),
      sequenceNumber,
      addedSnapshotId: snapshotId,
      equalityIds: content === 'equality_deletes' ? (file.equality_ids ?? []) : null,
      appliesTo: content === 'data' ? null : targetOf(file),
      contentOffset: file.content_offset ?? null,
      contentBytes: file.content_size_in_bytes ?? null,
      deletionVector: null,
      modifiedAtMs: null,
      columns: facts.flatMap((known, at) => (known ? [fileColumn(known, wanted[at]!)] : [])),
    },
  };
}

/** Deletion vectors of format 3 are position deletes whose format is Puffin. */
function contentOf(file: ManifestFile, manifest: ManifestRef): PlanFile['content'] {
  const content = contents[file.content ?? 0];
  if (!content)
    throw new ConnectorFault('unsupported', `${manifest.path}: files of content ${file.content} are not known`);
  if (content !== 'position_deletes' || file.file_format.toUpperCase() !== 'PUFFIN') return content;
  if (file.content_offset == null || file.content_size_in_bytes == null || file.referenced_data_file == null) {
    throw new ConnectorFault(
      'corrupt',
      `${manifest.path}: a deletion vector does not say where it lies, or for which file`,
    );
  }
  return 'deletion_vector';
}

/** The one data file that position deletes are for: as they say, or because they hold a single path. */
function targetOf(file: ManifestFile): string | null {
  const [low, high] = [file.lower_bounds?.get(deletedPathId), file.upper_bounds?.get(deletedPathId)];
  const [from, to] = [low?.toText(), high?.toText()];
  return file.referenced_data_file ?? (from === to ? (from ?? null) : null);
}
