import { Readable } from 'node:stream';
import { type Snapshot } from '../connector/connector.port';
import { ConnectorFault } from '../connector/fault';
import { type ObjectInfo, type ObjectStore, type ReadOptions } from '../storage/storage.port';
import { type DeltaCatalog } from './catalogs/catalog.port';
import { DeltaConnector } from './delta.connector';
import { DescribedTables } from './described-tables';

const root = 's3://lake/t';
const log = `${root}/_delta_log/`;

/** Objects in memory, with a count of the requests that S3 would have got; a page of a listing has 1000 objects. */
class MemoryStore implements ObjectStore {
  requests = 0;

  constructor(readonly objects: Map<string, Buffer | (() => Iterable<Buffer>)>) {}

  async read(uri: string, { range }: ReadOptions): Promise<Buffer> {
    this.requests++;
    if (!this.objects.has(uri)) throw new ConnectorFault('not_found', uri);
    const bytes = Buffer.concat([...this.pieces(uri)]);
    return range ? bytes.subarray(range.offset, range.offset + range.length) : bytes;
  }

  async *stream(uri: string): AsyncIterable<Buffer> {
    this.requests++;
    yield* Readable.from(this.pieces(uri)) as AsyncIterable<Buffer>;
  }

  async *list(prefix: string, { after = '' }: { after?: string } = {}): AsyncIterable<ObjectInfo> {
    const uris = [...this.objects.keys()].filter((uri) => uri.startsWith(prefix) && uri > after).sort();
    for (const [at, uri] of uris.entries()) {
      if (at % 1000 === 0) this.requests++;
      yield { uri, size: this.size(uri), modifiedAtMs: 1_700_000_000_000 };
    }
    if (uris.length === 0) this.requests++;
  }

  async stat(): Promise<null> {
    throw new Error('nobody asks');
  }

  async *listFolders(): AsyncIterable<string> {}
  close(): void {}

  private *pieces(uri: string): Iterable<Buffer> {
    const object = this.objects.get(uri)!;
    yield* typeof object === 'function' ? object() : [object];
  }

  private size(uri: string): number {
    const object = this.objects.get(uri)!;
    return typeof object === 'function' ? 100 * 1024 * 1024 : object.length;
  }
}

const schema = (...names: string[]) =>
  JSON.stringify({ type: 'struct', fields: names.map((name) => ({ name, type: 'long', nullable: true })) });
const start = (readerFeatures?: string[], names = ['id']) => [
  {
    protocol: readerFeatures
      ? { minReaderVersion: 3, minWriterVersion: 7, readerFeatures }
      : { minReaderVersion: 1, minWriterVersion: 2 },
  },
  { metaData: { id: 'x', schemaString: schema(...names), partitionColumns: [], configuration: {} } },
];
const add = (path: string, more: object = {}) => ({
  add: { path, partitionValues: {}, size: 10, modificationTime: 5, ...more },
});
const info = (version: number) => ({ commitInfo: { timestamp: 1000 + version, operation: 'WRITE' } });
const lines = (...actions: object[]) => Buffer.from(actions.map((action) => `${JSON.stringify(action)}\n`).join(''));
const commitName = (version: number) => `${String(version).padStart(20, '0')}.json`;

/** A table whose log has these commits, by version; other files of the log by name. */
function storeOf(
  commits: (Buffer | object[])[],
  others: Record<string, Buffer | (() => Iterable<Buffer>)> = {},
): MemoryStore {
  const objects = new Map<string, Buffer | (() => Iterable<Buffer>)>();
  commits.forEach((commit, version) =>
    objects.set(log + commitName(version), Buffer.isBuffer(commit) ? commit : lines(...commit)),
  );
  for (const [name, bytes] of Object.entries(others)) objects.set(log + name, bytes);
  return new MemoryStore(objects);
}

function connectorOn(store: ObjectStore, remembered = new DescribedTables(), allowed: string[] = []): DeltaConnector {
  const nothing = (async function* () {})();
  const place = { roots: [root, ...allowed] as const, store };
  const catalog: DeltaCatalog = {
    ...{ listNamespaces: () => nothing, listTables: () => nothing, locate: async () => place, close: async () => {} },
  };
  return new DeltaConnector(catalog, remembered, 'here');
}

const open = (store: ObjectStore, remembered?: DescribedTables, allowed?: string[]) =>
  connectorOn(store, remembered, allowed).describe({ namespace: ['lake'], name: 't' });

async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const one of source) list.push(one);
  return list;
}

