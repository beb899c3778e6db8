import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FilesystemStore } from './filesystem.storage';
import { canonicalUri, folderOf, liesIn, parseUri } from './object-uri';
import { awsKeysOf, openStorage } from './open-storage';
import { confined } from './routed.storage';
import { type S3Settings, S3Store } from './s3.storage';
import { type ObjectInfo } from './storage.port';

const limit = 1000;

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

async function text(pieces: AsyncIterable<Buffer>): Promise<string> {
  return Buffer.concat(await all(pieces)).toString();
}

const uris = (objects: readonly ObjectInfo[]) => objects.map(({ uri }) => uri);

describe('the URI of an object', () => {
  test.each([
    ['s3://bucket/a/b', 's3://bucket/a/b'],
    ['s3a://bucket/a//b', 's3://bucket/a//b'],
    ['file:/a/b', 'file:///a/b'],
    ['file:///a//b', 'file:///a/b'],
    ['/a/b', 'file:///a/b'],
    ['/a/..b/c..d', 'file:///a/..b/c..d'],
  ])('%s is %s', (uri, canonical) => expect(canonicalUri(uri)).toBe(canonical));

  test.each(['s3://b-1/a/../c', '/a/..', 'file:/../a', 's3://bucket/./a', '/a\\..\\b', '/a\0b'])(
    '%j may not climb',
    (uri) => {
      expect(() => parseUri(uri)).toThrow(expect.objectContaining({ code: 'outside_root' }) as Error);
    },
  );

  test.each(['http://host/a', 'file://host/a', 'a/b', 'gs://bucket/a', 's3://', ''])(
    '%j is of no kind that is read',
    (uri) => {
      expect(() => parseUri(uri)).toThrow(expect.objectContaining({ code: 'unsupported' }) as Error);
    },
  );

  test('lies in a folder by whole names', () => {
    expect(liesIn('s3://b-1/table/x', 's3a://b-1/table/')).toBe(true);
    expect(liesIn('s3://b-1/table2/x', 's3://b-1/table')).toBe(false);
    expect(liesIn('/x/y', 'file:///x')).toBe(true);
    expect(liesIn('/x/y', '/')).toBe(true);
    expect(folderOf('s3://b-1/a/b.json')).toBe('s3://b-1/a');
  });
});

