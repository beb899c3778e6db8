import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { FilesystemStore } from '../../storage/filesystem.storage';
import { JsonReader } from '../json';
import { lentCredentials, LentStores } from './lent-storage';

const surroundings = { fileRoots: [], allowPrivate: true };
const properties = { s3_region: 'us-east-1', s3_path_style: 'true', allowed_locations: [] } as const;
const lent = { 's3.access-key-id': 'LENT', 's3.secret-access-key': 'lent-secret', 's3.session-token': 'lent-session' };

let server: Server;
let endpoint: string;
let logins: string[];

beforeEach(async () => {
  logins = [];
  server = createServer((request, response) => {
    logins.push(`${request.headers.authorization} ${String(request.headers['x-amz-security-token'])}`);
    response.writeHead(200, { 'content-length': '2' }).end('hi');
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((closed) => server.close(closed));
});

function stores(more: { s3_endpoint?: string } = {}): { own: FilesystemStore; all: LentStores } {
  const own = new FilesystemStore([]);
  return { own, all: new LentStores(own, { ...properties, allowed_locations: [], ...more }, surroundings) };
}

describe('credentials that a catalog lends', () => {
  test('are those for the longest prefix of the location, above those of the table', () => {
    const answer = JsonReader.of(
      {
        config: { 's3.region': 'r', 's3.access-key-id': 'of the table' },
        'storage-credentials': [
          { prefix: 's3://b', config: { 's3.access-key-id': 'of the bucket' } },
          { prefix: 's3://b/a', config: { 's3.access-key-id': 'of the folder' } },
          { prefix: 's3://c', config: { 's3.access-key-id': 'of another' } },
        ],
      },
      'answer',
    );
    expect(lentCredentials(answer, 's3://b/a/t')).toEqual({ 's3.region': 'r', 's3.access-key-id': 'of the folder' });
    expect(lentCredentials(answer, 's3://d/t')).toEqual({ 's3.region': 'r', 's3.access-key-id': 'of the table' });
  });

  test('are signed with, at the place that the catalog names', async () => {
    const { all } = stores();
    const store = all.storeFor({
      ...lent,
      's3.endpoint': endpoint,
      's3.path-style-access': 'true',
      'client.region': 'eu-x',
    });
    expect(String(await store.read('s3://bucket/key', { limit: 10 }))).toBe('hi');
    expect(logins[0]).toMatch(/Credential=LENT\/\d{8}\/eu-x\/s3\/aws4_request.* lent-session$/);
    all.close();
  });

  test('are used at the place that the owner of the connector named, whatever the catalog says', async () => {
    const { all } = stores({ s3_endpoint: endpoint });
    const store = all.storeFor({ ...lent, 's3.endpoint': 'http://127.0.0.1:1' });
    expect(String(await store.read('s3://bucket/key', { limit: 10 }))).toBe('hi');
    all.close();
  });

  test('share one store as long as they are the same, and none where nothing was lent', () => {
    const { own, all } = stores();
    expect(all.storeFor(lent)).toBe(all.storeFor({ ...lent }));
    expect(all.storeFor(lent)).not.toBe(all.storeFor({ ...lent, 's3.session-token': 'next' }));
    expect(all.storeFor({ 's3.region': 'r' })).toBe(own);
    all.close();
  });
});
