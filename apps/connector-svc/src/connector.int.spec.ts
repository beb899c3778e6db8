import { randomBytes } from 'node:crypto';
import { type Running, issueToken, serve } from '@homeostat/platform';
import type { HouseEvent } from '@homeostat/shared';
import { type TestDatabase, captureOutput, eventually, testDatabase } from '@homeostat/testing';
import { Controller } from '@nestjs/common';
import { EventPattern } from '@nestjs/microservices';
import { connectorService } from './connector.module';
import type { Connector, ConnectorConfig, PlanFile, Schema, SourceTable, TableName } from './connector/connector.port';
import { ConnectorFault } from './connector/fault';
import { FACTORIES } from './connector/registry';
import { Fence } from './slices/fence';
import { JobWorker } from './slices/job.worker';

/** The machine that runs this has other work, too. */
jest.setTimeout(90_000);

/** What happens in the source: which call it is, of which table and snapshot. */
interface Moment {
  readonly call: 'open' | 'namespaces' | 'tables' | 'describe' | 'snapshots' | 'statistics' | 'close';
  readonly table?: string;
  readonly snapshot?: bigint;
  /** Items of the snapshot that came before. */
  readonly item?: number;
  readonly mayStop?: () => boolean;
  readonly signal?: AbortSignal;
}

interface FakeTable {
  readonly uuid: string;
  /** Rows per file; a file more is a row more of statistics. */
  snapshots: { readonly id: bigint; readonly parent: bigint | null; readonly files: readonly string[] }[];
  current: bigint | null;
}

const schema: Schema = {
  id: 0,
  identifierFieldIds: [],
  fields: [
    { id: 1, name: 'id', type: { kind: 'long', source: 'long' }, required: true, doc: null },
    { id: 2, name: 'odd.name', type: { kind: 'string', source: 'string' }, required: false, doc: null },
  ],
};

/** A source in memory, whose every call may be delayed, refused or counted: what no real one does when it is asked to. */
class FakeLake {
  readonly tables = new Map<string, FakeTable>();
  readonly moments: Moment[] = [];
  readonly configs: ConnectorConfig[] = [];
  openSources = 0;
  at: (moment: Moment) => Promise<void> | void = () => {};

  table(name: string, snapshots = 1, files = 3): FakeTable {
    const chain = Array.from({ length: snapshots }, (_, n) =>
      snapshot(BigInt(n + 1), n === 0 ? null : BigInt(n), files),
    );
    const table = { uuid: `uuid of ${name}`, snapshots: chain, current: chain.at(-1)?.id ?? null };
    this.tables.set(name, table);
    return table;
  }

  count(call: Moment['call'], table?: string): number {
    return this.moments.filter((one) => one.call === call && (table === undefined || one.table === table)).length;
  }

  async reached(moment: Moment): Promise<void> {
    this.moments.push(moment);
    moment.signal?.throwIfAborted();
    await this.at(moment);
    moment.signal?.throwIfAborted();
  }
}

const snapshot = (id: bigint, parent: bigint | null, files: number) => ({
  id,
  parent,
  files: Array.from({ length: files }, (_, n) => `data/${id}-${n}.parquet`),
});

/** By the source's uri. */
const lakes = new Map<string, FakeLake>();
let lake: FakeLake;

class FakeConnector implements Connector {
  private closed = false;

  constructor(private readonly from: FakeLake) {
    from.openSources += 1;
  }

  async *listNamespaces({ signal }: { signal?: AbortSignal } = {}) {
    await this.from.reached({ call: 'namespaces', signal });
    yield ['sales'];
  }

  async *listTables(namespace: readonly string[], { signal }: { signal?: AbortSignal } = {}) {
    for (const name of [...this.from.tables.keys()]) {
      await this.from.reached({ call: 'tables', table: name, signal });
      yield { namespace, name };
    }
    await this.from.reached({ call: 'tables', signal });
  }

  async describe(name: TableName, { signal }: { signal?: AbortSignal } = {}): Promise<SourceTable> {
    await this.from.reached({ call: 'describe', table: name.name, signal });
    const table = this.from.tables.get(name.name);
    if (!table) throw new ConnectorFault('not_found', `${name.name}: there is no such table`);
    return fakeTable(this.from, name, table);
  }

  async close() {
    if (!this.closed) this.from.openSources -= 1;
    this.closed = true;
    await this.from.reached({ call: 'close' });
  }
}

function fakeTable(from: FakeLake, name: TableName, table: FakeTable): SourceTable {
  const { snapshots, current, uuid } = { ...table, snapshots: [...table.snapshots] };
  const description = {
    ...{ name, format: 'fake', formatVersion: 1, uuid, location: `mem:/${name.name}`, metadataLocation: null },
    ...{ lastUpdatedMs: BigInt(snapshots.length), currentSnapshotId: current, schemas: [schema], currentSchemaId: 0 },
    ...{ partitionSpecs: [{ id: 0, fields: [] }], defaultSpecId: 0, properties: {}, refs: [] },
  };
  return {
    description,
    snapshotIds: snapshots.map(({ id }) => id),
    async *listSnapshots(known, { signal } = {}) {
      for (const { id, parent } of snapshots.filter((one) => !known.has(one.id))) {
        await from.reached({ call: 'snapshots', table: name.name, snapshot: id, signal });
        yield {
          ...{ id, parentId: parent, parentPresent: parent !== null, sequenceNumber: id, committedAtMs: id * 1000n },
          ...{ timeSource: 'snapshot', operation: 'append', schema, isCurrent: id === current, inCurrentLineage: true },
          ...{ manifestList: null, summary: {} },
        };
      }
    },
    async *statistics({ id }, _columns, { signal, from: mark, mayStop } = {}) {
      const files = snapshots.find((one) => one.id === id)!.files.map(fakeFile);
      const moment = { call: 'statistics', table: name.name, snapshot: id, signal } as const;
      for (const [item, file] of files.entries()) {
        if (item < Number(mark ?? 0)) continue;
        await from.reached({ ...moment, item, mayStop });
        yield { item: 'file', key: file.path, file };
        if (!mayStop?.()) continue;
        return yield { item: 'mark', key: 'mark', mark: Buffer.from(String(item + 1)) };
      }
      const column = { ...files[0]!.columns[0]!, path: ['id'], type: 'long', boundsComplete: true, ndv: null };
      yield { item: 'column', key: '1', column: { ...column, valueCount: BigInt(files.length * 10) } };
      await from.reached({ ...moment, item: files.length });
      const rows = BigInt(files.length * 10);
      const nothing = {
        positionDeleteFileCount: 0,
        equalityDeleteFileCount: 0,
        deleteRecordCount: 0n,
        deleteBytes: 0n,
      };
      const table = { recordCount: rows, liveRowCount: null, dataFileCount: files.length, dataBytes: rows * 100n };
      yield { item: 'table', key: 'table', table: { ...table, ...nothing } };
    },
    plan() {
      throw new Error('plans come with the statistics');
    },
  };
}

const fakeFile = (path: string): PlanFile => ({
  ...{ path, content: 'data', format: 'PARQUET', recordCount: 10n, bytes: 1000n, specId: 0, partition: {} },
  ...{ sequenceNumber: 1n, addedSnapshotId: 9_007_199_254_740_993n, equalityIds: null, appliesTo: null },
  ...{ contentOffset: null, contentBytes: null, deletionVector: null, modifiedAtMs: null },
  columns: [
    {
      fieldId: 1,
      path: ['id'],
      valueCount: 10n,
      nullCount: 0n,
      nanCount: null,
      min: '0',
      max: '9',
      boundsTruncated: false,
    },
    {
      fieldId: 2,
      path: ['odd.name'],
      valueCount: 10n,
      nullCount: null,
      nanCount: null,
      min: 'a\0b',
      max: null,
      boundsTruncated: true,
    },
  ],
});

const factory = {
  kind: 'fake',
  create(config: ConnectorConfig): Connector {
    const found = lakes.get(config.uri) ?? lake;
    found.configs.push(config);
    if (config.uri === 'fake:refused')
      throw new ConnectorFault('invalid_config', `cannot log in with ${config.credentials.token}`);
    return new FakeConnector(found);
  },
};

const heard: HouseEvent[] = [];
const types = [
  ...[
    'connector.created',
    'connector.triggered',
    'job.started',
    'job.table_done',
    'job.succeeded',
    'job.failed',
    'job.cancelled',
  ],
  ...['table.created', 'table.changed', 'table.vanished', 'snapshot.ingested'],
];

/** Another service, as far as events go. */
@Controller()
class Listener {
  @EventPattern(types)
  hear(event: HouseEvent): void {
    heard.push(event);
  }
}

const service = {
  ...connectorService,
  controllers: [...connectorService.controllers, Listener],
  providers: [
    ...connectorService.providers.filter((one) => !('provide' in one)),
    { provide: FACTORIES, useValue: [factory] },
  ],
};

