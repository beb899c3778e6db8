import {
  type ChildServer,
  lakehouseKeys,
  type LakehousePrograms,
  lakehousePrograms,
  runPython,
  startAws,
  startIcebergRest,
} from '@homeostat/testing';
import { type Connector, type Snapshot, type StatisticsItem, type TableDescription } from '../connector/connector.port';
import { IcebergConnectorFactory } from './iceberg.connector';

/** Takes one step with pyiceberg, and prints what pyiceberg itself reads of the table then. */
const writer = `
import json, sys
import pyarrow as pa
from pyiceberg.catalog import load_catalog
from pyiceberg.types import StringType, LongType
rest, s3, step = sys.argv[1:]
catalog = load_catalog('rest', type='rest', uri=rest, **{'s3.endpoint': s3, 's3.region': 'us-east-1', 's3.access-key-id': 'suite', 's3.secret-access-key': 'suite-secret'})
rows = lambda start, n: pa.table({'id': pa.array(range(start, start + n), pa.int32()), 'city': pa.array(['c%d' % (i % 3) for i in range(n)]), 'price': pa.array([i / 2 for i in range(n)], pa.float64())})
if step == 'create':
    catalog.create_namespace('live')
    table = catalog.create_table('live.orders', schema=rows(0, 1).schema)
    table.append(rows(0, 10))
else:
    table = catalog.load_table('live.orders')
if step == 'append': table.append(rows(10, 5))
if step == 'delete': table.delete('id < 3')
if step == 'evolve':
    with table.update_schema() as update:
        update.rename_column('city', 'town'); update.update_column('id', LongType()); update.add_column('note', StringType())
    table.append(pa.table({'id': pa.array([9007199254740993], pa.int64()), 'town': ['x'], 'price': [None], 'note': ['n']}, schema=table.schema().as_arrow()))
if step == 'branch': table.manage_snapshots().create_branch(table.current_snapshot().snapshot_id, 'audit').create_tag(table.snapshots()[0].snapshot_id, 'first').commit()
if step == 'overwrite': table.overwrite(pa.table({'id': pa.array([1], pa.int64()), 'town': ['z'], 'price': [1.5], 'note': [None]}, schema=table.schema().as_arrow()))
table = catalog.load_table('live.orders')
tasks = list(table.scan().plan_files())
data = table.scan().to_arrow()
print(json.dumps(dict(
    snapshots=[str(s.snapshot_id) for s in table.snapshots()], current=str(table.current_snapshot().snapshot_id), location=table.metadata_location,
    refs=sorted(table.metadata.refs), columns=[[f.field_id, f.name, str(f.field_type)] for f in table.schema().fields],
    files=sorted(t.file.file_path for t in tasks), rows=str(data.num_rows), nulls={n: str(data.column(n).null_count) for n in data.column_names},
    min=str(min(data.column('id').to_pylist())), max=str(max(data.column('id').to_pylist())))))
`;

interface Answer {
  readonly snapshots: readonly string[];
  readonly current: string;
  readonly location: string;
  readonly refs: readonly string[];
  readonly columns: readonly (readonly [number, string, string])[];
  readonly files: readonly string[];
  readonly rows: string;
  readonly nulls: Readonly<Record<string, string>>;
  readonly min: string;
  readonly max: string;
}

const programs = lakehousePrograms(process.env);
const orders = { namespace: ['live'], name: 'orders' };

(programs ? describe : describe.skip)('a table that pyiceberg changes between two readings', () => {
  let aws: ChildServer;
  let rest: ChildServer;
  let connector: Connector;
  const known = new Set<bigint>();

  beforeAll(async () => {
    aws = await startAws(programs!);
    await fetch(`${aws.url}/warehouse`, { method: 'PUT' });
    rest = await startIcebergRest(programs!, aws);
    const properties = { catalog: 'rest', s3_endpoint: aws.url, s3_path_style: 'true' };
    const factory = new IcebergConnectorFactory({ fileRoots: [], allowPrivate: true });
    connector = factory.create({ uri: rest.url, properties, credentials: lakehouseKeys });
  }, 120_000);

  afterAll(async () => {
    await connector?.close();
    await Promise.all([aws?.close(), rest?.close()]);
  });

  test.each(['create', 'append', 'delete', 'evolve', 'branch', 'overwrite'])(
    'is, after "%s", what pyiceberg reads',
    async (step) => {
      const theirs = await taken(programs!, step);
      const table = await connector.describe(orders);
      const fresh = await all(table.listSnapshots(known));
      for (const { id } of fresh) known.add(id);
      expect([...known].map(String).sort()).toEqual([...theirs.snapshots].sort());
      expect(described(table.description)).toEqual(described(theirs));
      const current = (await all(table.listSnapshots(new Set()))).find(({ isCurrent }) => isCurrent)!;
      const ours = found(current, await all(table.statistics(current, 'all')));
      expect(ours).toMatchObject({ ...found(theirs), nulls: {} });
      // Files from before a column was added do not say how many nulls it has, so we do not know either.
      expect(theirs.nulls).toMatchObject(ours.nulls);
    },
    60_000,
  );

  async function taken(programs: LakehousePrograms, step: string): Promise<Answer> {
    return JSON.parse(await runPython(programs, writer, [rest.url, aws.url, step])) as Answer;
  }
});

function described(of: TableDescription | Answer) {
  if (!('schemas' in of)) {
    const { location, current, refs, columns } = of;
    return { location, current, refs, columns };
  }
  const schema = of.schemas.find(({ id }) => id === of.currentSchemaId)!;
  return {
    location: of.metadataLocation,
    current: String(of.currentSnapshotId),
    refs: of.refs.map(({ name }) => name).sort(),
    columns: schema.fields.map(({ id, name, type }) => [id, name, 'source' in type ? type.source : type.kind]),
  };
}

/** Files, rows, nulls of columns, and the bounds of ids: of our statistics, or of pyiceberg's own reading. */
function found(of: Snapshot | Answer, items: readonly StatisticsItem[] = []) {
  if ('rows' in of) {
    const { files, rows, nulls, min, max } = of;
    return { files, rows, nulls, min, max };
  }
  const files = items.flatMap((one) => (one.item === 'file' ? [one.file.path] : [])).sort();
  const columns = items.flatMap((one) => (one.item === 'column' ? [one.column] : []));
  const table = items.flatMap((one) => (one.item === 'table' ? [one.table] : []))[0]!;
  const known = columns.filter(({ path, nullCount }) => path[0] !== 'note' || nullCount !== null);
  const nulls = Object.fromEntries(known.map(({ path, nullCount }) => [path[0], String(nullCount)]));
  const [{ min, max }] = columns as [(typeof columns)[number]];
  return { files, rows: String(table.liveRowCount), nulls, min, max };
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}
