import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { lakehouseFixtures } from '@homeostat/testing';
import { type Connector } from '../../connector/connector.port';
import { type ConnectorFault } from '../../connector/fault';
import { IcebergConnectorFactory } from '../iceberg.connector';

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly form: URLSearchParams;
}

type Answer = readonly [status: number, body: unknown];

const factory = new IcebergConnectorFactory({ fileRoots: [], allowPrivate: true });
const oauth2 = { auth: 'oauth2' };
const client = { client_id: 'client', client_secret: 'the-client-secret' };
const metadataFile = 'warehouse/sales/empty/metadata/00000-420bb678-1e44-4abc-bf18-5b02b67616b8.metadata.json';
const location = `s3://${metadataFile}`;
const metadata = JSON.parse(readFileSync(join(lakehouseFixtures, metadataFile), 'utf8')) as Record<string, unknown>;

let server: Server;
let uri: string;
let connectors: Connector[];
let asked: Asked[];
let answer: (request: Asked) => Answer | 'cut' | 'silent';

beforeEach(async () => {
  asked = [];
  connectors = [];
  server = createServer((request, response) => void respond(request, response));
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  uri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/catalog`;
});

afterEach(async () => {
  for (const connector of connectors) await connector.close();
  server.closeAllConnections();
  await new Promise((closed) => server.close(closed));
});

async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url!, 'http://host');
  let body = '';
  for await (const piece of request) body += String(piece);
  const one = { method: request.method!, path: url.pathname, query: url.searchParams, headers: request.headers };
  asked.push({ ...one, form: new URLSearchParams(body) });
  const given = one.path === '/catalog/v1/config' ? configured(asked.at(-1)!) : answer(asked.at(-1)!);
  if (given === 'silent') return;
  if (given === 'cut') {
    response.writeHead(200, { 'content-length': '1000' }).write('{"metadata": {');
    return void setImmediate(() => response.destroy());
  }
  const text = typeof given[1] === 'string' ? given[1] : JSON.stringify(given[1]);
  response.writeHead(given[0], { 'content-type': 'application/json' }).end(text);
}

let configured: (request: Asked) => Answer;
beforeEach(() => {
  configured = () => [200, { defaults: {}, overrides: { prefix: 'ws/one two' } }];
});

function open(properties: Record<string, string> = {}, credentials: Record<string, string> = {}): Connector {
  return opened(factory, uri, { catalog: 'rest', ...properties }, credentials);
}

function opened(
  from: IcebergConnectorFactory,
  at: string,
  properties: Record<string, string>,
  credentials = {},
): Connector {
  const connector = from.create({ uri: at, properties, credentials });
  connectors.push(connector);
  return connector;
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

async function faultOf(call: Promise<unknown>): Promise<ConnectorFault> {
  return (await call.then(
    () => null,
    (error: unknown) => error,
  )) as ConnectorFault;
}

const orders = { namespace: ['corp', 'emea'], name: 'a/b orders' };
const loaded = (more = {}): Answer => [200, { 'metadata-location': location, metadata, ...more }];

describe('the Iceberg REST catalog', () => {
  test('is asked for its configuration once, with the warehouse, and then under its prefix', async () => {
    answer = () => loaded();
    const connector = open({ warehouse: 'main' });
    const table = await connector.describe(orders);
    await connector.describe(orders);
    expect(asked.map(({ path }) => path)).toEqual([
      '/catalog/v1/config',
      '/catalog/v1/ws/one%20two/namespaces/corp%1Femea/tables/a%2Fb%20orders',
      '/catalog/v1/ws/one%20two/namespaces/corp%1Femea/tables/a%2Fb%20orders',
    ]);
    expect(asked[0]!.query.get('warehouse')).toBe('main');
    expect(table.description).toMatchObject({ name: orders, metadataLocation: location, currentSnapshotId: null });
    await connector.close();
  });

  test('joins levels by the separator that the catalog names', async () => {
    configured = () => [200, { defaults: { 'namespace-separator': '%2E' }, overrides: {} }];
    answer = () => loaded();
    await open().describe(orders);
    expect(asked[1]!.path).toBe('/catalog/v1/namespaces/corp.emea/tables/a%2Fb%20orders');
  });

  test('is read page by page, namespaces below namespaces', async () => {
    const below: Record<string, string[][]> = { '': [['a'], ['b']], a: [['a', 'x']] };
    answer = ({ query }) => {
      const list = below[query.get('parent')?.split('\u001f').join('/') ?? ''] ?? [];
      const at = Number(query.get('pageToken') || 0);
      return [
        200,
        { namespaces: list.slice(at, at + 1), 'next-page-token': at + 1 < list.length ? String(at + 1) : null },
      ];
    };
    expect(await all(open().listNamespaces())).toEqual([['a'], ['a', 'x'], ['b']]);
    expect(asked[1]!.query.has('pageToken')).toBe(true);
  });

  test('that pages in a circle is stopped', async () => {
    answer = ({ query }) => [200, { identifiers: [], 'next-page-token': query.get('pageToken') === 'x' ? 'y' : 'x' }];
    const fault = await faultOf(all(open().listTables(['a'])));
    expect(fault).toMatchObject({ code: 'invalid_answer', faultClass: 'terminal' });
    expect(asked.length).toBeLessThan(6);
  });

  test('that pages for ever is stopped', async () => {
    let page = 0;
    answer = () => [200, { identifiers: [], 'next-page-token': String(page++) }];
    expect(await faultOf(all(open().listTables(['a'])))).toMatchObject({ code: 'invalid_answer' });
  }, 60_000);

  test.each([
    [401, 'unauthenticated', 'terminal'],
    [403, 'forbidden', 'terminal'],
    [404, 'not_found', 'terminal'],
    [419, 'not_ready', 'not_ready'],
    [429, 'throttled', 'transient'],
    [500, 'server_error', 'transient'],
    [503, 'server_error', 'transient'],
  ])('that answers %i makes a fault %s, which is %s, in the words of the server', async (status, code, faultClass) => {
    answer = () => [
      status,
      { error: { message: 'so it\nis', type: 'SomeException', code: status, stack: ['secret'] } },
    ];
    const fault = await faultOf(open().describe(orders));
    expect(fault).toMatchObject({ code, faultClass });
    expect(fault.message).toContain(`${status} SomeException: so it is`);
    expect(fault.message).not.toContain('secret');
  });

  test('whose error is a page for people does not have it repeated', async () => {
    answer = () => [400, '<html>Bad Request</html>'];
    expect((await faultOf(open().describe(orders))).message).toMatch(/: 400$/);
  });

  test('that breaks off in the middle is asked again later', async () => {
    answer = () => 'cut';
    expect(await faultOf(open().describe(orders))).toMatchObject({
      code: 'incomplete_answer',
      faultClass: 'transient',
    });
    answer = () => [200, '{"metadata": {"format-version": 2'];
    expect(await faultOf(open().describe(orders))).toMatchObject({
      code: 'incomplete_answer',
      faultClass: 'transient',
    });
  });

  test('that is not there is unreachable, for now', async () => {
    const connector = opened(factory, 'http://127.0.0.1:1', { catalog: 'rest' });
    expect(await faultOf(connector.describe(orders))).toMatchObject({ code: 'unreachable', faultClass: 'transient' });
  });

  test('whose answer does not come is left when the signal says so', async () => {
    answer = () => 'silent';
    const controller = new AbortController();
    const call = faultOf(open().describe(orders, { signal: controller.signal }));
    while (asked.length < 2) await new Promise((later) => setTimeout(later, 5));
    controller.abort(new Error('enough'));
    expect(await call).toBe(controller.signal.reason);
  });

  test('at a private address is not asked where that is not allowed', async () => {
    const strict = new IcebergConnectorFactory({ fileRoots: [], allowPrivate: false });
    const connector = opened(strict, uri, { catalog: 'rest' });
    expect(await faultOf(connector.describe(orders))).toMatchObject({ code: 'forbidden', faultClass: 'terminal' });
    expect(asked).toEqual([]);
  });
});

describe('what a REST catalog says of a table', () => {
  test.each([
    ['a metadata file on our own disk', { 'metadata-location': 'file:/etc/x/metadata/v1.metadata.json' }],
    ['a path that climbs', { 'metadata-location': 's3://warehouse/a/../../b/v1.metadata.json' }],
    ['a location in another bucket', { metadata: { ...metadata, location: 's3://elsewhere/empty' } }],
    ['a location on our own disk', { metadata: { ...metadata, location: 'file:///etc' } }],
  ])('is refused when it is %s', async (_what, more) => {
    answer = () => loaded(more);
    expect(await faultOf(open().describe(orders))).toMatchObject({ code: 'outside_root', faultClass: 'terminal' });
  });

  test('may be another bucket that the connector allows', async () => {
    answer = () => loaded({ metadata: { ...metadata, location: 's3://elsewhere/empty' } });
    const table = await open({ allowed_locations: 's3://elsewhere/' }).describe(orders);
    expect(table.description.location).toBe('s3://elsewhere/empty');
  });
});

describe('the login at a REST catalog', () => {
  let tokens: number;
  beforeEach(() => {
    tokens = 0;
    configured = (request) => (authorized(request) ? [200, { defaults: {}, overrides: {} }] : [401, {}]);
    answer = (request) => {
      if (request.path.endsWith('/oauth/tokens')) {
        return [200, { access_token: `t${++tokens}`, token_type: 'bearer', expires_in: 3600 }];
      }
      return authorized(request) ? loaded() : [401, {}];
    };
  });
  const authorized = ({ headers }: Asked) => headers.authorization === `Bearer t${tokens}`;

  test('is a token for the client, fetched once for many requests', async () => {
    const connector = open(oauth2, client);
    await Promise.all([connector.describe(orders), connector.describe(orders)]);
    const [login, ...rest] = asked;
    expect([login!.method, login!.path]).toEqual(['POST', '/catalog/v1/oauth/tokens']);
    expect(Object.fromEntries(login!.form)).toEqual({ grant_type: 'client_credentials', scope: 'catalog', ...client });
    expect(rest.map(({ headers }) => headers.authorization)).toEqual(['Bearer t1', 'Bearer t1', 'Bearer t1']);
  });

  test.each([401, 419])('is made anew, once, when a token is refused with %i', async (status) => {
    const connector = open(oauth2, client);
    await connector.describe(orders);
    const before = answer;
    let refuse = true;
    answer = (request) => {
      if (!refuse || request.path.endsWith('/oauth/tokens')) return before(request);
      refuse = false;
      return [status, {}];
    };
    await connector.describe(orders);
    expect(tokens).toBe(2);
  });

  test('is made anew before a token expires', async () => {
    const connector = open(oauth2, client);
    await connector.describe(orders);
    const now = performance.now();
    const clock = jest.spyOn(performance, 'now').mockReturnValue(now + 3_590_000);
    await connector.describe(orders);
    clock.mockRestore();
    expect(tokens).toBe(2);
  });

  test('that is refused is told without the secret', async () => {
    answer = () => [401, { error: 'invalid_client', error_description: 'unknown client' }];
    const fault = await faultOf(open(oauth2, client).describe(orders));
    expect(fault).toMatchObject({
      code: 'unauthenticated',
      message: expect.stringContaining('unknown client') as string,
    });
    expect(JSON.stringify(fault) + fault.stack).not.toContain('the-client-secret');
  });

  test('may be a token that somebody was given', async () => {
    configured = () => [200, {}];
    answer = () => loaded();
    await open({ auth: 'bearer' }, { token: 'given' }).describe(orders);
    expect(asked.map(({ headers }) => headers.authorization)).toEqual(['Bearer given', 'Bearer given']);
  });

  test('may be a signature of AWS', async () => {
    configured = () => [200, {}];
    answer = () => loaded();
    const keys = { access_key_id: 'AKID', secret_access_key: 'the-secret-key' };
    await open({ auth: 'sigv4', region: 'eu-central-1', service: 'glue' }, keys).describe(orders);
    for (const { headers } of asked) {
      expect(headers.authorization).toMatch(
        /^AWS4-HMAC-SHA256 Credential=AKID\/\d{8}\/eu-central-1\/glue\/aws4_request, /,
      );
    }
  });

  test.each([
    [{ auth: 'bearer' }, {}, 'credentials.token: is missing'],
    [{ auth: 'oauth2' }, { client_id: 'x' }, 'credentials.client_secret: is missing'],
    [{ auth: 'sigv4' }, {}, 'credentials.access_key_id, credentials.secret_access_key: both are needed'],
    [{ catalog: 'glue' }, {}, 'credentials.access_key_id, credentials.secret_access_key: both are needed'],
    [{ auth: 'magic' }, {}, 'properties.auth'],
    [{ ware_house: 'x' }, {}, 'ware_house'],
  ])('is checked before anything is asked: %j %j', (properties, credentials, said) => {
    expect(() => open(properties, credentials)).toThrow(said);
  });
});
