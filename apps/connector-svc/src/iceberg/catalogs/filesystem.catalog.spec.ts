import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { lakehouseFixtures } from '@homeostat/testing';
import { FilesystemStore } from '../../storage/filesystem.storage';
import { FilesystemCatalog } from './filesystem.catalog';

const warehouse = join(lakehouseFixtures, 'warehouse');
const metadataFile = join(warehouse, 'sales/empty/metadata/00000-420bb678-1e44-4abc-bf18-5b02b67616b8.metadata.json');
const store = new FilesystemStore([
  { uri: 's3://warehouse', folder: warehouse },
  { uri: 'file:/warehouse', folder: warehouse },
]);

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

describe('a folder of Iceberg tables', () => {
  const catalog = new FilesystemCatalog(store, 's3://warehouse/', []);

  test('has its folders as namespaces, but not those of tables', async () => {
    expect((await all(catalog.listNamespaces({}))).map((levels) => levels.join('.'))).toEqual([
      ...['bad', 'bad.not_a_table', 'corp', 'corp.emea', 'fs', 'fs.db', 'lake', 'sales'],
    ]);
  });

  test('has the tables that have a metadata file, and no others', async () => {
    expect((await all(catalog.listTables(['corp', 'emea'], {}))).map(({ name }) => name)).toEqual(['orders']);
    expect(await all(catalog.listTables(['corp'], {}))).toEqual([]);
    expect(await all(catalog.listTables(['lake'], {}))).toEqual([]);
    expect(await all(catalog.listTables(['none'], {}))).toEqual([]);
  });

  test('in Hadoop layout is read by its highest version, under any spelling of its paths', async () => {
    for (const root of ['file:/warehouse/fs', 'file:///warehouse/fs', '/warehouse/fs']) {
      const hadoop = new FilesystemCatalog(store, root, []);
      const { metadata, metadataLocation } = await hadoop.load({ namespace: ['db'], name: 'hadoop_layout' }, {});
      expect(metadataLocation).toBe(`${root}/db/hadoop_layout/metadata/v3.metadata.json`);
      expect(metadata.snapshots).toHaveLength(2);
    }
  });

  test.each([
    [['sales'], 'a/../../etc'],
    [['sales', ''], 'x'],
    [['sales/empty'], 'x'],
    [['..'], 'x'],
  ])('has nothing above it: %j %s', async (namespace, name) => {
    await expect(catalog.load({ namespace, name }, {})).rejects.toMatchObject({ code: 'outside_root' });
  });
});

describe('the newest metadata file', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'homeostat-metadata-'));
    await mkdir(join(root, 't/metadata'), { recursive: true });
  });
  afterEach(() => rm(root, { recursive: true }));

  const put = (name: string) => copyFile(metadataFile, join(root, 't/metadata', name));
  const load = () => {
    const mounted = new FilesystemStore([{ uri: root, folder: root }]);
    return new FilesystemCatalog(mounted, root, ['s3://warehouse']).load({ namespace: [], name: 't' }, {});
  };

  test.each([
    [['v9.metadata.json', 'v10.metadata.json'], 'v10.metadata.json'],
    [['00009-a.metadata.json', '00010-b.metadata.json', '00002-c.gz.metadata.json'], '00010-b.metadata.json'],
    [['v1.metadata.json', 'v2.gz.metadata.json', 'v3.json', 'snap-99.avro', '00099-x.stats'], 'v2.gz.metadata.json'],
    [['v1.metadata.json', 'v2.metadata.json.gz'], 'v2.metadata.json.gz'],
  ])('of %j is %s', async (names, newest) => {
    for (const name of names) await put(name);
    expect((await load()).metadataLocation).toBe(`${root}/t/metadata/${newest}`);
  });

  test('is found whether version-hint.text is stale, garbage or missing', async () => {
    await put('v2.metadata.json');
    for (const hint of ['1', '7', 'what?']) {
      await writeFile(join(root, 't/metadata/version-hint.text'), hint);
      expect((await load()).metadataLocation).toContain('v2.metadata.json');
    }
  });

  test('that there is none says not_found', async () => {
    await expect(load()).rejects.toMatchObject({ code: 'not_found', faultClass: 'terminal' });
  });

  test('that unpacks to more than is read is refused', async () => {
    const blank = gzipSync(Buffer.alloc(300 << 20, ' '));
    await writeFile(join(root, 't/metadata/v1.gz.metadata.json'), blank);
    await expect(load()).rejects.toMatchObject({ code: 'too_large' });
  }, 60_000);

  test('of a hundred megabytes is read', async () => {
    const snapshot = { 'snapshot-id': 1, 'timestamp-ms': 1, summary: { operation: 'append', note: 'x'.repeat(9_800) } };
    const snapshots = Array.from({ length: 10_000 }, (_, n) => ({ ...snapshot, 'snapshot-id': n + 1 }));
    const fields = [{ id: 1, name: 'c', required: false, type: 'long' }];
    const metadata = {
      ...{ 'format-version': 2, location: `${root}/t`, 'last-updated-ms': 1, 'current-snapshot-id': 10_000, snapshots },
      ...{ schemas: [{ type: 'struct', 'schema-id': 0, fields }], 'current-schema-id': 0 },
    };
    const text = JSON.stringify(metadata);
    expect(text.length).toBeGreaterThan(98e6);
    await writeFile(join(root, 't/metadata/v1.metadata.json'), text);
    expect((await load()).metadata.snapshots).toHaveLength(10_000);
  }, 60_000);
});
