import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateDatabaseCommand, CreateTableCommand, GlueClient } from '@aws-sdk/client-glue';
import {
  type ChildServer,
  lakehouseFixtures,
  lakehouseKeys,
  lakehousePrograms,
  runPython,
  startAws,
  uploadFixtures,
} from '@homeostat/testing';
import { conformance, type ConformanceWorld } from '../connector/conformance';
import { type Connector, type SourceTable, type StatisticsItem } from '../connector/connector.port';
import { DeltaConnectorFactory } from './delta.connector';

const programs = lakehousePrograms(process.env);
const withPrograms = programs ? describe : describe.skip;

async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const one of source) list.push(one);
  return list;
}

withPrograms('Delta tables in S3 and Glue', () => {
  const { tables } = JSON.parse(readFileSync(join(lakehouseFixtures, 'tables.json'), 'utf8')) as {
    tables: { name: string; kind: string; table_root: string }[];
  };
  const good = tables.filter(({ kind, name }) => kind === 'delta' && !name.startsWith('bad.'));
  const warehouse = join(lakehouseFixtures, 'warehouse');
  const factory = new DeltaConnectorFactory({ fileRoots: [warehouse], allowPrivate: true });
  let aws: ChildServer;

  beforeAll(async () => {
    aws = await startAws(programs!);
    await Promise.all([uploadFixtures(aws), fillGlue(aws, good)]);
  }, 120_000);
  afterAll(() => aws?.close());

  const open = (uri: string, properties: Record<string, string>) =>
    factory.create({
      uri,
      properties: { s3_endpoint: aws.url, s3_path_style: 'true', ...properties },
      credentials: lakehouseKeys,
    });
  const openFolder = () => open('s3://warehouse', {});
  const openGlue = () => open('glue', { catalog: 'glue', glue_endpoint: aws.url });
  const openDisk = () => factory.create({ uri: warehouse, properties: {}, credentials: {} });

  describe.each([
    ['folders in S3', openFolder],
    ['AWS Glue', openGlue],
  ])('in %s', (_where, openCatalog) => {
    it.each(good.map(({ name }) => name.slice('lake.'.length)))('%s is what it is on disk', async (name) => {
      const [connector, disk] = [openCatalog(), openDisk()];
      const table = { namespace: ['lake'], name };
      expect((await all(connector.listTables(['lake']))).map((one) => one.name)).toContain(name);
      expect(await statisticsOf(await connector.describe(table))).toEqual(
        await statisticsOf(await disk.describe(table)),
      );
      await Promise.all([connector.close(), disk.close()]);
    });

    const world: ConformanceWorld = {
      namespace: ['lake'],
      table: { namespace: ['lake'], name: 'checkpoint_classic' },
      missing: { namespace: ['lake'], name: 'none' },
      column: 'id',
      secrets: Object.values(lakehouseKeys),
    };
    it.each(conformance.map(({ name, check }) => [name, check] as const))('the connector %s', async (_name, check) => {
      const connector = openCatalog();
      await check(connector, world);
      await connector.close();
    });
  });
});

async function fillGlue(aws: ChildServer, tables: readonly { name: string; table_root: string }[]): Promise<void> {
  const { access_key_id: accessKeyId, secret_access_key: secretAccessKey } = lakehouseKeys;
  const client = new GlueClient({
    endpoint: aws.url,
    region: 'us-east-1',
    credentials: { accessKeyId, secretAccessKey },
  });
  await client.send(new CreateDatabaseCommand({ DatabaseInput: { Name: 'lake' } }));
  for (const { name, table_root: Location } of tables) {
    const Parameters = { 'spark.sql.sources.provider': 'delta' };
    const TableInput = { Name: name.slice('lake.'.length), Parameters, StorageDescriptor: { Location } };
    await client.send(new CreateTableCommand({ DatabaseName: 'lake', TableInput }));
  }
  client.destroy();
}

async function statisticsOf(table: SourceTable): Promise<StatisticsItem[][]> {
  const snapshots = await all(table.listSnapshots(new Set()));
  return Promise.all(snapshots.map((snapshot) => all(table.statistics(snapshot, 'all'))));
}

/** What the writer says of one version: its files with their statistics. */
interface Answer {
  readonly version: number;
  readonly columns: readonly string[];
  readonly files: readonly Readonly<Record<string, string | null>>[];
}

