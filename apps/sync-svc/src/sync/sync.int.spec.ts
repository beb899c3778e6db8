import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Running, serve } from '@homeostat/platform';
import { type HouseEvent, REGISTRY_ID } from '@homeostat/shared';
import {
  type Pushed,
  type RegistryKind,
  RegistryWriter,
  type TestDatabase,
  type TestRegistry,
  captureOutput,
  programPath,
  registryProgram,
  registryUser,
  startRegistry,
  testDatabase,
  until,
} from '@homeostat/testing';
import { Controller } from '@nestjs/common';
import { EventPattern } from '@nestjs/microservices';
import { cidOf } from '../registry/cid';
import { syncService } from '../sync.module';

jest.setTimeout(90_000);

interface Shown {
  readonly id: string;
  readonly status: string;
  readonly reason: string | null;
  readonly message: string | null;
  readonly progress: { total: number; done: number; failed: number };
  readonly records: { cid: string; state: string; reason: string | null }[];
  readonly remote: { kind: string } | null;
  readonly requires_regsync: boolean | null;
}

const heard: HouseEvent[] = [];

/** Another service, as far as events go. */
@Controller()
class Listener {
  @EventPattern(['sync.created', 'sync.started', 'sync.completed', 'sync.failed', 'record.indexed', 'record.signed'])
  hear(event: HouseEvent): void {
    heard.push(event);
  }
}
const service = { ...syncService, controllers: [...syncService.controllers, Listener] };

const regsync = programPath('regsync', process.env['PATH']);
const program = registryProgram('distribution', process.env);
const basic = `Basic ${Buffer.from(`${registryUser.username}:${registryUser.password}`).toString('base64')}`;
const toldSettings = { RECONCILER_HTTP_PORT: '0', RECONCILER_LOG_LEVEL: 'error', RECONCILER_INTERVAL: '100ms' };

const recordOf = (name: string, more: object = {}) =>
  Buffer.from(
    JSON.stringify({
      ...{ name, version: '1.0.0', schema_version: '0.7.0', description: 'A record of these tests.' },
      ...{ authors: ['tests'], created_at: '2026-01-01T00:00:00Z', skills: [{ id: 10201, name: 'text' }] },
      ...{ locators: [{ type: 'docker_image', url: 'https://registry.example/agent' }] },
      ...more,
    }),
  );
const signature = (cid: string, text: string) => ({
  bytes: Buffer.from(JSON.stringify({ type: 'signature', record_ref: { cid }, data: { signature: text } })),
  mediaType: 'application/vnd.agntcy.dir.sign.signature.v1+json',
  annotations: { 'agntcy.dir.referrer.type': 'signature' },
});
const cidOfBytes = (bytes: Buffer) => cidOf(`sha256:${createHash('sha256').update(bytes).digest('hex')}`);

const settingsOf = (database: TestDatabase, local: TestRegistry, binary: string) => ({
  ...toldSettings,
  ...{ RECONCILER_DATABASE_URL: database.url, RECONCILER_LOCAL_REGISTRY_ADDRESS: local.address },
  ...{ RECONCILER_LOCAL_REGISTRY_INSECURE: 'true', RECONCILER_ALLOW_PRIVATE_ADDRESSES: 'true' },
  ...{ RECONCILER_REGSYNC_BINARY: binary, RECONCILER_REGSYNC_INTERVAL: '200ms' },
});

if (program === null || regsync === null) {
  it.skip('a sync is not tested without a registry and regsync', () => undefined);
} else {
  describe('a sync, by regsync, from a registry with a password', () => suite(program, regsync));
}

