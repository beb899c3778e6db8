import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { GlueCatalog } from './glue';

const keys = { accessKeyId: 'AKID', secretAccessKey: 'the-secret-key' };

let server: Server;
let glue: GlueCatalog;
let asked: { target: string; body: Record<string, unknown> }[];
let answer: (body: Record<string, unknown>) => readonly [status: number, body: unknown];

beforeEach(async () => {
  asked = [];
  server = createServer((request, response) => {
    let text = '';
    request.on('data', (piece: Buffer) => (text += piece.toString()));
    request.on('end', () => {
      const body = JSON.parse(text) as Record<string, unknown>;
      asked.push({ target: String(request.headers['x-amz-target']), body });
      const [status, given] = answer(body);
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(given));
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  glue = new GlueCatalog({ region: 'us-east-1', endpoint, keys, allowPrivate: true }, '123456789012');
});

afterEach(async () => {
  glue.close();
  server.closeAllConnections();
  await new Promise((closed) => server.close(closed));
});

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

describe('AWS Glue', () => {
  test('is read page by page, in the catalog that was named', async () => {
    answer = ({ NextToken }) => [
      200,
      NextToken ? { DatabaseList: [{ Name: 'b' }] } : { DatabaseList: [{ Name: 'a' }], NextToken: 'n' },
    ];
    expect(await all(glue.databases({}))).toEqual(['a', 'b']);
    answer = ({ NextToken }) => [
      200,
      NextToken ? { TableList: [{ Name: 'u' }] } : { TableList: [{ Name: 't' }], NextToken: 'n' },
    ];
    expect((await all(glue.tables('a', {}))).map(({ Name }) => Name)).toEqual(['t', 'u']);
    expect(asked.map(({ target }) => target)).toEqual([
      ...['AWSGlue.GetDatabases', 'AWSGlue.GetDatabases', 'AWSGlue.GetTables', 'AWSGlue.GetTables'],
    ]);
    expect(asked[3]!.body).toEqual({ CatalogId: '123456789012', DatabaseName: 'a', NextToken: 'n' });
  });

  test('that pages in a circle is stopped', async () => {
    answer = ({ NextToken }) => [200, { DatabaseList: [], NextToken: NextToken === 'x' ? 'y' : 'x' }];
    await expect(all(glue.databases({}))).rejects.toMatchObject({ code: 'invalid_answer', faultClass: 'terminal' });
    expect(asked.length).toBeLessThan(6);
  });

  test.each([
    ['EntityNotFoundException', 400, 'not_found', 'terminal'],
    ['AccessDeniedException', 400, 'forbidden', 'terminal'],
    ['UnrecognizedClientException', 400, 'unauthenticated', 'terminal'],
    ['ExpiredTokenException', 400, 'not_ready', 'not_ready'],
    ['ThrottlingException', 400, 'throttled', 'transient'],
    ['InternalServiceException', 500, 'server_error', 'transient'],
  ])('that answers %s makes a fault', async (name, status, code, faultClass) => {
    answer = () => [status, { __type: name, Message: 'm' }];
    await expect(glue.table('a', 't', {})).rejects.toMatchObject({ code, faultClass });
  });
});
