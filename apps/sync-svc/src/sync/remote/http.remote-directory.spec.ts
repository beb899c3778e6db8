import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { SyncSettings } from '../../sync.config';
import { type Setback, setbackOf } from '../sync.fault';
import { HttpRemoteDirectory } from './http.remote-directory';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

const { signal } = new AbortController();
let handle: Handler;
let asked: string[];
const server: Server = createServer((request, response) => {
  asked.push(`${request.method} ${request.url} ${request.headers.authorization ?? 'nobody'}`);
  handle(request, response);
});
let url: string;

beforeAll(async () => {
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
beforeEach(() => (asked = []));
afterAll(() => new Promise((closed) => server.close(closed)));

async function credentials(token: string | null = null, allowed = true, place = url) {
  const directory = new HttpRemoteDirectory({ RECONCILER_ALLOW_PRIVATE_ADDRESSES: allowed } as SyncSettings);
  return directory.credentials(place, token, signal).finally(() => directory.onApplicationShutdown());
}
const json =
  (body: unknown, status = 200, headers: Record<string, string> = {}): Handler =>
  (_request, response) =>
    void response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body));

describe('a remote directory, by HTTP', () => {
  it('is asked with the token, at the path of its URL', async () => {
    handle = json({ registry_address: 'host', repository_name: 'dir', basic_auth: null });
    expect(await credentials('abc', true, `${url}/team/`)).toMatchObject({ registry_address: 'host', insecure: false });
    expect(asked).toEqual(['POST /team/v1/registry-credentials Bearer abc']);
  });

  it.each([
    [401, true, 'asks for a token'],
    [403, true, 'asks for a token'],
    [404, true, 'answered 404'],
    [429, false, 'answered 429'],
    [500, false, 'answered 500'],
    [503, false, 'answered 503'],
  ])('that answers %i is asked again only where that may help', async (status, final, message) => {
    handle = json('{}', status);
    const why = { reason: 'DirectoryRefused', final, message: expect.stringContaining(message) };
    await expect(credentials()).rejects.toMatchObject(why);
  });

  it('that answers an error with many words is asked again', async () => {
    handle = json('x'.repeat(100_000), 502);
    await expect(credentials()).rejects.toMatchObject({ reason: 'DirectoryRefused', final: false, until: null });
  });

  it.each([
    [429, { 'retry-after': '60' }, 55_000],
    [429, {}, 1_000],
    [503, { 'retry-after': '60' }, 55_000],
  ] as const)('that answers %i, and %j, is left alone, at no cost', async (status, headers, leastMs) => {
    handle = json('{}', status, headers);
    const error = await credentials().catch((thrown: Error) => thrown);
    const { until, ...setback } = setbackOf(error) as Extract<Setback, { found: 'retry' }>;
    expect(setback).toMatchObject({ found: 'retry', costs: false, reason: 'DirectoryRefused' });
    expect(until!.getTime() - Date.now()).toBeGreaterThan(leastMs);
  });

  it('is not followed elsewhere', async () => {
    handle = json('', 307, { location: 'http://169.254.169.254/latest/meta-data' });
    await expect(credentials('abc')).rejects.toMatchObject({ reason: 'DirectoryRefused', final: true });
    expect(asked).toHaveLength(1);
  });

  it.each([
    ['no JSON', '<html>swordfish</html>'],
    ['an address that is none', { registry_address: '{{env "swordfish"}}', repository_name: 'dir' }],
    ['a user that is none', { registry_address: 'h', repository_name: 'dir', basic_auth: { username: 'a:swordfish' } }],
    ['too much', `"${'swordfish'.repeat(10_000)}"`],
  ])('that answers %s is not used, and not quoted', async (_what, body) => {
    handle = json(body);
    const error = await credentials().catch((thrown: Error) => thrown);
    expect(error).toMatchObject({ reason: 'DirectoryAnswer', final: true });
    expect((error as Error).message).not.toContain('swordfish');
  });

  it('that breaks off is asked again', async () => {
    handle = ({ socket }) => void socket.destroy();
    await expect(credentials()).rejects.toMatchObject({ reason: 'DirectoryUnreachable', final: false });
  });

  it('is not gone to at an address that is not public', async () => {
    await expect(credentials(null, false)).rejects.toMatchObject({ name: 'NotPublic' });
    expect(asked).toEqual([]);
  });
});
