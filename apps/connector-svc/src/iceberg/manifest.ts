import { ConnectorFault } from '../connector/fault';
import { type ObjectStore } from '../storage/storage.port';
import { readAvro } from './avro/container';
import { type Slice } from './avro/cursor';
import { Pairs } from './avro/pairs';

/** A manifest as its list names it (Iceberg spec, "Manifest Lists"). */
export interface ManifestRef {
  readonly path: string;
  readonly length: number;
  readonly specId: number;
  readonly holdsDeletes: boolean;
  /** 0 in format 1, which has no sequence numbers. */
  readonly sequenceNumber: bigint;
  /** Null where a format 1 snapshot names its manifests itself. */
  readonly addedSnapshotId: bigint | null;
}

/** A live file of a manifest, with what it inherits from there (Iceberg spec, "Manifests"). */
export interface ManifestEntry {
  readonly snapshotId: bigint | null;
  readonly sequenceNumber: bigint;
  readonly file: ManifestFile;
}

export type Counts = Pairs<bigint>;
export type Bytes = Pairs<Slice>;

/** The members of a data file that are read, by their names in Avro. */
export interface ManifestFile {
  readonly content?: number;
  readonly file_path: string;
  readonly file_format: string;
  readonly partition: Readonly<Record<string, unknown>>;
  readonly record_count: bigint;
  readonly file_size_in_bytes: bigint;
  readonly value_counts?: Counts | null;
  readonly null_value_counts?: Counts | null;
  readonly nan_value_counts?: Counts | null;
  readonly lower_bounds?: Bytes | null;
  readonly upper_bounds?: Bytes | null;
  readonly key_metadata?: Buffer | null;
  readonly equality_ids?: readonly number[] | null;
  readonly referenced_data_file?: string | null;
  readonly content_offset?: bigint | null;
  readonly content_size_in_bytes?: bigint | null;
}

const largestManifestList = 256 << 20;
const largestManifest = 8 * 2 ** 30;
const readWhole = 4 << 20;
const readAhead = 4;
const deleted = 2;
const added = 1;

const unread = new Set(['column_sizes', 'split_offsets', 'block_size_in_bytes', 'sort_order_id', 'partitions']);
const wanted = (field: string) => !unread.has(field);

interface ListRecord {
  readonly manifest_path: string;
  readonly manifest_length: bigint;
  readonly partition_spec_id: number;
  readonly content?: number;
  readonly sequence_number?: bigint;
  readonly added_snapshot_id?: bigint | null;
  readonly key_metadata?: Buffer | null;
}

/** The manifests of a manifest list. Throws ConnectorFault `corrupt`, and `unsupported` for encrypted ones. */
export async function readManifestList(store: ObjectStore, uri: string, signal?: AbortSignal): Promise<ManifestRef[]> {
  const pieces = store.stream(uri, { limit: largestManifestList, signal });
  const manifests: ManifestRef[] = [];
  for await (const record of readAvro<ListRecord>(uri, pieces, wanted)) {
    if (typeof record.manifest_path !== 'string') throw new ConnectorFault('corrupt', `${uri}: not a manifest list`);
    refuseEncrypted(record.manifest_path, record.key_metadata);
    manifests.push({
      path: record.manifest_path,
      length: Number(record.manifest_length),
      specId: record.partition_spec_id,
      holdsDeletes: record.content === 1,
      sequenceNumber: record.sequence_number ?? 0n,
      addedSnapshotId: record.added_snapshot_id ?? null,
    });
  }
  return manifests;
}

/** How far manifests are read: all before one, and so many live entries of that one. */
export interface ManifestPosition {
  readonly manifest: number;
  readonly entries: number;
}

/** A live entry of a manifest, and where its reading stands after it. */
export interface ReadEntry {
  readonly manifest: ManifestRef;
  readonly entry: ManifestEntry;
  readonly position: ManifestPosition;
}

/** The live entries of manifests behind a position, in order, one manifest after the other; small manifests are fetched a few ahead. */
export async function* readManifests(
  store: ObjectStore,
  manifests: readonly ManifestRef[],
  from: ManifestPosition,
  signal?: AbortSignal,
): AsyncGenerator<ReadEntry, void, undefined> {
  const fetched = new Map<ManifestRef, Promise<Buffer>>();
  for (const [at, manifest] of manifests.entries()) {
    if (at < from.manifest) continue;
    const read = at === from.manifest ? from.entries : 0;
    let entries = 0;
    for (const next of manifests.slice(at, at + readAhead)) {
      if (next.length <= readWhole && !fetched.has(next)) fetched.set(next, fetchWhole(store, next.path, signal));
    }
    const whole = fetched.get(manifest);
    const pieces = whole ? oneByOne(whole) : store.stream(manifest.path, { limit: largestManifest, signal });
    for await (const entry of entriesOf(manifest, pieces)) {
      signal?.throwIfAborted();
      entries += 1;
      if (entries > read) yield { manifest, entry, position: { manifest: at, entries } };
    }
    fetched.delete(manifest);
  }
}

interface EntryRecord {
  readonly status: number;
  readonly snapshot_id?: bigint | null;
  readonly sequence_number?: bigint | null;
  readonly data_file: ManifestFile;
}

async function* entriesOf(manifest: ManifestRef, pieces: AsyncIterable<Buffer>): AsyncGenerator<ManifestEntry> {
  for await (const record of readAvro<EntryRecord>(manifest.path, pieces, wanted)) {
    const { status, data_file: file } = record;
    if (!isFile(file)) throw new ConnectorFault('corrupt', `${manifest.path}: an entry is no data file`);
    if (status === deleted) continue;
    refuseEncrypted(file.file_path, file.key_metadata);
    yield {
      file,
      snapshotId: record.snapshot_id ?? manifest.addedSnapshotId,
      sequenceNumber: record.sequence_number ?? (status === added ? manifest.sequenceNumber : 0n),
    };
  }
}

/** Whatever schema a file claims to have, these members are what they should be; the others are looked at where they are used. */
function isFile(file: ManifestFile | undefined): file is ManifestFile {
  const maps = [
    file?.value_counts,
    file?.null_value_counts,
    file?.nan_value_counts,
    file?.lower_bounds,
    file?.upper_bounds,
  ];
  return (
    typeof file?.file_path === 'string' &&
    typeof file.file_format === 'string' &&
    typeof file.record_count === 'bigint' &&
    typeof file.file_size_in_bytes === 'bigint' &&
    typeof file.partition === 'object' &&
    maps.every((map) => map == null || map instanceof Pairs)
  );
}

/** A reader that stopped early leaves these promises behind; their failures are then of no interest. */
function fetchWhole(store: ObjectStore, uri: string, signal?: AbortSignal): Promise<Buffer> {
  const whole = store.read(uri, { limit: largestManifest, signal });
  whole.catch(() => {});
  return whole;
}

async function* oneByOne(whole: Promise<Buffer>): AsyncGenerator<Buffer> {
  yield await whole;
}

function refuseEncrypted(path: string, keyMetadata: Buffer | null | undefined): void {
  if (keyMetadata && keyMetadata.length > 0) throw new ConnectorFault('unsupported', `${path}: encryption is not read`);
}
