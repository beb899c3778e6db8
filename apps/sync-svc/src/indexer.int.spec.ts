import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Running, serve } from '@homeostat/platform';
import { type HouseEvent, REGISTRY_ID } from '@homeostat/shared';
import {
  type Pushed,
  RegistryWriter,
  type TestDatabase,
  type TestRegistry,
  registryKinds,
  registryProgram,
  startRegistry,
  testDatabase,
  until,
} from '@homeostat/testing';
import { Controller } from '@nestjs/common';
import { EventPattern } from '@nestjs/microservices';
import { cidOf } from './registry/cid';
import { syncService } from './sync.module';

const folder = join(__dirname, '../../../test/fixtures/directory');
const json = <T>(file: string) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as T;

interface Row {
  readonly file: string;
  readonly cid: string;
  readonly name: string | null;
  readonly valid: boolean;
  readonly reason?: string;
}
const { records } = json<{ records: Row[] }>('index.json');
const { referrers } = json<{
  referrers: { file: string; cid: string; subject: string; type: string; layer_media_type: string }[];
}>('names.json');
const valid = records.filter((row) => row.valid);

const heard: HouseEvent[] = [];

/** Another service, as far as events go. */
@Controller()
class Listener {
  @EventPattern(['record.indexed', 'record.removed', 'record.quarantined', 'record.signed'])
  hear(event: HouseEvent): void {
    heard.push(event);
  }
}
const service = { ...syncService, controllers: [...syncService.controllers, Listener] };

interface Shown {
  readonly id: string;
  readonly cid: string;
  readonly status: string;
  readonly reason: string | null;
  readonly message: string | null;
  readonly name: string;
  readonly signed: boolean;
  readonly record: object | null;
  readonly referrers: { kind: string; public_key: string | null; signature: string | null }[];
}

let database: TestDatabase;
let running: Running;

async function get<T = Shown>(path: string): Promise<T> {
  const response = await fetch(`${running.url}/v1/${path}`);
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}

/** Waits until a record is as it should be. */
function record(cid: string, isSo: (shown: Shown) => boolean, what: string): Promise<Shown> {
  return until(`${cid} ${what}`, async () => {
    const shown = await get(`records/${cid}`).catch(() => null);
    return shown !== null && isSo(shown) && shown;
  });
}

function start(address: string | null): Promise<Running> {
  return serve([service], {
    RECONCILER_HTTP_PORT: '0',
    RECONCILER_LOG_LEVEL: 'error',
    RECONCILER_DATABASE_URL: database.url,
    RECONCILER_INTERVAL: '100ms',
    RECONCILER_INDEXER_INTERVAL: '150ms',
    RECONCILER_LOCAL_REGISTRY_INSECURE: 'true',
    ...(address !== null && { RECONCILER_LOCAL_REGISTRY_ADDRESS: address }),
  });
}

function bytesOf(file: string): Buffer {
  return readFileSync(join(folder, file));
}

