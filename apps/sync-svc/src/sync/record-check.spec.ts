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
  sides = { remote: client, local: await clientOf(local), signal, attached: new Attached(client, signal) };
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

  it('that its config is too large fails', async () => {
    const config = { ...layer, size: 4 * 1024 * 1024 + 1 };
    remote.hold(JSON.stringify({ layers: [layer], config }), cid);
    expect(await checkRecord(cid, sides)).toMatchObject({ is: 'failed', reason: 'TooLarge' });
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
