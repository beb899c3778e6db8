import { avroFile, manifestListSchema, manifestSchema } from '@homeostat/testing';

/** How large a made-up table is; no data file of it exists. */
export interface TableSize {
  readonly files: number;
  readonly columns: number;
  readonly filesPerManifest: number;
}

const snapshotId = 4_611_686_018_427;
const types = ['long', 'double', 'string', 'timestamp'] as const;

/** Where a table's objects go: its root, as its metadata has it, and what puts an object there by its name below the root. */
export interface Place {
  readonly root: string;
  readonly put: (name: string, bytes: Buffer | string) => Promise<void>;
}

/** Writes an Iceberg table of format 2 with the metrics of every column in every file; returns where its metadata file is. */
export async function writeIcebergTable(place: Place, size: TableSize): Promise<string> {
  const manifests: object[] = [];
  for (let from = 0; from < size.files; from += size.filesPerManifest) {
    const count = Math.min(size.filesPerManifest, size.files - from);
    manifests.push(await writeManifest(place, from, count, size.columns));
  }
  const [list, metadata] = ['metadata/snap-1.avro', 'metadata/v1.metadata.json'];
  await place.put(list, avroFile(manifestListSchema, manifests, 'deflate'));
  await place.put(metadata, JSON.stringify(metadataOf(place.root, `${place.root}/${list}`, size.columns)));
  return `${place.root}/${metadata}`;
}

async function writeManifest({ root, put }: Place, from: number, count: number, columns: number): Promise<object> {
  const path = `metadata/m-${from}.avro`;
  const entries = Array.from({ length: count }, (_, n) => ({
    status: 1,
    snapshot_id: snapshotId,
    sequence_number: null,
    file_sequence_number: null,
    data_file: dataFile(root, from + n, columns),
  }));
  const bytes = avroFile(manifestSchema, entries, 'deflate');
  await put(path, bytes);
  return {
    ...{ manifest_path: `${root}/${path}`, manifest_length: bytes.length, partition_spec_id: 0, content: 0 },
    ...{ sequence_number: 1, min_sequence_number: 1, added_snapshot_id: snapshotId },
    ...{ added_files_count: count, existing_files_count: 0, deleted_files_count: 0 },
    ...{ added_rows_count: count * 1000, existing_rows_count: 0, deleted_rows_count: 0 },
  };
}

function dataFile(root: string, n: number, columns: number): object {
  const ids = Array.from({ length: columns }, (_, at) => at + 1);
  const each = <T>(value: (id: number) => T) => ids.map((key) => ({ key, value: value(key) }));
  return {
    content: 0,
    file_path: `${root}/data/${String(n).padStart(8, '0')}-0a5bd3ab-8c1c-4b67-a7a5-6a1e54f4d1d5.parquet`,
    file_format: 'PARQUET',
    partition: {},
    record_count: 1000,
    file_size_in_bytes: 1_000_000 + n,
    column_sizes: each((id) => 1000 * id),
    value_counts: each(() => 1000),
    null_value_counts: each((id) => id % 7),
    nan_value_counts: null,
    lower_bounds: each((id) => boundOf(id, n)),
    upper_bounds: each((id) => boundOf(id, n + 1)),
  };
}

function boundOf(id: number, n: number): Buffer {
  const bytes = Buffer.alloc(8);
  if (id % 4 === 2) bytes.writeDoubleLE(n / 7);
  else bytes.writeBigInt64LE(BigInt(n) * (id % 4 === 0 ? 1_000_000n : 1n));
  return id % 4 === 3 ? Buffer.from(`value-${String(n).padStart(8, '0')}`) : bytes;
}

function metadataOf(root: string, list: string, columns: number): object {
  const fields = Array.from({ length: columns }, (_, at) => {
    const type = types[at % 4];
    return { id: at + 1, name: `column_${at + 1}`, required: false, type };
  });
  return {
    ...{ 'format-version': 2, 'table-uuid': '9c12d441-03fe-4693-9a96-a0705ddf69c1', location: root },
    ...{ 'last-sequence-number': 1, 'last-updated-ms': 1_700_000_000_000, 'last-column-id': columns },
    ...{ 'current-schema-id': 0, schemas: [{ type: 'struct', 'schema-id': 0, fields }] },
    ...{ 'default-spec-id': 0, 'partition-specs': [{ 'spec-id': 0, fields: [] }], 'last-partition-id': 999 },
    ...{ 'default-sort-order-id': 0, 'sort-orders': [{ 'order-id': 0, fields: [] }], properties: {} },
    'current-snapshot-id': snapshotId,
    refs: { main: { 'snapshot-id': snapshotId, type: 'branch' } },
    snapshots: [
      {
        ...{ 'snapshot-id': snapshotId, 'sequence-number': 1, 'timestamp-ms': 1_700_000_000_000, 'schema-id': 0 },
        ...{ 'manifest-list': list, summary: { operation: 'append' } },
      },
    ],
  };
}
