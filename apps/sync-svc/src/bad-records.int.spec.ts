import { createHash } from 'node:crypto';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Running, serve } from '@homeostat/platform';
import { REGISTRY_ID } from '@homeostat/shared';
import { type TestDatabase, testDatabase } from '@homeostat/testing';
import { RECORD_LIMIT } from './record/validation/record.validation';
import { cidOf } from './registry/cid';
import { syncService } from './sync.module';

const sha = (bytes: Buffer | string) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const good = {
  name: 'agent',
  version: '1.0.0',
  schema_version: '1.0.0',
  description: 'd',
  authors: ['a'],
  created_at: '2026-01-01T00:00:00Z',
  skills: [],
};

/** A registry that holds whatever it is given, true or not, two tags a page. */
class FakeRegistry {
  readonly manifests = new Map<string, string>();
  readonly blobs = new Map<string, string>();
  /** Answers to a listing, by its number of tags so far; undefined: it is answered as it should be. */
  listingFault: ((last: string | null) => number | undefined) | null = null;
  readonly asked: string[] = [];

  /** Holds a record under the CID of `content`; `layers` instead of the one that it should have. */
  put(content: string, { layers, subject, tag }: { layers?: object[]; subject?: string; tag?: string } = {}): string {
    const digest = sha(content);
    this.blobs.set(digest, content);
    const layer = { mediaType: 'application/json', digest, size: Buffer.byteLength(content) };
    const pointer = subject && { mediaType: 'm', digest: subject, size: 1 };
    const manifest = JSON.stringify({ schemaVersion: 2, layers: layers ?? [layer], subject: pointer });
    const cid = tag ?? cidOf(digest);
    this.manifests.set(cid, manifest);
    return cid;
  }

  answer(url: URL): { status: number; body: string; link?: string } {
    const what = url.pathname.replace('/v2/dir/', '');
    this.asked.push(what);
    const [kind, reference = ''] = what.split('/');
    if (kind === 'tags') return this.tags(url.searchParams.get('last'));
    if (kind === 'referrers') return { status: 200, body: '{"manifests":[]}' };
    const found = kind === 'blobs' ? this.blobs.get(reference) : this.manifests.get(reference);
    return found === undefined ? { status: 404, body: '' } : { status: 200, body: found };
  }

  private tags(last: string | null): { status: number; body: string; link?: string } {
    const fault = this.listingFault?.(last);
    if (fault !== undefined) return { status: fault, body: '{"errors":[]}' };
    const rest = [...this.manifests.keys()].sort().filter((tag) => last === null || tag > last);
    const tags = rest.slice(0, 2);
    const link = rest.length > 2 ? `</v2/dir/tags/list?last=${tags.at(-1)}>; rel="next"` : undefined;
    return { status: 200, body: JSON.stringify({ tags }), link };
  }
}

let fake: FakeRegistry;
let server: Server;
let database: TestDatabase;
let running: Running;

