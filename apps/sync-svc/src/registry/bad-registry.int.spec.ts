import { createHash } from 'node:crypto';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { MOST_REFERRERS, RegistryClient } from './registry.client';
import { parseChallenge } from './challenge';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

const { signal } = new AbortController();
const sha = (bytes: Buffer | string) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const nobody = sha('nobody');
const servers: Server[] = [];
const clients: RegistryClient[] = [];

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  }
});

async function listening(handler: Handler): Promise<string> {
  const server = createServer(handler);
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A registry that answers as it is told; `password`: we have one to give away. */
async function registry(handler: Handler, { password = false, allowPrivate = false } = {}): Promise<RegistryClient> {
  const client = new RegistryClient({
    address: await listening(handler),
    repository: 'dir',
    credentials: password ? { username: 'mirror', password: 'never to be told' } : null,
    insecure: true,
    caFile: null,
    allowPrivate,
  });
  clients.push(client);
  return client;
}

const json =
  (body: unknown, headers: Record<string, string> = {}, status = 200): Handler =>
  (_request, response) =>
    void response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body));

/** Says how much there is, and goes away half way. */
const half =
  (body: string): Handler =>
  (_request, response) => {
    response.writeHead(200, { 'content-length': body.length }).write(body.slice(0, body.length / 2));
    setImmediate(() => response.destroy());
  };

describe('a listing', () => {
  it('that names a page as the one after itself is refused', async () => {
    const client = await registry(json({ tags: ['a'] }, { link: '</v2/dir/tags/list?last=a>; rel="next"' }));
    const page = await client.tags(null, signal);
    expect(page).toEqual({ tags: ['a'], next: '/v2/dir/tags/list?last=a' });
    await expect(client.tags('/v2/dir/tags/list?last=a', signal)).rejects.toThrow('after itself');
  });

  it('is not followed to another host', async () => {
    const client = await registry(
      json({ tags: ['a'] }, { link: '<http://169.254.169.254/v2/dir/tags/list>; rel="next"' }),
    );
    await expect(client.tags(null, signal)).rejects.toThrow('sends us to http://169.254.169.254');
  });

  it('begins anew after a 404 on the way', async () => {
    const client = await registry(json({}, {}, 404));
    expect(await client.tags('/v2/dir/tags/list?last=b', signal)).toBe('gone');
  });

  it.each([500, 502, 400])('fails with a %i, and is not empty', async (status) => {
    const client = await registry(json({ tags: null }, {}, status));
    await expect(client.tags(null, signal)).rejects.toThrow(`answered ${status}`);
  });

  it.each(['<html></html>', '', '{"errors":[]}'])('of %j is no listing', async (body) => {
    const client = await registry(json(body));
    await expect(client.tags(null, signal)).rejects.toThrow('something else than a list');
  });

  it('that breaks off in the middle fails', async () => {
    const client = await registry(half('{"tags":["a", "b"]}'));
    await expect(client.tags(null, signal)).rejects.toThrow(/tags\/list/);
  });

  it('that never comes ends with the look', async () => {
    const client = await registry(() => undefined);
    const look = new AbortController();
    const asked = client.tags(null, look.signal);
    look.abort(new Error('no answer within 60 s'));
    await expect(asked).rejects.toThrow('no answer within 60 s');
  });
});

describe('a registry that asks to be left alone', () => {
  it('is, for as long as it says', async () => {
    let asked = 0;
    const client = await registry((request, response) => {
      asked += 1;
      json({}, { 'retry-after': '120' }, 429)(request, response);
    });
    const first = (await client.tags(null, signal).catch((error: unknown) => error)) as { name: string; until: Date };
    expect(first.name).toBe('RegistryBusy');
    expect(first.until.getTime() - Date.now()).toBeGreaterThan(100_000);
    await expect(client.manifest('a', signal)).rejects.toMatchObject({ name: 'RegistryBusy' });
    expect(asked).toBe(1);
  });

  it('is, for a while, where it does not say', async () => {
    const client = await registry(json({}, {}, 503));
    await expect(client.tags(null, signal)).rejects.toMatchObject({ name: 'RegistryBusy' });
  });

  it('is, where nobody else answers', async () => {
    const client = await registry((request, response) =>
      request.url === '/v2/' ? void request.socket.destroy() : json({}, {}, 503)(request, response),
    );
    await expect(client.tags(null, signal)).rejects.toMatchObject({ name: 'RegistryBusy' });
  });

  it('only for what it has no time for, where it answers else', async () => {
    const client = await registry((request, response) => {
      const status = { '/v2/': 401, '/v2/dir/manifests/bad': 503 }[request.url!] ?? 200;
      json({ layers: [] }, {}, status)(request, response);
    });
    await expect(client.manifest('bad', signal)).rejects.toMatchObject({
      name: 'Error',
      message: expect.stringContaining('/v2/dir/manifests/bad: it answered 503'),
    });
    expect(await client.manifest('good', signal)).toMatchObject({ manifest: { layers: [] } });
  });
});

