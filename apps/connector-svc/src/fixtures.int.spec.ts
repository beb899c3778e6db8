import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Running, serve } from '@homeostat/platform';
import { FieldByField, type FieldRule, type TestDatabase, testDatabase } from '@homeostat/testing';
import { connectorService } from './connector.module';
import type { ConnectorFactory } from './connector/connector.port';
import { FACTORIES } from './connector/registry';
import { DeltaConnectorFactory } from './delta/delta.connector';
import { FilesystemCatalog } from './iceberg/catalogs/filesystem.catalog';
import { IcebergTable } from './iceberg/iceberg.table';
import { FilesystemStore } from './storage/filesystem.storage';

/*
 * Every table of the fixtures through the whole service: read by jobs, stored, and compared with what independent readers say, by what
 * the API answers. That the connectors read every field right is for their own specs; here it is that nothing is lost on the way.
 */
const fixtures = resolve(__dirname, '../../../test/fixtures/lakehouse');
const warehouse = join(fixtures, 'warehouse');

/** The paths in Iceberg's metadata are those of a bucket. */
const iceberg: ConnectorFactory = {
  kind: 'iceberg',
  create({ uri }) {
    const places = ['s3://warehouse', 'file:/warehouse'].map((place) => ({ uri: place, folder: warehouse }));
    const catalog = new FilesystemCatalog(new FilesystemStore(places), uri, ['file:/warehouse']);
    return {
      listNamespaces: (options = {}) => catalog.listNamespaces(options),
      listTables: (namespace, options = {}) => catalog.listTables(namespace, options),
      describe: async (table, options = {}) => new IcebergTable(table, await catalog.load(table, options)),
      close: () => catalog.close(),
    };
  },
};
const delta = new DeltaConnectorFactory({ fileRoots: [warehouse], allowPrivate: false });
const service = {
  ...connectorService,
  providers: [
    ...connectorService.providers.filter((one) => !('provide' in one)),
    { provide: FACTORIES, useValue: [iceberg, delta] },
  ],
};

interface Listed {
  readonly name: string;
  readonly kind: 'iceberg' | 'delta';
  readonly expected: string;
}
const listed = (JSON.parse(readFileSync(join(fixtures, 'tables.json'), 'utf8')) as { tables: Listed[] }).tables;
const isBad = ({ name }: Listed): boolean => name.startsWith('bad.');
const goodOf = (kind: string): Listed[] => listed.filter((one) => one.kind === kind && !isBad(one));

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- answers are compared with what they should be
type Shown = Record<string, any>;

let database: TestDatabase;
let running: Running;
let jobs: Record<string, Shown>;

async function call(method: string, path: string, body?: object): Promise<Shown> {
  const headers = { 'Content-Type': 'application/json' };
  const response = await fetch(`${running.url}/v1/${path}`, { method, headers, body: body && JSON.stringify(body) });
  const answer = (await response.json()) as Shown;
  if (!response.ok) throw new Error(`${method} ${path}: ${JSON.stringify(answer)}`);
  return answer;
}

/** All pages of a list, small ones. */
async function all(path: string): Promise<Shown[]> {
  const items: Shown[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const page: Shown = await call(
      'GET',
      `${path}${path.includes('?') ? '&' : '?'}limit=7${cursor && `&cursor=${cursor}`}`,
    );
    items.push(...(page.items as Shown[]));
    cursor = page.next_cursor as string | null;
  }
  return items;
}

async function reconciled(kind: string, uri: string): Promise<Shown> {
  const connector = await call('POST', 'connectors', { display_name: kind, kind, source: { uri } });
  const job = await call('POST', `connectors/${connector.id}/trigger`, {});
  return call('GET', `reconcile-jobs/${job.id}?wait=JS_SUCCEEDED&timeout=60s`);
}

beforeAll(async () => {
  database = await testDatabase();
  const preset = { RECONCILER_HTTP_PORT: '0', RECONCILER_LOG_LEVEL: 'error', RECONCILER_DATABASE_URL: database.url };
  running = await serve([service], preset);
  const [one, other] = await Promise.all([reconciled('iceberg', 's3://warehouse'), reconciled('delta', warehouse)]);
  jobs = { iceberg: one, delta: other };
}, 90_000);

afterAll(async () => {
  await running.stop();
  await database.close();
});

/** The table of a connector by its name in the source. */
async function tableOf(kind: string, name: string): Promise<Shown> {
  const tables = await all(`tables?connector_id=${jobs[kind]!.connector_id}`);
  const found = tables.find(({ source }) => [...source.namespace, source.table].join('.') === name);
  return call('GET', `tables/${found!.id}`);
}