async function start(settings: Record<string, string> = {}): Promise<void> {
  fake = new FakeRegistry();
  server = createServer((request, response) => {
    const { status, body, link } = fake.answer(new URL(request.url!, 'http://fake.test'));
    response.writeHead(status, link ? { link } : {}).end(body);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  database = await testDatabase();
  running = await serve([syncService], {
    RECONCILER_HTTP_PORT: '0',
    RECONCILER_LOG_LEVEL: 'error',
    RECONCILER_DATABASE_URL: database.url,
    RECONCILER_INTERVAL: '100ms',
    RECONCILER_INDEXER_INTERVAL: '100ms',
    RECONCILER_LOCAL_REGISTRY_ADDRESS: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    RECONCILER_LOCAL_REGISTRY_INSECURE: 'true',
    ...settings,
  });
}

afterEach(async () => {
  await running.stop();
  server.closeAllConnections();
  await new Promise((closed) => server.close(closed));
  await database.close();
});

interface Shown {
  readonly id: string;
  readonly status: string;
  readonly reason: string | null;
  readonly message: string;
}

async function get<T = Shown>(path: string): Promise<T> {
  return (await (await fetch(`${running.url}/v1/${path}`)).json()) as T;
}

async function until<T>(what: string, ask: () => Promise<T | false>): Promise<T> {
  const end = Date.now() + 20_000;
  for (;;) {
    const found = await ask();
    if (found !== false) return found;
    if (Date.now() > end) throw new Error(`waited in vain until ${what}`);
    await new Promise((later) => setTimeout(later, 30));
  }
}

const settled = (cid: string): Promise<Shown> =>
  until(`${cid} was pulled`, async () => {
    const shown = await get(`records/${cid}`);
    return shown.id !== undefined && shown.status !== 'pending' && shown;
  });
const listings = async () =>
  Number((await database.sql<{ listing: string }>('SELECT listing FROM registry'))[0]!.listing);

describe('the indexer', () => {
  it('says of each bad artifact why it is none, and indexes the good ones beside them', async () => {
    await start();
    const layer = { mediaType: 'application/json', digest: sha('{}'), size: 2 };
    const cids = {
      TooLarge: fake.put(JSON.stringify({ ...good, description: 'd'.repeat(RECORD_LIMIT) })),
      NotARecord: fake.put('many', { layers: Array.from({ length: 1_000 }, () => layer) }),
      DigestMismatch: fake.put('{"a":1}', { layers: [layer] }),
      TooDeep: fake.put(`${'['.repeat(100_000)}${']'.repeat(100_000)}`),
      DuplicateKey: fake.put('{"name":"a","name":"b"}'),
      ByteOrderMark: fake.put(`\uFEFF${JSON.stringify(good)}`),
    };
    const lying = fake.put(JSON.stringify({ ...good, version: '2.0.0' }));
    fake.blobs.set(sha(JSON.stringify({ ...good, version: '2.0.0' })), JSON.stringify({ ...good, version: '6.6.6' }));
    const fine = fake.put(JSON.stringify(good));
    for (const [reason, cid] of Object.entries(cids)) {
      expect(await settled(cid)).toMatchObject({ status: 'quarantined', reason });
    }
    expect(await settled(lying)).toMatchObject({ status: 'quarantined', reason: 'DigestMismatch' });
    expect(await settled(fine)).toMatchObject({ status: 'indexed' });
  });

  it('takes neither side of a subject loop for a record, and does not go round in it', async () => {
    await start();
    const [one, other] = [cidOf(sha('one')), cidOf(sha('other'))];
    fake.put('one', { tag: one, subject: sha('manifest of the other') });
    fake.put('other', { tag: other, subject: sha(fake.manifests.get(one)!) });
    fake.put('one', { tag: one, subject: sha(fake.manifests.get(other)!) });
    expect(await settled(one)).toMatchObject({ status: 'referrer' });
    expect(await settled(other)).toMatchObject({ status: 'referrer' });
    const before = await listings();
    await until('more listings', async () => (await listings()) > before + 2);
    expect(fake.asked.filter((what) => what === `manifests/${one}`).length).toBe(1);
  });

  it('keeps what it has while the listing ends in errors, in the middle or at once', async () => {
    await start();
    const cids = [1, 2, 3, 4, 5].map((n) => fake.put(JSON.stringify({ ...good, name: `agent-${n}` })));
    for (const cid of cids) expect(await settled(cid)).toMatchObject({ status: 'indexed' });
    for (const fault of [(last: string | null) => (last === null ? undefined : 404), () => 404, () => 500]) {
      fake.listingFault = fault;
      const tries = fake.asked.length;
      await until('it was asked again', async () => fake.asked.length > tries + 2);
      expect((await get<{ count: number }>('records/count')).count).toBe(5);
    }
    fake.listingFault = null;
    fake.manifests.delete(cids[0]!);
    await fetch(`${running.url}/v1/registry/${REGISTRY_ID}/retry`, { method: 'POST' });
    await until('one is gone', async () => (await get<{ count: number }>('records/count')).count === 4);
  });
});

describe('with a schema server', () => {
  it('does not take one that cannot be asked for a refusal', async () => {
    let status = 500;
    let errors: object[] = [];
    const asked: string[] = [];
    const schemas = createServer((request, response) => {
      asked.push(request.url!);
      response.writeHead(status).end(JSON.stringify({ errors, warnings: [{ message: 'w' }] }));
    });
    await new Promise<void>((listening) => schemas.listen(0, '127.0.0.1', listening));
    await start({ RECONCILER_SCHEMA_URL: `http://127.0.0.1:${(schemas.address() as AddressInfo).port}/` });
    const cid = fake.put(JSON.stringify(good));
    const failing = await until('it was asked in vain', async () => {
      const { id } = await get(`records/${cid}`);
      const explained = id && (await get<{ because: string; failures: number }>(`records/${id}/explain`));
      return !!explained && explained.failures > 0 && explained;
    });
    expect(failing.because).toContain('could not be asked: it answered 500');
    expect((await get(`records/${cid}`)).status).toBe('pending');
    status = 200;
    expect(await settled(cid)).toMatchObject({ status: 'indexed' });
    expect(asked[0]).toBe('/api/1.0.0/validate/object/record?missing_recommended=true');
    errors = [{ error: 'id_unknown', message: 'unknown skill', attribute_path: 'skills[0]' }];
    const refused = await settled(fake.put(JSON.stringify({ ...good, skills: [{ id: 99 }] })));
    expect(refused).toMatchObject({ status: 'quarantined', reason: 'RefusedBySchemaServer' });
    expect(refused.message).toContain('unknown skill');
    schemas.closeAllConnections();
    schemas.close();
  });
});
