import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type ColumnStatistics,
  type FileColumn,
  type PlanFile,
  type Snapshot,
  type StatisticsItem,
  type TableStatistics,
} from '../connector/connector.port';
import { inPieces } from '../connector/in-pieces';
import { FieldByField, type FieldRule, lakehouseFixtures as fixtures } from '@homeostat/testing';
import { FilesystemStore } from '../storage/filesystem.storage';
import { DeltaLog } from './delta-log';
import { DeltaTable } from './delta.table';
import { deltaSchema } from './delta-schema';
import { describeTable } from './describe';

/** What the expected values say of the fixture, not of the table. */
const aboutTheFixture = Object.fromEntries(
  ['name', 'kind', 'root', 'note', 'checked_with'].map((field) => [field, () => null]),
);

/** Floats are the same number in another spelling; everything else is the same text. */
const bound: FieldRule = (expected, actual) => {
  const isSame = expected === actual || (expected !== null && actual !== null && Number(expected) === Number(actual));
  return isSame ? null : `expected ${String(expected)}, found ${String(actual)}`;
};

/** Counted by a query: what we say, where metadata can know it. */
const counted: FieldRule = (expected, actual, { record_count: known }) =>
  actual === (known === null ? null : expected) ? null : `expected ${String(expected)}, found ${String(actual)}`;

/** Vectors loosen bounds; where the writer says nothing of that, long texts may do so as well. */
const loose: FieldRule = (expected, actual) =>
  expected === null || expected === !actual ? null : `expected ${String(expected)}, found loose: ${String(actual)}`;

const rules: Readonly<Record<string, FieldRule>> = {
  ...aboutTheFixture,
  'versions[].stats.counted_rows': counted,
  'versions[].columns[].min': bound,
  'versions[].columns[].max': bound,
  'versions[].files[].columns[].min': bound,
  'versions[].files[].columns[].max': bound,
  'versions[].files[].tight_bounds': loose,
};

const store = new FilesystemStore([{ uri: 's3://warehouse', folder: join(fixtures, 'warehouse') }]);
const delta = (
  JSON.parse(readFileSync(join(fixtures, 'tables.json'), 'utf8')) as { tables: FixtureTable[] }
).tables.filter(({ kind }) => kind === 'delta');

interface FixtureTable {
  readonly name: string;
  readonly kind: string;
  readonly table_root: string;
}

