import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { type Running, serve } from '@homeostat/platform';
import {
  type ChildServer,
  FieldByField,
  type FieldRule,
  lakehouseKeys,
  lakehousePrograms,
  startAws,
  startIcebergRest,
  startUnity,
  startWriter,
  type TestDatabase,
  testDatabase,
  type Writer,
} from '@homeostat/testing';
import { connectorService } from '../connector.module';

/*
 * Tables that real writers change between two runs, in real catalogs (Unity Catalog is a stand-in), through the whole service: after each step
 * a job reads what is new, and the API answers what the writer's own reader says of every snapshot. What the reader counts in the data itself
 * stands beside what we know from metadata alone.
 */
const programs = lakehousePrograms(process.env);
const token = 'suite-token';

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- answers are compared with what they should be
type Shown = Record<string, any>;

/** Where a table lives: its connector, and the program that changes it. */
interface Home {
  readonly kind: 'iceberg' | 'delta';
  readonly source: Shown;
  readonly auth: Shown;
  readonly writer: readonly string[];
}

const keys = { scheme: 'aws', ...lakehouseKeys };

function homes(aws: string, rest: string, unity: string): Readonly<Record<string, Home>> {
  const s3 = { s3_endpoint: aws, s3_path_style: 'true' };
  const glue = { catalog: 'glue', glue_endpoint: aws, ...s3 };
  const lent = { catalog: 'unity', storage_access: 'lent', ...s3 };
  return {
    rest: {
      ...{ kind: 'iceberg', source: { uri: rest, properties: { catalog: 'rest', ...s3 } } },
      ...{ auth: { ...keys, scheme: 'none' }, writer: ['iceberg.py', 'rest', rest, aws] },
    },
    icebergGlue: {
      ...{ kind: 'iceberg', source: { uri: 'glue', namespace: 'living', properties: glue }, auth: keys },
      writer: ['iceberg.py', 'glue', aws, aws],
    },
    deltaGlue: {
      ...{ kind: 'delta', source: { uri: 'glue', namespace: 'living', properties: glue }, auth: keys },
      writer: ['delta.py', 's3://warehouse/glue/visits', aws, 'visits'],
    },
    unity: {
      ...{ kind: 'delta', source: { uri: unity, properties: lent }, auth: { scheme: 'bearer', token } },
      writer: ['delta.py', 's3://warehouse/unity/visits', aws, ''],
    },
  };
}

const icebergSteps = [
  ...['create', 'append', 'delete', 'evolve', 'change the partition spec'],
  ...['branch', 'roll back', 'append', 'compact', 'expire'],
];
const deltaSteps = [
  ...['create', 'append', 'delete', 'evolve', 'roll back', 'append', 'compact'],
  ...['checkpoint', 'overwrite', 'vacuum', 'append'],
];

(programs ? describe : describe.skip)('a table that its writer changes between two runs', () => {
  let servers: ChildServer[] = [];
  let database: TestDatabase;
  let running: Running;
  let places: Readonly<Record<string, Home>>;

  beforeAll(async () => {
    const aws = await startAws(programs!);
    servers = [aws];
    await fetch(`${aws.url}/warehouse`, { method: 'PUT' });
    servers.push(await startIcebergRest(programs!, aws));
    const visits = { name: ['main', 'living', 'visits'], storage_location: 's3://warehouse/unity/visits' } as const;
    const others = ['a', 'b', 'c'].map((table) => ({
      ...({ name: ['main', 'living', table], storage_location: `s3://warehouse/${table}` } as const),
      data_source_format: 'CSV',
    }));
    servers.push(await startUnity([...others, visits], token));
    const [, rest, unity] = servers as [ChildServer, ChildServer, ChildServer];
    places = homes(aws.url, rest.url, unity.url);
    database = await testDatabase();
    const preset = {
      ...{ RECONCILER_HTTP_PORT: '0', RECONCILER_LOG_LEVEL: 'error', RECONCILER_DATABASE_URL: database.url },
      RECONCILER_SECRETS_KEY: randomBytes(32).toString('base64'),
      RECONCILER_ALLOW_PRIVATE_ADDRESSES: 'true',
    };
    running = await serve([connectorService], preset);
  }, 120_000);

  afterAll(async () => {
    await running?.stop();
    await Promise.all([database?.close(), ...servers.map((server) => server.close())]);
  });

  describe.each([
    ['by pyiceberg, in a REST catalog', 'rest', icebergSteps],
    ['by pyiceberg, in AWS Glue', 'icebergGlue', icebergSteps],
    ['by delta-rs, in AWS Glue', 'deltaGlue', deltaSteps],
    ['by delta-rs, in a Unity Catalog', 'unity', deltaSteps],
  ])('%s', (_name, where, steps) => {
    let writer: Writer<Shown>;
    let connector: string;
    const seen = new Set<string>();

    beforeAll(async () => {
      const { kind, source, auth, writer: command } = places[where]!;
      const [program, ...args] = command;
      writer = startWriter(programs!, join(__dirname, program!), args);
      ({ id: connector } = await call('POST', 'connectors', { display_name: where, kind, source, auth }));
    });
    afterAll(() => writer.close());

    test.each(steps.map((step, n) => [n + 1, step] as const))(
      'is what its writer reads, after step %i: "%s"',
      async (_n, step) => {
        const theirs = await writer.take(step);
        const fresh = theirs.snapshots.filter(({ snapshot_id: id }: Shown) => !seen.has(id));
        for (const { snapshot_id: id } of fresh) seen.add(id);
        const { id } = await call('POST', `connectors/${connector}/trigger`, {});
        const job = await call('GET', `reconcile-jobs/${id}?wait=JS_SUCCEEDED&timeout=60s`);
        expect(job).toMatchObject({ state: 'JS_SUCCEEDED', tables_total: 1, errors: 0 });
        expect(job.snapshots_processed).toBe(String(fresh.length));
        const { kind } = places[where]!;
        const fields = new FieldByField(rules);
        fields.compare(theirs, kind === 'iceberg' ? asIceberg(await read()) : asDelta(await read()));
        expect(fields.differences).toEqual([]);
        expect(fields.compared.get('snapshots[].files[].path')).toBeGreaterThan(0);
      },
      90_000,
    );

    /** The table with all of its snapshots that the source still has, oldest first, as the API answers. */
    async function read(): Promise<Shown> {
      const [{ id }] = (await all(`tables?connector_id=${connector}`)) as [Shown];
      const listed = (await all(`tables/${id}/snapshots`)).reverse();
      const present = listed.filter(({ expired_at }) => expired_at === null);
      const snapshots = present.map(async (snapshot) => {
        const path = `tables/${id}/snapshots/${snapshot.snapshot_id}`;
        const [tables, columns, files] = await Promise.all([
          all(`${path}/statistics`),
          all(`${path}/statistics?target=column`),
          all(`${path}/plan`),
        ]);
        return { ...snapshot, rows: tables[0]!.live_row_count, columns, files: files.sort(byPath) };
      });
      return { ...(await call('GET', `tables/${id}`)), snapshots: await Promise.all(snapshots) };
    }
  });

  async function call(method: string, path: string, body?: object): Promise<Shown> {
    const headers = { 'Content-Type': 'application/json' };
    const response = await fetch(`${running.url}/v1/${path}`, { method, headers, body: body && JSON.stringify(body) });
    const answer = (await response.json()) as Shown;
    if (!response.ok) throw new Error(`${method} ${path}: ${JSON.stringify(answer)}`);
    return answer;
  }

  async function all(path: string): Promise<Shown[]> {
    const items: Shown[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const more = `${path.includes('?') ? '&' : '?'}limit=500${cursor && `&cursor=${cursor}`}`;
      const page: Shown = await call('GET', `${path}${more}`);
      items.push(...(page.items as Shown[]));
      cursor = page.next_cursor as string | null;
    }
    return items;
  }
});