interface Read {
  readonly table: Shown;
  readonly snapshots: Shown[];
}

/** A table with everything about its snapshots, oldest first, as the API answers. */
async function read(kind: string, name: string): Promise<Read> {
  const table = await tableOf(kind, name);
  const snapshots: Shown[] = [];
  for (const snapshot of await all(`tables/${table.id}/snapshots`)) {
    const path = `tables/${table.id}/snapshots/${snapshot.snapshot_id}`;
    const [[stats], columns, files] = await Promise.all([
      all(`${path}/statistics`),
      all(`${path}/statistics?target=column`),
      all(`${path}/plan`),
    ]);
    snapshots.unshift({ ...snapshot, stats, columns, files });
  }
  return { table, snapshots };
}

const expectedOf = ({ expected }: Listed): Shown => JSON.parse(readFileSync(join(fixtures, expected), 'utf8')) as Shown;
const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Floats are the same number in another spelling; everything else is the same text. */
const bound: FieldRule = (expected, actual) => {
  const isFloat = typeof expected === 'string' && /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(expected);
  return expected === actual || (isFloat && Number(expected) === Number(actual))
    ? null
    : `expected ${String(expected)}, found ${String(actual)}`;
};

describe('Iceberg', () => {
  const rules: Readonly<Record<string, FieldRule>> = {
    // About the fixture, or read and shown by no list of ours: Puffin files are seen through `ndv`.
    note: () => null,
    statistics: () => null,
    // Equality deletes cannot be counted from metadata.
    'snapshots[].stats.live_row_count': (expected, actual, { equality_delete_file_count: deletes }) =>
      actual === (deletes === 0 ? expected : null) ? null : `expected ${String(expected)}, found ${String(actual)}`,
    // The same file by the name that the catalog was opened under.
    metadata_location: (expected, actual) =>
      actual === String(expected).replace(/^file:/, 's3:/') ? null : `found ${String(actual)}`,
    'snapshots[].columns[].exact': () => null,
    'snapshots[].columns[].min': bound,
    'snapshots[].columns[].max': bound,
    'snapshots[].files[].columns[].min': bound,
    'snapshots[].files[].columns[].max': bound,
  };
  const asExpected = ({ table, snapshots }: Read): Shown => ({
    ...table,
    name: [...table.source.namespace, table.source.table].join('.'),
    kind: table.format,
    refs: Object.fromEntries(table.refs.map(({ name, ...ref }: Shown) => [name, ref])),
    schemas: table.schemas.map((schema: Shown) => ({
      ...schema,
      top_level: schema.fields.map(({ name }: Shown) => name),
    })),
    partition_specs: table.partition_specs.map((spec: Shown) => ({
      ...spec,
      fields: spec.fields.map((field: Shown) => ({ ...field, source_id: field.source_ids[0] })),
    })),
    snapshots: snapshots.map((snapshot) => ({
      ...snapshot,
      files: snapshot.files
        .map((file: Shown) => ({
          ...file,
          content: file.content.toUpperCase(),
          columns: file.columns.toSorted((a: Shown, b: Shown) => a.field_id - b.field_id),
        }))
        .sort((a: Shown, b: Shown) => order(a.content, b.content) || order(a.path, b.path)),
    })),
  });

  test.each(goodOf('iceberg').map((table) => [table.name, table] as const))(
    '%s is answered as it is',
    async (name, table) => {
      const fields = new FieldByField(rules);
      fields.compare(expectedOf(table), asExpected(await read('iceberg', name)));
      expect(fields.differences).toEqual([]);
      expect(fields.compared.size).toBeGreaterThan(20);
    },
  );
});

