import { type Running, serve } from '@homeostat/platform';
import type { HouseEvent } from '@homeostat/shared';
import { FakeRegistry, type TestDatabase, sha256, testDatabase, until } from '@homeostat/testing';
import { Controller } from '@nestjs/common';
import { EventPattern } from '@nestjs/microservices';
import { cidOf } from './registry/cid';
import { syncService } from './sync.module';

const SIGNATURE = 'application/vnd.agntcy.dir.sign.signature.v1+json';
const content = JSON.stringify({
  name: 'agent',
  version: '1.0.0',
  schema_version: '1.0.0',
  description: 'd',
  authors: ['a'],
  created_at: '2026-01-01T00:00:00Z',
  skills: [],
});
const cid = cidOf(sha256(content));
const heard: HouseEvent[] = [];

/** Another service, as far as events go. */
@Controller()
class Listener {
  @EventPattern(['record.indexed', 'record.removed', 'record.quarantined', 'record.signed'])
  hear(event: HouseEvent): void {
    heard.push(event);
  }
}

interface Shown {
  readonly id: string;
  readonly status: string;
  readonly signed: boolean;
  readonly referrers: { digest: string; kind: string; media_type: string | null; signature: string | null }[];
}

let fake: FakeRegistry;
let database: TestDatabase;
let running: Running;
/** The digest of the record's manifest. */
let manifest: string;

beforeEach(async () => {
  heard.length = 0;
  fake = new FakeRegistry();
  manifest = fake.put(content, cid);
  database = await testDatabase();
  running = await serve([{ ...syncService, controllers: [...syncService.controllers, Listener] }], {
    RECONCILER_HTTP_PORT: '0',
    RECONCILER_LOG_LEVEL: 'error',
    RECONCILER_DATABASE_URL: database.url,
    RECONCILER_INTERVAL: '100ms',
    RECONCILER_INDEXER_INTERVAL: '100ms',
    RECONCILER_LOCAL_REGISTRY_ADDRESS: await fake.listen(),
    RECONCILER_LOCAL_REGISTRY_INSECURE: 'true',
  });
});
afterEach(async () => {
  await running.stop();
  await fake.close();
  await database.close();
});

async function get<T = Shown>(path: string): Promise<T> {
  return (await (await fetch(`${running.url}/v1/${path}`)).json()) as T;
}

/** Waits until the record is as it should be. */
const record = (what: string, isSo: (shown: Shown) => boolean): Promise<Shown> =>
  until(`the record ${what}`, async () => {
    const shown = await get(`records/${cid}`);
    return shown.id !== undefined && isSo(shown) && shown;
  });

/** Waits until the explanation of the record says so. */
const explained = (words: string): Promise<unknown> =>
  until(`it is explained with "${words}"`, async () => {
    const { id } = await get(`records/${cid}`);
    return id !== undefined && (await get<{ because: string }>(`records/${id}/explain`)).because.includes(words);
  });

const kindOf = (referrers: Shown['referrers'], wanted: string) =>
  referrers.find(({ digest }) => digest === wanted)?.kind;

/** Attaches something to the record, which the registry does not list yet; returns its digest. */
function attach(signature: unknown, more: Parameters<FakeRegistry['put']>[2] = {}): string {
  const data = JSON.stringify({ data: { signature } });
  return fake.put(data, null, { mediaType: SIGNATURE, subject: manifest, ...more });
}