async function snapshotsOf(store: ObjectStore): Promise<Snapshot[]> {
  return all((await open(store)).listSnapshots(new Set()));
}

/** The files of the newest version. */
async function filesOf(store: ObjectStore, allowed?: string[]) {
  const table = await open(store, undefined, allowed);
  return all(table.plan({ id: table.description.currentSnapshotId! } as Snapshot));
}

const corrupt = (message: RegExp) => ({
  code: 'corrupt',
  faultClass: 'terminal',
  message: expect.stringMatching(message),
});

describe('replaying a log', () => {
  const names = async (...commits: object[][]) =>
    (await filesOf(storeOf([start(), ...commits]))).map(({ path }) => path).sort();

  it('counts a file once that is added again', async () => {
    expect(await names([add('a')], [add('a', { dataChange: false })])).toEqual(['a']);
  });

  it('forgets a removed file, and knows it again when it comes back', async () => {
    expect(await names([add('a'), add('b')], [{ remove: { path: 'a' } }])).toEqual(['b']);
    expect(await names([add('a')], [{ remove: { path: 'a' } }], [add('a')])).toEqual(['a']);
  });

  it('takes one path in two spellings of URL encoding as one file', async () => {
    expect(await names([add('a%20b')], [{ remove: { path: 'a b' } }])).toEqual([]);
  });

  it('keeps the file with the new vector when a commit removes the one without', async () => {
    const vector = { storageType: 'i', pathOrInlineDv: 'xxxxx', sizeInBytes: 4, cardinality: 1 };
    const store = storeOf([
      start(['deletionVectors']),
      [add('a')],
      [add('a', { deletionVector: vector }), { remove: { path: 'a' } }],
    ]);
    expect((await filesOf(store)).map(({ deletionVector }) => deletionVector?.cardinality)).toEqual([1n]);
  });

  it('does not count change data files', async () => {
    expect(await names([add('a'), { cdc: { path: '_change_data/c', size: 1, partitionValues: {} } }])).toEqual(['a']);
  });

  it('says where the time of a version comes from', async () => {
    const inCommit = { commitInfo: { inCommitTimestamp: 77, timestamp: 88 } };
    const times = (await snapshotsOf(storeOf([start(), [info(1)], [inCommit]]))).map((one) => [
      one.timeSource,
      one.committedAtMs,
    ]);
    expect(times).toEqual([
      ['file_modification', 1_700_000_000_000n],
      ['commit_info', 1001n],
      ['in_commit_timestamp', 77n],
    ]);
  });

  it('has the same schema id wherever the schema is read, and another one for another schema', async () => {
    const [first, second, third] = await snapshotsOf(
      storeOf([start(), [info(1)], [start(undefined, ['id', 'v'])[1]!]]),
    );
    expect(first!.schema.id).toBe(second!.schema.id);
    expect(third!.schema.id).not.toBe(second!.schema.id);
  });
});

describe('a table with column mapping', () => {
  it('is shown under its logical names, whatever the log calls them', async () => {
    const mapped = (name: string, id: number, type: unknown = 'long') => ({
      ...{ name, type, nullable: false },
      metadata: { 'delta.columnMapping.id': id, 'delta.columnMapping.physicalName': `col-${id}`, comment: `${name}!` },
    });
    const inner = { type: 'struct', fields: [mapped('x', 3)] };
    const schemaString = JSON.stringify({ type: 'struct', fields: [mapped('p', 1), mapped('a.b', 2, inner)] });
    const configuration = { 'delta.columnMapping.mode': 'id' };
    const metaData = { id: 'x', schemaString, partitionColumns: ['p'], configuration };
    const stats = JSON.stringify({
      numRecords: 2,
      minValues: { 'col-2': { 'col-3': 5 } },
      nullCount: { 'col-2': { 'col-3': 0 } },
    });
    const file = add('f', { stats, partitionValues: { 'col-1': '' } });
    const store = storeOf([[{ protocol: { minReaderVersion: 2, minWriterVersion: 5 } }, { metaData }, file]]);
    const { description } = await open(store);
    const [planned] = await filesOf(store);
    expect(description.schemas[0]!.fields[0]).toMatchObject({ id: 1, name: 'p', required: true, doc: 'p!' });
    expect(description.partitionSpecs[0]!.fields).toEqual([
      { name: 'p', fieldId: null, sourceIds: [1], transform: 'identity' },
    ]);
    expect(planned!.partition).toEqual({ p: null });
    expect(planned!.columns).toEqual([
      ...[
        {
          fieldId: 3,
          path: ['a.b', 'x'],
          valueCount: 2n,
          nullCount: 0n,
          nanCount: null,
          min: '5',
          max: null,
          boundsTruncated: false,
        },
      ],
    ]);
  });
});

