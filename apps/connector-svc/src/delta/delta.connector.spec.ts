import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { conformance, type ConformanceWorld } from '../connector/conformance';
import { type Connector } from '../connector/connector.port';
import { DeltaConnectorFactory } from './delta.connector';

const warehouse = resolve(__dirname, '../../../../test/fixtures/lakehouse/warehouse');
const factory = new DeltaConnectorFactory({ fileRoots: [warehouse], allowPrivate: true });

type Answer = (request: IncomingMessage, url: URL, body: string) => unknown;
let answer: Answer;
const asked: { method: string; path: string; query: Record<string, string>; authorization?: string; body: string }[] =
  [];
const server = createServer((request, response) => {
  const pieces: Buffer[] = [];
  request
    .on('data', (piece: Buffer) => pieces.push(piece))
    .on('end', () => reply(request, response, Buffer.concat(pieces).toString()));
});

function reply(request: IncomingMessage, response: ServerResponse, body: string): void {
  const url = new URL(request.url!, 'http://localhost');
  const { authorization } = request.headers;
  asked.push({
    method: request.method!,
    path: url.pathname,
    query: Object.fromEntries(url.searchParams),
    authorization,
    body,
  });
  const said = answer(request, url, body);
  if (said instanceof Refusal) response.writeHead(said.status, { 'content-type': 'application/json' }).end(said.body);
  else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(said));
}

class Refusal {
  constructor(
    readonly status: number,
    readonly body: string,
  ) {}
}

let base: string;
beforeAll(async () => {
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => new Promise((closed) => server.close(closed)));

const open: Connector[] = [];
beforeEach(() => asked.splice(0));
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

function connector(
  uri: string,
  properties: Record<string, string> = {},
  credentials: Record<string, string> = {},
): Connector {
  const made = factory.create({ uri, properties, credentials });
  open.push(made);
  return made;
}

async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const one of source) list.push(one);
  return list;
}

describe('a folder of Delta tables', () => {
  it('has the folders as namespaces, and the folders with a log as tables', async () => {
    const lake = connector(warehouse);
    expect(await all(lake.listNamespaces())).toContainEqual(['lake']);
    const names = (await all(lake.listTables(['lake']))).map(({ name }) => name);
    expect(names).toHaveLength(17);
    expect(names).toContain('partitioned');
    expect(names).not.toContain('readme.txt');
  });

  it('describes a table, and finds none where there is none', async () => {
    const lake = connector(`file://${warehouse}/`);
    const { description } = await lake.describe({ namespace: ['lake'], name: 'column_mapping' });
    expect(description).toMatchObject({
      format: 'delta',
      formatVersion: 2,
      currentSnapshotId: 6n,
      location: `file://${warehouse}/lake/column_mapping`,
    });
    expect(description.properties).toMatchObject({
      'delta.columnMapping.mode': 'name',
      'delta.feature.columnMapping': 'supported',
    });
    await expect(lake.describe({ namespace: ['lake'], name: 'nothing' })).rejects.toMatchObject({ code: 'not_found' });
  });

  it('may be one table itself', async () => {
    const one = connector(`${warehouse}/lake/append_only`);
    expect(await all(one.listNamespaces())).toEqual([[]]);
    expect(await all(one.listTables([]))).toEqual([{ namespace: [], name: 'append_only' }]);
    expect((await one.describe({ namespace: [], name: 'append_only' })).description.currentSnapshotId).toBe(4n);
  });

  it.each([
    [['lake'], '../lake/append_only'],
    [['..'], 'x'],
    [['a/b'], 'x'],
    [['lake'], ''],
  ])('does not follow the name %j %j out of its folder', async (namespace, name) => {
    await expect(connector(warehouse).describe({ namespace, name })).rejects.toMatchObject({ code: 'outside_root' });
  });

  it('reads no files but those below the folders that the process allows', async () => {
    await expect(connector('/etc').describe({ namespace: [], name: 'x' })).rejects.toMatchObject({
      code: 'outside_root',
    });
  });
});

describe('a connector of kind delta', () => {
  it.each<[string, Record<string, string>, Record<string, string>, string]>([
    ['an unknown property', { colour: 'red' }, {}, warehouse],
    ['a catalog that there is not', { catalog: 'hive' }, {}, warehouse],
    ['bearer without a token', { catalog: 'unity', auth: 'bearer' }, {}, 'http://unity'],
    ['OAuth without a secret', { catalog: 'unity', auth: 'oauth2' }, { client_id: 'x' }, 'http://unity'],
    ['a Unity Catalog in a folder', { catalog: 'unity' }, {}, warehouse],
  ])('is refused with %s', (_name, properties, credentials, uri) => {
    expect(() => factory.create({ uri, properties, credentials })).toThrow(
      expect.objectContaining({ code: 'invalid_config' }) as Error,
    );
  });
});

const root = '/api/2.1/unity-catalog';
const page =
  (kind: string, pages: unknown[][]): Answer =>
  (_request, url) => {
    const at = Number(url.searchParams.get('page_token') ?? 0);
    return {
      [kind]: pages[at],
      ...(at + 1 < pages.length ? { next_page_token: String(at + 1) } : { next_page_token: null }),
    };
  };
