import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type ChildServer,
  lakehouseFixtures,
  lakehouseKeys,
  lakehousePrograms,
  registerTables,
  startAws,
  startIcebergRest,
  uploadFixtures,
} from '@homeostat/testing';
import { CreateDatabaseCommand, CreateTableCommand, GlueClient } from '@aws-sdk/client-glue';
import { conformance, type ConformanceWorld } from '../connector/conformance';
import { type Connector, type StatisticsItem, type TableName } from '../connector/connector.port';
import { FilesystemStore } from '../storage/filesystem.storage';
import { FilesystemCatalog } from './catalogs/filesystem.catalog';
import { IcebergConnectorFactory } from './iceberg.connector';
import { IcebergTable } from './iceberg.table';

interface Listed {
  readonly name: string;
  readonly kind: string;
  readonly metadata_location: string;
}

const listed = (JSON.parse(readFileSync(join(lakehouseFixtures, 'tables.json'), 'utf8')) as { tables: Listed[] })
  .tables;
const tables = listed.filter(({ kind, name }) => kind === 'iceberg' && !name.startsWith('fs.'));
const good = tables.filter(({ name }) => !name.startsWith('bad.'));
const factory = new IcebergConnectorFactory({ fileRoots: [], allowPrivate: true });
const programs = lakehousePrograms(process.env);
const world: ConformanceWorld = {
  namespace: ['sales'],
  table: { namespace: ['sales'], name: 'evolution' },
  missing: { namespace: ['sales'], name: 'none' },
  column: 'id',
  secrets: Object.values(lakehouseKeys),
};

(programs ? describe : describe.skip)('Iceberg tables in real catalogs', () => {
  let aws: ChildServer;
  let rest: ChildServer;
  let refused: string[];

  beforeAll(async () => {
    aws = await startAws(programs!);
    [rest] = await Promise.all([startIcebergRest(programs!, aws), uploadFixtures(aws)]);
    refused = await registerTables(rest, tables);
    await fillGlue(aws, tables);
  }, 120_000);

  afterAll(() => Promise.all([aws?.close(), rest?.close()]));

  const storage = () => ({ s3_endpoint: aws.url, s3_path_style: 'true' });
  const openRest = () => open(rest.url, { catalog: 'rest', ...storage() });
  const openGlue = () => open('glue', { catalog: 'glue', glue_endpoint: aws.url, ...storage() });
  const openFolder = () => open('s3://warehouse', { catalog: 'filesystem', ...storage() });

  test('a REST catalog takes all tables but the two whose metadata it cannot read itself', () => {
    expect(refused).toEqual(['bad.ice_truncated_metadata', 'bad.ice_version_99']);
  });

  describe.each([
    ['a REST catalog', openRest],
    ['AWS Glue', openGlue],
    ['folders in S3', openFolder],
  ])('in %s', (_where, openCatalog) => {
    test('every table is listed, under its namespace', async () => {
      const names = new Set((await everyTable(openCatalog())).map(dotted));
      // Glue has databases of one level: the one of two is written with a dash there.
      for (const { name } of good) expect(names).toContain(openCatalog === openGlue ? glueName(name).join('.') : name);
    });

    test.each(good.map(({ name, metadata_location }) => [name, metadata_location]))(
      '%s has the statistics that it has on disk',
      async (name, location) => {
        const connector = openCatalog();
        const table = await connector.describe(
          openCatalog === openGlue ? tableName(glueName(name).join('.')) : tableName(name),
        );
        expect(table.description.metadataLocation).toBe(location);
        expect(await statisticsOf(table)).toEqual(await statisticsOf(await onDisk(location)));
        await connector.close();
      },
      30_000,
    );

    test.each(conformance.map(({ name, check }) => [name, check] as const))(
      'the connector %s',
      async (_name, check) => {
        const connector = openCatalog();
        await check(connector, world);
        await connector.close();
      },
    );
  });
});

function open(uri: string, properties: Record<string, string>): Connector {
  return factory.create({ uri, properties, credentials: lakehouseKeys });
}

async function fillGlue(aws: ChildServer, all: readonly Listed[]): Promise<void> {
  const { access_key_id: accessKeyId, secret_access_key: secretAccessKey } = lakehouseKeys;
  const client = new GlueClient({
    endpoint: aws.url,
    region: 'us-east-1',
    credentials: { accessKeyId, secretAccessKey },
  });
  for (const database of new Set(all.map(({ name }) => glueName(name)[0]))) {
    await client.send(new CreateDatabaseCommand({ DatabaseInput: { Name: database } }));
  }
  for (const { name, metadata_location } of all) {
    const [DatabaseName, Name] = glueName(name);
    const TableInput = { Name, Parameters: { table_type: 'ICEBERG', metadata_location } };
    await client.send(new CreateTableCommand({ DatabaseName, TableInput }));
  }
  client.destroy();
}

function glueName(name: string): [string, string] {
  const levels = name.split('.');
  const table = levels.pop()!;
  return [levels.join('-'), table];
}

function tableName(name: string): TableName {
  const namespace = name.split('.');
  return { name: namespace.pop()!, namespace };
}

function dotted({ namespace, name }: TableName): string {
  return [...namespace, name].join('.');
}

async function everyTable(connector: Connector): Promise<TableName[]> {
  const found: TableName[] = [];
  for await (const namespace of connector.listNamespaces()) {
    for await (const table of connector.listTables(namespace)) found.push(table);
  }
  await connector.close();
  return found;
}

async function onDisk(location: string): Promise<IcebergTable> {
  const store = new FilesystemStore([{ uri: 's3://warehouse', folder: join(lakehouseFixtures, 'warehouse') }]);
  return new IcebergTable(
    tableName('a.b'),
    await new FilesystemCatalog(store, location, []).load(tableName('a.b'), {}),
  );
}

async function statisticsOf(table: Pick<IcebergTable, 'listSnapshots' | 'statistics'>): Promise<StatisticsItem[]> {
  const items: StatisticsItem[] = [];
  for await (const snapshot of table.listSnapshots(new Set())) {
    for await (const item of table.statistics(snapshot, 'all')) items.push(item);
  }
  return items;
}