function byPath({ path: one }: Shown, { path: other }: Shown): number {
  return String(one) < String(other) ? -1 : 1;
}

function asIceberg({ schema, partition_spec, refs, ...table }: Shown): Shown {
  return {
    ...table,
    refs: refs.map(({ name, type, snapshot_id }: Shown) => [name, type, snapshot_id]).sort(),
    columns: schema.fields.map(({ id, name, type }: Shown) => [id, name, type.source]),
    partition: partition_spec.fields.map(({ name, transform, source_ids }: Shown) => [name, transform, source_ids[0]]),
    snapshots: table.snapshots.map((snapshot: Shown) => ({
      ...snapshot,
      parent_snapshot_id: snapshot.parent_present ? snapshot.parent_snapshot_id : null,
      files: snapshot.files.map((file: Shown) => ({
        ...file,
        columns: file.columns
          .filter(({ path }: Shown) => path !== null)
          .sort((a: Shown, b: Shown) => a.field_id - b.field_id),
      })),
    })),
  };
}

function asDelta({ schema, partition_spec, ...table }: Shown): Shown {
  return {
    ...table,
    columns: schema.fields.map(({ name }: Shown) => name),
    partition: partition_spec.fields.map(({ name }: Shown) => name),
    snapshots: table.snapshots.map((snapshot: Shown) => ({
      ...snapshot,
      files: snapshot.files.map((file: Shown) => ({
        ...file,
        columns: file.columns.filter(({ null_count }: Shown) => null_count !== null).sort(byPath),
      })),
    })),
  };
}

/** The same, or the same number in another spelling. */
const value: FieldRule = (expected, actual) => {
  const isFloat = typeof expected === 'string' && /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(expected);
  return expected === actual || (isFloat && Number(expected) === Number(actual)) ? null : told(expected, actual);
};

/** What metadata tells of a column is what its data holds; what may only enclose the values, encloses them. */
const columnsInData: FieldRule = (expected, actual) => {
  for (const column of (expected ?? []) as Shown[]) {
    const found = (actual as Shown[]).find((one) => same(one.field_id ?? one.path, column.field_id ?? column.path));
    if (!found) return `nothing is known of ${JSON.stringify(column)}`;
    const counted = found.null_count === null || found.null_count === column.null_count;
    const exact = found.bounds_complete && found.bounds_truncated === false;
    const ends = !exact || (value(column.min, found.min, {}) ?? value(column.max, found.max, {})) === null;
    if (!counted || !ends) return told(column, found);
  }
  return null;
};

const rules: Readonly<Record<string, FieldRule>> = {
  // The files of a version that was vacuumed are not there to be counted.
  'snapshots[].rows': (expected, actual) => (expected === null || expected === actual ? null : told(expected, actual)),
  'snapshots[].columns': columnsInData,
  'snapshots[].files[].path': (expected, actual) =>
    same(plain(expected), plain(actual)) ? null : told(expected, actual),
  'snapshots[].files[].columns[].min': value,
  'snapshots[].files[].columns[].max': value,
};

/** delta-rs decodes paths; the log has them encoded. */
function plain(path: unknown): unknown {
  return String(path).startsWith('s3:') ? path : decodeURIComponent(decodeURIComponent(String(path)));
}

function same(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function told(expected: unknown, actual: unknown): string {
  return `expected ${JSON.stringify(expected)}, found ${JSON.stringify(actual)}`;
}