describe('Delta', () => {
  const rules: Readonly<Record<string, FieldRule>> = {
    ...Object.fromEntries(
      ['name', 'kind', 'root', 'note', 'checked_with', 'protocol', 'configuration', 'schema'].map((name) => [
        name,
        () => null,
      ]),
    ),
    // How the connector came to its answer, which its own spec looks at.
    'versions[].base_checkpoint': () => null,
    'versions[].in_commit_timestamp': () => null,
    'versions[].schema_columns': () => null,
    'versions[].files[].tight_bounds': () => null,
    'versions[].files[].columns': (expected, actual) => sameColumns(expected as Shown[], actual as Shown[]),
    // Where a copy has lost the time of the commit file, there is another.
    'versions[].timestamp_ms': (expected, actual) =>
      expected === null || expected === actual ? null : `expected ${String(expected)}, found ${String(actual)}`,
    // A query's own count, where metadata does not know.
    'versions[].stats.counted_rows': (expected, actual, { record_count: known }) =>
      actual === (known === null ? null : expected) ? null : `expected ${String(expected)}, found ${String(actual)}`,
    'versions[].columns[].min': bound,
    'versions[].columns[].max': bound,
  };
  const asExpected = ({ table, snapshots }: Read): Shown => ({
    current_version: table.current_snapshot_id,
    earliest_version: snapshots[0]!.snapshot_id,
    table_id: table.table_uuid,
    partition_columns: table.partition_spec.fields.map(({ name }: Shown) => name),
    versions: snapshots.map((snapshot) => ({
      version: snapshot.snapshot_id,
      ...{ timestamp_ms: snapshot.timestamp_ms, operation: snapshot.operation, columns: snapshot.columns },
      stats: {
        ...snapshot.stats,
        deleted_by_vectors: snapshot.stats.delete_record_count,
        counted_rows: snapshot.stats.live_row_count,
      },
      files: snapshot.files
        .map((file: Shown) => ({
          ...{
            ...file,
            rows: file.record_count,
            partition_values: file.partition,
            modification_time_ms: file.modified_at_ms,
          },
        }))
        .sort((a: Shown, b: Shown) => order(a.path, b.path)),
    })),
  });

  test.each(goodOf('delta').map((table) => [table.name, table] as const))(
    '%s is answered as it is',
    async (name, table) => {
      const expected = expectedOf(table);
      const fields = new FieldByField(rules);
      const sorted = expected.versions.map((version: Shown) => ({
        ...version,
        files: version.files.toSorted((a: Shown, b: Shown) => order(a.path, b.path)),
      }));
      fields.compare({ ...expected, versions: sorted }, asExpected(await read('delta', name)));
      expect(fields.differences).toEqual([]);
      expect(fields.compared.size).toBeGreaterThan(10);
    },
  );
});

/** Columns of a file by their path: a log lists those that it has something to say of. */
function sameColumns(expected: readonly Shown[], actual: readonly Shown[]): string | null {
  for (const column of expected) {
    const path = JSON.stringify(column.path);
    const found = actual.find((one) => JSON.stringify(one.path) === path);
    if (!found) return `${path} is missing`;
    for (const name of ['null_count', 'min', 'max'])
      if (bound(column[name], found[name], column) !== null)
        return `${path}.${name}: expected ${column[name]}, found ${found[name]}`;
  }
  return null;
}

test('broken tables fail by themselves, each with its own reason, and every other table is done', () => {
  const outcome = (kind: string): Record<string, string> =>
    Object.fromEntries(
      jobs[kind]!.tables.map((table: Shown) => [[...table.namespace, table.name].join('.'), table.code ?? table.state]),
    );
  const done = (kind: string): Record<string, string> =>
    Object.fromEntries(goodOf(kind).map(({ name }) => [name, 'done']));
  expect(jobs.iceberg).toMatchObject({ state: 'JS_FAILED', reason: 'TablesFailed', attempt: 1 });
  expect(outcome('iceberg')).toMatchObject({
    ...done('iceberg'),
    'bad.ice_missing_data_file': 'done',
    'bad.ice_missing_manifest': 'unreadable_snapshots',
    'bad.ice_missing_manifest_list': 'unreadable_snapshots',
    'bad.ice_truncated_manifest': 'unreadable_snapshots',
    'bad.ice_truncated_metadata': 'corrupt',
    'bad.ice_version_99': 'unsupported',
  });
  expect(outcome('delta')).toMatchObject({
    ...done('delta'),
    'bad.delta_checkpoint_missing': 'corrupt',
    'bad.delta_checkpoint_missing_recoverable': 'done',
    'bad.delta_corrupt_checkpoint': 'corrupt',
    'bad.delta_gap': 'unreadable_snapshots',
    'bad.delta_multipart_incomplete': 'done',
    'bad.delta_truncated_commit': 'unreadable_snapshots',
    'bad.delta_unknown_feature': 'unsupported',
  });
});

test('an incremental run reads nothing again but what was broken', async () => {
  const { connector_id } = jobs.iceberg!;
  const { id } = await call('POST', `connectors/${connector_id}/trigger`, {});
  const job = await call('GET', `reconcile-jobs/${id}?wait=JS_SUCCEEDED&timeout=60s`);
  expect(job).toMatchObject({
    tables_total: jobs.iceberg!.tables_total,
    tables_changed: 0,
    snapshots_processed: '0',
    errors: jobs.iceberg!.errors,
  });
});