/** Takes steps with the real writer, then tells what it sees in every version that it can load. */
const writer = `
import json, sys
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
path, *steps = sys.argv[1:]
rows = lambda n, **more: pa.table({"id": pa.array([n, n + 1, None], pa.int64()), "v": ["a" * n, None, "żó"], "x": [n / 7, float(n), None], "p": ["eu", "a b/%", None], **more})
table = lambda: DeltaTable(path)
def stats_as_columns():
    import pyarrow.parquet as pq
    file = f"{path}/_delta_log/{table().version():020}.checkpoint.parquet"
    t = pq.read_table(file)
    at = t.schema.get_field_index("add"); adds = t["add"].to_pylist()
    stats = [None if a is None else json.loads(a["stats"]) for a in adds]
    kept = [f for f in t.schema.field(at).type if f.name != "stats"]
    type = pa.struct(kept + [pa.field("stats_parsed", pa.array(stats).type)])
    pq.write_table(t.set_column(at, "add", pa.array([a and {**a, "stats_parsed": s} for a, s in zip(adds, stats)], type)), file)
do = {
  "append": lambda: write_deltalake(path, rows(len(table().history()) if DeltaTable.is_deltatable(path) else 0), mode="append", partition_by=["p"]),
  "overwrite": lambda: write_deltalake(path, rows(50), mode="overwrite"),
  "delete": lambda: table().delete("id >= 2"),
  "evolve": lambda: write_deltalake(path, rows(20, more=pa.array([1, 2, 3], pa.int32())), mode="append", schema_mode="merge"),
  "restore": lambda: table().restore(1),
  "compact": lambda: table().optimize.compact(),
  "checkpoint": lambda: table().create_checkpoint(),
  "parsed": stats_as_columns,
  "forget": lambda: table().alter.set_table_properties({"delta.logRetentionDuration": "interval 0 seconds"}),
  "cleanup": lambda: table().cleanup_metadata(),
  "vacuum": lambda: table().vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False),
}
for step in steps: do[step]()
answers = []
for version in range(table().version() + 1):
    try: t = DeltaTable(path, version=version)
    except Exception: continue
    adds = pa.table(t.get_add_actions(flatten=True))
    text = lambda v: None if v is None else str(v)
    files = [{k: text(v) for k, v in row.items() if not k.startswith("modification")} for row in adds.to_pylist()]
    answers.append({"version": version, "columns": [f.name for f in t.schema().fields], "files": files})
print(json.dumps(answers))
`;

withPrograms('a Delta table while its writer goes on', () => {
  const folder = mkdtempSync(join(tmpdir(), 'delta-writer-'));
  const factory = new DeltaConnectorFactory({ fileRoots: [folder], allowPrivate: true });
  afterAll(() => rmSync(folder, { recursive: true }));

  const write = async (name: string, steps: readonly string[]) =>
    JSON.parse(await runPython(programs!, writer, [join(folder, name), ...steps])) as Answer[];
  const read = async (connector: Connector, name: string, known: ReadonlySet<bigint>) => {
    const table = await connector.describe({ namespace: [], name });
    return { table, snapshots: await all(table.listSnapshots(known)) };
  };

  it.each<[string, string[][]]>([
    ['appends, deletes and compacts', [['append', 'append'], ['delete'], ['append', 'compact']]],
    ['evolves, restores and overwrites', [['append', 'append', 'evolve'], ['restore'], ['overwrite', 'append']]],
    [
      'makes checkpoints',
      [
        ['append', 'append', 'checkpoint'],
        ['append', 'delete', 'checkpoint', 'append'],
      ],
    ],
    ['makes checkpoints with statistics in columns', [['append', 'append', 'checkpoint', 'parsed'], ['append']]],
    [
      'cleans up its log and its files',
      [
        ['append', 'append', 'append', 'forget'],
        ['delete', 'checkpoint', 'append'],
        ['cleanup', 'vacuum', 'append'],
      ],
    ],
  ])(
    'that %s is read as the writer reads it, after every step',
    async (name, stages) => {
      const table = name.replaceAll(/\W/g, '_');
      const known = new Set<bigint>();
      for (const steps of stages) {
        const answers = await write(table, steps);
        const connector = factory.create({ uri: folder, properties: {}, credentials: {} });
        const fresh = await read(connector, table, known);
        for (const { id } of fresh.snapshots) known.add(id);
        const whole = await read(connector, table, new Set());
        expect(whole.snapshots.map(({ id }) => Number(id))).toEqual(answers.map(({ version }) => version));
        expect(whole.snapshots.map(({ id }) => id).every((id) => known.has(id))).toBe(true);
        for (const [at, answer] of answers.entries()) {
          const items = await all(whole.table.statistics(whole.snapshots[at]!, 'all'));
          expect({ version: answer.version, ...ours(items) }).toEqual({ version: answer.version, ...theirs(answer) });
          expect(whole.snapshots[at]!.schema.fields.map((field) => field.name)).toEqual(answer.columns);
        }
        await connector.close();
      }
    },
    120_000,
  );
});

