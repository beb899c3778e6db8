import { createHash } from 'node:crypto';
import {
  type Pushed,
  RegistryWriter,
  type TestRegistry,
  registryKinds,
  registryProgram,
  registryUser,
  startRegistry,
} from '@homeostat/testing';
import { cidOf, digestOf } from './cid';
import { RegistryClient } from './registry.client';

const { signal } = new AbortController();
const basic = `Basic ${Buffer.from(`${registryUser.username}:${registryUser.password}`).toString('base64')}`;

function clientOf(address: string, credentials: typeof registryUser | null = null): RegistryClient {
  return new RegistryClient({
    address,
    repository: 'dir',
    credentials,
    insecure: true,
    caFile: null,
    allowPrivate: false,
  });
}

async function allTags(client: RegistryClient): Promise<string[]> {
  const tags: string[] = [];
  for (let cursor: string | null = null; ;) {
    const page = await client.tags(cursor, signal);
    if (page === null || page === 'gone') throw new Error(`the listing ended with ${page}`);
    tags.push(...page.tags);
    if (page.next === null) return tags;
    cursor = page.next;
  }
}

describe.each(registryKinds)('the client, of %s', (kind) => {
  const program = registryProgram(kind, process.env);
  if (program === null) return void it.skip('is not tested', () => undefined);
  let registry: TestRegistry;
  let writer: RegistryWriter;
  let client: RegistryClient;

  beforeAll(async () => {
    registry = await startRegistry(kind, program);
    writer = new RegistryWriter(registry.address, 'dir');
    client = clientOf(registry.address);
  });
  afterAll(async () => {
    await client.close();
    await registry.close();
  });

  function record(text: string): Promise<Pushed> {
    const bytes = Buffer.from(text);
    const tag = cidOf(`sha256:${createHash('sha256').update(bytes).digest('hex')}`);
    return writer.push({ bytes, tag });
  }

  it('says that a repository is not there', async () => {
    expect(await client.tags(null, signal)).toBeNull();
  });

  it('pulls a record by its tag, and its blob by the digest that the tag names', async () => {
    const bytes = Buffer.from('Hello, World!');
    const cid = 'baeareig77vqcdozl2wyk6z3cscaj5q5fggi53aoh64fewkdiri3cdauyn4';
    const pushed = await writer.push({ bytes, tag: cid, annotations: { 'org.agntcy.dir/cid': cid } });
    const pulled = (await client.manifest(cid, signal))!;
    expect(pulled.digest).toBe(pushed.digest);
    const [layer] = pulled.manifest.layers;
    expect(layer!.digest).toBe(digestOf(cid));
    expect(String(await client.blob(layer!, 100, signal))).toBe('Hello, World!');
    await expect(client.blob(layer!, 12, signal)).rejects.toMatchObject({ fault: 'TooLarge' });
    await expect(client.blob({ ...layer!, size: 1 }, 12, signal)).rejects.toMatchObject({ fault: 'TooLarge' });
  });

  it('finds no manifest where there is none', async () => {
    expect(await client.manifest('nothing', signal)).toBeNull();
    expect(await client.manifest(`sha256:${'0'.repeat(64)}`, signal)).toBeNull();
  });

  it('reads what refers to a manifest, by the API or by the fallback tag', async () => {
    const subject = await record('{"signed":true}');
    const api = await client.referrers(subject.digest, signal);
    expect(await client.tagged(subject.digest, signal)).toEqual({ listed: [], complete: true });
    const signature = await writer.push({ bytes: Buffer.from('{}'), subject, mediaType: 'application/x-signature' });
    if (api === null) await writer.fallback(subject, [signature, signature]);
    const found = (await client.referrers(subject.digest, signal)) ?? (await client.tagged(subject.digest, signal));
    expect(found.listed.map(({ digest }) => digest)).toEqual([signature.digest]);
    expect(found.complete).toBe(true);
    expect(api === null).toBe(kind !== 'memory');
  });

  it('lists every tag, whatever the registry makes of pages', async () => {
    const before = await allTags(client);
    const made: string[] = [];
    const fill = async (count: number): Promise<void> => {
      while (before.length + made.length < count) {
        const length = Math.min(50, count - before.length - made.length);
        const some = Array.from({ length }, (_, at) => `t${made.length + at}`);
        await Promise.all(some.map((tag) => writer.push({ bytes: Buffer.from('{"same":1}'), tag })));
        made.push(...some);
      }
    };
    for (const full of [1_000, 2_000]) {
      await fill(full);
      expect((await allTags(client)).sort()).toEqual([...before, ...made].sort());
    }
    await writer.push({ bytes: Buffer.from('{"same":1}'), tag: 'one-more' });
    expect((await allTags(client)).sort()).toEqual([...before, ...made, 'one-more'].sort());
  });
});

describe.each(['distribution', 'docker-registry'] as const)('the client, of %s behind a password', (kind) => {
  const program = registryProgram(kind, process.env);
  if (program === null) return void it.skip('is not tested', () => undefined);
  let registry: TestRegistry;

  beforeAll(async () => {
    registry = await startRegistry(kind, program, { secured: true });
    const writer = new RegistryWriter(registry.address, 'dir', basic);
    await writer.push({ bytes: Buffer.from('{}'), tag: 'one' });
  });
  afterAll(() => registry.close());

  it('gets in with the right one', async () => {
    const client = clientOf(registry.address, registryUser);
    expect(await allTags(client)).toEqual(['one']);
    expect(await allTags(client)).toEqual(['one']);
    await client.close();
  });

  it('says that none is set, or that it is refused, and never which', async () => {
    const without = clientOf(registry.address);
    await expect(without.tags(null, signal)).rejects.toThrow('none is set');
    const wrong = clientOf(registry.address, { username: 'mirror', password: 'guessed-wrong' });
    const error: unknown = await wrong.tags(null, signal).catch((reason: unknown) => reason);
    expect((error as Error).message).toMatch(/refuses our credentials/);
    expect((error as Error).message).not.toContain('guessed');
    await Promise.all([without.close(), wrong.close()]);
  });
});