describe('files as objects', () => {
  let folder: string;
  let store: FilesystemStore;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'homeostat-storage-'));
    await mkdir(join(folder, 'in/a/b'), { recursive: true });
    await mkdir(join(folder, 'in/empty'));
    for (const name of ['in/a/b/2', 'in/a/1', 'in/a-0', 'in/a.0', 'out'])
      await writeFile(join(folder, name), `in ${name}`);
    await symlink(join(folder, 'out'), join(folder, 'in/link'));
    await symlink(folder, join(folder, 'in/up'));
    store = new FilesystemStore([{ uri: 's3://bucket/root', folder: join(folder, 'in') }]);
  });
  afterAll(() => rm(folder, { recursive: true }));

  test('are read whole, in part and piece by piece', async () => {
    expect(String(await store.read('s3://bucket/root/a/1', { limit }))).toBe('in in/a/1');
    expect(String(await store.read('s3://bucket/root/a/1', { limit, range: { offset: 3, length: 4 } }))).toBe('in/a');
    expect(String(await store.read('s3://bucket/root/a/1', { limit, range: { offset: 8, length: 99 } }))).toBe('1');
    expect(await text(store.stream('s3://bucket/root/a/1', { limit }))).toBe('in in/a/1');
  });

  test('are told by size, and not when they are missing', async () => {
    expect(await store.stat('s3://bucket/root/a/1')).toMatchObject({ uri: 's3://bucket/root/a/1', size: 9 });
    expect(await store.stat('s3://bucket/root/a/none')).toBeNull();
    expect(await store.stat('s3://bucket/root/a')).toBeNull();
  });

  test('are listed in the order of their URIs, after one of them, and by prefix', async () => {
    const list = async (prefix: string, after?: string) =>
      uris(await all(store.list(`s3://bucket/root/${prefix}`, { after })));
    const a = ['a-0', 'a.0', 'a/1', 'a/b/2'].map((name) => `s3://bucket/root/${name}`);
    expect(await list('a')).toEqual(a);
    expect(await list('a/')).toEqual(a.slice(2));
    expect(await list('a', a[1])).toEqual(a.slice(2));
    expect(await list('none/')).toEqual([]);
    expect(await all(store.listFolders('s3://bucket/root/'))).toEqual(['a', 'empty']);
  });

  test.each([
    ['of a link that leads out', 'root/link', 'outside_root'],
    ['behind a link that leads out', 'root/up/out', 'outside_root'],
    ['beside the root', 'root2/a', 'outside_root'],
    ['that climbs', 'root/a/../../out', 'outside_root'],
    ['that is missing', 'root/none', 'not_found'],
    ['that is a folder', 'root/a', 'not_found'],
  ])('are refused for a path %s', async (_what, key, code) => {
    await expect(store.read(`s3://bucket/${key}`, { limit })).rejects.toMatchObject({ code });
    await expect(text(store.stream(`s3://bucket/${key}`, { limit }))).rejects.toMatchObject({ code });
  });

  test('are refused when they are too large', async () => {
    const tooLarge = { code: 'too_large', faultClass: 'terminal' };
    await expect(store.read('s3://bucket/root/a/1', { limit: 8 })).rejects.toMatchObject(tooLarge);
    await expect(text(store.stream('s3://bucket/root/a/1', { limit: 8 }))).rejects.toMatchObject(tooLarge);
  });

  test('are confined to the places of a table', async () => {
    const table = confined(store, ['s3://bucket/root/a']);
    expect(String(await table.read('s3://bucket/root/a/1', { limit }))).toBe('in in/a/1');
    for (const uri of ['s3://bucket/root/a-0', 's3://other/root/a/1', 'file:/root/a/1', '/etc/passwd']) {
      await expect(table.read(uri, { limit })).rejects.toMatchObject({ code: 'outside_root' });
    }
  });

  test('are those of the folders that the process allows, and no others', async () => {
    const storage = openStorage({ s3_region: 'r', s3_path_style: 'false', allowed_locations: [] }, undefined, {
      fileRoots: [join(folder, 'in')],
      allowPrivate: false,
    });
    expect(String(await storage.read(join(folder, 'in/a/1'), { limit }))).toBe('in in/a/1');
    await expect(storage.read(join(folder, 'out'), { limit })).rejects.toMatchObject({ code: 'outside_root' });
  });
});