describe.each(registryKinds)('the indexer, of %s', (kind) => {
  const program = registryProgram(kind, process.env);
  if (program === null) return void it.skip('is not tested', () => undefined);
  let registry: TestRegistry;
  let writer: RegistryWriter;
  const manifests = new Map<string, Pushed>();

  beforeAll(async () => {
    heard.length = 0;
    [registry, database] = await Promise.all([startRegistry(kind, program), testDatabase()]);
    writer = new RegistryWriter(registry.address, 'dir');
    running = await start(registry.address);
  });
  afterAll(async () => {
    await running.stop();
    await Promise.all([registry.close(), database.close()]);
  });

  it('says that the repository does not exist yet', async () => {
    const waiting = await until('it has looked', async () => {
      const explained = await get<{ because: string; fix: string }>(`registry/${REGISTRY_ID}/explain`);
      return explained.because.includes('does not exist yet') && explained;
    });
    expect(waiting.fix).toContain('Push a record');
  });

  it('indexes what is valid, and quarantines what is not, with the reason', async () => {
    for (const { file, cid } of records) manifests.set(cid, await writer.push({ bytes: bytesOf(file), tag: cid }));
    for (const { cid, file, valid: isValid, reason, name } of records) {
      const shown = await record(cid, ({ status }) => status !== 'pending', 'was pulled');
      if (isValid) {
        expect(shown).toMatchObject({ status: 'indexed', name, signed: false, reason: null });
        expect(shown.record).toEqual(JSON.parse(bytesOf(file).toString()));
      } else {
        const word = reason!.replace(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
        expect(shown).toMatchObject({ status: 'quarantined', reason: word, record: null });
      }
    }
    expect((await get<{ count: number }>('records/count')).count).toBe(valid.length);
    const told = (type: string) => heard.filter((event) => event.type === type).length;
    await until('the events are out', async () => told('record.indexed') === valid.length);
    expect(told('record.quarantined')).toBe(records.length - valid.length);
  });

  it('quarantines what is no record, or not what its tag names', async () => {
    const unlike = cidOf(`sha256:${'1'.repeat(64)}`);
    await writer.push({ bytes: Buffer.from('{"not":"what its tag names"}'), tag: unlike });
    expect(await record(unlike, ({ status }) => status === 'quarantined', 'is refused')).toMatchObject({
      reason: 'DigestMismatch',
    });
    const bytes = Buffer.from('{"other":"media type"}');
    const typed = tagOf(bytes);
    await writer.push({ bytes, tag: typed, mediaType: 'application/x-other' });
    expect(await record(typed, ({ status }) => status === 'quarantined', 'is refused')).toMatchObject({
      reason: 'NotARecord',
    });
    const { because } = await get<{ because: string }>(`records/${(await get(`records/${typed}`)).id}/explain`);
    expect(because).toContain('application/x-other');
  });

  it('passes over tags that are no CIDs', async () => {
    await writer.push({ bytes: Buffer.from('{}'), tag: 'latest' });
    const { tags } = await until('it is listed', async () => {
      const shown = await get<{ tags: number | null; records: Record<string, number> }>('registry');
      return (shown.tags ?? 0) >= records.length + 3 && shown;
    });
    expect(tags).toBe(records.length + 3);
    expect((await get<{ records: object }>('registry')).records).toMatchObject({ pending: 0, referrer: 0 });
  });

  it('notices signatures and keys that come later, and more of them later still', async () => {
    const [key, signature] = [referrers[0]!, referrers[1]!];
    const subject = manifests.get(key.subject)!;
    const [pushedKey, pushedSignature] = [await attach(key, subject), await attach(signature, subject)];
    if (kind !== 'memory') await writer.fallback(subject, [pushedSignature]);
    await record(key.subject, ({ signed }) => signed, 'is signed');
    if (kind !== 'memory') await writer.fallback(subject, [pushedSignature, pushedKey]);
    const shown = await record(key.subject, (one) => one.referrers.length === 2, 'has both');
    expect(shown.referrers.map((one) => one.kind).sort()).toEqual(['public_key', 'signature']);
    expect(shown.referrers.find((one) => one.kind === 'public_key')!.public_key).toContain('BEGIN PUBLIC KEY');
    expect(shown.referrers.find((one) => one.kind === 'signature')!.signature).toMatch(/^[A-Za-z0-9+/=]+$/);
    const { id } = shown;
    await until('others are told', async () =>
      heard.some(({ type, subject: of }) => type === 'record.signed' && of === id),
    );
  });

  it('tells a signature from a record that has a CID as its tag, and has its record looked at', async () => {
    const referrer = referrers[2]!;
    const subject = manifests.get(referrer.subject)!;
    const pushed = await attach(referrer, subject, referrer.cid);
    if (kind !== 'memory') await writer.fallback(subject, [pushed]);
    await record(referrer.cid, ({ status }) => status === 'referrer', 'is set aside');
    await record(referrer.subject, (one) => one.referrers.length === 1, 'has it once');
  });

  it('takes out of the index what is gone, once a complete listing says so', async () => {
    const [gone] = valid;
    // Elsewhere a manifest goes with its tags, and here it stays under them.
    await writer.delete(kind === 'memory' ? gone!.cid : manifests.get(gone!.cid)!.digest);
    await until('it is gone', async () => (await fetch(`${running.url}/v1/records/${gone!.cid}`)).status === 404);
    await until('others are told', async () =>
      heard.some(({ type, data }) => type === 'record.removed' && (data as { cid: string }).cid === gone!.cid),
    );
    const found = await get<{ items: Shown[] }>(`records?query=name:${encodeURIComponent(gone!.name!)}`);
    expect(found.items.map(({ cid }) => cid)).not.toContain(gone!.cid);
  });

  it('pulls nothing again after a restart', async () => {
    const before = await get<{ items: Shown[] }>('records');
    await running.stop();
    running = await start(registry.address);
    const [{ listing: was }] = (await database.sql<{ listing: string }>('SELECT listing FROM registry')) as [
      { listing: string },
    ];
    await until('it has listed anew', async () => {
      const [row] = await database.sql<{ listing: string; phase: string }>('SELECT listing, phase FROM registry');
      return row!.phase === 'idle' && Number(row!.listing) > Number(was) + 1;
    });
    expect(await get('records')).toEqual(before);
  });

  function attach(
    { file, type, layer_media_type: mediaType }: (typeof referrers)[number],
    subject: Pushed,
    tag?: string,
  ) {
    const annotations = { 'agntcy.dir.referrer.type': type };
    return writer.push({ bytes: bytesOf(`referrers/${file.split('/').at(-1)}`), mediaType, subject, annotations, tag });
  }
});

describe('without a registry', () => {
  it('runs, and says what it waits for and how to get it', async () => {
    database = await testDatabase();
    running = await start(null);
    const explained = await until('it has looked', async () => {
      const one = await get<{ status: string; because: string; fix: string }>(`registry/${REGISTRY_ID}/explain`);
      return one.status === 'stalled' && one;
    });
    expect(explained.because).toContain('waits for a registry');
    expect(explained.fix).toContain('RECONCILER_LOCAL_REGISTRY_ADDRESS');
    expect(await get('registry')).toMatchObject({ address: null, tags: null, records: { indexed: 0 } });
    await running.stop();
    await database.close();
  });
});

function tagOf(bytes: Buffer): string {
  return cidOf(`sha256:${createHash('sha256').update(bytes).digest('hex')}`);
}