function suite(registry: string, binary: string): void {
  let [remote, local] = [] as unknown as [TestRegistry, TestRegistry];
  let [ours, theirs] = [] as unknown as [TestDatabase, TestDatabase];
  let [node, peer] = [] as unknown as [Running, Running];
  let [there, here] = [] as unknown as [RegistryWriter, RegistryWriter];
  const pushed = new Map<string, Pushed>();

  beforeAll(async () => {
    [remote, local, ours, theirs] = await Promise.all([
      startRegistry('distribution', registry, { secured: true }),
      startRegistry('distribution', registry),
      testDatabase(),
      testDatabase(),
    ]);
    there = new RegistryWriter(remote.address, 'team/dir', basic);
    here = new RegistryWriter(local.address, 'dir');
    [node, peer] = await Promise.all([start(), startPeer()]);
  });
  afterAll(async () => {
    await Promise.all([node.stop(), peer.stop()]);
    await Promise.all([remote.close(), local.close(), ours.close(), theirs.close()]);
  });

  const start = (more: Record<string, string> = {}) =>
    serve([service], { ...settingsOf(ours, local, binary), ...more });
  const startPeer = () =>
    serve([syncService], {
      ...toldSettings,
      ...{ RECONCILER_DATABASE_URL: theirs.url, RECONCILER_INDEXER_ENABLED: 'false' },
      ...{ RECONCILER_LOCAL_REGISTRY_ADDRESS: remote.address, RECONCILER_LOCAL_REGISTRY_REPOSITORY: 'team/dir' },
      ...{ RECONCILER_LOCAL_REGISTRY_INSECURE: 'true', RECONCILER_LOCAL_REGISTRY_USERNAME: registryUser.username },
      RECONCILER_LOCAL_REGISTRY_PASSWORD: registryUser.password,
      RECONCILER_PEER_REGISTRY_USERNAME: registryUser.username,
      RECONCILER_PEER_REGISTRY_PASSWORD: registryUser.password,
    });

  async function send<T = Shown>(method: string, path: string, body?: object): Promise<T> {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${node.url}/v1/${path}`, { method, headers, body: body && JSON.stringify(body) });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }
  const ended = (id: string, wanted = 'COMPLETED') => send('GET', `syncs/${id}?wait=${wanted}&timeout=60s`);
  const mirror = async (more: object = {}) =>
    ended((await send('POST', 'syncs', { remote_directory_url: peer.url, ...more })).id);

  async function publish(name: string): Promise<string> {
    const bytes = recordOf(name);
    const cid = cidOfBytes(bytes);
    pushed.set(cid, await there.push({ bytes, tag: cid }));
    return cid;
  }

  /** Attaches signatures there; those that are attached are listed anew, as a registry without the API wants it. */
  async function sign(cid: string, texts: readonly string[]): Promise<void> {
    const subject = pushed.get(cid)!;
    const all = await Promise.all(texts.map((text) => there.push({ ...signature(cid, text), subject })));
    await there.fallback(subject, all);
  }

  const record = (cid: string) =>
    send<{ status: string; signed: boolean; referrers: object[] } | null>('GET', `records/${cid}`).catch(() => null);

  it('copies the records that are wanted, with their signatures, and the index has them at once', async () => {
    const [one, two, three] = [await publish('one'), await publish('two'), await publish('three')];
    await sign(two, ['c2lnbmVk']);
    const sync = await mirror({ cids: [one, two] });
    expect(sync).toMatchObject({ status: 'COMPLETED', reason: 'Mirrored', requires_regsync: true });
    expect(sync).toMatchObject({ remote: { kind: 'other' }, progress: { total: 2, done: 2, failed: 0 } });
    await until('they are indexed, and one is signed', async () => {
      const [first, second] = [await record(one), await record(two)];
      return first?.status === 'indexed' && second?.status === 'indexed' && second.signed;
    });
    expect(await record(three)).toBeNull();
    const types = heard.filter(({ subject }) => subject === sync.id).map(({ type }) => type);
    expect(types).toEqual(['sync.created', 'sync.started', 'sync.completed']);
  });

  it('copies nothing a second time, and brings a signature that came later', async () => {
    const [signed] = [...pushed.keys()] as [string];
    const before = await manifestOf(signed);
    await sign(signed, ['bGF0ZXI=']);
    expect(await mirror({ cids: [signed] })).toMatchObject({ status: 'COMPLETED' });
    await until('it is signed', async () => (await record(signed))!.signed);
    expect(await manifestOf(signed)).toBe(before);
    await sign(signed, ['bGF0ZXI=', 'bGF0ZXIgc3RpbGw=']);
    expect(await mirror({ cids: [signed] })).toMatchObject({ status: 'COMPLETED' });
    await until('it is signed twice', async () => (await record(signed))!.referrers.length === 2);
  });

  it('copies everything where nothing is named, and what is no record stays behind', async () => {
    await there.push({ bytes: Buffer.from('{"no":"record"}'), tag: 'latest' });
    const sync = await mirror();
    expect(sync).toMatchObject({ status: 'COMPLETED', progress: { total: pushed.size, done: pushed.size } });
    const { tags } = await tagsOf();
    expect(tags).toEqual(expect.arrayContaining([...pushed.keys()]));
    expect(tags).not.toContain('latest');
  });

  it('keeps ours where the tag there was moved', async () => {
    const cid = await publish('moved');
    await mirror({ cids: [cid] });
    const before = await manifestOf(cid);
    await there.push({ bytes: recordOf('moved'), tag: cid, annotations: { another: 'manifest' } });
    const { status, records } = await mirror({ cids: [cid] });
    expect([status, records]).toMatchObject(['COMPLETED', [{ cid, state: 'done', reason: 'AnotherManifest' }]]);
    expect(await manifestOf(cid)).toBe(before);
  });

  it('fails where one is not there, or is not what its CID says, which never gets into our registry', async () => {
    const good = await publish('good');
    const [absent, bad] = [cidOfBytes(Buffer.from('nowhere')), cidOfBytes(Buffer.from('another'))];
    await there.push({ bytes: recordOf('bad'), tag: bad });
    const sync = await mirror({ cids: [good, absent, bad] });
    expect(sync).toMatchObject({
      status: 'FAILED',
      reason: 'RecordsFailed',
      progress: { total: 3, done: 1, failed: 2 },
    });
    const reasons = Object.fromEntries(sync.records.map(({ cid, reason }) => [cid, reason]));
    expect(reasons).toEqual({ [good]: null, [absent]: 'NotFound', [bad]: 'DigestMismatch' });
    expect((await tagsOf()).tags).not.toContain(bad);
    const { items } = await send<{ items: object[] }>('GET', `syncs/${sync.id}/records?state=failed&limit=1`);
    expect(items).toHaveLength(1);
  });

  it('lists a signature that a run which died has copied, and not listed', async () => {
    const cid = await publish('half done');
    await sign(cid, ['aGFsZg==']);
    const subject = await here.push({ bytes: recordOf('half done'), tag: cid });
    await here.push({ ...signature(cid, 'aGFsZg=='), subject });
    expect(await mirror({ cids: [cid] })).toMatchObject({ status: 'COMPLETED' });
    await until('it is signed', async () => (await record(cid))?.signed === true);
  });

  it('mends a tag of ours under which something else is', async () => {
    const cid = await publish('mended');
    await here.push({ bytes: recordOf('not that one'), tag: cid });
    expect(await mirror({ cids: [cid] })).toMatchObject({ status: 'COMPLETED' });
    expect(await manifestOf(cid)).toBe(pushed.get(cid)!.digest);
  });

  it('mends a tag of ours whose manifest belongs to something else, and the index has the record', async () => {
    const cid = await publish('poisoned');
    const subject = await here.push({ bytes: Buffer.from('{}') });
    await here.push({ bytes: recordOf('poisoned'), tag: cid, subject });
    await send('POST', `registry/${REGISTRY_ID}/retry`);
    await until('it is taken for a referrer', async () => (await record(cid))?.status === 'referrer');
    expect(await mirror({ cids: [cid] })).toMatchObject({ status: 'COMPLETED' });
    expect(await manifestOf(cid)).toBe(pushed.get(cid)!.digest);
    await until('it is indexed', async () => (await record(cid))?.status === 'indexed');
  });

  it('tells the password of the remote registry to nobody', async () => {
    const rows = await ours.sql<{ all: string }>(
      `SELECT concat_ws(' ', (SELECT json_agg(s) FROM sync s), (SELECT json_agg(c) FROM state_change c),
         (SELECT json_agg(r) FROM reconcile_status r), (SELECT json_agg(o) FROM outbox o), (SELECT json_agg(i) FROM idempotency_key i)) AS all`,
    );
    const { items } = await send<{ items: { id: string }[] }>('GET', 'syncs');
    const explained = await Promise.all(items.map(({ id }) => send<object>('GET', `syncs/${id}/explain`)));
    const told = JSON.stringify([rows, items, explained, heard]);
    expect(told).toContain(items[0]!.id);
    expect(told).not.toContain(registryUser.password);
  });

  it('logs in by itself where a user of the registry is given, and forgets it at the end', async () => {
    await node.stop();
    node = await start({ RECONCILER_SECRETS_KEY: Buffer.alloc(32, 1).toString('base64') });
    const wish = { remote_registry_address: remote.address, remote_repository_name: 'team/dir', insecure: true };
    const cids = [await publish('by a user')];
    const sync = await send('POST', 'syncs', { ...wish, cids, auth: { ...registryUser } });
    expect(await ended(sync.id)).toMatchObject({ status: 'COMPLETED', auth: 'basic' });
    expect(await ours.sql('SELECT id FROM sync WHERE secrets IS NOT NULL')).toEqual([]);
    const refused = await send('POST', 'syncs', { ...wish, auth: { ...registryUser, password: 'wrong' } });
    expect(await ended(refused.id)).toMatchObject({ status: 'FAILED', reason: 'CredentialsRefused' });
  });

  it('tells nobody what a user logs in with: no row, no file of the database, no answer, no event, no log', async () => {
    const wrong = 'correct-horse-battery-staple';
    const output = captureOutput();
    const tried: string[] = [];
    try {
      await node.stop();
      const key = Buffer.alloc(32, 1).toString('base64');
      node = await start({ RECONCILER_SECRETS_KEY: key, RECONCILER_LOG_LEVEL: 'debug' });
      const wish = { remote_registry_address: remote.address, remote_repository_name: 'team/dir', insecure: true };
      const cids = [await publish('told to nobody')];
      for (const password of [registryUser.password, wrong]) {
        const { id } = await send('POST', 'syncs', { ...wish, cids, auth: { ...registryUser, password } });
        tried.push((await ended(id)).status, JSON.stringify(await send<object>('GET', `syncs/${id}/explain`)));
        tried.push(JSON.stringify(await send<object>('GET', `syncs/${id}/history`)));
      }
      await node.stop();
    } finally {
      output.restore();
      node = await start();
    }
    expect(tried).toEqual(expect.arrayContaining(['COMPLETED', 'FAILED']));
    expect(output.lines.join('')).toContain('"level":"DEBUG"');
    const tables = await ours.sql<{ name: string }>(
      `SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'`,
    );
    const rows = await Promise.all(tables.map(({ name }) => ours.sql(`SELECT to_json(t) FROM "${name}" t`)));
    const told = JSON.stringify([tried, rows, await send<object>('GET', 'syncs'), heard]) + output.lines.join('');
    const [{ folder }] = (await ours.sql<{ folder: string }>("SELECT current_setting('data_directory') AS folder")) as [
      { folder: string },
    ];
    for (const secret of [registryUser.password, wrong, basic.slice('Basic '.length)]) {
      expect(told).not.toContain(secret);
      expect(spawnSync('grep', ['-rlF', secret, folder], { encoding: 'utf8' })).toMatchObject({
        status: 1,
        stdout: '',
      });
    }
  });

  it('fails where the repository is not there', async () => {
    const wish = { remote_registry_address: local.address, remote_repository_name: 'nowhere', insecure: true };
    const { id } = await send('POST', 'syncs', wish);
    expect(await ended(id)).toMatchObject({ status: 'FAILED', reason: 'NoSuchRepository' });
  });

  it('copies within one registry', async () => {
    const bytes = recordOf('beside');
    const cid = cidOfBytes(bytes);
    await new RegistryWriter(local.address, 'beside').push({ bytes, tag: cid });
    const wish = { remote_registry_address: local.address, remote_repository_name: 'beside', insecure: true };
    expect(await ended((await send('POST', 'syncs', wish)).id)).toMatchObject({ status: 'COMPLETED' });
    expect((await tagsOf()).tags).toContain(cid);
  });

  it('gives our own registry a password as it is, whatever regsync would make of it', async () => {
    const password = `{{env "HOME"}} @:'"\\{{{file "/etc/hostname"}} \u2028\u0085`;
    const given: string[] = [];
    const askers = new Set<string>();
    const server: Server = createServer(({ headers }, response) => {
      if (headers.authorization) {
        given.push(headers.authorization);
        askers.add(headers['user-agent']!.split('/')[0]!);
      }
      response.writeHead(headers.authorization ? 404 : 401, { 'www-authenticate': 'Basic realm="test"' }).end();
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    await node.stop();
    node = await start({
      RECONCILER_LOCAL_REGISTRY_ADDRESS: `127.0.0.1:${(server.address() as AddressInfo).port}`,
      RECONCILER_LOCAL_REGISTRY_USERNAME: '{{env "HOME"}}',
      RECONCILER_LOCAL_REGISTRY_PASSWORD: password,
      RECONCILER_INDEXER_ENABLED: 'false',
    });
    const { id } = await send('POST', 'syncs', { remote_directory_url: peer.url, cids: [[...pushed.keys()][0]] });
    await until('regsync was refused by it', async () => (await send('GET', `syncs/${id}`)).reason === 'NotCopied');
    const wanted = `Basic ${Buffer.from(`{{env "HOME"}}:${password}`).toString('base64')}`;
    expect(new Set(given)).toEqual(new Set([wanted]));
    expect([...askers].sort()).toEqual(['homeostat', 'regclient']);
    expect(JSON.stringify(await send('GET', `syncs/${id}/explain`))).not.toContain('hostname');
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  });

  async function manifestOf(cid: string): Promise<string | null> {
    const accept = 'application/vnd.oci.image.manifest.v1+json';
    const answer = await fetch(`http://${local.address}/v2/dir/manifests/${cid}`, { headers: { accept } });
    return answer.headers.get('docker-content-digest');
  }
  async function tagsOf(): Promise<{ tags: string[] }> {
    return (await (await fetch(`http://${local.address}/v2/dir/tags/list?n=1000`)).json()) as { tags: string[] };
  }
}

describe.each<[RegistryKind, RegistryKind]>([
  ['docker-registry', 'memory'],
  ['memory', 'docker-registry'],
])('a sync from %s to %s', (from, to) => {
  const [source, target] = [from, to].map((kind) => registryProgram(kind, process.env));

  (source && target && regsync ? it : it.skip)('copies a record with what is attached to it', async () => {
    const [remote, local] = await Promise.all([startRegistry(from, source!), startRegistry(to, target!)]);
    const database = await testDatabase();
    const { url, stop } = await serve([syncService], settingsOf(database, local, regsync!));
    try {
      const there = new RegistryWriter(remote.address, 'team/dir');
      const bytes = recordOf('elsewhere');
      const cid = cidOfBytes(bytes);
      const subject = await there.push({ bytes, tag: cid });
      await there.fallback(subject, [await there.push({ ...signature(cid, 'c2lnbmVk'), subject })]);
      const wish = { remote_registry_address: remote.address, remote_repository_name: 'team/dir', insecure: true };
      const headers = { 'content-type': 'application/json' };
      const asked = await fetch(`${url}/v1/syncs`, { method: 'POST', headers, body: JSON.stringify(wish) });
      const { id } = (await asked.json()) as Shown;
      const ended = await fetch(`${url}/v1/syncs/${id}?wait=COMPLETED&timeout=60s`);
      expect(await ended.json()).toMatchObject({ status: 'COMPLETED', progress: { total: 1, done: 1, failed: 0 } });
      const isSigned = async () =>
        ((await (await fetch(`${url}/v1/records/${cid}`)).json()) as { signed: boolean }).signed;
      await until('it is signed', isSigned);
    } finally {
      await stop();
      await Promise.all([remote.close(), local.close(), database.close()]);
    }
  });
});