const tableInfo = (name: string, more: object = {}) => ({
  name,
  data_source_format: 'DELTA',
  table_id: 'id-1',
  ...more,
});
const byPath =
  (answers: Record<string, Answer>): Answer =>
  (request, url, body) =>
    answers[url.pathname.slice(root.length + 1)]?.(request, url, body) ??
    new Refusal(404, '{"error_code":"NOT_FOUND","message":"no such thing"}');
const unity = (more: Record<string, string> = {}, credentials: Record<string, string> = {}) =>
  connector(base, { catalog: 'unity', allowed_locations: warehouse, ...more }, credentials);

describe('a Unity Catalog', () => {
  it('lists catalogs, schemas and tables page by page, and only tables in Delta', async () => {
    answer = byPath({
      catalogs: page('catalogs', [[{ name: 'main' }], [], [{ name: 'dev' }]]),
      schemas: (_request, url) => ({ schemas: [{ name: `of_${url.searchParams.get('catalog_name')}` }] }),
      tables: page('tables', [[tableInfo('a'), tableInfo('v', { data_source_format: 'ICEBERG' })], [tableInfo('b')]]),
    });
    const catalog = unity();
    expect(await all(catalog.listNamespaces())).toEqual([
      ['main', 'of_main'],
      ['dev', 'of_dev'],
    ]);
    expect((await all(catalog.listTables(['main', 's']))).map(({ name }) => name)).toEqual(['a', 'b']);
    expect(asked.at(-1)).toMatchObject({
      path: `${root}/tables`,
      query: { catalog_name: 'main', schema_name: 's', page_token: '1' },
    });
  });

  it('is read where it says that a table is', async () => {
    const storage_location = `file://${warehouse}/lake/restored/`;
    answer = byPath({ 'tables/main.s.t': () => tableInfo('t', { storage_location }) });
    const table = await unity({ auth: 'bearer' }, { token: 'hush' }).describe({ namespace: ['main', 's'], name: 't' });
    expect(table.description.currentSnapshotId).toBe(5n);
    expect(asked[0]!.authorization).toBe('Bearer hush');
  });

  it('lends credentials for the storage of a table', async () => {
    answer = byPath({
      'tables/main.s.t': () => tableInfo('t', { storage_location: 's3://bucket/t' }),
      'temporary-table-credentials': () => ({
        aws_temp_credentials: { access_key_id: 'AK', secret_access_key: 'SK', session_token: 'ST' },
      }),
    });
    const s3: typeof asked = [];
    const unityAnswer = answer;
    answer = (request, url, body) => {
      if (url.pathname.startsWith(root)) return unityAnswer(request, url, body);
      s3.push(asked.at(-1)!);
      return new Refusal(403, '');
    };
    const lends = unity({ storage_access: 'lent', s3_endpoint: base, s3_path_style: 'true' });
    await expect(lends.describe({ namespace: ['main', 's'], name: 't' })).rejects.toMatchObject({ code: 'forbidden' });
    expect(JSON.parse(asked[1]!.body)).toEqual({ table_id: 'id-1', operation: 'READ' });
    expect(s3[0]!.authorization).toMatch(/Credential=AK\//);
  });

  it('may not send us to files that were not allowed', async () => {
    answer = byPath({ 'tables/main.s.t': () => tableInfo('t', { storage_location: 'file:///etc' }) });
    await expect(unity().describe({ namespace: ['main', 's'], name: 't' })).rejects.toMatchObject({
      code: 'outside_root',
    });
  });

  it.each<[string, () => unknown, object]>([
    [
      '401',
      () => new Refusal(401, '{"error_code":"UNAUTHENTICATED","message":"who are you"}'),
      { code: 'unauthenticated', faultClass: 'terminal' },
    ],
    ['403', () => new Refusal(403, '{}'), { code: 'forbidden', faultClass: 'terminal' }],
    ['404', () => new Refusal(404, '<html>'), { code: 'not_found', faultClass: 'terminal' }],
    ['429', () => new Refusal(429, ''), { code: 'throttled', faultClass: 'transient' }],
    ['500', () => new Refusal(500, '{"message":"x"}'), { code: 'server_error', faultClass: 'transient' }],
    ['half an answer', () => new Refusal(200, '{"name":'), { code: 'incomplete_answer', faultClass: 'transient' }],
    ['no place', () => tableInfo('t'), { code: 'not_found', faultClass: 'terminal' }],
    [
      'a table of another format',
      () => tableInfo('t', { data_source_format: 'CSV', storage_location: 's3://b/t' }),
      { code: 'not_found' },
    ],
    ['a place that is not read', () => tableInfo('t', { storage_location: 'abfss://c@a/t' }), { code: 'unsupported' }],
  ])('that answers with %s is such a fault', async (_name, said, fault) => {
    answer = said;
    await expect(unity().describe({ namespace: ['main', 's'], name: 't' })).rejects.toMatchObject(fault);
  });

  it('is a fault without the secret in it', async () => {
    answer = () => new Refusal(401, '{"message":"bad token"}');
    const error = await all(unity({ auth: 'bearer' }, { token: 'hush-hush' }).listNamespaces()).catch(
      (one: unknown) => one,
    );
    expect(String(error)).toContain('bad token');
    expect(JSON.stringify(error) + String(error)).not.toContain('hush-hush');
  });

  it('asks for a new token when the old one was refused, once', async () => {
    let tokens = 0;
    answer = (request, url) => {
      if (url.pathname === '/oidc/v1/token') return { access_token: `t${++tokens}`, expires_in: 3600 };
      return request.headers.authorization === 'Bearer t2' ? { catalogs: [] } : new Refusal(401, '{}');
    };
    const catalog = unity({ auth: 'oauth2' }, { client_id: 'me', client_secret: 'hush' });
    expect(await all(catalog.listNamespaces())).toEqual([]);
    expect(tokens).toBe(2);
  });

  it('that repeats its pages for ever is found out', async () => {
    answer = () => ({ catalogs: [], next_page_token: 'again' });
    await expect(all(unity().listNamespaces())).rejects.toMatchObject({ code: 'invalid_answer' });
    expect(asked).toHaveLength(2);
  });

  it('that pages for ever is left when the signal is aborted', async () => {
    const stop = new AbortController();
    answer = () => {
      if (asked.length === 20) stop.abort(new Error('enough'));
      return { catalogs: [], next_page_token: String(asked.length) };
    };
    await expect(all(unity().listNamespaces({ signal: stop.signal }))).rejects.toThrow('enough');
  });
});

describe('a Unity Catalog as every connector', () => {
  const world: ConformanceWorld = {
    namespace: ['main', 'lake'],
    table: { namespace: ['main', 'lake'], name: 'checkpoint_classic' },
    missing: { namespace: ['main', 'lake'], name: 'none' },
    column: 'id',
    secrets: ['hush'],
  };

  it.each(conformance.map(({ name, check }) => [name, check] as const))('%s', async (_name, check) => {
    const storage_location = `file://${warehouse}/lake/checkpoint_classic`;
    answer = byPath({
      catalogs: () => ({ catalogs: [{ name: 'main' }] }),
      schemas: () => ({ schemas: [{ name: 'lake' }] }),
      tables: () => ({ tables: [tableInfo('checkpoint_classic')] }),
      'tables/main.lake.checkpoint_classic': () => tableInfo('checkpoint_classic', { storage_location }),
    });
    await check(unity({ auth: 'bearer' }, { token: 'hush' }), world);
  });
});

describe('AWS Glue', () => {
  const glueTable = (Name: string, provider: string, StorageDescriptor: object) => ({
    ...{ Name, Parameters: { 'spark.sql.sources.provider': provider }, StorageDescriptor },
  });
  const here = { Location: `file://${warehouse}/lake/append_only` };
  const placeholder = {
    Location: 's3://b/t-__PLACEHOLDER__',
    SerdeInfo: { Parameters: { path: `file://${warehouse}/lake/restored` } },
  };
  const glue = () =>
    connector(
      'glue',
      { catalog: 'glue', glue_endpoint: base, allowed_locations: warehouse },
      { access_key_id: 'x', secret_access_key: 'y' },
    );

  beforeEach(() => {
    answer = (request, _url, body) => {
      const { NextToken, Name } = JSON.parse(body) as { NextToken?: string; Name?: string };
      const tables = [
        glueTable('a', 'delta', here),
        glueTable('b', 'DELTA', placeholder),
        glueTable('c', 'parquet', here),
      ];
      switch (request.headers['x-amz-target']) {
        case 'AWSGlue.GetDatabases':
          return { DatabaseList: [{ Name: 'db' }] };
        case 'AWSGlue.GetTables':
          return NextToken ? { TableList: tables.slice(1) } : { TableList: tables.slice(0, 1), NextToken: 'more' };
        default:
          return { Table: tables.find((one) => one.Name === Name) };
      }
    };
  });

  it('is not asked without keys', () => {
    expect(() => connector('glue', { catalog: 'glue', glue_endpoint: base })).toThrow(
      'credentials.access_key_id, credentials.secret_access_key: both are needed',
    );
  });

  it('lists the tables whose provider is delta, page by page', async () => {
    expect(await all(glue().listNamespaces())).toEqual([['db']]);
    expect((await all(glue().listTables(['db']))).map(({ name }) => name)).toEqual(['a', 'b']);
  });

  it('leads to a table, by its location or by the path that Spark left', async () => {
    expect((await glue().describe({ namespace: ['db'], name: 'a' })).description.currentSnapshotId).toBe(4n);
    expect((await glue().describe({ namespace: ['db'], name: 'b' })).description.currentSnapshotId).toBe(5n);
    await expect(glue().describe({ namespace: ['db'], name: 'c' })).rejects.toMatchObject({ code: 'not_found' });
    await expect(glue().describe({ namespace: ['db'], name: 'd' })).rejects.toMatchObject({ code: 'not_found' });
  });
});