describe('what a run costs', () => {
  it('is one request when nothing is new, however long the log is', async () => {
    const remembered = new DescribedTables();
    const store = storeOf([start(), ...Array.from({ length: 40 }, (_, at) => [info(at), add(`f${at}`)])]);
    const known = new Set((await all((await open(store, remembered)).listSnapshots(new Set()))).map(({ id }) => id));
    store.requests = 0;
    expect(await all((await open(store, remembered)).listSnapshots(known))).toEqual([]);
    expect(store.requests).toBe(1);
  });

  it('is two listings and the new commit, when there is one', async () => {
    const remembered = new DescribedTables();
    const store = storeOf([start(), [info(1)], [info(2)]], { _last_checkpoint: Buffer.from('{') });
    const known = new Set((await all((await open(store, remembered)).listSnapshots(new Set()))).map(({ id }) => id));
    store.objects.set(log + commitName(3), lines(...start(), info(3)));
    store.requests = 0;
    expect((await all((await open(store, remembered)).listSnapshots(known))).map(({ id }) => id)).toEqual([3n]);
    expect(store.requests).toBe(3);
  });

  it('describes a table anew that was dropped and made again in its place', async () => {
    const remembered = new DescribedTables();
    const store = storeOf([start(), [info(1)]]);
    await open(store, remembered);
    store.objects.set(log + commitName(1), lines(info(1), start(undefined, ['other'])[1]!));
    const { description } = await open(store, remembered);
    expect(description.schemas[0]!.fields.map(({ name }) => name)).toEqual(['other']);
  });

  it('skips versions that log cleanup removed since the table was described', async () => {
    const checkpoint = '00000000000000000002.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json';
    const store = storeOf([start(), [info(1)], [info(2)], [info(3)]], { [checkpoint]: lines(...start()) });
    const remembered = new DescribedTables();
    await open(store, remembered);
    store.objects.delete(log + commitName(0));
    store.objects.delete(log + commitName(1));
    const versions = await all((await open(store, remembered)).listSnapshots(new Set()));
    expect(versions.map(({ id, parentPresent }) => [id, parentPresent])).toEqual([
      [2n, false],
      [3n, true],
    ]);
  });

  it('reads every small commit once to list and build all versions', async () => {
    const store = storeOf([start(), ...Array.from({ length: 60 }, (_, at) => [info(at), add(`f${at}`)])]);
    const table = await open(store);
    for (const snapshot of await all(table.listSnapshots(new Set()))) await all(table.statistics(snapshot, 'all'));
    expect(store.requests).toBe(62);
  });

  it('lists 10 000 versions in order', async () => {
    const store = storeOf([start(), ...Array.from({ length: 9_999 }, (_, at) => lines(info(at)))]);
    const ids = (await snapshotsOf(store)).map(({ id }) => id);
    expect(ids).toEqual(Array.from({ length: 10_000 }, (_, at) => BigInt(at)));
  });

  it('takes files from a commit of 100 MB while it still comes', async () => {
    const line = Buffer.from(`${JSON.stringify(add('f', { stats: 'x'.repeat(100_000) }))}\n`);
    let sent = 0;
    const pieces = function* () {
      for (sent = 0; sent < 1000; sent++)
        yield sent === 0 ? lines(...start()) : Buffer.from(line.toString().replace('"f"', `"f${sent}"`));
    };
    const table = await open(storeOf([], { [commitName(0)]: pieces }));
    let sentAtFirstFile = 0;
    const files = table.plan({ id: 0n } as Snapshot)[Symbol.asyncIterator]();
    for (let taken = 0; !(await files.next()).done; taken++) if (taken === 0) sentAtFirstFile = sent;
    expect(sent).toBe(1000);
    expect(sentAtFirstFile).toBeLessThan(100);
  });

  it('stops when its signal is aborted', async () => {
    const table = await open(storeOf([start(), [add('a')], [add('b')]]));
    const stop = new AbortController();
    const files = table.statistics({ id: 2n } as Snapshot, 'all', { signal: stop.signal })[Symbol.asyncIterator]();
    await files.next();
    stop.abort(new Error('enough'));
    await expect(
      (async () => {
        while (!(await files.next()).done);
      })(),
    ).rejects.toThrow('enough');
  });
});

