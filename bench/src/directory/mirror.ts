import { type Pushed, RegistryWriter, type TestRegistry, programPath, startRegistry } from '@homeostat/testing';
import { execa } from 'execa';
import { type House, openHouse } from '../house/house';
import { stoppable } from '../house/cleanup';
import { recordOf } from './records';

const PUSHED_AT_ONCE = 20;
const SIGNED = 'application/vnd.agntcy.dir.sign.signature.v1+json';
const KEY = 'application/vnd.agntcy.dir.sign.publickey.v1+pem';

export interface Mirrored {
  /** From the POST of a sync until it is COMPLETED. */
  readonly oursS: number;
  /** `regsync once`, from its start to its end. */
  readonly bareS: number;
}

/**
 * Copies the same signed records from one registry to two empty ones: by a sync of ours, and by regsync alone, with the
 * configuration that an operator would write.
 */
export async function mirrored(count: number, options: Parameters<typeof openHouse>[0]): Promise<Mirrored> {
  const [program, regsync] = ['registry', 'regsync'].map((name) => programPath(name)!) as [string, string];
  const { remote, bare, local, stop } = await stoppable(async (undo) => {
    const opened = async (): Promise<TestRegistry> => {
      const registry = await startRegistry('distribution', program);
      undo.push(() => registry.close());
      return registry;
    };
    return { remote: await opened(), bare: await opened(), local: await opened() };
  });
  try {
    const cids = await published(remote.address, count);
    const bareS = await copiedBare(regsync, { from: remote.address, to: bare.address, cids });
    const place = { RECONCILER_LOCAL_REGISTRY_ADDRESS: local.address, RECONCILER_LOCAL_REGISTRY_INSECURE: 'true' };
    const own = { RECONCILER_REGSYNC_BINARY: regsync, RECONCILER_ALLOW_PRIVATE_ADDRESSES: 'true', ...place };
    const house = await openHouse({ ...options, settings: { ...own, ...options.settings } });
    try {
      return { bareS, oursS: await copiedByUs(house, remote.address, count) };
    } finally {
      await house.stop();
    }
  } finally {
    await stop();
  }
}

/** Records with a signature and a key each, as the directory's clients push them. */
async function published(address: string, count: number): Promise<string[]> {
  const writer = new RegistryWriter(address, 'dir');
  const left = Array.from({ length: count }, (_, n) => recordOf(n)).values();
  const cids: string[] = [];
  const push = async (): Promise<void> => {
    for (const { cid, content } of left) {
      const subject = await writer.push({ bytes: Buffer.from(content), tag: cid });
      const attach = (mediaType: string, data: object): Promise<Pushed> =>
        writer.push({ bytes: Buffer.from(JSON.stringify({ record_ref: { cid }, data })), mediaType, subject });
      await writer.fallback(subject, [
        await attach(SIGNED, { signature: 'c2lnbmVk' }),
        await attach(KEY, { key: 'a key' }),
      ]);
      cids.push(cid);
    }
  };
  await Promise.all(Array.from({ length: PUSHED_AT_ONCE }, push));
  return cids;
}

interface Way {
  readonly from: string;
  readonly to: string;
  readonly cids: readonly string[];
}

async function copiedBare(regsync: string, { from, to, cids }: Way): Promise<number> {
  const entry = { source: `${from}/dir`, target: `${to}/dir`, type: 'repository', referrers: true };
  const input = JSON.stringify({
    version: 1,
    creds: [from, to].map((registry) => ({ registry, tls: 'disabled' })),
    defaults: { skipDockerConfig: true, parallel: 4 },
    sync: [{ ...entry, tags: { allow: cids } }],
  });
  const startedMs = performance.now();
  await execa(regsync, ['once', '-c', '-', '--missing', '--logopt', 'json'], {
    input,
    stdout: 'ignore',
    stderr: 'ignore',
  });
  return (performance.now() - startedMs) / 1_000;
}

async function copiedByUs({ url }: House, from: string, count: number): Promise<number> {
  const headers = { 'content-type': 'application/json' };
  const body = JSON.stringify({ remote_registry_address: from, remote_repository_name: 'dir', insecure: true });
  const startedMs = performance.now();
  let sync = (await (await fetch(`${url}/v1/syncs`, { method: 'POST', headers, body })).json()) as Shown;
  while (sync.status !== 'COMPLETED') {
    if (sync.status === 'FAILED') throw new Error(`the sync failed: ${sync.message}`);
    sync = (await (await fetch(`${url}/v1/syncs/${sync.id}?wait=COMPLETED&timeout=60s`)).json()) as Shown;
  }
  if (sync.progress.done !== count) throw new Error(`${sync.progress.done} of ${count} records came`);
  return (performance.now() - startedMs) / 1_000;
}

interface Shown {
  readonly id: string;
  readonly status: string;
  readonly message: string | null;
  readonly progress: { readonly done: number };
}