describe('the Delta tables of the fixtures', () => {
  const compared = new Set<string>();
  const good = delta.map(({ name }) => name).filter((name) => !name.startsWith('bad.'));

  it.each(good)('%s is read as its other readers read it, in every field', async (name) => {
    const expected = expectedOf(name);
    const fields = new FieldByField(rules);
    fields.compare(expected, await readTable(name));
    expect(fields.differences).toEqual([]);
    for (const pattern of fields.compared.keys()) compared.add(pattern);
  });

  it('have been compared in all these fields', () => {
    const leaves = [...compared].filter((pattern) => ![...compared].some((other) => other.startsWith(`${pattern}.`)));
    expect(leaves.filter((pattern) => !/^configuration|partition_values\./.test(pattern)).sort())
      .toMatchInlineSnapshot(`
      [
        "",
        "checked_with",
        "current_version",
        "earliest_version",
        "kind",
        "name",
        "note",
        "partition_columns",
        "partition_columns[]",
        "protocol.minReaderVersion",
        "protocol.minWriterVersion",
        "protocol.readerFeatures",
        "protocol.readerFeatures[]",
        "protocol.writerFeatures",
        "protocol.writerFeatures[]",
        "root",
        "schema",
        "schema[].column_mapping_id",
        "schema[].nullable",
        "schema[].path",
        "schema[].path[]",
        "schema[].physical_path",
        "schema[].physical_path[]",
        "schema[].type",
        "table_id",
        "versions",
        "versions[].base_checkpoint",
        "versions[].columns",
        "versions[].columns[].max",
        "versions[].columns[].min",
        "versions[].columns[].null_count",
        "versions[].columns[].path",
        "versions[].columns[].path[]",
        "versions[].columns[].type",
        "versions[].files",
        "versions[].files[].bytes",
        "versions[].files[].columns",
        "versions[].files[].columns[].max",
        "versions[].files[].columns[].min",
        "versions[].files[].columns[].null_count",
        "versions[].files[].columns[].path",
        "versions[].files[].columns[].path[]",
        "versions[].files[].deletion_vector.cardinality",
        "versions[].files[].deletion_vector.offset",
        "versions[].files[].deletion_vector.size_bytes",
        "versions[].files[].deletion_vector.storage_type",
        "versions[].files[].modification_time_ms",
        "versions[].files[].path",
        "versions[].files[].rows",
        "versions[].files[].tight_bounds",
        "versions[].in_commit_timestamp",
        "versions[].operation",
        "versions[].schema_columns",
        "versions[].schema_columns[]",
        "versions[].stats.counted_rows",
        "versions[].stats.data_bytes",
        "versions[].stats.data_file_count",
        "versions[].stats.deleted_by_vectors",
        "versions[].stats.live_row_count",
        "versions[].stats.record_count",
        "versions[].timestamp_ms",
        "versions[].version",
      ]
    `);
  });

  it.each(['delta_checkpoint_missing_recoverable', 'delta_multipart_incomplete'])(
    'bad.%s is read all the same',
    async (name) => {
      // Another base is the point of these two tables.
      const fields = new FieldByField({ ...rules, 'versions[].base_checkpoint': () => null });
      fields.compare(
        expectedOf((expectedOf(`bad.${name}`) as { same_as: string }).same_as),
        await readTable(`bad.${name}`),
      );
      expect(fields.differences).toEqual([]);
    },
  );

  it.each([
    ['delta_truncated_commit', ['0', '1', '2', '3'], 'corrupt', /0{19}4\.json line 1: not JSON/],
    ['delta_gap', ['0', '1'], 'corrupt', /version 4 cannot be rebuilt, commit 2 is missing/],
  ])('bad.%s shows the versions before the damage, then says what is wrong', async (name, versions, code, message) => {
    const { table } = await openTable(`bad.${name}`);
    const seen: string[] = [];
    const listing = (async () => {
      for await (const snapshot of table.listSnapshots(new Set())) {
        seen.push(String(snapshot.id));
        expect((await all(table.statistics(snapshot, 'all'))).at(-1)!.item).toBe('table');
      }
    })();
    await expect(listing).rejects.toMatchObject({
      code,
      faultClass: 'terminal',
      message: expect.stringMatching(message),
    });
    expect(seen).toEqual(versions);
  });

  it.each([
    ['delta_checkpoint_missing', 'corrupt', /commit 9 is missing and no checkpoint stands in/],
    ['delta_corrupt_checkpoint', 'corrupt', /10\.checkpoint\.parquet: not readable as Parquet/],
    ['delta_unknown_feature', 'unsupported', /reader feature fancyFeature/],
    ['not_a_table', 'not_found', /no Delta table/],
  ])('bad.%s cannot be read at all, and says why', async (name, code, message) => {
    await expect(openTable(`bad.${name}`)).rejects.toMatchObject({
      ...{ code, faultClass: 'terminal', message: expect.stringMatching(message) },
    });
  });

  it('has no table that no test above is about', () => {
    const tested =
      /delta_(checkpoint_missing|corrupt_checkpoint|gap|multipart_incomplete|truncated_commit|unknown_feature)|not_a_table/;
    expect(delta.filter(({ name }) => name.startsWith('bad.') && !tested.test(name))).toEqual([]);
    expect(delta).toHaveLength(25);
  });
});

function expectedOf(name: string): unknown {
  return JSON.parse(readFileSync(join(fixtures, 'expected', `${name}.json`), 'utf8'));
}

async function openTable(name: string): Promise<{ log: DeltaLog; table: DeltaTable }> {
  const root = delta.find((one) => one.name === name)!.table_root;
  const log = await DeltaLog.open(store, root);
  const described = await describeTable({ namespace: ['lake'], name }, log);
  return { log, table: new DeltaTable(described, { roots: [root], store }, () => Promise.resolve(log)) };
}

