import { avroFile, manifestListSchema, manifestSchema } from '@homeostat/testing';
import { type Snapshot, type StatisticsItem } from '../connector/connector.port';
import { ConnectorFault } from '../connector/fault';
import { type ObjectStore } from '../storage/storage.port';
import { IcebergTable } from './iceberg.table';
import { parseJson } from './json';
import { readMetadata } from './metadata';

const place = 's3://bucket/table';

/** Objects in memory, and how often each was read. */
class Objects {
  readonly reads = new Map<string, number>();
  private readonly bytes = new Map<string, Buffer>();

  put(uri: string, bytes: Buffer): number {
    this.bytes.set(uri, bytes);
    return bytes.length;
  }

  get(uri: string): Buffer {
    this.reads.set(uri, (this.reads.get(uri) ?? 0) + 1);
    const bytes = this.bytes.get(uri);
    if (!bytes) throw new ConnectorFault('not_found', uri);
    return bytes;
  }

  asStore(): ObjectStore {
    const read = async (uri: string) => this.get(uri);
    const stream = async function* (uri: string) {
      yield await read(uri);
    };
    return { read, stream } as Partial<ObjectStore> as ObjectStore;
  }
}

interface FileFacts {
  readonly name: string;
  readonly rows: number;
  readonly seq?: number;
  /** 0: data, 1: position deletes, 2: equality deletes. */
  readonly content?: number;
  readonly deleteOf?: string;
  readonly vector?: boolean;
}

function entry({ name, rows, seq = 1, content = 0, deleteOf, vector }: FileFacts): object {
  return {
    ...{ status: 0, snapshot_id: 1, sequence_number: seq, file_sequence_number: seq },
    data_file: {
      ...{ content, file_path: `${place}/data/${name}`, partition: {} },
      ...{ file_format: vector ? 'PUFFIN' : 'PARQUET', record_count: rows, file_size_in_bytes: 100 },
      referenced_data_file: deleteOf === undefined ? null : `${place}/data/${deleteOf}`,
      ...{ content_offset: vector ? 4 : null, content_size_in_bytes: vector ? 40 : null },
    },
  };
}

/** The statistics of a table of one snapshot with these files. */
async function statisticsOf(data: readonly FileFacts[], deletes: readonly FileFacts[]): Promise<StatisticsItem[]> {
  const objects = new Objects();
  const manifest = (content: number, files: readonly FileFacts[]): object => {
    const path = `${place}/metadata/m${content}.avro`;
    const length = objects.put(path, avroFile(manifestSchema, files.map(entry)));
    return {
      ...{ manifest_path: path, manifest_length: length, partition_spec_id: 0, content, sequence_number: 1 },
      ...{ min_sequence_number: 1, added_snapshot_id: 1, added_files_count: 1, existing_files_count: 0 },
      ...{ deleted_files_count: 0, added_rows_count: 0, existing_rows_count: 0, deleted_rows_count: 0 },
    };
  };
  objects.put(`${place}/metadata/list.avro`, avroFile(manifestListSchema, [manifest(0, data), manifest(1, deletes)]));
  const table = opened({ 'format-version': 3, 'next-row-id': 0 }, objects);
  const [snapshot] = await all(table.listSnapshots(new Set()));
  return all(table.statistics(snapshot!, 'all'));
}

function snapshotJson(id: number, more: object = {}): object {
  return {
    'snapshot-id': id,
    'timestamp-ms': id,
    'manifest-list': `${place}/metadata/list.avro`,
    'schema-id': 0,
    ...more,
  };
}

function metadataJson(more: object = {}): object {
  return {
    ...{ 'format-version': 2, 'table-uuid': 'u', location: place, 'last-updated-ms': 1, 'current-snapshot-id': 1 },
    ...{ schemas: [schemaJson('long')], 'current-schema-id': 0, snapshots: [snapshotJson(1)] },
    ...{ 'partition-specs': [{ 'spec-id': 0, fields: [] }], 'default-spec-id': 0, properties: {} },
    ...more,
  };
}

function schemaJson(type: unknown): object {
  return { type: 'struct', 'schema-id': 0, fields: [{ id: 1, name: 'c', required: false, type }] };
}