const secret = 'a secret of these tests, and of no use elsewhere';
const preset = {
  RECONCILER_HTTP_PORT: '0',
  RECONCILER_LOG_LEVEL: 'error',
  RECONCILER_AUTH_SECRET: secret,
  RECONCILER_INTERVAL: '200ms',
  RECONCILER_CONNECTOR_MIN_INTERVAL: '100ms',
  RECONCILER_SECRETS_KEY: randomBytes(32).toString('base64'),
};

let database: TestDatabase;
let running: Running;

async function start(settings: Record<string, string> = {}): Promise<void> {
  database = await testDatabase();
  running = await replicate(settings);
}

function replicate(settings: Record<string, string> = {}): Promise<Running> {
  return serve([service], { ...preset, RECONCILER_DATABASE_URL: database.url, ...settings });
}

beforeEach(() => {
  lake = new FakeLake();
  lakes.clear();
  heard.length = 0;
});

afterEach(async () => {
  await running.stop();
  await database.close();
});

interface Answer {
  readonly status: number;
  readonly body: Shown;
}
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- answers are compared with what they should be
type Shown = Record<string, any>;

async function ask(
  method: string,
  path: string,
  body?: object,
  tenant = 'acme',
  more: Record<string, string> = {},
): Promise<Answer> {
  const claims = { subject: 'somebody', tenant, scopes: ['read', 'write'] as const, expiresInSeconds: 60 };
  const token = await issueToken(secret, claims);
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json', ...more };
  const response = await fetch(`${running.url}/v1/${path}`, { method, headers, body: body && JSON.stringify(body) });
  const text = await response.text();
  return { status: response.status, body: text === '' ? {} : (JSON.parse(text) as Shown) };
}

