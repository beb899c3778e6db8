import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { FieldByField, type FieldRule } from '@homeostat/testing';
import { type FileColumn, type PlanFile, type Snapshot, type StatisticsItem } from '../connector/connector.port';
import { leavesOf } from '../connector/data-type';
import { ConnectorFault } from '../connector/fault';
import { inPieces } from '../connector/in-pieces';
import { FilesystemStore } from '../storage/filesystem.storage';
import { FilesystemCatalog } from './catalogs/filesystem.catalog';
import { IcebergTable } from './iceberg.table';

const root = resolve(__dirname, '../../../../test/fixtures/lakehouse');
const warehouse = resolve(root, 'warehouse');
const store = new FilesystemStore([
  { uri: 's3://warehouse', folder: warehouse },
  { uri: 'file:/warehouse', folder: warehouse },
]);

interface Listed {
  readonly name: string;
  readonly kind: string;
  readonly metadata_location: string;
  readonly expected: string;
}

/** The members of an expected file that the spec itself looks at. */
interface Expected {
  readonly current_snapshot_id: string;
  readonly broken_snapshot_ids?: readonly string[];
}

const listed = (JSON.parse(readFileSync(resolve(root, 'tables.json'), 'utf8')) as { tables: Listed[] }).tables;
const iceberg = listed.filter(({ kind }) => kind === 'iceberg');
const good = iceberg.filter(({ name }) => !name.startsWith('bad.'));

async function opened({ metadata_location: uri }: Listed): Promise<IcebergTable> {
  const catalog = new FilesystemCatalog(store, uri, []);
  const [table] = await all(catalog.listTables([], {}));
  return new IcebergTable(table!, await catalog.load(table!, {}));
}

