import { createHash } from 'node:crypto';
import { FakeRegistry } from '@homeostat/testing';
import { cidOf } from '../../registry/cid';
import { RegistryHttp } from '../../registry/registry.http';
import { Gate } from './gate';

const { signal } = new AbortController();
const content = '{"a":"record"}';
const cid = cidOf(`sha256:${createHash('sha256').update(content).digest('hex')}`);
const registry = new FakeRegistry();
let http: RegistryHttp;
let gate: Gate;
let digest: string;

beforeAll(async () => {
  digest = registry.put(content, cid);
  const address = await registry.listen();
  http = new RegistryHttp({
    ...{ address, repository: 'dir', credentials: null, insecure: true, caFile: null, allowPrivate: false },
  });
  gate = new Gate({ http, repository: 'dir', checked: new Map([[cid, digest]]) }, signal);
  await gate.open();
});
afterAll(async () => {
  await gate.close();
  await http.close();
  await registry.close();
});

async function ask(path: string, method = 'GET', { user, pass } = gate.login): Promise<Response> {
  const authorization = `Basic ${Buffer.from(`${user}:${pass}`).toString('base64')}`;
  return fetch(`http://${gate.address}${path}`, { method, headers: { authorization } });
}

describe('the gate', () => {
  it('is closed to whoever does not know its password', async () => {
    const answer = await ask('/v2/', 'GET', { user: 'regsync', pass: '' });
    expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, 'Basic realm="gate"']);
  });

  it('has the tags that are to be copied, and no other', async () => {
    registry.put('{"another":1}', 'another');
    expect(await (await ask('/v2/dir/tags/list?n=1000')).json()).toEqual({ name: 'dir', tags: [cid] });
    expect((await ask('/v2/dir/manifests/another')).status).toBe(404);
  });

  it('gives what was checked, though the tag was moved meanwhile', async () => {
    registry.put('{"moved":1}', cid);
    const answer = await ask(`/v2/dir/manifests/${cid}`);
    const bytes = Buffer.from(await answer.arrayBuffer());
    expect(`sha256:${createHash('sha256').update(bytes).digest('hex')}`).toBe(digest);
    expect((await ask(`/v2/dir/manifests/${cid}`, 'HEAD')).headers.get('content-length')).toBe(String(bytes.length));
  });

  it('gives blobs by their digests', async () => {
    const blob = `sha256:${createHash('sha256').update(content).digest('hex')}`;
    expect(await (await ask(`/v2/dir/blobs/${blob}`)).text()).toBe(content);
  });

  it.each([
    '/v2/other/tags/list',
    '/v2/dir/blobs/latest',
    '/v2/dir/../other/manifests/x',
    '/etc/passwd',
    '/v2/_catalog',
  ])('knows nothing of %s', async (path) => expect((await ask(path)).status).toBe(404));

  it.each(['POST', 'PUT', 'DELETE'])('takes no %s', async (method) => {
    expect((await ask(`/v2/dir/manifests/${cid}`, method)).status).toBe(405);
  });
});