describe('a manifest', () => {
  const whole = { schemaVersion: 2, layers: [] as object[] };
  const layer = { mediaType: 'application/json', digest: nobody, size: 1 };

  it.each([
    ['is an index', { schemaVersion: 2, manifests: [] }],
    ['has a layer without a digest', { ...whole, layers: [{ mediaType: 'a', size: 1 }] }],
    ['has a digest with a path in it', { ...whole, layers: [{ ...layer, digest: `sha256:../../${'0'.repeat(58)}` }] }],
    ['is no JSON', 'manifest'],
    ['is nested without an end', '['.repeat(100_000)],
  ])('that %s is none', async (_what, body) => {
    const client = await registry(json(body));
    await expect(client.manifest('tag', signal)).rejects.toMatchObject({ fault: 'NotARecord' });
  });

  it('of a thousand layers is read, and has them', async () => {
    const client = await registry(json({ ...whole, layers: Array.from({ length: 1_000 }, () => layer) }));
    expect((await client.manifest('tag', signal))!.manifest.layers).toHaveLength(1_000);
  });

  it('of 10 MB is not read', async () => {
    const client = await registry(json('x'.repeat(10_000_000)));
    await expect(client.manifest('tag', signal)).rejects.toMatchObject({ fault: 'TooLarge' });
  });

  it('that breaks off in the middle is none', async () => {
    const client = await registry(half(JSON.stringify(whole)));
    await expect(client.manifest('tag', signal)).rejects.toThrow(/manifests\/tag/);
  });

  it('is not taken for another one', async () => {
    const client = await registry(json(whole, { 'docker-content-digest': nobody }));
    await expect(client.manifest('tag', signal)).rejects.toMatchObject({ fault: 'DigestMismatch' });
    await expect(client.manifest(nobody, signal)).rejects.toMatchObject({ fault: 'DigestMismatch' });
  });
});

describe('a blob', () => {
  const descriptor = { mediaType: 'application/json', digest: sha('what was asked for'), size: 18 };

  it('that is not what its digest says is refused', async () => {
    const client = await registry(json('what was not'));
    await expect(client.blob(descriptor, 100, signal)).rejects.toMatchObject({ fault: 'DigestMismatch' });
  });

  it('that breaks off in the middle is none', async () => {
    const client = await registry(half('what was asked for'));
    await expect(client.blob(descriptor, 100, signal)).rejects.toThrow(/blobs\/sha256/);
  });

  it('that goes on for ever is cut off', async () => {
    const client = await registry((_request, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write('x'.repeat(65_536)));
        response.once('drain', more);
      };
      more();
    });
    await expect(client.blob(descriptor, 4 * 1024 * 1024, signal)).rejects.toMatchObject({ fault: 'TooLarge' });
  });

  it('is not fetched from a private address that the registry names', async () => {
    const secret = jest.fn<void, Parameters<Handler>>(json('what was asked for'));
    const elsewhere = await listening(secret);
    const client = await registry(json('', { location: `http://${elsewhere}/blob` }, 307));
    await expect(client.blob(descriptor, 100, signal)).rejects.toThrow('no public address');
    const metadata = await registry(json('', { location: 'http://169.254.169.254/latest/meta-data' }, 307));
    await expect(metadata.blob(descriptor, 100, signal)).rejects.toThrow('no public address');
    const local = await registry(json('', { location: `http://localhost:${elsewhere.split(':')[1]}/blob` }, 307));
    await expect(local.blob(descriptor, 100, signal)).rejects.toThrow('no public address');
    expect(secret).not.toHaveBeenCalled();
  });

  it('is fetched from there in development, without our password', async () => {
    const seen: unknown[] = [];
    const elsewhere = await listening((request, response) => {
      seen.push(request.headers.authorization);
      response.end('what was asked for');
    });
    const client = await registry(
      (request, response) =>
        request.headers.authorization
          ? json('', { location: `http://${elsewhere}/blob` }, 307)(request, response)
          : json('', { 'www-authenticate': 'Basic realm="x"' }, 401)(request, response),
      { password: true, allowPrivate: true },
    );
    expect(String(await client.blob(descriptor, 100, signal))).toBe('what was asked for');
    expect(seen).toEqual([undefined]);
  });

  it.each(['file:///etc/passwd', 'gopher://example.com/', 'http://user:secret@example.com/'])(
    'is not fetched from %s',
    async (location) => {
      const client = await registry(json('', { location }, 302));
      await expect(client.blob(descriptor, 100, signal)).rejects.toThrow('where we do not go');
    },
  );

  it('is not chased in a circle', async () => {
    const client = await registry((request, response) => json('', { location: request.url! }, 302)(request, response));
    await expect(client.blob(descriptor, 100, signal)).rejects.toThrow('redirects more than');
  });
});