describe('what is attached to a record', () => {
  it.each<[string, 'blobs' | 'manifests', (digest: string) => string]>([
    ['content', 'blobs', () => sha256(JSON.stringify({ data: { signature: 'bGF0ZQ==' } }))],
    ['manifest', 'manifests', (digest) => digest],
  ])('is waited for where its %s is not there, and read as soon as it is', async (_what, where, nameOf) => {
    const [late, key] = [attach('bGF0ZQ=='), attach(null, { mediaType: 'text/plain' })];
    const text = fake[where].get(nameOf(late))!;
    fake[where].delete(nameOf(late));
    fake.refer(manifest, [late, key]);
    const { referrers, signed } = await record('has both', (shown) => shown.referrers.length === 2);
    expect([signed, kindOf(referrers, late)]).toEqual([false, 'awaited']);
    await explained(`It waits for ${late}: `);
    fake[where].set(nameOf(late), text);
    const found = await record('is signed', (shown) => shown.signed);
    expect(kindOf(found.referrers, late)).toBe('signature');
    await explained('no signature and no key has come or gone.');
  });

  it('is waited for no longer when it is listed no more', async () => {
    const lost = attach('bG9zdA==');
    fake.manifests.delete(lost);
    fake.refer(manifest, [lost]);
    await explained(`It waits for ${lost}: `);
    fake.refer(manifest, []);
    await record('has nothing attached', ({ referrers }) => referrers.length === 0);
  });

  it('is read, each in its turn, where more are not there than one look reads', async () => {
    const lost = Array.from({ length: 120 }, (_, n) => attach(`${n}`));
    const texts = lost.map((digest) => fake.manifests.get(digest)!);
    for (const digest of lost) fake.manifests.delete(digest);
    fake.refer(manifest, lost);
    await record('has them all', ({ referrers }) => referrers.length === lost.length);
    fake.manifests.set(lost.at(-1)!, texts.at(-1)!);
    await record('is signed', ({ signed }) => signed);
  });

  it.each<[string, string]>([
    ['is no JSON', '<html></html>'],
    ['is something else', '{"tags":[]}'],
    ['is larger than any list', `{"manifests":[],"x":"${'x'.repeat(4 * 1024 * 1024)}"}`],
  ])('stays as it was while the list of it %s, and so does the record', async (_what, body) => {
    fake.referrers.set(manifest, [body]);
    await record('is indexed', ({ status }) => status === 'indexed');
    fake.refer(manifest, [attach('c2ln')]);
    await record('is signed', ({ signed }) => signed);
    fake.referrers.set(manifest, [body]);
    await explained('what has come or gone is not known');
    expect(await get(`records/${cid}`)).toMatchObject({ status: 'indexed', signed: true });
    fake.refer(manifest, []);
    await record('is signed no more', ({ signed }) => !signed);
  });

  it('is no matter for the listing of records, where the API answers with a web page', async () => {
    await record('is indexed', ({ status }) => status === 'indexed');
    fake.referrers.set(`sha256:${'0'.repeat(64)}`, ['<html></html>']);
    const later = content.replace('1.0.0', '1.0.1');
    fake.put(later, cidOf(sha256(later)));
    await until('another record is indexed', async () => {
      return (await get(`records/${cidOf(sha256(later))}`)).status === 'indexed';
    });
  });

  it('is taken from a list in which something else is no descriptor, or cannot be stored', async () => {
    const digest = attach('c2ln');
    const odd = [null, {}, 7, { digest: 'sha512:00' }, { digest: `sha256:${'0'.repeat(64)}`, artifactType: '\ud83d' }];
    const listed = [...odd, { digest, mediaType: 'm', size: 'large', annotations: { a: '\0' } }];
    fake.referrers.set(manifest, [JSON.stringify({ manifests: listed })]);
    const { referrers } = await record('is signed', ({ signed }) => signed);
    expect(referrers.map(({ kind }) => kind).sort()).toEqual(['awaited', 'signature']);
  });

  it.each<[string, () => string]>([
    ['an annotation with a NUL character', () => attach('c2ln', { annotations: { a: '\0' } })],
    ['a media type with half a surrogate pair', () => attach('c2ln', { mediaType: 'application/\ud83d' })],
    ['a signature with a NUL character', () => attach('c2\0ln')],
    ['no signature', () => attach(null)],
    ['another subject', () => attach('c2ln', { subject: sha256('another') })],
  ])('is left aside where it has %s', async (_what, bad) => {
    const [good, digest] = [attach('Z29vZA=='), bad()];
    fake.refer(manifest, [digest, good]);
    const { referrers } = await record('is signed', ({ signed }) => signed);
    expect(referrers.find((one) => one.digest === digest)).toMatchObject({ kind: 'other', signature: null });
  });

  it('stays while the list of it goes on for ever, since nobody can tell what is gone', async () => {
    const digest = attach('c2ln');
    fake.refer(manifest, [digest]);
    await record('is signed', ({ signed }) => signed);
    fake.referrers.set(
      manifest,
      Array.from({ length: 21 }, () => '{"manifests":[]}'),
    );
    await explained('goes on for too many pages');
    expect(await get(`records/${cid}`)).toMatchObject({ signed: true, referrers: [{ digest }] });
    fake.referrers.set(
      manifest,
      Array.from({ length: 20 }, () => '{"manifests":[]}'),
    );
    await record('is signed no more', ({ signed }) => !signed);
  });

  it('is read some at a time, and the rest at once', async () => {
    const digests = Array.from({ length: 120 }, (_, n) => attach(`${n}`));
    fake.refer(manifest, digests);
    const { id } = await record('has them all', ({ referrers }) => referrers.length === digests.length);
    const rows = await database.sql<{ count: number }>(
      `SELECT count(*)::integer AS count FROM referrer WHERE record_id = $1 GROUP BY found_at ORDER BY found_at`,
      [id],
    );
    expect(rows.map(({ count }) => count)).toEqual([50, 50, 20]);
  });
});