function expectedOf({ expected }: Listed): Expected {
  return JSON.parse(readFileSync(resolve(root, expected), 'utf8')) as Expected;
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

/** What our reader says, in the shape of the expected files. */
async function asExpected(name: string, table: IcebergTable) {
  const { description: d, metadata } = table;
  const snapshots = await all(table.listSnapshots(new Set()));
  return {
    name,
    kind: d.format,
    format_version: d.formatVersion,
    table_uuid: d.uuid,
    location: d.location,
    metadata_location: d.metadataLocation,
    last_updated_ms: text(d.lastUpdatedMs),
    current_snapshot_id: text(d.currentSnapshotId),
    refs: Object.fromEntries(d.refs.map((ref) => [ref.name, { type: ref.type, snapshot_id: text(ref.snapshotId) }])),
    current_schema_id: d.currentSchemaId,
    schemas: d.schemas.map((schema) => ({
      schema_id: schema.id,
      identifier_field_ids: schema.identifierFieldIds,
      columns: leavesOf(schema).map(({ fieldId, path, type, required }) => ({
        ...{ field_id: fieldId, path, type: type.source, required },
      })),
      top_level: schema.fields.map((field) => field.name),
    })),
    default_spec_id: d.defaultSpecId,
    partition_specs: d.partitionSpecs.map((spec) => ({
      spec_id: spec.id,
      fields: spec.fields.map((field) => ({
        ...{ name: field.name, source_id: field.sourceIds[0], field_id: field.fieldId, transform: field.transform },
      })),
    })),
    properties: d.properties,
    statistics: metadata.statistics.map((file) => ({
      snapshot_id: text(file.snapshotId),
      path: file.path,
      bytes: text(file.bytes),
      blobs: file.blobs.map((blob) => ({
        ...{
          type: blob.type,
          field_ids: blob.fieldIds,
          ndv: blob.properties['ndv'],
          snapshot_id: text(blob.snapshotId),
        },
      })),
    })),
    snapshots: await Promise.all(snapshots.map((snapshot) => snapshotAsExpected(table, snapshot))),
  };
}

async function snapshotAsExpected(table: IcebergTable, snapshot: Snapshot) {
  const items = await all(table.statistics(snapshot, 'all'));
  const planned = await all(table.plan(snapshot));
  expect(planned).toEqual(of(items, 'file').map(({ file }) => file));
  expect(new Set(items.map(({ key }) => key)).size).toBe(items.length);
  expect(await inPieces(table, snapshot)).toEqual(items);
  const { table: stats } = of(items, 'table')[0]!;
  return {
    snapshot_id: text(snapshot.id),
    parent_snapshot_id: text(snapshot.parentId),
    parent_present: snapshot.parentPresent,
    sequence_number: text(snapshot.sequenceNumber),
    timestamp_ms: text(snapshot.committedAtMs),
    operation: snapshot.operation,
    schema_id: snapshot.schema.id,
    manifest_list: snapshot.manifestList,
    in_current_lineage: snapshot.inCurrentLineage,
    is_current: snapshot.isCurrent,
    stats: {
      record_count: text(stats.recordCount),
      live_row_count: text(stats.liveRowCount),
      data_file_count: stats.dataFileCount,
      data_bytes: text(stats.dataBytes),
      position_delete_file_count: stats.positionDeleteFileCount,
      equality_delete_file_count: stats.equalityDeleteFileCount,
      delete_record_count: text(stats.deleteRecordCount),
      delete_bytes: text(stats.deleteBytes),
    },
    columns: of(items, 'column').map(({ column }) => ({
      ...columnAsExpected(column),
      type: column.type,
      bounds_complete: column.boundsComplete,
      // Not in the expected files under these names: the rule for `exact` looks at them.
      exact: { min: column.min, max: column.max, truncated: column.boundsTruncated, known: column },
    })),
    files: planned.map(fileAsExpected).sort((a, b) => order(a.content, b.content) || order(a.path, b.path)),
  };
}

function columnAsExpected(column: FileColumn) {
  return {
    field_id: column.fieldId,
    path: column.path,
    value_count: text(column.valueCount),
    null_count: text(column.nullCount),
    nan_count: text(column.nanCount),
    min: column.min,
    max: column.max,
  };
}

function fileAsExpected(file: PlanFile) {
  return {
    path: file.path,
    content: file.content.toUpperCase(),
    format: file.format,
    record_count: text(file.recordCount),
    bytes: text(file.bytes),
    spec_id: file.specId,
    partition: file.partition,
    sequence_number: text(file.sequenceNumber),
    added_snapshot_id: text(file.addedSnapshotId),
    equality_ids: file.equalityIds,
    columns: file.columns.map(columnAsExpected).sort((a, b) => a.field_id! - b.field_id!),
  };
}

function of<K extends StatisticsItem['item']>(items: readonly StatisticsItem[], item: K) {
  return items.filter((one): one is Extract<StatisticsItem, { item: K }> => one.item === item);
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function text(value: bigint | null): string | null {
  return value === null ? null : String(value);
}

/** Floats are the same number in another spelling; everything else is the same text. */
const bound: FieldRule = (expected, actual, { type }) => {
  const isFloat = type === undefined || type === 'float' || type === 'double';
  const isSame = expected === actual || (isFloat && isFloatText(expected) && Number(expected) === Number(actual));
  return isSame ? null : `expected ${String(expected)}, found ${String(actual)}`;
};

function isFloatText(value: unknown): boolean {
  return typeof value === 'string' && /^-?\d+(\.\d+)?(e[+-]?\d+)?$/.test(value);
}

/** What is really in the data: our bounds must be that, or say that they may be cut. */
const exact: FieldRule = (expected, actual) => {
  const real = expected as { min: string | null; max: string | null; null_count: string; nan_count: string | null };
  const ours = actual as { min: string | null; max: string | null; truncated: boolean | null; known: FileColumn };
  for (const side of ['min', 'max'] as const) {
    const isReal = ours[side] === null || ours[side] === real[side] || Number(ours[side]) === Number(real[side]);
    if (!isReal && ours.truncated !== true) return `${side} is ${real[side]}, but ${ours[side]} is not said to be cut`;
  }
  const { nullCount, nanCount } = ours.known;
  if (nullCount !== null && text(nullCount) !== real.null_count) return `${real.null_count} nulls, not ${nullCount}`;
  return nanCount !== null && text(nanCount) !== real.nan_count ? `${real.nan_count} NaN, not ${nanCount}` : null;
};

/** Counted by a query; equality deletes cannot be counted from metadata. */
const liveRows: FieldRule = (expected, actual, { equality_delete_file_count: equalityDeletes }) => {
  const known = equalityDeletes === 0 ? expected : null;
  return actual === known ? null : `expected ${String(known)}, found ${String(actual)}`;
};

const rules: Readonly<Record<string, FieldRule>> = {
  // What whoever made the table wrote about it.
  note: () => null,
  'snapshots[].stats.live_row_count': liveRows,
  'snapshots[].columns[].min': bound,
  'snapshots[].columns[].max': bound,
  'snapshots[].columns[].exact': exact,
  'snapshots[].files[].columns[].min': bound,
  'snapshots[].files[].columns[].max': bound,
};

describe('every Iceberg table of the fixtures', () => {
  const compared = new Set<string>();

  test.each(good.map((table) => [table.name, table] as const))(
    '%s is what its expected file says',
    async (name, table) => {
      const fields = new FieldByField(rules);
      fields.compare(expectedOf(table), await asExpected(name, await opened(table)));
      expect(fields.differences).toEqual([]);
      for (const pattern of fields.compared.keys()) compared.add(pattern);
    },
  );

  test('has been compared in all these fields', () => {
    const leaves = [...compared].filter((pattern) => ![...compared].some((other) => other.startsWith(`${pattern}.`)));
    expect(leaves.filter((pattern) => !/^(properties|refs)|partition\./.test(pattern)).sort()).toMatchInlineSnapshot(`
      [
        "",
        "current_schema_id",
        "current_snapshot_id",
        "default_spec_id",
        "format_version",
        "kind",
        "last_updated_ms",
        "location",
        "metadata_location",
        "name",
        "note",
        "partition_specs",
        "partition_specs[].fields",
        "partition_specs[].fields[].field_id",
        "partition_specs[].fields[].name",
        "partition_specs[].fields[].source_id",
        "partition_specs[].fields[].transform",
        "partition_specs[].spec_id",
        "schemas",
        "schemas[].columns",
        "schemas[].columns[].field_id",
        "schemas[].columns[].path",
        "schemas[].columns[].path[]",
        "schemas[].columns[].required",
        "schemas[].columns[].type",
        "schemas[].identifier_field_ids",
        "schemas[].schema_id",
        "schemas[].top_level",
        "schemas[].top_level[]",
        "snapshots",
        "snapshots[].columns",
        "snapshots[].columns[].bounds_complete",
        "snapshots[].columns[].exact",
        "snapshots[].columns[].field_id",
        "snapshots[].columns[].max",
        "snapshots[].columns[].min",
        "snapshots[].columns[].nan_count",
        "snapshots[].columns[].null_count",
        "snapshots[].columns[].path",
        "snapshots[].columns[].path[]",
        "snapshots[].columns[].type",
        "snapshots[].columns[].value_count",
        "snapshots[].files",
        "snapshots[].files[].added_snapshot_id",
        "snapshots[].files[].bytes",
        "snapshots[].files[].columns",
        "snapshots[].files[].columns[].field_id",
        "snapshots[].files[].columns[].max",
        "snapshots[].files[].columns[].min",
        "snapshots[].files[].columns[].nan_count",
        "snapshots[].files[].columns[].null_count",
        "snapshots[].files[].columns[].path",
        "snapshots[].files[].columns[].path[]",
        "snapshots[].files[].columns[].value_count",
        "snapshots[].files[].content",
        "snapshots[].files[].equality_ids",
        "snapshots[].files[].equality_ids[]",
        "snapshots[].files[].format",
        "snapshots[].files[].path",
        "snapshots[].files[].record_count",
        "snapshots[].files[].sequence_number",
        "snapshots[].files[].spec_id",
        "snapshots[].in_current_lineage",
        "snapshots[].is_current",
        "snapshots[].manifest_list",
        "snapshots[].operation",
        "snapshots[].parent_present",
        "snapshots[].parent_snapshot_id",
        "snapshots[].schema_id",
        "snapshots[].sequence_number",
        "snapshots[].snapshot_id",
        "snapshots[].stats.data_bytes",
        "snapshots[].stats.data_file_count",
        "snapshots[].stats.delete_bytes",
        "snapshots[].stats.delete_record_count",
        "snapshots[].stats.equality_delete_file_count",
        "snapshots[].stats.live_row_count",
        "snapshots[].stats.position_delete_file_count",
        "snapshots[].stats.record_count",
        "snapshots[].timestamp_ms",
        "statistics",
        "statistics[].blobs",
        "statistics[].blobs[].field_ids",
        "statistics[].blobs[].field_ids[]",
        "statistics[].blobs[].ndv",
        "statistics[].blobs[].snapshot_id",
        "statistics[].blobs[].type",
        "statistics[].bytes",
        "statistics[].path",
        "statistics[].snapshot_id",
        "table_uuid",
      ]
    `);
  });
});

describe('the distinct values of a column', () => {
  test('are what the writer estimated for that very snapshot, and else unknown', async () => {
    const table = await opened(iceberg.find(({ name }) => name === 'sales.puffin_ndv')!);
    const found: (readonly (string | null)[])[] = [];
    for await (const snapshot of table.listSnapshots(new Set())) {
      found.push(of(await all(table.statistics(snapshot, 'all')), 'column').map(({ column }) => text(column.ndv)));
    }
    // The second time it was for the column `city` alone; the third snapshot has none.
    expect(found).toEqual([
      ['1000', '17', '1000'],
      [null, '22', null],
      [null, null, null],
    ]);
  });
});

describe('broken Iceberg tables', () => {
  const bad = (name: string) => iceberg.find((one) => one.name === `bad.${name}`)!;

  test.each([
    ['ice_missing_manifest', 'not_found'],
    ['ice_missing_manifest_list', 'not_found'],
    ['ice_truncated_manifest', 'corrupt'],
  ])('%s spoils only the snapshots that need what is broken (%s)', async (name, code) => {
    const table = await opened(bad(name));
    const broken = new Set(expectedOf(bad(name)).broken_snapshot_ids);
    const sound = await opened(iceberg.find((one) => one.name === 'sales.rollback')!);
    const soundSnapshots = await all(sound.listSnapshots(new Set()));
    for (const snapshot of await all(table.listSnapshots(new Set()))) {
      const read = all(table.statistics(snapshot, 'all'));
      if (broken.has(String(snapshot.id))) await expect(read).rejects.toMatchObject({ code, faultClass: 'terminal' });
      else {
        const same = await all(
          sound.statistics(
            soundSnapshots.find(({ id }) => id === snapshot.id)!,
            'all',
          ),
        );
        expect(of(await read, 'table')).toEqual(of(same, 'table'));
      }
    }
    expect(text(table.description.currentSnapshotId)).toBe(expectedOf(bad(name)).current_snapshot_id);
  });

  test('metadata that is cut short is a fault of the table', async () => {
    await expect(opened(bad('ice_truncated_metadata'))).rejects.toMatchObject({
      code: 'corrupt',
      faultClass: 'terminal',
    });
  });

  test('an unknown format version is refused by its number', async () => {
    const fault = await opened(bad('ice_version_99')).catch((error: unknown) => error);
    expect(fault).toBeInstanceOf(ConnectorFault);
    expect(fault).toMatchObject({ code: 'unsupported', message: expect.stringContaining('version 99') as string });
  });

  test('missing data files do not matter: metadata alone is read', async () => {
    const table = await opened(bad('ice_missing_data_file'));
    const snapshots = await all(table.listSnapshots(new Set()));
    for (const snapshot of snapshots) expect(of(await all(table.statistics(snapshot, 'all')), 'table')).toHaveLength(1);
    expect(snapshots.length).toBeGreaterThan(0);
  });

  test('these are all the broken ones', () => {
    expect(iceberg.filter((table) => !good.includes(table)).map(({ name }) => name)).toHaveLength(6);
  });
});