function opened(more: object = {}, objects = new Objects()): IcebergTable {
  const metadata = readMetadata(parseJson(JSON.stringify(metadataJson(more)), 'm.json'), 'm.json');
  const loaded = { metadata, metadataLocation: `${place}/metadata/v1.metadata.json`, store: objects.asStore() };
  return new IcebergTable({ namespace: ['n'], name: 't' }, loaded);
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

function tableOf(items: readonly StatisticsItem[]) {
  return items.flatMap((one) => (one.item === 'table' ? [one.table] : []))[0]!;
}

function refusal(json: unknown): () => unknown {
  return () => readMetadata(parseJson(JSON.stringify(json), 'm.json'), 'm.json');
}

describe('the rows that a query would return', () => {
  const data = [
    { name: 'a', rows: 10 },
    { name: 'b', rows: 20 },
  ];

  test('are those of the data files where there are no deletes', async () => {
    expect(tableOf(await statisticsOf(data, []))).toMatchObject({ recordCount: 30n, liveRowCount: 30n });
  });

  test('lack those of deletion vectors, which may share a Puffin file', async () => {
    const items = await statisticsOf(data, [
      { name: 'x.puffin', rows: 3, seq: 2, content: 1, deleteOf: 'a', vector: true },
      { name: 'x.puffin', rows: 4, seq: 2, content: 1, deleteOf: 'b', vector: true },
    ]);
    expect(tableOf(items)).toMatchObject({
      liveRowCount: 23n,
      deleteRecordCount: 7n,
      positionDeleteFileCount: 2,
      deleteBytes: 80n,
    });
    const vectors = items.flatMap((one) =>
      one.item === 'file' && one.file.content === 'deletion_vector' ? [one.file] : [],
    );
    expect(
      vectors.map(({ appliesTo, contentOffset, contentBytes }) => [appliesTo, contentOffset, contentBytes]),
    ).toEqual([
      [`${place}/data/a`, 4n, 40n],
      [`${place}/data/b`, 4n, 40n],
    ]);
  });

  test.each<[string, FileFacts[]]>([
    ['there are equality deletes', [{ name: 'e', rows: 1, seq: 2, content: 2 }]],
    ['position deletes do not say for which file they are', [{ name: 'p', rows: 1, seq: 2, content: 1 }]],
    [
      'two delete files are for one file',
      [
        { name: 'p', rows: 1, seq: 2, content: 1, deleteOf: 'a' },
        { name: 'q', rows: 1, seq: 3, content: 1, deleteOf: 'a' },
      ],
    ],
  ])('are unknown where %s', async (_what, deletes) => {
    expect(tableOf(await statisticsOf(data, deletes)).liveRowCount).toBeNull();
  });

  test('are not fewer by deletes for a file that is gone, or that came later', async () => {
    const gone = { name: 'p', rows: 5, seq: 2, content: 1, deleteOf: 'gone' };
    expect(tableOf(await statisticsOf(data, [gone])).liveRowCount).toBe(30n);
    const early = { name: 'p', rows: 5, seq: 2, content: 1, deleteOf: 'a' };
    expect(tableOf(await statisticsOf([{ name: 'a', rows: 10, seq: 3 }], [early])).liveRowCount).toBe(10n);
  });
});

describe('snapshots', () => {
  test('come after their parents, whatever the order of the metadata', async () => {
    const snapshots = [
      snapshotJson(3, { 'parent-snapshot-id': 2 }),
      snapshotJson(1),
      snapshotJson(2, { 'parent-snapshot-id': 1 }),
    ];
    const listed = await all(opened({ snapshots, 'current-snapshot-id': 3 }).listSnapshots(new Set()));
    expect(listed.map(({ id }) => id)).toEqual([1n, 2n, 3n]);
  });

  test('whose parents go round in a circle are listed all the same', async () => {
    const snapshots = [snapshotJson(1, { 'parent-snapshot-id': 2 }), snapshotJson(2, { 'parent-snapshot-id': 1 })];
    expect(await all(opened({ snapshots }).listSnapshots(new Set()))).toHaveLength(2);
  });

  test('with a schema that is missing are left out, and said at the end', async () => {
    const table = opened({ snapshots: [snapshotJson(1), snapshotJson(2, { 'schema-id': 9 }), snapshotJson(3)] });
    const found: Snapshot[] = [];
    const reading = async () => {
      for await (const snapshot of table.listSnapshots(new Set())) found.push(snapshot);
    };
    await expect(reading()).rejects.toMatchObject({
      code: 'corrupt',
      message: expect.stringContaining('snapshot 2') as string,
    });
    expect(found.map(({ id }) => id)).toEqual([1n, 3n]);
  });

  test('ten thousand of them are listed at once', async () => {
    const snapshots = Array.from({ length: 10_000 }, (_, n) => snapshotJson(n + 1, { 'parent-snapshot-id': n }));
    const listed = await all(opened({ snapshots, 'current-snapshot-id': 10_000 }).listSnapshots(new Set()));
    expect(listed.filter(({ inCurrentLineage }) => inCurrentLineage)).toHaveLength(10_000);
  });

  test('have ids beyond 2^53, to the last digit', async () => {
    const text = JSON.stringify(metadataJson()).replaceAll('"snapshot-id":1', '"snapshot-id":9223372036854775807');
    const json = parseJson(text.replace('"current-snapshot-id":1', '"current-snapshot-id":9223372036854775807'), 'm');
    expect(readMetadata(json, 'm').currentSnapshotId).toBe(9223372036854775807n);
  });
});

describe('metadata', () => {
  test.each([
    ['format 4', { 'format-version': 4 }, 'format version 4'],
    ['format 0', { 'format-version': 0 }, 'format version 0'],
    ['encryption', { 'encryption-keys': [{}] }, 'encryption'],
    ['an unknown type', { schemas: [schemaJson('duration')] }, 'duration'],
    ['an unknown nested type', { schemas: [schemaJson({ type: 'tensor' })] }, 'tensor'],
  ])('with %s is unsupported, by name', (_what, more, said) => {
    const fault = { code: 'unsupported', message: expect.stringContaining(said) as string };
    expect(refusal(metadataJson(more))).toThrow(expect.objectContaining(fault) as Error);
  });

  test.each([
    ['no location', { location: undefined }, 'm.json.location'],
    ['a number for a location', { location: 5 }, 'm.json.location'],
    ['snapshots that are no list', { snapshots: {} }, 'm.json.snapshots'],
    ['a snapshot without an id', { snapshots: [{}] }, 'snapshot-id'],
    ['a fraction for an id', { 'current-schema-id': 0.5 }, 'current-schema-id'],
    ['no current schema', { 'current-schema-id': 7 }, 'schema 7'],
    ['no current snapshot', { 'current-snapshot-id': 7 }, 'snapshot 7'],
  ])('with %s is corrupt, and says where', (_what, more, said) => {
    const fault = { code: 'corrupt', message: expect.stringContaining(said) as string };
    expect(refusal(metadataJson(more))).toThrow(expect.objectContaining(fault) as Error);
  });

  test('of any other shape is corrupt', () => {
    for (const json of [null, [], 'text', 5, {}]) {
      expect(refusal(json)).toThrow(expect.objectContaining({ code: 'corrupt' }) as Error);
    }
  });

  test('keeps every type by its name, those inside others too', () => {
    const struct = { type: 'struct', fields: [{ id: 5, name: 'a.b', required: true, type: 'timestamptz_ns' }] };
    const list = { type: 'list', 'element-id': 4, element: struct, 'element-required': false };
    const map = { type: 'map', 'key-id': 2, key: 'uuid', 'value-id': 3, value: list, 'value-required': true };
    const [schema] = opened({ schemas: [schemaJson(map)] }).description.schemas;
    expect(schema!.fields[0]!.type).toMatchObject({
      kind: 'map',
      key: { id: 2, type: { kind: 'uuid' } },
      value: { id: 3, required: true, type: { kind: 'list', element: { type: { fields: [{ name: 'a.b' }] } } } },
    });
  });
});