describe('an S3', () => {
  let server: Server;
  let endpoint: string;
  let reply: { status: number; body?: string; headers?: Record<string, string>; cut?: boolean };
  let asked: { path: string; headers: IncomingHttpHeaders }[];
  const keys = { accessKeyId: 'AKID', secretAccessKey: 'the-secret-key' };
  const stores: S3Store[] = [];
  const open = (more: Partial<S3Settings> = {}): S3Store => {
    const store = new S3Store({ region: 'us-east-1', endpoint, keys, pathStyle: true, allowPrivate: true, ...more });
    stores.push(store);
    return store;
  };
  beforeEach(() => (asked = []));
  afterEach(() => stores.splice(0).forEach((store) => store.close()));

  beforeAll(async () => {
    server = createServer((request, response) => {
      asked.push({ path: new URL(request.url!, endpoint).pathname, headers: request.headers });
      response.writeHead(reply.status, reply.headers);
      if (!reply.cut) return void response.end(reply.body);
      response.write(reply.body);
      setImmediate(() => response.destroy());
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  });

  test.each([
    [404, 'NoSuchKey', 'not_found', 'terminal'],
    [403, 'AccessDenied', 'forbidden', 'terminal'],
    [403, 'InvalidAccessKeyId', 'unauthenticated', 'terminal'],
    [400, 'ExpiredToken', 'not_ready', 'not_ready'],
    [503, 'SlowDown', 'throttled', 'transient'],
    [500, 'InternalError', 'server_error', 'transient'],
  ])('that answers %i %s makes a fault %s', async (status, name, code, faultClass) => {
    reply = { status, body: `<Error><Code>${name}</Code><Message>m</Message></Error>` };
    const store = open();
    const fault: unknown = await store.read('s3://bucket/key', { limit }).catch((error: unknown) => error);
    expect(fault).toMatchObject({ code, faultClass });
    expect(JSON.stringify(fault) + (fault as Error).stack).not.toContain('the-secret-key');
  });

  test('that breaks off in the middle of an object is asked again later', async () => {
    reply = { status: 200, body: 'half', headers: { 'content-length': '100' }, cut: true };
    const fault = { code: 'incomplete_answer', faultClass: 'transient' };
    await expect(open().read('s3://bucket/key', { limit })).rejects.toMatchObject(fault);
  });

  test('whose object is too large is not read', async () => {
    reply = { status: 200, body: 'x'.repeat(limit + 1), headers: { 'content-length': String(limit + 1) } };
    await expect(open().read('s3://bucket/key', { limit })).rejects.toMatchObject({ code: 'too_large' });
  });

  describe.each([
    [
      'keys in its environment',
      () => ({ AWS_ACCESS_KEY_ID: 'HOUSE', AWS_SECRET_ACCESS_KEY: 'hush', AWS_SESSION_TOKEN: 'house-session' }),
    ],
    ['a role of its machine', () => ({ AWS_CONTAINER_CREDENTIALS_FULL_URI: `${endpoint}/role` })],
  ])('for a process with %s', (_what, identity) => {
    beforeEach(() => {
      const { AWS_ACCESS_KEY_ID: _id, AWS_SECRET_ACCESS_KEY: _secret, AWS_PROFILE: _profile, ...env } = process.env;
      jest.replaceProperty(process, 'env', { ...env, ...identity() });
    });
    afterEach(() => jest.restoreAllMocks());

    test('is asked anonymously where the connector has no keys', async () => {
      const Expiration = new Date(Date.now() + 3_600_000).toISOString();
      const lent = { AccessKeyId: 'HOUSE', SecretAccessKey: 'hush', Token: 'house-session', Expiration };
      reply = { status: 200, body: JSON.stringify(lent) };
      const storage = openStorage(
        { s3_region: 'us-east-1', s3_endpoint: endpoint, s3_path_style: 'true', allowed_locations: [] },
        undefined,
        { fileRoots: [], allowPrivate: true },
      );
      await storage.read('s3://bucket/key', { limit });
      await storage.stat('s3://bucket/key');
      reply = { status: 200, body: '<ListBucketResult></ListBucketResult>' };
      await all(storage.list('s3://bucket/'));
      storage.close();
      expect(asked.map(({ path }) => path)).toEqual(['/bucket/key', '/bucket/key', '/bucket/']);
      for (const { headers } of asked) {
        expect(headers).not.toHaveProperty('authorization');
        expect(headers).not.toHaveProperty('x-amz-security-token');
        expect(JSON.stringify(headers)).not.toMatch(/HOUSE|hush|house-session/);
      }
    });
  });

  test.each([{ access_key_id: 'AKID' }, { secret_access_key: 'the-secret-key' }])(
    'is not asked with half a pair of keys: %j',
    (half) => {
      expect(() => awsKeysOf(half)).toThrow(
        'credentials.access_key_id, credentials.secret_access_key: both are needed',
      );
    },
  );

  test('that is not there is unreachable, for now', async () => {
    const store = open({ endpoint: 'http://127.0.0.1:1' });
    await expect(store.read('s3://bucket/key', { limit })).rejects.toMatchObject({
      code: 'unreachable',
      faultClass: 'transient',
    });
  });

  test('at a private address is refused where that is not allowed', () => {
    const settings = {
      region: 'us-east-1',
      endpoint: 'http://169.254.169.254',
      keys,
      pathStyle: true,
      allowPrivate: false,
    };
    expect(() => new S3Store(settings)).toThrow('no public address');
  });

  test('under a name with a private address is not asked where that is not allowed', async () => {
    const local = endpoint.replace('127.0.0.1', 'localhost');
    const store = open({ endpoint: local, allowPrivate: false });
    await expect(store.read('s3://bucket/key', { limit })).rejects.toMatchObject({ faultClass: 'transient' });
  });
});
