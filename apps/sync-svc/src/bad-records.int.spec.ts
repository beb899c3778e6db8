import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Running, serve } from '@homeostat/platform';
import { REGISTRY_ID } from '@homeostat/shared';
import { FakeRegistry, type TestDatabase, sha256, testDatabase, until } from '@homeostat/testing';
import { RECORD_LIMIT } from './record/validation/record.validation';
import { cidOf } from './registry/cid';
import { syncService } from './sync.module';

const good = {
  name: 'agent',
  version: '1.0.0',
  schema_version: '1.0.0',
  description: 'd',
  authors: ['a'],
  created_at: '2026-01-01T00:00:00Z',
  skills: [],
};

let fake: FakeRegistry;
let database: TestDatabase;
let running: Running;

async function start(settings: Record<string, string> = {}): Promise<void> {
  fake = new FakeRegistry();
  database = await testDatabase();
  running = await serve([syncService], {
    RECONCILER_HTTP_PORT: '0',
    RECONCILER_LOG_LEVEL: 'error',
    RECONCILER_DATABASE_URL: database.url,
    RECONCILER_INTERVAL: '100ms',
    RECONCILER_INDEXER_INTERVAL: '100ms',
    RECONCILER_LOCAL_REGISTRY_ADDRESS: await fake.listen(),
    RECONCILER_LOCAL_REGISTRY_INSECURE: 'true',
    ...settings,
  });
}

/** Holds a record under the CID of `content`. */
function put(content: string, more: Parameters<FakeRegistry['put']>[2] = {}): string {
  const cid = cidOf(sha256(content));
  fake.put(content, cid, more);
  return cid;
}