describe('a path', () => {
  it('that leads away from the registry is not asked for', async () => {
    const asked = jest.fn<void, Parameters<Handler>>(json({}));
    const { http } = await registry(asked, { password: true, allowPrivate: true });
    const elsewhere = await listening(asked);
    await expect(http.get(`//${elsewhere}/x`, { limit: 100, signal })).rejects.toThrow('is no path of');
    expect(asked).not.toHaveBeenCalled();
  });
});

describe('what refers to a manifest', () => {
  const page = (from: number, count: number) => ({
    manifests: Array.from({ length: count }, (_, at) => ({ digest: sha(`${from + at}`) })),
  });

  it('is read as far as anybody looks at it, and is known not to be all', async () => {
    let asked = 0;
    const client = await registry((request, response) => {
      asked += 1;
      json(page(asked * 600, 600), { link: `</v2/dir/referrers/x?page=${asked}>; rel="next"` })(request, response);
    });
    const { listed, complete } = (await client.referrers(nobody, signal))!;
    expect([listed.length, complete, asked]).toEqual([MOST_REFERRERS, false, 2]);
  });

  it('is read as far under a tag', async () => {
    const { listed, complete } = await (await registry(json(page(0, 5_000)))).tagged(nobody, signal);
    expect([listed.length, complete]).toEqual([MOST_REFERRERS, false]);
  });
});

describe('a token', () => {
  const challenge = (realm: string) =>
    json(
      '',
      { 'www-authenticate': `Bearer realm="${realm}",service="registry.test",scope="repository:dir:pull"` },
      401,
    );

  it('is fetched from the registry itself, with our password, and used until it ends', async () => {
    const asked: string[] = [];
    let address = '';
    const client = await registry(
      (request, response) => {
        asked.push(request.url!);
        address = request.headers.host!;
        if (request.url!.startsWith('/token')) json({ token: 'opaque', expires_in: 300 })(request, response);
        else if (request.headers.authorization === 'Bearer opaque') json({ tags: ['a'] })(request, response);
        else challenge(`http://${address}/token`)(request, response);
      },
      { password: true },
    );
    await client.tags(null, signal);
    await client.tags(null, signal);
    expect(asked.map((url) => url.split('?')[0])).toEqual([
      '/v2/dir/tags/list',
      '/token',
      '/v2/dir/tags/list',
      '/v2/dir/tags/list',
    ]);
    expect(asked[1]).toBe('/token?service=registry.test&scope=repository%3Adir%3Apull');
  });

  it('is not fetched from a private address, and our password does not go there', async () => {
    const secret = jest.fn<void, Parameters<Handler>>(json({ token: 'opaque' }));
    const client = await registry(challenge(`http://${await listening(secret)}/token`), { password: true });
    const error = (await client.tags(null, signal).catch((reason: unknown) => reason)) as Error;
    expect(error.message).toContain('no public address');
    expect(error.message).not.toContain('never to be told');
    expect(secret).not.toHaveBeenCalled();
  });

  it('is not fetched for a place that the registry sends us to', async () => {
    const asked = jest.fn<void, Parameters<Handler>>(json({ token: 'opaque' }));
    const realm = `http://${await listening(asked)}/token`;
    const elsewhere = await listening(challenge(realm));
    const options = { password: true, allowPrivate: true };
    const client = await registry(json('', { location: `http://${elsewhere}/x` }, 307), options);
    await expect(client.tags(null, signal)).rejects.toThrow('(401)');
    expect(asked).not.toHaveBeenCalled();
  });

  it.each(['{"token":"with a\\nnewline"}', '{}', 'null', 'not JSON'])('that reads %s is none', async (body) => {
    let address = '';
    const client = await registry((request, response) => {
      address = request.headers.host!;
      if (request.url!.startsWith('/token')) json(body)(request, response);
      else challenge(`http://${address}/token`)(request, response);
    });
    await expect(client.tags(null, signal)).rejects.toThrow('without a token');
  });
});

describe('parseChallenge', () => {
  it('reads every form that registries write', () => {
    expect(parseChallenge('Basic realm="x"')).toEqual({ scheme: 'basic' });
    expect(parseChallenge('Bearer realm="https://a/t",service="s"')).toEqual({
      scheme: 'bearer',
      realm: 'https://a/t',
      service: 's',
      scope: null,
    });
    expect(parseChallenge('Basic realm="x", bearer scope="a,b" , realm=https://a')).toMatchObject({
      scheme: 'bearer',
      realm: 'https://a',
      scope: 'a,b',
    });
    expect(parseChallenge('Negotiate')).toBeNull();
    expect(parseChallenge('')).toBeNull();
  });
});
