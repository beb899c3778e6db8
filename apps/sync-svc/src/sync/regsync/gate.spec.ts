import { createHash } from 'node:crypto';
import { Server } from 'node:net';
import { ByteCache } from '@homeostat/platform';
import { FakeRegistry, sha256 } from '@homeostat/testing';
import { cidOf } from '../../registry/cid';
import { MOST_REFERRERS, RegistryClient } from '../../registry/registry.client';
import { Attached } from '../attached';
import { Gate } from './gate';

const { signal } = new AbortController();
const content = '{"a":"record"}';
const cid = cidOf(`sha256:${createHash('sha256').update(content).digest('hex')}`);
const registry = new FakeRegistry();
let client: RegistryClient;
let gate: Gate;
let digest: string;

beforeAll(async () => {
  digest = registry.put(content, cid);
  const address = await registry.listen();
  client = new RegistryClient({
    ...{ address, repository: 'dir', credentials: null, insecure: true, caFile: null, allowPrivate: false },
  });
  gate = await opened();
});
afterAll(async () => {
  await gate.close();
  await client.close();
  await registry.close();
});

/** A gate that has the record, and whatever else is `checked`. */
async function opened(checked: Record<string, string> = {}): Promise<Gate> {
  const manifests = new ByteCache<string>(1_000_000);
  const attached = new Attached(client, manifests, signal);
  const all = new Map([[cid, digest], ...Object.entries(checked)]);
  const one = new Gate({ http: client.http, repository: 'dir', checked: all, attached, manifests }, signal);
  await one.open();
  return one;
}

async function ask(path: string, method = 'GET', { user, pass } = gate.login): Promise<Response> {
  const authorization = `Basic ${Buffer.from(`${user}:${pass}`).toString('base64')}`;
  return fetch(`http://${gate.address}${path}`, { method, headers: { authorization } });
}

describe('the gate', () => {
  it('that has no place to listen at says so', async () => {
    const listen = jest.spyOn(Server.prototype, 'listen').mockImplementation(function (this: Server) {
      process.nextTick(() => this.emit('error', new Error('too many open files')));
      return this;
    });
    await expect(opened()).rejects.toThrow('too many open files');
    listen.mockRestore();
  });

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

  it('asks the remote for a manifest once, however often regsync does', async () => {
    const held = registry.put('{"asked":"often"}', null);
    for (const method of ['HEAD', 'GET', 'GET'])
      expect((await ask(`/v2/dir/manifests/${held}`, method)).status).toBe(200);
    expect(registry.asked.filter((path) => path.endsWith(held))).toHaveLength(1);
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

describe('what the gate gives of a remote that is not honest', () => {
  const urls = ['http://169.254.169.254/latest'];
  const part = { mediaType: 'application/json', digest: sha256('a part'), size: 6 };
  const record = { schemaVersion: 2, layers: [part], annotations: { urls: 'are words here' } };

  it.each<[string, object]>([
    ['a layer', { ...record, layers: [{ ...part, urls }] }],
    ['the config', { ...record, config: { ...part, urls } }],
    ['a blob', { ...record, blobs: [{ ...part, urls }] }],
    ['an entry of an index', { schemaVersion: 2, manifests: [{ ...part, urls }] }],
    ['a layer, as Go reads it', { ...record, Layers: [{ ...part, 'UR\u004C\u017F': urls }] }],
  ])('has no manifest that names another place for %s', async (_what, manifest) => {
    const held = registry.hold(JSON.stringify(manifest), null);
    expect((await ask(`/v2/dir/manifests/${held}`)).status).toBe(404);
  });

  it('has no manifest that says something twice', async () => {
    const held = registry.hold(`{"config":{"urls":["http://a"]},"config":{},"layers":[]}`, null);
    expect((await ask(`/v2/dir/manifests/${held}`)).status).toBe(404);
  });

  it('has a manifest that is in order, and says itself what it is', async () => {
    const held = registry.hold(JSON.stringify(record), null);
    const { status, headers } = await ask(`/v2/dir/manifests/${held}`, 'HEAD');
    expect([status, headers.get('docker-content-digest')]).toEqual([200, held]);
    expect(headers.get('content-type')).toBe('application/vnd.oci.image.manifest.v1+json');
  });

  it.each(['manifests', 'blobs'] as const)('is none of the %s that are not what was asked for', async (kind) => {
    registry[kind].set(sha256(`asked for, of ${kind}`), JSON.stringify(record));
    expect((await ask(`/v2/dir/${kind}/${sha256(`asked for, of ${kind}`)}`)).status).toBe(502);
  });

  it('is not what was checked under a tag, where that is something else by now', async () => {
    registry.manifests.set(sha256('checked'), JSON.stringify(record));
    const another = await opened({ tag: sha256('checked') });
    const headers = { authorization: `Basic ${btoa(`${another.login.user}:${another.login.pass}`)}` };
    const answer = await fetch(`http://${another.address}/v2/dir/manifests/tag`, { headers });
    await another.close();
    expect(answer.status).toBe(502);
  });
});

describe('the referrers that the gate lists', () => {
  const listed = async (path: string) => {
    const { manifests } = (await (await ask(path)).json()) as { manifests: { digest: string }[] };
    return manifests.map((one) => one.digest);
  };

  it('are those that can be copied, under the tag as well, and are asked for once', async () => {
    const subject = sha256('of which some are bad');
    const layer = { mediaType: 'm', digest: sha256('l'), size: 5 };
    const good = registry.put('{"good":1}', null, { subject });
    const bad = [
      sha256('gone'),
      registry.put('1', null, { subject, layers: [{ ...layer, size: 4 * 1024 * 1024 + 1 }] }),
      registry.put('2', null, { subject, layers: [{ ...layer, urls: ['http://127.0.0.1/'] }] }),
      registry.put('3', null, { subject: sha256('another') }),
      registry.hold(JSON.stringify({ manifests: [], subject: { ...layer, digest: subject } }), null),
    ];
    registry.manifests.set(sha256('false'), '{"layers":[]}');
    registry.refer(subject, [...bad, sha256('false'), good]);
    registry.asked.length = 0;
    expect(await listed(`/v2/dir/referrers/${subject}`)).toEqual([good]);
    expect(await listed(`/v2/dir/manifests/${subject.replace(':', '-')}`)).toEqual([good]);
    expect(registry.asked).toHaveLength(8);
  });

  it('are looked for under tags alone once the remote has shown that it has no API for them', async () => {
    const api = jest.spyOn(client, 'referrers').mockResolvedValue(null);
    const attached = new Attached(client, new ByteCache<string>(1_000_000), signal);
    for (const subject of ['one', 'two']) expect(await attached.listed(sha256(subject))).toEqual([]);
    expect(api).toHaveBeenCalledTimes(1);
    api.mockRestore();
  });

  it('come in one page, and no more than a sync sees to', async () => {
    const subject = sha256('of which there are many');
    const all = Array.from({ length: MOST_REFERRERS + 2 }, (_, at) => registry.put(`${at}`, null, { subject }));
    const page = (some: string[]) => JSON.stringify({ manifests: some.map((one) => ({ digest: one })) });
    registry.referrers.set(subject, [page(all.slice(0, 600)), page(all.slice(600)), page([])]);
    registry.asked.length = 0;
    expect(await listed(`/v2/dir/referrers/${subject}`)).toEqual(all.slice(0, MOST_REFERRERS));
    expect(registry.asked.filter((path) => path.startsWith('referrers/'))).toHaveLength(2);
  });
});
