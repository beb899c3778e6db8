import { ByteCache } from '@homeostat/platform';
import { FakeRegistry, sha256 } from '@homeostat/testing';
import { cidOf } from '../registry/cid';
import { MOST_REFERRERS, RegistryClient } from '../registry/registry.client';
import { Attached } from './attached';
import { type Sides, checkRecord, checkReferrers } from './record-check';

const { signal } = new AbortController();
const content = '{"a":"record"}';
const cid = cidOf(sha256(content));
const layer = { mediaType: 'application/json', digest: sha256(content), size: content.length };
let [remote, local] = [] as unknown as [FakeRegistry, FakeRegistry];
let sides: Sides;

async function clientOf(registry: FakeRegistry): Promise<RegistryClient> {
  const address = await registry.listen();
  return new RegistryClient({
    ...{ address, repository: 'dir', credentials: null, insecure: true, caFile: null, allowPrivate: false },
  });
}

beforeEach(async () => {
  [remote, local] = [new FakeRegistry(), new FakeRegistry()];
  const client = await clientOf(remote);
  const manifests = new ByteCache<string>(1_000_000);
  const attached = new Attached(client, manifests, signal);
  sides = { remote: client, local: await clientOf(local), signal, attached, manifests };
});
afterEach(async () => {
  await Promise.all([sides.remote.close(), sides.local.close()]);
  await Promise.all([remote.close(), local.close()]);
});

describe('a record of which the remote says', () => {
  it('where else it is to be had fails, and regsync does not go there', async () => {
    remote.put(content, cid, { layers: [{ ...layer, urls: ['http://169.254.169.254/latest'] }] });
    expect(await checkRecord(cid, sides)).toMatchObject({ is: 'failed', reason: 'ForeignContent' });
  });

  it('that it is attached to another one fails, though its layer is the right one', async () => {
    remote.put(content, cid, { subject: sha256('another') });
    expect(await checkRecord(cid, sides)).toMatchObject({ is: 'failed', reason: 'NotARecord' });
  });

  it('that its config is too large fails', async () => {
    const config = { ...layer, size: 4 * 1024 * 1024 + 1 };
    remote.hold(JSON.stringify({ layers: [layer], config }), cid);
    expect(await checkRecord(cid, sides)).toMatchObject({ is: 'failed', reason: 'TooLarge' });
  });
});

describe('a record of ours', () => {
  const referrer = { annotations: { 'agntcy.dir.referrer.type': 'signature' } };

  it.each<[string, Parameters<FakeRegistry['put']>[2]]>([
    ['is attached to something', { subject: sha256('another') }],
    ['calls itself a signature', referrer],
    ['has a layer of another kind', { layers: [{ ...layer, mediaType: 'text/html' }] }],
    ['has a layer of another size', { layers: [{ ...layer, size: 1 }] }],
  ])('whose manifest %s is mended by that of the remote', async (_what, wrong) => {
    const digest = remote.put(content, cid);
    local.put(content, cid, wrong);
    expect(await checkRecord(cid, sides)).toEqual({ cid, is: 'there', digest, bad: true });
  });

  it('whose content is not there is mended', async () => {
    remote.put(content, cid);
    local.put(content, cid, { annotations: { another: 'manifest' } });
    local.blobs.clear();
    expect(await checkRecord(cid, sides)).toMatchObject({ is: 'there', bad: true });
  });

  it('that is in order under another manifest is kept, and that is said', async () => {
    const theirs = remote.put(content, cid);
    const ours = local.put(content, cid, { annotations: { another: 'manifest' } });
    const apart = { reason: 'AnotherManifest', message: expect.stringContaining(`ours is ${ours}, theirs ${theirs}`) };
    expect(await checkRecord(cid, sides)).toMatchObject({ is: 'here', digest: null, apart });
  });

  it('is here, though the remote has something else under its tag', async () => {
    remote.put(content, cid, referrer);
    local.put(content, cid);
    expect(await checkRecord(cid, sides)).toEqual({ cid, is: 'here', digest: null, missing: 0, tagged: false });
  });
});

describe('what is attached to a record', () => {
  const here = (digest: string) => ({ cid, is: 'here', digest, missing: 0, tagged: false }) as const;

  it('is missing where it can be copied, and only there', async () => {
    const subject = remote.put(content, cid);
    const good = remote.put('good', null, { subject });
    const large = remote.put('large', null, { subject, layers: [{ ...layer, size: 4 * 1024 * 1024 + 1 }] });
    const foreign = remote.put('foreign', null, { subject, layers: [{ ...layer, urls: ['http://127.0.0.1/'] }] });
    remote.refer(subject, [sha256('gone'), large, foreign, good]);
    expect((await checkReferrers(here(subject), sides)).missing).toBe(1);
    local.refer(subject, [good]);
    expect((await checkReferrers(here(subject), sides)).missing).toBe(0);
  });

  it('is here though our list of it is too long to be read to its end', async () => {
    const subject = remote.put(content, cid);
    const good = remote.put('good', null, { subject });
    local.put('good', null, { subject });
    remote.refer(subject, [good]);
    local.refer(subject, [...Array.from({ length: MOST_REFERRERS }, (_, at) => sha256(`${at}`)), good]);
    expect((await checkReferrers(here(subject), sides)).missing).toBe(0);
  });
});