withPrograms('a checkpoint of 30 000 files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'delta-large-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('is read piece by piece, and has the files that the commits have', async () => {
    const columns = Array.from({ length: 4 }, (_, at) => ({
      name: `c${at}`,
      type: 'long',
      nullable: true,
      metadata: {},
    }));
    const schemaString = JSON.stringify({ type: 'struct', fields: columns });
    const format = { provider: 'parquet', options: {} };
    const actions: object[] = [
      { protocol: { minReaderVersion: 1, minWriterVersion: 2 } },
      {
        metaData: {
          id: 'aaaaaaaa-0000-0000-0000-000000000000',
          format,
          schemaString,
          partitionColumns: [],
          configuration: {},
          createdTime: 1,
        },
      },
    ];
    for (let at = 0; at < 30_000; at++) {
      const values = Object.fromEntries(columns.map(({ name }, column) => [name, at * 10 + column]));
      const stats = JSON.stringify({ numRecords: at, minValues: values, maxValues: values, nullCount: values });
      actions.push({
        add: { path: `f${at}`, partitionValues: {}, size: at, modificationTime: 1, dataChange: true, stats },
      });
    }
    const log = join(folder, 'large/_delta_log');
    mkdirSync(log, { recursive: true });
    writeFileSync(join(log, `${'0'.repeat(20)}.json`), actions.map((action) => `${JSON.stringify(action)}\n`).join(''));
    const fromCommit = await filesOf();
    await runPython(programs!, 'import sys, deltalake; deltalake.DeltaTable(sys.argv[1]).create_checkpoint()', [
      join(folder, 'large'),
    ]);
    const fromCheckpoint = await filesOf();
    expect(fromCommit).toHaveLength(30_000);
    expect(fromCheckpoint.join('\n') === fromCommit.join('\n')).toBe(true);
    expect(readdirSync(log).filter((name) => name.endsWith('.checkpoint.parquet'))).toHaveLength(1);
  }, 60_000);

  async function filesOf() {
    const connector = new DeltaConnectorFactory({ fileRoots: [folder], allowPrivate: true }).create({
      uri: folder,
      properties: {},
      credentials: {},
    });
    const table = await connector.describe({ namespace: [], name: 'large' });
    const [snapshot] = await all(table.listSnapshots(new Set()));
    const inText = (_name: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value);
    return (await all(table.plan(snapshot!))).map((file) => JSON.stringify(file, inText));
  }
});

type Row = Readonly<Record<string, string | number | null>>;
const byPath = (a: Row, b: Row) => (String(a['path']) < String(b['path']) ? -1 : 1);

function theirs({ files }: Answer): { files: Row[] } {
  const rows = files.map((file) => {
    const kept = Object.entries(file).filter(
      ([key]) => !key.startsWith('deletionVector') && !/^(null_count|min|max)\.p$/.test(key),
    );
    return Object.fromEntries(
      kept.map(([key, value]) => [key.replace(/^partition\./, 'partition.'), comparable(key, value)]),
    );
  });
  return { files: rows.map(withoutNothing).sort(byPath) };
}

function ours(items: readonly StatisticsItem[]): { files: Row[] } {
  const files = items.flatMap((one) => (one.item === 'file' ? [one.file] : []));
  const rows = files.map((file) => ({
    path: decodeURIComponent(file.path),
    size_bytes: String(file.bytes),
    num_records: String(file.recordCount),
    'partition.p': file.partition['p'] ?? null,
    ...Object.fromEntries(
      file.columns.flatMap(({ path, nullCount, min, max }) => [
        [`null_count.${path!.join('.')}`, nullCount === null ? null : String(nullCount)],
        [`min.${path!.join('.')}`, comparable(`min.${path!.join('.')}`, min)],
        [`max.${path!.join('.')}`, comparable(`max.${path!.join('.')}`, max)],
      ]),
    ),
  }));
  return { files: rows.map(withoutNothing).sort(byPath) };
}

/** Floats as numbers, and -0 as 0. */
function comparable(key: string, value: string | null): string | number | null {
  if (value === null) return null;
  if (key === 'path') return decodeURIComponent(value);
  return /^(min|max)\.x$/.test(key) ? Number(value) + 0 : value;
}

function withoutNothing(row: Row): Row {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null));
}