afterEach(async () => {
  await running.stop();
  await fake.close();
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
    const layer = { mediaType: 'application/json', digest: sha256('{}'), size: 2 };
    const cids = {
      TooLarge: put(JSON.stringify({ ...good, description: 'd'.repeat(RECORD_LIMIT) })),
      NotARecord: put('many', { layers: Array.from({ length: 1_000 }, () => layer) }),
      DigestMismatch: put('{"a":1}', { layers: [layer] }),
      TooDeep: put(`${'['.repeat(100_000)}${']'.repeat(100_000)}`),
      DuplicateKey: put('{"name":"a","name":"b"}'),
      ByteOrderMark: put(`\uFEFF${JSON.stringify(good)}`),
    };
    const lying = put(JSON.stringify({ ...good, version: '2.0.0' }));
    fake.blobs.set(
      sha256(JSON.stringify({ ...good, version: '2.0.0' })),
      JSON.stringify({ ...good, version: '6.6.6' }),
    );
    const fine = put(JSON.stringify(good));
    for (const [reason, cid] of Object.entries(cids)) {
      expect(await settled(cid)).toMatchObject({ status: 'quarantined', reason });
    }
    expect(await settled(lying)).toMatchObject({ status: 'quarantined', reason: 'DigestMismatch' });
    expect(await settled(fine)).toMatchObject({ status: 'indexed' });
  });

  it.each<[string, object, object]>([
    ['half a surrogate pair', {}, { annotations: { note: '\ud83d' } }],
    ['a NUL character', {}, { annotations: { 'na\0me': 'value' } }],
    [
      'half a surrogate pair in the name of a media type',
      {},
      { layers: [{ mediaType: '\udc00', digest: sha256(''), size: 1 }] },
    ],
    ['half a surrogate pair in the record', { authors: ['\ud83d'] }, {}],
    ['a NUL character in the record', { annotations: { 'na\0me': 'value' } }, {}],
  ])('quarantines what the database cannot hold: %s', async (_what, record, artifact) => {
    await start();
    const cid = put(JSON.stringify({ ...good, ...record }), artifact);
    expect(await settled(cid)).toMatchObject({ status: 'quarantined', reason: 'UnstorableText' });
  });

  it('takes any other text, however its cut to what is searched for falls', async () => {
    await start();
    const cut = `${'a'.repeat(511)}😀`;
    const emoji = put(
      JSON.stringify({ ...good, name: cut, authors: ['😀'.repeat(300)], annotations: { [cut]: '😀' } }),
    );
    expect(await settled(emoji)).toMatchObject({ status: 'indexed' });
    const found = await get<{ items: string[] }>(`cids?query=${encodeURIComponent(`name:${cut}`)}`);
    expect(found.items).toEqual([emoji]);
  });

  it('quarantines a reason that it has to cut, or that holds what cannot be stored', async () => {
    await start();
    const named = put(JSON.stringify({ ...good, annotations: { ['x'.repeat(186) + '😀'.repeat(20)]: 1 } }));
    const typed = put('typed', { layers: [{ mediaType: `${'a'.repeat(99)}😀`, digest: sha256(''), size: 1 }] });
    expect(await settled(named)).toMatchObject({ status: 'quarantined', reason: 'WrongType' });
    expect(await settled(typed)).toMatchObject({ status: 'quarantined', reason: 'NotARecord' });
  });

  it.each(['2016-12-31T23:59:60Z', '0000-01-01T00:00:00Z', '0001-01-01T00:00:00+23:59', '9999-12-31T23:59:59-10:00'])(
    'quarantines a record of %s, a time that cannot be kept',
    async (created_at) => {
      await start();
      const cid = put(JSON.stringify({ ...good, created_at }));
      expect(await settled(cid)).toMatchObject({ status: 'quarantined', reason: 'BadFormat' });
    },
  );

  it.each(['0001-01-01T00:00:00Z', '9999-12-31T23:59:59.999Z'])('keeps a record of %s', async (created_at) => {
    await start();
    expect(await settled(put(JSON.stringify({ ...good, created_at })))).toMatchObject({ status: 'indexed' });
    for (const day of ['0000-01-01', '0001-01-01', '9999-12-31', '>=9999-12-31', '<=9999-12-31']) {
      const { status } = await fetch(`${running.url}/v1/records?query=created-at:${day}`);
      expect([day, status]).toEqual([day, day === '0000-01-01' ? 400 : 200]);
    }
  });

  it('takes neither side of a subject loop for a record, and does not go round in it', async () => {
    await start();
    const [one, other] = [cidOf(sha256('one')), cidOf(sha256('other'))];
    const first = fake.put('one', one, { subject: sha256('manifest of the other') });
    const second = fake.put('other', other, { subject: first });
    fake.put('one', one, { subject: second });
    expect(await settled(one)).toMatchObject({ status: 'referrer' });
    expect(await settled(other)).toMatchObject({ status: 'referrer' });
    const before = await listings();
    await until('more listings', async () => (await listings()) > before + 2);
    expect(fake.asked.filter((what) => what === `manifests/${one}`).length).toBe(1);
  });

  it('keeps what it has while the listing ends in errors, in the middle or at once', async () => {
    await start();
    const cids = [1, 2, 3, 4, 5].map((n) => put(JSON.stringify({ ...good, name: `agent-${n}` })));
    for (const cid of cids) expect(await settled(cid)).toMatchObject({ status: 'indexed' });
    for (const fault of [(last: string | null) => (last === null ? undefined : 404), () => 404, () => 500]) {
      fake.listingFault = fault;
      const tries = fake.asked.length;
      await until('it was asked again', async () => fake.asked.length > tries + 2);
      expect((await get<{ count: number }>('records/count')).count).toBe(5);
    }
    fake.listingFault = null;
    fake.tags.delete(cids[0]!);
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
    const cid = put(JSON.stringify(good));
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
    errors = [{ error: 'id_unknown', message: `unknown skill\0${'😀'.repeat(300)}`, attribute_path: 'skills[0]' }];
    const refused = await settled(put(JSON.stringify({ ...good, skills: [{ id: 99 }] })));
    expect(refused).toMatchObject({ status: 'quarantined', reason: 'RefusedBySchemaServer' });
    expect(refused.message).toContain('unknown skill');
    schemas.closeAllConnections();
    schemas.close();
  });
});