async function call(method: string, path: string, body?: object, tenant = 'acme'): Promise<Shown> {
  const answer = await ask(method, path, body, tenant);
  if (answer.status >= 400) throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`);
  return answer.body;
}

const wanted = (more: object = {}) => ({ display_name: 'lake', kind: 'fake', source: { uri: 'fake:lake' }, ...more });
const connect = (more: object = {}): Promise<Shown> => call('POST', 'connectors', wanted(more));
const trigger = ({ id }: Shown, body: object = {}): Promise<Shown> => call('POST', `connectors/${id}/trigger`, body);
const ended = ({ id }: Shown): Promise<Shown> => call('GET', `reconcile-jobs/${id}?wait=JS_SUCCEEDED&timeout=60s`);
const read = ({ id }: Shown): Promise<Shown> => call('GET', `reconcile-jobs/${id}`);
const tablesOf = async (): Promise<Shown[]> => (await call('GET', 'tables?limit=500')).items;
async function run(connector: Shown, body: object = {}): Promise<Shown> {
  return ended(await trigger(connector, body));
}

/** A point in the source at which it stands still until it is let go. */
function gate(isThere: (moment: Moment) => boolean) {
  let open: () => void = () => {};
  let arrived: () => void = () => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  const reached = new Promise<void>((resolve) => (arrived = resolve));
  lake.at = async (moment) => {
    if (!isThere(moment)) return;
    arrived();
    await Promise.race([
      opened,
      new Promise((_, refuse) =>
        moment.signal?.addEventListener('abort', () => refuse(moment.signal!.reason as Error)),
      ),
    ]);
  };
  return { reached, open: () => open() };
}

async function history({ id }: Shown): Promise<string[]> {
  const { items } = await call('GET', `reconcile-jobs/${id}/history`);
  return (items as { to: string }[]).map(({ to }) => to).reverse();
}

/** Another process has claimed the job, and died. */
const steal = (job: string) =>
  database.sql(
    `UPDATE reconcile_status SET lease_epoch = lease_epoch + 1, lease_holder = 'dead', lease_until = now() - interval '1 s' WHERE key = $1`,
    [job],
  );

/** Everything of the catalog that callers see, without ids of rows and times. */
async function catalog(): Promise<{ tables: Shown[]; left: unknown }> {
  const tables = await database.sql(
    `SELECT n.path, t.name, t.status, t.current_snapshot_id, s.snapshot_id, s.in_current_lineage, s.load_id IS NOT NULL AS complete,
       (SELECT count(*)::integer FROM plan_entry e JOIN plan_file f ON f.id = e.file_id WHERE e.load_id = s.load_id) AS files
     FROM catalog_table t JOIN namespace n ON n.id = t.namespace_id LEFT JOIN table_snapshot s ON s.table_id = t.id
     ORDER BY n.path, t.name, s.snapshot_id`,
  );
  const [left] = await database.sql(
    `SELECT (SELECT count(*)::integer FROM snapshot_load l LEFT JOIN table_snapshot s ON s.load_id = l.id WHERE s.table_id IS NULL) AS loads,
       (SELECT count(*)::integer FROM plan_entry e LEFT JOIN snapshot_load l ON l.id = e.load_id WHERE l.id IS NULL) AS entries,
       (SELECT count(*)::integer FROM plan_file f WHERE NOT EXISTS (SELECT FROM plan_entry e WHERE e.file_id = f.id)) AS files`,
  );
  return { tables, left };
}

describe('a job', () => {
  beforeEach(() => start());

  test('brings every table with its snapshots, statistics and plan into the catalog', async () => {
    lake.table('orders', 2);
    lake.table('customers');
    const connector = await connect();
    const job = await run(connector);
    expect(job).toMatchObject({
      ...{ state: 'JS_SUCCEEDED', status: 'JS_SUCCEEDED', reason: 'Reconciled', attempt: 1, errors: 0 },
      ...{ tables_total: 2, tables_scanned: 2, tables_changed: 2, snapshots_processed: '3', stats_processed: '15' },
    });
    expect(job.tables).toHaveLength(2);
    expect(await history(job)).toEqual(['JS_QUEUED', 'JS_RUNNING', 'JS_SUCCEEDED']);
    const [catalogs, tables] = [await call('GET', 'catalogs'), await tablesOf()];
    expect(catalogs.items).toMatchObject([{ name: 'lake', connector_id: connector.id }]);
    const namespaces = await call('GET', `namespaces?catalog_id=${catalogs.items[0].id}`);
    expect(namespaces.items).toMatchObject([{ name: 'sales', path: ['sales'] }]);
    expect(tables.map(({ name }) => name).sort()).toEqual(['customers', 'orders']);
    const orders = tables.find(({ name }) => name === 'orders')!;
    expect(await call('GET', `tables/${orders.id}`)).toMatchObject({
      ...{
        status: 'active',
        current_snapshot_id: '2',
        format: 'fake',
        schema: { schema_id: 0 },
        partition_spec: { spec_id: 0 },
      },
      source: { namespace: ['sales'], table: 'orders' },
    });
    const snapshots = await call('GET', `tables/${orders.id}/snapshots?limit=1`);
    expect(snapshots.items).toMatchObject([
      { snapshot_id: '2', parent_snapshot_id: '1', is_current: true, statistics_complete: true },
    ]);
    const rest = await call('GET', `tables/${orders.id}/snapshots?limit=1&cursor=${snapshots.next_cursor}`);
    expect(rest).toMatchObject({ items: [{ snapshot_id: '1', is_current: false }], next_cursor: null });
    expect((await call('GET', `connectors/${connector.id}`)).last_run).toMatchObject({
      job_id: job.id,
      state: 'JS_SUCCEEDED',
    });
  });

  test('answers statistics of table, columns and files, and the plan, page by page', async () => {
    lake.table('orders', 1, 5);
    await run(await connect());
    const [orders] = await tablesOf();
    const path = `tables/${orders!.id}/snapshots/1`;
    expect((await call('GET', `${path}/statistics`)).items).toEqual([
      {
        ...{ target: 'table', record_count: '50', live_row_count: null, data_file_count: 5, data_bytes: '5000' },
        ...{
          position_delete_file_count: 0,
          equality_delete_file_count: 0,
          delete_record_count: '0',
          delete_bytes: '0',
        },
      },
    ]);
    expect((await call('GET', `${path}/statistics?target=column`)).items).toMatchObject([
      {
        target: 'column',
        field_id: 1,
        path: ['id'],
        type: 'long',
        value_count: '50',
        null_count: '0',
        nan_count: null,
        ndv: null,
      },
    ]);
    const first = await call('GET', `${path}/plan?limit=3`);
    const second = await call('GET', `${path}/plan?limit=3&cursor=${first.next_cursor}`);
    const paths = [...first.items, ...second.items].map((file: Shown) => file.path);
    expect(paths).toEqual([0, 1, 2, 3, 4].map((n) => `data/1-${n}.parquet`));
    expect(first.items[0]).toMatchObject({
      ...{
        content: 'data',
        record_count: '10',
        bytes: '1000',
        added_snapshot_id: '9007199254740993',
        equality_ids: null,
      },
      columns: [
        { field_id: 1, path: ['id'], value_count: '10', null_count: '0', min: '0', max: '9' },
        { field_id: 2, path: ['odd.name'], null_count: null, min: 'a\0b', max: null, bounds_truncated: true },
      ],
    });
    const files = await call('GET', `${path}/statistics?target=file&limit=2`);
    expect(files.items).toMatchObject([
      { target: 'file', path: 'data/1-0.parquet', record_count: '10', bytes: '1000' },
      {},
    ]);
    expect((await call('GET', `${path}/plan?content=position_deletes`)).items).toEqual([]);
  });

  test('reads nothing again that is known, and notices what is new, a rollback, and another current snapshot', async () => {
    const orders = lake.table('orders', 2);
    const connector = await connect();
    await run(connector);
    lake.moments.length = 0;
    expect(await run(connector)).toMatchObject({ state: 'JS_SUCCEEDED', tables_changed: 0, snapshots_processed: '0' });
    expect(lake.count('statistics')).toBe(0);
    orders.snapshots.push(snapshot(3n, 1n, 1));
    orders.current = 3n;
    expect(await run(connector)).toMatchObject({ tables_changed: 1, snapshots_processed: '1' });
    expect(await catalog()).toMatchObject({
      tables: [
        { snapshot_id: '1', current_snapshot_id: '3', in_current_lineage: true, complete: true },
        { snapshot_id: '2', in_current_lineage: false, complete: true },
        { snapshot_id: '3', in_current_lineage: true, complete: true, files: 1 },
      ],
      left: { loads: 0, entries: 0, files: 0 },
    });
    orders.current = 1n;
    expect(await run(connector)).toMatchObject({ tables_changed: 1, snapshots_processed: '0' });
    const [table] = await tablesOf();
    expect(table).toMatchObject({ current_snapshot_id: '1' });
  });

  test('stores what metadata says of a file once, whatever the number of snapshots that have it', async () => {
    const table = lake.table('orders', 1, 40);
    for (const id of [2n, 3n])
      table.snapshots.push({
        ...snapshot(id, id - 1n, 0),
        files: [...table.snapshots[0]!.files, `data/${id}.parquet`],
      });
    table.current = 3n;
    await run(await connect());
    const [stored] = await database.sql(
      'SELECT (SELECT count(*)::integer FROM plan_file) AS files, (SELECT count(*)::integer FROM plan_entry) AS entries',
    );
    expect(stored).toEqual({ files: 42, entries: 40 + 41 + 41 });
  });

  test('replaces statistics in a full rescan, one snapshot at once, while the old ones can be read', async () => {
    const table = lake.table('orders', 2, 4);
    const connector = await connect();
    await run(connector);
    table.snapshots = [{ ...table.snapshots[0]!, files: ['data/other.parquet'] }, table.snapshots[1]!];
    const halfway = gate(({ call: what, snapshot: id, item }) => what === 'statistics' && id === 1n && item === 1);
    const job = await trigger(connector, { full_rescan: true });
    await halfway.reached;
    const [orders] = await tablesOf();
    expect((await call('GET', `tables/${orders!.id}/snapshots/1/plan`)).items).toHaveLength(4);
    halfway.open();
    expect(await ended(job)).toMatchObject({ state: 'JS_SUCCEEDED', full_rescan: true, snapshots_processed: '2' });
    expect((await call('GET', `tables/${orders!.id}/snapshots/1/plan`)).items).toMatchObject([
      { path: 'data/other.parquet' },
    ]);
    expect(await catalog()).toMatchObject({ left: { loads: 0, entries: 0, files: 0 } });
  });

  test('forgets what it knew of a table when another one has taken its name', async () => {
    lake.table('orders', 3);
    const connector = await connect();
    await run(connector);
    lake.tables.set('orders', { ...lake.table('orders', 1, 2), uuid: 'another' });
    expect(await run(connector)).toMatchObject({ state: 'JS_SUCCEEDED', snapshots_processed: '1' });
    expect(await catalog()).toMatchObject({
      tables: [{ snapshot_id: '1', files: 2 }],
      left: { loads: 0, entries: 0, files: 0 },
    });
  });

  test('is about a part of the source where it is told so', async () => {
    for (const name of ['a', 'b', 'c']) lake.table(name);
    const connector = await connect();
    const job = await run(connector, { scope: { namespace: 'sales', table: 'b' } });
    expect(job).toMatchObject({ state: 'JS_SUCCEEDED', tables_total: 1, scope: { namespace: ['sales'], table: 'b' } });
    expect((await tablesOf()).map(({ name }) => name)).toEqual(['b']);
  });

  test('is among the metrics', async () => {
    lake.table('orders', 2);
    const told = async (line: string) => {
      const lines = (await (await fetch(`${running.url}/metrics`)).text()).split('\n');
      return Number(lines.find((one) => one.startsWith(`${line} `))?.slice(line.length) ?? NaN);
    };
    const lines = ['homeostat_job_tables_total{outcome="done"}', 'homeostat_job_snapshots_total'];
    const before = await Promise.all(lines.map(told));
    let open = NaN;
    lake.at = async ({ call: what }) => {
      if (what === 'describe') open = await told('homeostat_running_job_tables{state="open"}');
    };
    await run(await connect());
    expect(open).toBe(1);
    expect((await Promise.all(lines.map(told))).map((now, at) => now - (before[at] || 0))).toEqual([1, 2]);
  });

  test('tells what happened, in events', async () => {
    lake.table('orders');
    await run(await connect());
    await eventually(
      () => heard,
      (all) => all.some(({ type }) => type === 'job.succeeded'),
    );
    expect(heard.map(({ type }) => type).sort()).toEqual([
      ...['connector.created', 'connector.triggered', 'job.started', 'job.succeeded', 'job.table_done'],
      ...['snapshot.ingested', 'table.changed', 'table.created'],
    ]);
    expect(heard.find(({ type }) => type === 'snapshot.ingested')).toMatchObject({
      tenantid: 'acme',
      data: { snapshot_id: '1' },
    });
  });
});

describe('failures', () => {
  beforeEach(() => start());

  test('of one table are counted and listed, and the others go on', async () => {
    for (const name of ['good', 'gone', 'bad']) lake.table(name);
    lake.at = ({ call: what, table }) => {
      if (what === 'describe' && table === 'gone')
        throw new ConnectorFault('not_found', 'gone: there is no such table');
      if (what === 'statistics' && table === 'bad') throw new ConnectorFault('corrupt', 'a manifest is cut short');
    };
    const job = await run(await connect());
    expect(job).toMatchObject({
      state: 'JS_FAILED',
      reason: 'TablesFailed',
      tables_scanned: 3,
      tables_changed: 2,
      errors: 2,
    });
    expect(job.message).toMatch(
      /2 of 3 tables failed: gone: gone: there is no such table; bad: snapshot 1: a manifest is cut short/,
    );
    expect(job.tables.map((table: Shown) => [table.name, table.state, table.code])).toEqual([
      ['gone', 'failed', 'not_found'],
      ['bad', 'failed', 'unreadable_snapshots'],
      ['good', 'done', null],
    ]);
    const { items } = await call('GET', `reconcile-jobs/${job.id}/tables?state=failed&limit=1`);
    expect(items).toMatchObject([{ name: 'gone' }]);
    const bad = (await tablesOf()).find(({ name }) => name === 'bad')!;
    expect((await call('GET', `tables/${bad.id}/snapshots`)).items).toMatchObject([
      { snapshot_id: '1', statistics_complete: false, code: 'corrupt', message: 'a manifest is cut short' },
    ]);
    expect((await ask('GET', `tables/${bad.id}/snapshots/1/plan`)).body).toMatchObject({ status: 409 });
    lake.at = () => {};
    expect(await run({ id: job.connector_id })).toMatchObject({ state: 'JS_SUCCEEDED', snapshots_processed: '2' });
  });

  test('spoil one snapshot only, where only that is broken', async () => {
    lake.table('orders', 4);
    lake.at = ({ call: what, snapshot: id }) => {
      if (what === 'statistics' && id === 2n) throw new ConnectorFault('corrupt', 'no manifest');
    };
    const job = await run(await connect());
    expect(job).toMatchObject({
      state: 'JS_FAILED',
      snapshots_processed: '3',
      tables: [{ snapshots_done: 3, snapshots_failed: 1 }],
    });
    expect(await tablesOf()).toMatchObject([{ current_snapshot_id: '4' }]);
  });

  test('that may pass are tried again, and what was done is not done again', async () => {
    lake.table('orders', 3);
    let refusals = 2;
    lake.at = ({ call: what, snapshot: id }) => {
      if (what === 'statistics' && id === 3n && refusals-- > 0)
        throw new ConnectorFault('throttled', 'too many requests');
    };
    const job = await run(await connect());
    expect(job).toMatchObject({
      state: 'JS_SUCCEEDED',
      attempt: 1,
      snapshots_processed: '3',
      tables: [{ attempt: 3 }],
    });
    expect(
      lake.moments.filter(({ call: what, snapshot: id, item }) => what === 'statistics' && id === 1n && item === 0),
    ).toHaveLength(1);
  });

  test('of the whole source cost the job an attempt, and are given up after the last', async () => {
    await running.stop();
    running = await replicate({ RECONCILER_JOB_ATTEMPTS: '3' });
    lake.at = ({ call: what }) => {
      if (what === 'namespaces') throw new ConnectorFault('unreachable', 'nobody answers');
    };
    const job = await run(await connect());
    expect(job).toMatchObject({ state: 'JS_FAILED', reason: 'Unreachable', attempt: 3, tables_total: null });
    expect(job.message).toMatch(/failed 3 times. Last: nobody answers/);
    expect(lake.count('namespaces')).toBe(3);
    expect(lake.openSources).toBe(0);
  });

  test('of what the source depends on cost no attempt', async () => {
    lake.table('orders');
    let refusals = 3;
    lake.at = ({ call: what }) => {
      if (what === 'namespaces' && refusals-- > 0) throw new ConnectorFault('not_ready', 'the catalog is starting');
    };
    const job = await trigger(await connect());
    await eventually(
      () => read(job),
      ({ reason }) => reason === 'NotReady',
    );
    await eventually(
      async () => (await call('POST', `reconcile-jobs/${job.id}/retry`)).state,
      (state) => state === 'JS_SUCCEEDED' || refusals < 0,
    );
    expect(await ended(job)).toMatchObject({ state: 'JS_SUCCEEDED', attempt: 1 });
  });

  test('of a login are final at once', async () => {
    lake.at = ({ call: what }) => {
      if (what === 'namespaces') throw new ConnectorFault('unauthenticated', 'the token is not valid');
    };
    const job = await run(await connect());
    expect(job).toMatchObject({
      state: 'JS_FAILED',
      reason: 'Unauthenticated',
      attempt: 1,
      message: 'the token is not valid',
    });
    expect(lake.count('namespaces')).toBe(1);
  });

  test('that nobody thought of are tried again, and said without the words of SQL', async () => {
    lake.table('orders');
    lake.at = ({ call: what, item }) => {
      if (what === 'statistics' && item === 0)
        lake.tables.get('orders')!.snapshots = [{ id: 1n, parent: null, files: ['\0'] }];
      if (what === 'describe') throw new TypeError('undefined is not a function');
    };
    const job = await trigger(await connect());
    const tried = await eventually(
      () => read(job),
      ({ tables }) => tables[0]?.attempt > 1,
    );
    expect(tried.tables).toMatchObject([
      { state: 'pending', code: 'unexpected', message: 'undefined is not a function' },
    ]);
  });
});

describe('jobs of one connector', () => {
  beforeEach(() => start());

  test('are the same job as long as it is not finished, for many who ask at the same time', async () => {
    lake.table('orders');
    const halfway = gate(({ call: what }) => what === 'describe');
    const connector = await connect();
    const jobs = await Promise.all(Array.from({ length: 20 }, () => trigger(connector)));
    expect(new Set(jobs.map(({ id }) => id)).size).toBe(1);
    await halfway.reached;
    expect((await trigger(connector)).id).toBe(jobs[0]!.id);
    const full = await trigger(connector, { full_rescan: true });
    expect(full.id).not.toBe(jobs[0]!.id);
    const told = await eventually(
      () => call('GET', `reconcile-jobs/${full.id}/explain`),
      ({ waiting_for }) => /comes first/.test(waiting_for ?? ''),
    );
    expect(told.observed.behind).toBe(jobs[0]!.id);
    halfway.open();
    expect(await ended(full)).toMatchObject({ state: 'JS_SUCCEEDED' });
    expect((await trigger(connector)).id).not.toBe(jobs[0]!.id);
  });

  test('are one job for one idempotency key', async () => {
    const connector = await connect();
    const key = { 'Idempotency-Key': 'one' };
    const first = await ask('POST', `connectors/${connector.id}/trigger`, {}, 'acme', key);
    await ended(first.body);
    const again = await ask('POST', `connectors/${connector.id}/trigger`, {}, 'acme', key);
    expect([first.status, again.status]).toEqual([202, 202]);
    expect(again.body.id).toBe(first.body.id);
    expect((await ask('POST', `connectors/${connector.id}/trigger`, { full_rescan: true }, 'acme', key)).status).toBe(
      422,
    );
  });

  test('read no more tables at a time than the connector allows', async () => {
    for (let n = 0; n < 12; n += 1) lake.table(`t${n}`);
    let [now, most] = [0, 0];
    lake.at = async ({ call: what }) => {
      if (what !== 'describe') return;
      most = Math.max(most, (now += 1));
      await new Promise((tick) => setTimeout(tick, 5));
      now -= 1;
    };
    await run(await connect({ policy: { interval: '1h', enabled: false, max_parallel: 3 } }));
    expect(most).toBe(3);
  });
});

describe('a job that is called off', () => {
  beforeEach(() => start());

  test('is cancelled at once while it waits, and after that is final', async () => {
    lake.table('orders');
    const halfway = gate(({ call: what }) => what === 'describe');
    const connector = await connect();
    await trigger(connector);
    await halfway.reached;
    const waiting = await trigger(connector, { full_rescan: true });
    expect(await call('POST', `reconcile-jobs/${waiting.id}/cancel`)).toMatchObject({
      state: 'JS_CANCELLED',
      reason: 'Cancelled',
    });
    expect((await ask('POST', `reconcile-jobs/${waiting.id}/cancel`)).status).toBe(409);
    halfway.open();
  });

  test.each(['describe', 'snapshots', 'statistics'] as const)(
    'stops in the middle of %s, and a new trigger makes a new job',
    async (where) => {
      lake.table('orders', 3);
      const halfway = gate(({ call: what, snapshot: id }) => what === where && (where === 'describe' || id === 2n));
      const connector = await connect();
      const job = await trigger(connector);
      await halfway.reached;
      expect((await call('POST', `reconcile-jobs/${job.id}/cancel`)).state).toMatch(/JS_CANCELL/);
      const next = await trigger(connector);
      expect(next.id).not.toBe(job.id);
      lake.at = () => {};
      expect(await ended(job)).toMatchObject({
        state: 'JS_CANCELLED',
        snapshots_processed: where === 'statistics' ? '1' : '0',
      });
      expect(await history(job)).toEqual(['JS_QUEUED', 'JS_RUNNING', 'JS_CANCELLING', 'JS_CANCELLED']);
      expect(await ended(next)).toMatchObject({ state: 'JS_SUCCEEDED' });
      expect(await catalog()).toMatchObject({ left: { loads: 0, entries: 0, files: 0 } });
      expect(lake.openSources).toBe(0);
    },
  );

  test('is done again as a new job by a retry', async () => {
    const connector = await connect();
    const job = await run(connector);
    const again = await call('POST', `reconcile-jobs/${job.id}/retry`);
    expect(again.id).not.toBe(job.id);
    expect(await ended(again)).toMatchObject({ state: 'JS_SUCCEEDED' });
  });
});

describe('a worker that is lost', () => {
  beforeEach(() => start());

  const world = (uri: string): FakeLake => {
    const made = new FakeLake();
    made.table('orders', 3, 2);
    made.table('customers', 1, 1);
    lakes.set(uri, made);
    return made;
  };

  test('at whatever moment, is followed by one that goes on: the catalog is the same, and nothing is read twice that was written', async () => {
    const undisturbed = world('fake:0');
    await run(await connect({ display_name: 'undisturbed', source: { uri: 'fake:0' } }));
    const moments = undisturbed.moments.filter(({ call: what }) => what !== 'close').length;
    const expected = await catalogOf('undisturbed');
    const disturbed = async (at: number): Promise<Shown> => {
      const uri = `fake:${at + 1}`;
      const place = world(uri);
      const connector = await connect({
        display_name: uri,
        source: { uri },
        policy: { interval: '1h', enabled: false, max_parallel: 1 },
      });
      let seen = 0;
      const id = trigger(connector).then((made) => made.id as string);
      place.at = async ({ call: what }) => {
        if (what !== 'close' && seen++ === at) await steal(await id);
      };
      const job = await ended({ id: await id });
      return {
        ...job,
        finished: place.moments.filter(({ call: what, item }) => what === 'statistics' && item === 0).length,
      };
    };
    const jobs = await Promise.all(Array.from({ length: moments }, (_, at) => disturbed(at)));
    for (const [at, job] of jobs.entries()) {
      expect({ at, state: job.state, attempt: job.attempt }).toEqual({ at, state: 'JS_SUCCEEDED', attempt: 2 });
      expect(job).toMatchObject({
        tables_scanned: 2,
        tables_changed: 2,
        snapshots_processed: '4',
        stats_processed: '15',
      });
      // The one snapshot that was being read when the worker was lost, and no other, is read a second time.
      expect(job.finished).toBeLessThanOrEqual(5);
      expect(await catalogOf(`fake:${at + 1}`)).toEqual(expected);
    }
    expect(((await catalog()) as { left: object }).left).toEqual({ loads: 0, entries: 0, files: 0 });
    const doubled = heard.filter(({ type }) => type === 'snapshot.ingested').map(({ data }) => JSON.stringify(data));
    expect(new Set(doubled).size).toBe(doubled.length);
  });

  test('writes nothing any more, not even with what it had under way', async () => {
    lake.table('orders', 1, 3);
    const halfway = gate(({ call: what, item }) => what === 'statistics' && item === 2);
    const job = await trigger(await connect());
    await halfway.reached;
    await database.sql(
      `UPDATE reconcile_status SET lease_epoch = lease_epoch + 1, lease_holder = 'elsewhere', lease_until = now() + interval '1 h' WHERE key = $1`,
      [job.id],
    );
    const before = await database.sql('SELECT count(*) FROM plan_entry');
    halfway.open();
    await eventually(
      () => lake.openSources,
      (open) => open === 0,
    );
    expect(await database.sql('SELECT count(*) FROM plan_entry')).toEqual(before);
    expect(await database.sql('SELECT load_id FROM table_snapshot')).toEqual([{ load_id: null }]);
    expect(await read(job)).toMatchObject({ state: 'JS_RUNNING', snapshots_processed: '0' });
    await database.sql(`UPDATE reconcile_status SET lease_until = now() WHERE key = $1`, [job.id]);
    expect(await ended(job)).toMatchObject({ state: 'JS_SUCCEEDED', attempt: 2 });
  });

  test('hands its job over without an attempt when it is told to stop', async () => {
    lake.table('orders', 2, 2);
    const halfway = gate(({ call: what, snapshot: id }) => what === 'statistics' && id === 2n);
    const job = await trigger(await connect());
    await halfway.reached;
    await running.stop();
    lake.at = () => {};
    running = await replicate();
    expect(await ended(job)).toMatchObject({ state: 'JS_SUCCEEDED', attempt: 1, snapshots_processed: '2' });
  });

  test('hands its job over without an attempt when it is told to stop before it has begun', async () => {
    lake.table('orders');
    let stop!: AbortSignal;
    const { work } = JobWorker.prototype;
    const { begin } = Fence.prototype;
    const worked = jest.spyOn(JobWorker.prototype, 'work').mockImplementation(function (
      this: JobWorker,
      sight,
      signal,
    ) {
      stop = signal;
      return work.call(this, sight, signal);
    });
    let reached!: () => void;
    const halfway = new Promise<void>((resolve) => (reached = resolve));
    const begun = jest.spyOn(Fence.prototype, 'begin').mockImplementationOnce(async function (this: Fence) {
      const isOurs = await begin.call(this);
      reached();
      await new Promise<void>((stopped) => stop.addEventListener('abort', () => stopped(), { once: true }));
      return isOurs;
    });
    try {
      const job = await trigger(await connect());
      await halfway;
      await running.stop();
      expect(await database.sql('SELECT slice_epoch FROM reconcile_job')).toEqual([{ slice_epoch: null }]);
      running = await replicate();
      expect(await ended(job)).toMatchObject({ state: 'JS_SUCCEEDED', attempt: 1 });
    } finally {
      for (const spy of [worked, begun]) spy.mockRestore();
    }
  });

  test('too often is not followed for ever', async () => {
    await running.stop();
    running = await replicate({ RECONCILER_JOB_ATTEMPTS: '2' });
    lake.table('orders');
    const connector = await connect();
    const id = trigger(connector).then((made) => made.id as string);
    lake.at = async ({ call: what }) => {
      if (what === 'describe') await steal(await id);
    };
    expect(await ended({ id: await id })).toMatchObject({ state: 'JS_FAILED', reason: 'WorkerLost', attempt: 2 });
  });
});

/** The tables of one catalog as callers see them, without ids of rows and times. */
async function catalogOf(name: string): Promise<unknown> {
  return database.sql(
    `SELECT n.path, t.name, t.status, t.current_snapshot_id, s.snapshot_id, s.in_current_lineage, s.load_id IS NOT NULL AS complete,
       (SELECT json_agg(f.body ORDER BY e.n) FROM plan_entry e JOIN plan_file f ON f.id = e.file_id WHERE e.load_id = s.load_id) AS files
     FROM catalog c JOIN namespace n ON n.catalog_id = c.id JOIN catalog_table t ON t.namespace_id = n.id
     LEFT JOIN table_snapshot s ON s.table_id = t.id WHERE c.name = $1 ORDER BY n.path, t.name, s.snapshot_id`,
    [name],
  );
}

describe('a policy', () => {
  beforeEach(() => start());

  test('has jobs made on schedule, one after the other, and the last run is remembered', async () => {
    lake.table('orders');
    const connector = await connect({ policy: { interval: '300ms' } });
    expect(connector).toMatchObject({
      policy: { interval: '300ms', enabled: true, not_before: null, max_parallel: 4 },
      last_run: null,
    });
    const { items } = await eventually(
      () => call('GET', `reconcile-jobs?connector_id=${connector.id}&status=JS_SUCCEEDED`),
      ({ items: all }) => all.length >= 3,
    );
    expect((await call('GET', `connectors/${connector.id}`)).last_run.state).toBe('JS_SUCCEEDED');
    expect(items.every(({ full_rescan }: Shown) => !full_rescan)).toBe(true);
    await call('PATCH', `connectors/${connector.id}`, { policy: null });
    const told = await eventually(
      () => call('GET', `connectors/${connector.id}/explain`),
      ({ because }) => /no policy/.test(because),
    );
    expect(told).toMatchObject({ waiting_for: null, next_look_at: null });
  });

  test('adds no job to one that is not finished', async () => {
    lake.table('orders');
    const halfway = gate(({ call: what }) => what === 'describe');
    const connector = await connect({ policy: { interval: '100ms' } });
    await halfway.reached;
    const passes = async () =>
      (await call('GET', `connectors/${connector.id}/explain`)).passes.filter(({ step }: Shown) => step === 'schedule');
    await eventually(passes, ({ length }) => length >= 2);
    expect((await call('GET', `reconcile-jobs?connector_id=${connector.id}`)).items).toHaveLength(1);
    halfway.open();
  });

  test('waits until it may begin, and says so', async () => {
    const connector = await connect({ policy: { interval: '1h', not_before: '2126-01-01T00:00:00Z' } });
    expect(connector.next_run_at).toBe('2126-01-01T00:00:00.000Z');
    const { because } = await eventually(
      () => call('GET', `connectors/${connector.id}/explain`),
      ({ looked_at }) => looked_at !== null,
    );
    expect(because).toBe('The next job is made at 2126-01-01T00:00:00.000Z.');
    expect((await call('GET', `reconcile-jobs`)).items).toEqual([]);
  });

  test('of a millisecond is refused', async () => {
    const { status, body } = await ask('POST', 'connectors', wanted({ policy: { interval: '1ms' } }));
    expect({ status, errors: body.errors }).toEqual({
      status: 422,
      errors: [{ pointer: '/policy/interval', message: 'is shorter than 100ms, the least that this service allows' }],
    });
  });

  test('stands still while its connector is paused, and triggers are refused', async () => {
    const connector = await connect({ policy: { interval: '100ms' } });
    await call('POST', `connectors/${connector.id}/pause`);
    expect((await ask('POST', `connectors/${connector.id}/trigger`, {})).body.detail).toMatch(/paused.*resume first/);
    await call('POST', `connectors/${connector.id}/resume`);
    expect(await ended(await trigger(connector))).toMatchObject({ state: 'JS_SUCCEEDED' });
  });
});

describe('tables that vanish from the source', () => {
  const status = async (): Promise<Record<string, string>> =>
    Object.fromEntries((await tablesOf()).map((table) => [table.name, table.status]));
  let connector: Shown;

  beforeEach(async () => {
    await start();
    for (let n = 0; n < 10; n += 1) lake.table(`t${n}`);
    connector = await connect();
    await run(connector);
  });

  test('are marked after the second complete listing, and can be restored', async () => {
    lake.tables.delete('t3');
    await run(connector);
    expect((await status()).t3).toBe('active');
    const job = await run(connector);
    expect(job.message).toMatch(/1 tables vanished/);
    expect(await status()).toMatchObject({ t3: 'vanished', t4: 'active' });
    await eventually(
      () => heard,
      (all) => all.some(({ type }) => type === 'table.vanished'),
    );
    const gone = (await tablesOf()).find(({ name }) => name === 't3')!;
    expect((await call('GET', `tables/${gone.id}/snapshots`)).items).toHaveLength(1);
    expect(await call('POST', `tables/${gone.id}/restore`)).toMatchObject({ status: 'active', vanished_at: null });
    expect((await ask('POST', `tables/${gone.id}/restore`)).status).toBe(409);
  });

  test('are not counted where the listing broke off, was about a part, or they came back', async () => {
    lake.tables.delete('t3');
    await run(connector);
    let refusals = 0;
    lake.at = ({ call: what, table }) => {
      if (what === 'tables' && table === 't8' && refusals++ === 0)
        throw new ConnectorFault('unauthenticated', 'the token has run out');
    };
    expect(await run(connector)).toMatchObject({ state: 'JS_FAILED' });
    await run(connector, { scope: { namespace: 'sales', table: 't1' } });
    expect((await status()).t3).toBe('active');
    lake.table('t3');
    await run(connector);
    lake.tables.delete('t3');
    await run(connector);
    expect((await status()).t3).toBe('active');
  });

  test('come back by themselves with their source', async () => {
    lake.tables.delete('t3');
    await run(connector);
    await run(connector);
    lake.table('t3');
    await run(connector);
    expect((await status()).t3).toBe('active');
  });

  test('are kept where they are more than a fifth of all, unless a person says that they are gone', async () => {
    for (const name of ['t1', 't2', 't3']) lake.tables.delete(name);
    await run(connector);
    const job = await run(connector);
    expect(job.message).toMatch(
      /3 of 10 tables are missing in the source \(t1, t2, t3\), too many to believe: they are kept/,
    );
    expect(Object.values(await status())).not.toContain('vanished');
    await run(connector, { allow_vanished: true });
    expect(await status()).toMatchObject({ t1: 'vanished', t2: 'vanished', t3: 'vanished', t4: 'active' });
  });
});

describe('a destination', () => {
  beforeEach(() => start());

  test('is made where it is missing, and bound to the connector', async () => {
    lake.table('orders');
    const connector = await connect({
      source: { uri: 'fake:lake', namespace: 'sales', table: 'orders' },
      destination: { catalog: 'main', namespace: 'raw.shop', table: 'all_orders' },
    });
    expect(connector.destination).toMatchObject({ catalog: 'main', catalog_id: null, table_id: null });
    await run(connector);
    const { destination } = await call('GET', `connectors/${connector.id}`);
    const table = await call('GET', `tables/${destination.table_id}`);
    expect(table).toMatchObject({
      name: 'all_orders',
      namespace_id: destination.namespace_id,
      source: { table: 'orders' },
    });
    const namespace = await call('GET', `namespaces/${destination.namespace_id}`);
    expect(namespace).toMatchObject({ name: 'raw.shop', catalog_id: destination.catalog_id });
    expect(await call('GET', `catalogs/${destination.catalog_id}`)).toMatchObject({
      name: 'main',
      connector_id: connector.id,
    });
  });

  test('that is named by an id, and is another one by its name, is a conflict with both ids', async () => {
    await run(await connect({ destination: { catalog: 'main' } }));
    await run(await connect({ display_name: 'other', destination: { catalog: 'second' } }));
    const ids = Object.fromEntries((await call('GET', 'catalogs')).items.map(({ name, id }: Shown) => [name, id]));
    const { status, body } = await ask(
      'POST',
      'connectors',
      wanted({ display_name: 'third', destination: { catalog: 'main', catalog_id: ids.second } }),
    );
    expect({ status, code: body.code }).toEqual({ status: 409, code: 'destination_conflict' });
    expect(body.detail).toContain(ids.main);
    expect(body.detail).toContain(ids.second);
  });

  test('that belongs to another connector is never written to; the others of its tables are', async () => {
    lake.table('orders');
    const first = await connect({ destination: { catalog: 'main' } });
    await run(first);
    const [before] = await tablesOf();
    const other = new FakeLake();
    other.table('orders', 3);
    other.table('mine');
    lakes.set('fake:other', other);
    const second = await connect({
      display_name: 'second',
      source: { uri: 'fake:other' },
      destination: { catalog: 'main' },
    });
    const job = await run(second);
    expect(job).toMatchObject({ state: 'JS_FAILED', errors: 1, tables_scanned: 2 });
    const failed = job.tables.find(({ state }: Shown) => state === 'failed');
    expect(failed).toMatchObject({ name: 'orders', code: 'destination_conflict' });
    expect(failed.message).toContain(first.id);
    expect(failed.message).toContain(second.id);
    expect((await tablesOf()).find(({ name }) => name === 'orders')).toEqual(before);
  });

  test("that turns out to be another connector's stops the connector until it is changed", async () => {
    lake.table('orders');
    await run(await connect({ destination: { catalog: 'main' } }));
    const source = { uri: 'fake:lake', namespace: 'sales', table: 'orders' };
    const refused = await ask(
      'POST',
      'connectors',
      wanted({ display_name: 'second', source, destination: { catalog: 'main' } }),
    );
    expect(refused).toMatchObject({ status: 409, body: { code: 'destination_conflict' } });
    const second = await connect({ display_name: 'second', source, destination: { catalog: 'elsewhere' } });
    await database.sql(
      `UPDATE connector SET destination = jsonb_set(destination, '{catalog}', '"main"') WHERE id = $1`,
      [second.id],
    );
    const job = await database.sql(`SELECT 1`).then(() => ask('POST', `connectors/${second.id}/trigger`, {}));
    expect(job).toMatchObject({ status: 409, body: { code: 'destination_conflict' } });
    await database.sql(`UPDATE connector SET interval_ms = 3600000, next_run_at = now() WHERE id = $1`, [second.id]);
    await database.sql(`SELECT request_look('connectors', ARRAY[$1::uuid])`, [second.id]);
    const stopped = await eventually(
      () => call('GET', `connectors/${second.id}`),
      ({ status }) => status === 'conflict',
    );
    expect(stopped).toMatchObject({ reason: 'DestinationConflict', last_run: { state: 'JS_FAILED' } });
    const told = await eventually(
      () => call('GET', `connectors/${second.id}/explain`),
      ({ fix }) => fix !== null,
    );
    expect(told.fix).toMatch(/PATCH the destination/);
    await call('PATCH', `connectors/${second.id}`, { destination: { catalog: 'elsewhere' }, policy: null });
    expect(await run(second)).toMatchObject({ state: 'JS_SUCCEEDED' });
  });

  test('that another connector has given up can be taken over', async () => {
    lake.table('orders');
    const first = await connect({ destination: { catalog: 'main' } });
    await run(first);
    await call('DELETE', `connectors/${first.id}`);
    expect(await tablesOf()).toMatchObject([{ connector_id: null, status: 'active' }]);
    const second = await connect({ display_name: 'second', destination: { catalog: 'main' } });
    expect(await run(second)).toMatchObject({ state: 'JS_SUCCEEDED' });
    expect(await tablesOf()).toMatchObject([{ connector_id: second.id }]);
  });
});

describe('a connector', () => {
  beforeEach(() => start());

  test('that is deleted takes its jobs with it, in the middle of their work', async () => {
    lake.table('orders');
    const halfway = gate(({ call: what }) => what === 'describe');
    const connector = await connect();
    const job = await trigger(connector);
    await halfway.reached;
    await call('DELETE', `connectors/${connector.id}`);
    expect(await ended(job)).toMatchObject({ state: 'JS_CANCELLED', message: 'Its connector was deleted.' });
    expect((await ask('GET', `connectors/${connector.id}`)).status).toBe(404);
    expect(lake.openSources).toBe(0);
  });

  test.each([
    ['source', { source: { uri: 'fake:elsewhere' } }],
    ['destination', { destination: { catalog: 'elsewhere' } }],
  ])(
    'whose %s is changed takes its jobs for the old one with it, in the middle of their work',
    async (_what, change) => {
      lake.table('orders');
      const halfway = gate(({ call: what }) => what === 'describe');
      const connector = await connect();
      const job = await trigger(connector);
      await halfway.reached;
      await call('PATCH', `connectors/${connector.id}`, change);
      lake.at = () => {};
      expect(await ended(job)).toMatchObject({ state: 'JS_CANCELLED', message: 'Its connector was changed.' });
      expect(await tablesOf()).toEqual([]);
      expect(await run(connector)).toMatchObject({ state: 'JS_SUCCEEDED' });
    },
  );

  test('whose policy is changed goes on with its work', async () => {
    lake.table('orders');
    const halfway = gate(({ call: what }) => what === 'describe');
    const connector = await connect();
    const job = await trigger(connector);
    await halfway.reached;
    await call('PATCH', `connectors/${connector.id}`, { policy: null });
    halfway.open();
    expect(await ended(job)).toMatchObject({ state: 'JS_SUCCEEDED' });
  });

  test('has a name of its own, within its tenant', async () => {
    const first = await connect();
    const again = await ask('POST', 'connectors', wanted());
    expect(again).toMatchObject({ status: 409, body: { code: 'already_exists' } });
    expect(again.body.detail).toContain(first.id);
    expect((await ask('POST', 'connectors', wanted(), 'globex')).status).toBe(201);
  });

  test('is seen by its tenant only, and so is everything that comes of it', async () => {
    lake.table('orders');
    const connector = await connect();
    const job = await run(connector);
    const [table] = await tablesOf();
    const [{ namespace_id } = { namespace_id: '' }] = [table!];
    const { catalog_id } = await call('GET', `namespaces/${namespace_id}`);
    const paths = [
      ...[`connectors/${connector.id}`, `connectors/${connector.id}/explain`, `connectors/${connector.id}/history`],
      ...[
        `reconcile-jobs/${job.id}`,
        `reconcile-jobs/${job.id}/tables`,
        `reconcile-jobs/${job.id}/explain`,
        `reconcile-jobs/${job.id}/plan`,
      ],
      ...[
        `catalogs/${catalog_id}`,
        `namespaces/${namespace_id}`,
        `tables/${table!.id}`,
        `tables/${table!.id}/snapshots`,
      ],
      ...[
        `tables/${table!.id}/snapshots/1`,
        `tables/${table!.id}/snapshots/1/statistics`,
        `tables/${table!.id}/snapshots/1/plan`,
      ],
    ];
    for (const path of paths) {
      expect({ path, mine: (await ask('GET', path)).status }).toEqual({ path, mine: 200 });
      expect({ path, theirs: (await ask('GET', path, undefined, 'globex')).status }).toEqual({ path, theirs: 404 });
    }
    for (const list of ['connectors', 'reconcile-jobs', 'catalogs', 'namespaces', 'tables'])
      expect((await call('GET', list, undefined, 'globex')).items).toEqual([]);
    const actions = [
      ...[`connectors/${connector.id}/trigger`, `connectors/${connector.id}/pause`, `reconcile-jobs/${job.id}/cancel`],
      ...[`reconcile-jobs/${job.id}/retry`, `tables/${table!.id}/restore`],
    ];
    for (const path of actions)
      expect({ path, status: (await ask('POST', path, {}, 'globex')).status }).toEqual({ path, status: 404 });
    expect((await ask('DELETE', `connectors/${connector.id}`, undefined, 'globex')).status).toBe(404);
    const theirs = await ask('POST', 'connectors', wanted({ destination: { catalog_id } }), 'globex');
    expect(theirs.body.detail).toMatch(/does not exist/);
  });

  test('can be tried out before it is made', async () => {
    lake.table('orders');
    expect(await call('POST', 'connectors/validate', wanted())).toEqual({
      valid: true,
      code: null,
      message: null,
      tables_seen: 1,
    });
    const source = { uri: 'fake:refused' };
    const auth = { scheme: 'bearer', token: 'hunter2hunter2' };
    expect(await call('POST', 'connectors/validate', wanted({ source, auth }))).toEqual({
      ...{ valid: false, code: 'invalid_config', message: 'cannot log in with •••', tables_seen: 0 },
    });
    expect(lake.openSources).toBe(0);
    expect((await call('GET', 'connectors')).items).toEqual([]);
  });

  test("can be tried out, and told that its table is another connector's", async () => {
    lake.table('orders');
    const connector = await connect({ destination: { catalog: 'main' } });
    await run(connector);
    const source = { uri: 'fake:lake', namespace: 'sales', table: 'orders' };
    const same = wanted({ display_name: 'second', source, destination: { catalog: 'main' } });
    const { status, body } = await ask('POST', 'connectors/validate', same);
    expect({ status, code: body.code }).toEqual({ status: 409, code: 'destination_conflict' });
    expect(body.detail).toContain(`belongs to connector ${connector.id}`);
  });

  test('is refused with every fault of what is asked for at once', async () => {
    const { status, body } = await ask('POST', 'connectors', {
      ...wanted({ display_name: ' x', surprise: 1 }),
      source: {
        uri: 'https://user:pass@host',
        table: 'orders',
        columns: [],
        properties: { 's3.secret-access-key': 'x' },
      },
      policy: { interval: 'soon', max_parallel: 0 },
    });
    expect(status).toBe(400);
    expect(body.errors.map(({ pointer }: Shown) => pointer).sort()).toEqual([
      ...[
        '/display_name',
        '/policy/interval',
        '/policy/max_parallel',
        '/source/columns',
        '/source/namespace',
        '/source/properties/s3.secret-access-key',
      ],
      ...['/source/uri', '/surprise'],
    ]);
    expect((await ask('POST', 'connectors', wanted({ kind: 'hive' }))).body).toMatchObject({
      status: 422,
      errors: [{ pointer: '/kind' }],
    });
    const auth = { scheme: 'bearer', token: 'hunter2hunter2' };
    expect(await ask('POST', 'connectors', wanted({ source: { uri: 'fake:refused' }, auth }))).toMatchObject({
      ...{ status: 422, body: { code: 'unprocessable', detail: 'cannot log in with •••' } },
    });
    const table = await ask('POST', 'connectors', wanted({ destination: { table: 'one' } }));
    expect(table.body).toMatchObject({ status: 422, detail: expect.stringContaining('more than one source') });
  });

  test('is changed only as it was read, where the caller asks for that', async () => {
    const connector = await connect();
    const etag = (await fetchTag(connector.id)) ?? '';
    await call('PATCH', `connectors/${connector.id}`, { display_name: 'renamed' });
    const stale = await ask('PATCH', `connectors/${connector.id}`, { display_name: 'again' }, 'acme', {
      'If-Match': etag,
    });
    expect(stale.status).toBe(412);
    expect((await ask('DELETE', `connectors/${connector.id}`, undefined, 'acme', { 'If-Match': etag })).status).toBe(
      412,
    );
    expect((await ask('DELETE', `connectors/${connector.id}`)).status).toBe(204);
  });
});

async function fetchTag(id: string): Promise<string | null> {
  const claims = { subject: 'somebody', tenant: 'acme', scopes: ['read'] as const, expiresInSeconds: 60 };
  const headers = { Authorization: `Bearer ${await issueToken(secret, claims)}` };
  return (await fetch(`${running.url}/v1/connectors/${id}`, { headers })).headers.get('etag');
}

describe('secrets', () => {
  const hidden = 'correct-horse-battery-staple';
  const auth = { scheme: 'oauth2', client_id: 'me', client_secret: hidden, scope: 'catalog' };

  test('reach the source, and nothing else: no row, no answer, no event, no log', async () => {
    const output = captureOutput();
    try {
      await start({ RECONCILER_LOG_LEVEL: 'debug' });
      lake.table('orders');
      lake.table('bad');
      lake.table('torn');
      lake.at = ({ call: what, table }) => {
        if (what === 'describe' && table === 'bad') throw new ConnectorFault('forbidden', `403 for Bearer ${hidden}`);
        if (what === 'statistics' && table === 'torn') throw new ConnectorFault('corrupt', `torn by ${hidden}`);
        if (what === 'statistics') throw new TypeError(`cannot read ${hidden}`);
      };
      const connector = await connect({ auth });
      expect(connector.auth).toEqual({ scheme: 'oauth2', scope: 'catalog', secrets: ['client_id', 'client_secret'] });
      await running.stop();
      running = await replicate({ RECONCILER_LOG_LEVEL: 'debug', RECONCILER_JOB_ATTEMPTS: '2' });
      const job = await run(connector);
      expect(job).toMatchObject({ state: 'JS_FAILED', errors: 3 });
      expect(lake.configs[0]).toEqual({
        uri: 'fake:lake',
        properties: { auth: 'oauth2', scope: 'catalog' },
        credentials: { client_id: 'me', client_secret: hidden },
      });
      const answers = [
        'connectors',
        `connectors/${connector.id}`,
        `connectors/${connector.id}/explain`,
        `connectors/${connector.id}/history`,
        `reconcile-jobs/${job.id}`,
        `reconcile-jobs/${job.id}/explain`,
        `reconcile-jobs/${job.id}/history`,
      ];
      const told = [
        ...(await Promise.all(answers.map((path) => call('GET', path)))),
        connector,
        await call('POST', `connectors/${connector.id}/retry`),
        heard,
      ];
      expect(JSON.stringify(told)).not.toContain(hidden);
      expect(JSON.stringify(told)).toContain('403 for Bearer •••');
    } finally {
      output.restore();
    }
    expect(output.lines.length).toBeGreaterThan(5);
    expect(output.lines.join('\n')).not.toContain(hidden);
    const tables = await database.sql<{ name: string }>(
      `SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace`,
    );
    for (const { name } of tables) {
      const rows = await database.sql(
        `SELECT count(*)::integer AS rows FROM ${name} t WHERE t::text LIKE '%' || $1 || '%'`,
        [hidden],
      );
      expect({ name, rows }).toEqual({ name, rows: [{ rows: 0 }] });
    }
  });

  test('are refused by a service that cannot encrypt them', async () => {
    await start();
    const { RECONCILER_SECRETS_KEY: _none, ...without } = preset;
    await running.stop();
    running = await serve([service], { ...without, RECONCILER_DATABASE_URL: database.url });
    const { status, body } = await ask('POST', 'connectors', wanted({ auth }));
    expect({ status, code: body.code }).toEqual({ status: 422, code: 'secrets_refused' });
    expect(body.detail).toMatch(/set RECONCILER_SECRETS_KEY/);
    expect((await ask('POST', 'connectors', wanted())).status).toBe(201);
  });

  test('are encrypted anew with the first key, when a new one comes first', async () => {
    await start();
    lake.table('orders');
    const connector = await connect({ auth });
    await running.stop();
    const fresh = randomBytes(32).toString('base64');
    running = await replicate({ RECONCILER_SECRETS_KEY: `${fresh},${preset.RECONCILER_SECRETS_KEY}` });
    await run(connector);
    await running.stop();
    running = await replicate({ RECONCILER_SECRETS_KEY: fresh });
    expect(await run(connector)).toMatchObject({ state: 'JS_SUCCEEDED' });
    await running.stop();
    running = await replicate({ RECONCILER_SECRETS_KEY: randomBytes(32).toString('base64') });
    expect(await run(connector)).toMatchObject({ state: 'JS_FAILED', reason: 'SecretsRefused' });
  });

  test('do not follow a source to another place', async () => {
    await start();
    const connector = await connect({ auth });
    const source = { uri: 'fake:elsewhere' };
    const { status, body } = await ask('PATCH', `connectors/${connector.id}`, { source });
    expect({ status, errors: body.errors }).toMatchObject({ status: 422, errors: [{ pointer: '/auth' }] });
    expect((await ask('PATCH', `connectors/${connector.id}`, { source, auth: { scheme: 'none' } })).body.auth).toEqual({
      scheme: 'none',
      secrets: [],
    });
  });
});

test('a heavy job makes way: small ones of others are done while it goes on', async () => {
  await start({ RECONCILER_JOBS_AT_ONCE: '1', RECONCILER_JOB_SLICE: '50ms' });
  const heavy = new FakeLake();
  heavy.table('huge', 30, 1);
  heavy.at = async ({ call: what, item }) => {
    if (what === 'statistics' && item === 0) await new Promise((tick) => setTimeout(tick, 20));
  };
  lakes.set('fake:heavy', heavy);
  lake.table('small');
  const big = await trigger(await connect({ display_name: 'heavy', source: { uri: 'fake:heavy' } }));
  const small = await Promise.all([1, 2, 3].map((n) => connect({ display_name: `small ${n}` })));
  for (const one of small) expect(await run(one)).toMatchObject({ state: 'JS_SUCCEEDED' });
  const progress = await call('GET', `reconcile-jobs/${big.id}/explain`);
  expect(progress.observed).toMatchObject({ status: 'JS_RUNNING', tables: { total: 1, done: 0, failed: 0 } });
  const now = await read(big);
  expect(now.tables).toMatchObject([{ snapshots_total: 30 }]);
  expect(now.tables[0].snapshots_done).toBeLessThan(30);
  expect(await ended(big)).toMatchObject({ state: 'JS_SUCCEEDED', attempt: 1, snapshots_processed: '30' });
});

test('jobs that are inside of large snapshots make way, too, and read on where they stopped', async () => {
  await start({ RECONCILER_JOBS_AT_ONCE: '4', RECONCILER_JOB_SLICE: '1ms' });
  const heavy = await Promise.all([1, 2, 3, 4].map((n) => connectSlow(`fake:heavy ${n}`)));
  lake.table('small');
  const large = await Promise.all(heavy.map((one) => trigger(one)));
  await eventually(
    () => [...lakes.values()],
    (slow) => slow.every((one) => one.count('statistics') > 0),
  );
  const small = await Promise.all([1, 2, 3].map((n) => connect({ display_name: `small ${n}` })));
  const first = await Promise.all(small.map((one) => run(one)));
  for (const one of first) expect(one).toMatchObject({ state: 'JS_SUCCEEDED' });
  const lastOfSmall = Math.max(...first.map(({ finished_at }) => Date.parse(finished_at as string)));
  for (const one of await Promise.all(large.map(ended))) {
    expect(one).toMatchObject({ state: 'JS_SUCCEEDED', attempt: 1, snapshots_processed: '1', stats_processed: '22' });
    expect(Date.parse(one.finished_at as string)).toBeGreaterThan(lastOfSmall);
  }
  for (const slow of lakes.values()) expect(slow.moments.filter(isFile).map(({ item }) => item)).toEqual(count(20));
  const { left } = await catalog();
  expect(left).toEqual({ loads: 0, entries: 0, files: 0 });
  const { items } = await call('GET', `tables/${await tableOf('huge')}/snapshots/1/plan?limit=100`);
  expect((items as Shown[]).map(({ path }) => path as string)).toEqual(count(20).map((n) => `data/1-${n}.parquet`));
});

test('what a lost worker read of a snapshot after its last stop is read again', async () => {
  await start({ RECONCILER_JOB_SLICE: '1ms' });
  const connector = await connectSlow('fake:heavy');
  const slow = lakes.get('fake:heavy')!;
  const wait = slow.at;
  const id = trigger(connector).then((job) => job.id as string);
  slow.at = async (moment) => {
    if (moment.item === 10 && slow.moments.filter(({ item }) => item === 10).length === 1) await steal(await id);
    await wait(moment);
  };
  expect(await ended({ id: await id })).toMatchObject({ state: 'JS_SUCCEEDED', attempt: 2, stats_processed: '22' });
  expect(slow.moments.filter(isFile).map(({ item }) => item)).toEqual([...count(11), ...count(20).slice(10)]);
  expect((await catalog()).left).toEqual({ loads: 0, entries: 0, files: 0 });
});

const count = (to: number): number[] => Array.from({ length: to }, (_, n) => n);
const isFile = ({ call: what, item }: Moment): boolean => what === 'statistics' && item! < 20;

/** A source whose one snapshot has 20 files, of each of which a slice reads two at most. */
async function connectSlow(uri: string): Promise<Shown> {
  const slow = new FakeLake();
  slow.table('huge', 1, 20);
  slow.at = async ({ item, mayStop }) => {
    while (item !== undefined && item < 20 && !mayStop?.()) await new Promise((tick) => setTimeout(tick, 1));
  };
  lakes.set(uri, slow);
  return connect({ display_name: uri, source: { uri } });
}

async function tableOf(name: string): Promise<string> {
  return (await tablesOf()).find((one) => one.name === name)!.id as string;
}

test('what is broken is tried once per job, however many slices that takes', async () => {
  await start({ RECONCILER_JOB_SLICE: '1ms' });
  lake.table('orders', 4);
  lake.at = ({ call: what, snapshot: id }) => {
    if (what === 'statistics' && id! <= 2n) throw new ConnectorFault('corrupt', 'torn');
  };
  const job = await run(await connect());
  expect(job).toMatchObject({
    state: 'JS_FAILED',
    snapshots_processed: '2',
    tables: [{ snapshots_failed: 2, snapshots_total: 4 }],
  });
  expect(lake.moments.filter(({ call: what, snapshot: id }) => what === 'statistics' && id === 1n)).toHaveLength(1);
  expect(lake.count('describe')).toBeGreaterThan(2);
});

test('many jobs are drained at once, not one per poll', async () => {
  await start({ RECONCILER_INTERVAL: '1h' });
  lake.table('orders');
  const connectors = await Promise.all(Array.from({ length: 30 }, (_, n) => connect({ display_name: `lake ${n}` })));
  const jobs = await Promise.all(connectors.map((one) => trigger(one)));
  for (const job of jobs) expect(await ended(job)).toMatchObject({ state: 'JS_SUCCEEDED' });
});

test('finished jobs are dropped after their time', async () => {
  await start({ RECONCILER_JOB_RETENTION: '300ms' });
  const job = await run(await connect());
  await eventually(
    () => ask('GET', `reconcile-jobs/${job.id}`),
    ({ status }) => status === 404,
  );
  await eventually(
    () => database.sql('SELECT FROM reconcile_status WHERE key = $1', [job.id]),
    ({ length }) => length === 0,
  );
  expect(await history(job)).toEqual(['JS_QUEUED', 'JS_RUNNING', 'JS_SUCCEEDED', 'deleted']);
});