async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const one of source) list.push(one);
  return list;
}

/** A table as the connector reads it, in the form of the expected values. */
async function readTable(name: string): Promise<unknown> {
  const inText = (_name: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value);
  return JSON.parse(JSON.stringify(await tableFields(name), inText));
}

async function tableFields(name: string) {
  const { log, table } = await openTable(name);
  const { description } = table;
  const snapshots = await all(table.listSnapshots(new Set()));
  const current = description.currentSnapshotId!;
  const { protocol, metadata } = await log.stateAt(current);
  const ownProperties = Object.entries(description.properties).filter(([key]) => !/^delta\.(min|feature)/.test(key));
  expect(snapshots.filter(({ isCurrent }) => isCurrent).map(({ id }) => id)).toEqual([current]);
  return {
    current_version: current,
    earliest_version: snapshots[0]!.id,
    protocol: Object.fromEntries(Object.entries(protocol).filter(([, value]) => value !== null)),
    table_id: description.uuid,
    configuration: Object.fromEntries(ownProperties),
    partition_columns: description.partitionSpecs[0]!.fields.map((field) => field.name),
    schema: schemaFields(metadata),
    versions: await Promise.all(snapshots.map((snapshot) => versionFields(log, table, snapshot))),
  };
}

function schemaFields(metadata: Parameters<typeof deltaSchema>[0]) {
  return deltaSchema({ ...metadata, partitionColumns: [] }).leaves.map(({ leaf, physicalPath }) => ({
    ...{
      path: leaf.path,
      physical_path: physicalPath,
      type: leaf.type.source,
      nullable: !leaf.required,
      column_mapping_id: leaf.fieldId,
    },
  }));
}

async function versionFields(log: DeltaLog, table: DeltaTable, snapshot: Snapshot) {
  const items = await all(table.statistics(snapshot, 'all'));
  const state = await log.stateAt(snapshot.id);
  const files = items.flatMap((one) => (one.item === 'file' ? [one.file] : []));
  expect(sorted(await all(table.plan(snapshot)))).toEqual(sorted(files));
  expect(new Set(items.map(({ key }) => key)).size).toBe(items.length);
  expect(await inPieces(table, snapshot)).toEqual(items);
  return {
    version: snapshot.id,
    timestamp_ms: snapshot.committedAtMs,
    in_commit_timestamp: snapshot.timeSource === 'in_commit_timestamp' ? snapshot.committedAtMs : null,
    operation: snapshot.operation,
    base_checkpoint: state.base,
    schema_columns: schemaFields(state.metadata).map(({ path }) => path.join('/')),
    stats: sumsOf(items),
    columns: items.flatMap((one) =>
      one.item === 'column' ? [{ ...columnFields(one.column), type: one.column.type }] : [],
    ),
    files: sorted(files).map(fileFields),
  };
}

function sorted(files: readonly PlanFile[]): PlanFile[] {
  return [...files].sort((a, b) => (a.path < b.path ? -1 : 1));
}

function sumsOf(items: readonly StatisticsItem[]) {
  const { table } = items.at(-1) as { table: TableStatistics };
  return {
    data_file_count: table.dataFileCount,
    data_bytes: table.dataBytes,
    record_count: table.recordCount,
    deleted_by_vectors: table.deleteRecordCount,
    live_row_count: table.liveRowCount,
    counted_rows: table.liveRowCount,
  };
}

function columnFields({ path, nullCount, min, max }: FileColumn | ColumnStatistics) {
  return { path, null_count: nullCount, min, max };
}

function fileFields(file: PlanFile) {
  const vector = file.deletionVector;
  return {
    path: file.path,
    bytes: file.bytes,
    rows: file.recordCount,
    partition_values: file.partition,
    deletion_vector: vector && {
      ...{
        storage_type: vector.storageType,
        cardinality: vector.cardinality,
        size_bytes: vector.bytes,
        offset: vector.offset,
      },
    },
    tight_bounds: file.columns.some(({ boundsTruncated }) => boundsTruncated),
    modification_time_ms: file.modifiedAtMs,
    columns: file.columns.map(columnFields),
  };
}