describe('a record that is in the index', () => {
  beforeEach(async () => {
    fake.refer(manifest, [attach('c2ln')]);
    await record('is signed', ({ signed }) => signed);
    const { id } = await get(`records/${cid}`);
    await database.sql(
      `INSERT INTO name_verification (id, tenant_id, name, domain, status, expires_at) VALUES ($1, 'system', 'n', 'd', 'verified', now() + interval '1 h')`,
      [id],
    );
  });

  const told = (type: string) =>
    until(`others are told ${type}`, async () => heard.some((event) => event.type === type));
  const queries = [
    'signed:true',
    'verified:true',
    'name:agent',
    'version:1.0.0',
    'name:*agen*',
    'created-at:2026-01-01',
  ];
  async function foundBy(): Promise<string[]> {
    const found: string[] = [];
    for (const query of queries) {
      const { items } = await get<{ items: string[] }>(`cids?query=${query}`);
      const { count } = await get<{ count: number }>(`records/count?query=${query}`);
      expect([query, count]).toEqual([query, items.length]);
      if (count > 0) found.push(query);
    }
    return found;
  }

  it('is found by nothing in quarantine, and signed again when it comes out', async () => {
    expect(await foundBy()).toEqual(queries);
    fake.hold('no manifest', cid);
    await record('is in quarantine', ({ status }) => status === 'quarantined');
    expect([(await get(`records/${cid}`)).signed, await foundBy()]).toEqual([false, []]);
    await told('record.quarantined');
    fake.put(content, cid);
    await record('is back, and signed', ({ status, signed }) => status === 'indexed' && signed);
    expect(await foundBy()).toEqual(queries);
  });

  it('leaves the index when its tag turns out to be a referrer, and others are told', async () => {
    fake.put(content, cid, { subject: sha256('another') });
    await record('is set aside', ({ status }) => status === 'referrer');
    expect([(await get(`records/${cid}`)).signed, await foundBy()]).toEqual([false, []]);
    await told('record.removed');
    const [row] = await database.sql('SELECT terms, manifest_digest, version_key, authored_at FROM record');
    expect(row).toEqual({ terms: [], manifest_digest: null, version_key: null, authored_at: null });
    expect((await get<{ records: object }>('registry')).records).toMatchObject({ indexed: 0, referrer: 1 });
  });
});