describe('a log that cannot be trusted', () => {
  it.each<[string, Buffer, RegExp]>([
    ['cut in the middle of a line', lines(info(1), add('a')).subarray(0, -9), /01\.json line 2: not JSON/],
    ['empty', Buffer.alloc(0), /01\.json: empty/],
    ['no actions', Buffer.from('[1]\n'), /01\.json line 1: not an action/],
    ['full of zeros', Buffer.alloc(1000), /01\.json line 1: not JSON/],
  ])('a commit that is %s ends the readable versions', async (_name, commit, message) => {
    const table = await open(storeOf([start(), commit, [info(2)]]));
    const seen: bigint[] = [];
    await expect(
      (async () => {
        for await (const { id } of table.listSnapshots(new Set())) seen.push(id);
      })(),
    ).rejects.toMatchObject(corrupt(message));
    expect(seen).toEqual([0n]);
    expect(table.description.currentSnapshotId).toBe(0n);
  });

  it.each<[string, object, RegExp]>([
    ['a path that is no text', add('a', { path: 5 }), /"path" is not a text/],
    ['a size that is no integer', add('a', { size: 1.5 }), /"size" is not an integer/],
    ['a size of 100 digits', add('a', { size: '9'.repeat(100) }), /"size" is not an integer/],
    ['a path that is not URL-encoded', add('a%zz'), /not URL-encoded/],
    ['no body', { add: null }, /"path" is not a text/],
  ])('an added file with %s is a corrupt version', async (_name, action, message) => {
    await expect(filesOf(storeOf([start(), [action]]))).rejects.toMatchObject(corrupt(message));
  });

  it.each([
    '../x',
    'a/../../x',
    '%2e%2e/x',
    'a/%2E%2E/%2E%2E/x',
    '/etc/passwd',
    'file:///etc/passwd',
    's3://other/t/x',
    's3://lake/tt/x',
    'https://example.com/x',
  ])('a file at %s is refused', async (path) => {
    await expect(filesOf(storeOf([start(), [add(path)]]))).rejects.toMatchObject({
      code: 'outside_root',
      faultClass: 'terminal',
    });
  });

  it('names files inside its own folder, or a folder that was allowed, by whole URIs as well', async () => {
    const clone = storeOf([start(), [add('s3://lake/t/x'), add('s3a://origin/u/y')]]);
    expect((await filesOf(clone, ['s3://origin/u'])).map(({ path }) => path).sort()).toEqual([
      's3://lake/t/x',
      's3a://origin/u/y',
    ]);
  });

  it('keeps 64-bit integers and the digits of bounds', async () => {
    const stats =
      '{"numRecords":9007199254740993,"minValues":{"id":-9223372036854775808},"maxValues":{"id":9223372036854775807},"nullCount":{"id":0}}';
    const line = `{"add":{"path":"a","partitionValues":{},"size":9007199254740993,"modificationTime":9007199254740995,"stats":${JSON.stringify(stats)}}}\n`;
    const [file] = await filesOf(storeOf([start(), Buffer.from(line)]));
    expect(file).toMatchObject({
      bytes: 9007199254740993n,
      modifiedAtMs: 9007199254740995n,
      recordCount: 9007199254740993n,
    });
    expect(file!.columns[0]).toMatchObject({ min: '-9223372036854775808', max: '9223372036854775807' });
  });

  it('has columns named like the members of every object', async () => {
    const named = storeOf([
      start(undefined, ['constructor', '__proto__', 'hasOwnProperty']),
      [add('a', { stats: '{"numRecords":1}' })],
    ]);
    const [file] = await filesOf(named);
    expect(file!.columns.map(({ path, min, nullCount }) => [path![0], min, nullCount])).toEqual([
      ['constructor', null, null],
      ['__proto__', null, null],
      ['hasOwnProperty', null, null],
    ]);
  });

  it('leaves unknown what the statistics of a file do not say, or say wrongly', async () => {
    const stats = [
      '{',
      '[]',
      '{"numRecords":-1}',
      '{"numRecords":"many","nullCount":{"id":{}}}',
      '{"minValues":7,"maxValues":{"id":[1]}}',
    ];
    const files = await filesOf(storeOf([start(), stats.map((text, at) => add(`f${at}`, { stats: text }))]));
    expect(
      files.map(({ recordCount, columns }) => [recordCount, columns[0]!.nullCount, columns[0]!.min, columns[0]!.max]),
    ).toEqual(stats.map(() => [null, null, null, null]));
  });

  it('is not read with a reader version or a feature that is not known, now or in an old version', async () => {
    await expect(
      open(storeOf([[{ protocol: { minReaderVersion: 4, minWriterVersion: 7 } }, start()[1]!]])),
    ).rejects.toMatchObject({
      ...{ code: 'unsupported', message: expect.stringContaining('reader version 4') },
    });
    await expect(open(storeOf([start(), [start(['catalogManaged'])[0]!]]))).rejects.toMatchObject({
      ...{ code: 'unsupported', message: expect.stringContaining('catalogManaged') },
    });
    const droppedAgain = await open(storeOf([start(['catalogManaged']), [start()[0]!]]));
    await expect(all(droppedAgain.listSnapshots(new Set()))).rejects.toMatchObject({ code: 'unsupported' });
  });

  it('has a schema nested too deep, or none', async () => {
    const deep = JSON.stringify(
      Array.from({ length: 500 }).reduce<object>(
        (inner) => ({ type: 'struct', fields: [{ name: 'a', type: inner }] }),
        { type: 'struct', fields: [] },
      ),
    );
    for (const schemaString of [deep, '{}', 'x', '{"type":"struct","fields":[{"name":"a"}]}']) {
      await expect(open(storeOf([[start()[0]!, { metaData: { id: 'x', schemaString } }]]))).rejects.toMatchObject({
        code: 'corrupt',
      });
    }
  });

  it('has a checkpoint that is garbage, and all commits: the commits are read', async () => {
    const garbage = {
      '00000000000000000001.checkpoint.parquet': Buffer.from('no parquet'),
      _last_checkpoint: Buffer.from('{"version":99'),
    };
    const store = storeOf([start(), [add('a')], [add('b')]], garbage);
    expect((await filesOf(store)).map(({ path }) => path).sort()).toEqual(['a', 'b']);
  });

  it('has a v2 checkpoint with a sidecar elsewhere', async () => {
    const name = '00000000000000000000.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json';
    const paths = ['../x.parquet', 's3://other/x.parquet', '/etc/passwd', 'a/b.parquet', '..', '%2e%2e%2fx'];
    for (const path of paths) {
      const store = storeOf([], {
        [name]: lines(...start(), { sidecar: { path, sizeInBytes: 5 } }),
        [commitName(1)]: lines(info(1)),
      });
      await expect(open(store)).rejects.toMatchObject({ code: 'outside_root' });
    }
  });

  it('is not taken for broken when its source refuses us', async () => {
    const store = storeOf([start(), [info(1)]]);
    const read = store.read.bind(store);
    store.read = async (uri, options) => {
      if (uri.endsWith(commitName(1))) throw new ConnectorFault('forbidden', uri);
      return read(uri, options);
    };
    await expect(open(store)).rejects.toMatchObject({ code: 'forbidden' });
  });

  it('has its new vectors checked in the version that brought them, with a checkpoint there or without', async () => {
    const deletionVector = {
      storageType: 'u',
      pathOrInlineDv: 'vBn[lx{q8@P<9BNH/isA',
      offset: 1,
      sizeInBytes: 36,
      cardinality: 2,
    };
    const brought = [add('a', { deletionVector })];
    const checkpoint = '00000000000000000001.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json';
    const whole = lines(...start(['deletionVectors']), ...brought);
    for (const others of [{}, { [checkpoint]: whole }] as Record<string, Buffer>[]) {
      const table = await open(storeOf([start(['deletionVectors']), brought, [info(2)]], others));
      await expect(all(table.statistics({ id: 1n } as Snapshot, 'all'))).rejects.toMatchObject({ code: 'not_found' });
      const later = await all(table.statistics({ id: 2n } as Snapshot, 'all'));
      expect(later.at(-1)).toMatchObject({ item: 'table', table: { deleteRecordCount: 2n } });
    }
  });

  it('has a line without an end', async () => {
    const pieces = function* () {
      for (let sent = 0; sent < 80; sent++) yield Buffer.alloc(1024 * 1024, 32);
    };
    const store = storeOf([start()], { [commitName(1)]: pieces });
    await expect(all((await open(store)).listSnapshots(new Set()))).rejects.toMatchObject({ code: 'too_large' });
  });

  it('has file names that only look like versions', async () => {
    const odd = [
      '99999999999999999999.json',
      '0.json',
      '00000000000000000001.json.tmp',
      '00000000000000000001.crc',
      '_staged/00000000000000000001.json',
    ];
    const store = storeOf([start()], Object.fromEntries(odd.map((name) => [name, Buffer.from('x')])));
    expect((await snapshotsOf(store)).map(({ id }) => id)).toEqual([0n]);
  });
});
