import { createHash } from 'node:crypto';
import { readSettings } from '@homeostat/platform';
import { cidOf } from '@homeostat/sync-svc';
import { RegistryWriter, type TestRegistry, programPath, startRegistry } from '@homeostat/testing';
import { z } from 'zod';
import type { Client, Seen } from './client';
import type { Wish } from './walk';

const REPOSITORY = 'dir';
const agents = ['acme/translator', 'acme/summarizer', 'acme/researcher'];
/** Wishes that the demo's directory comes to: the sync, and each record. */
export const mirrored = 1 + agents.length;

/** What somebody without the programs is told. */
export const DIRECTORY_FIX =
  'The directory waits for a registry and regsync, to show how records are mirrored: `node test/registries.mjs` brings both.';

/** Two registries of the demo's own: one has the records of some agents, which are to be in the other, and found. */
export class Directory {
  private constructor(
    private readonly there: TestRegistry,
    private readonly here: TestRegistry,
    private readonly regsync: string,
  ) {}

  /** Starts both, the first with records in it; null where a program is missing. */
  static async open(): Promise<Directory | null> {
    const { PATH } = readSettings({ PATH: z.string().default('') });
    const [registry, regsync] = [programPath('registry', PATH), programPath('regsync', PATH)];
    if (registry === null || regsync === null) return null;
    const start = () => startRegistry('distribution', registry);
    const [there, here] = await Promise.all([start(), start()]);
    const writer = new RegistryWriter(there.address, REPOSITORY);
    await Promise.all(agents.map((name) => publish(writer, name)));
    return new Directory(there, here, regsync);
  }

  /** What services must be told to mirror from the one into the other. */
  get settings(): Record<string, string> {
    return {
      RECONCILER_LOCAL_REGISTRY_ADDRESS: this.here.address,
      RECONCILER_LOCAL_REGISTRY_INSECURE: 'true',
      RECONCILER_ALLOW_PRIVATE_ADDRESSES: 'true',
      RECONCILER_REGSYNC_BINARY: this.regsync,
    };
  }

  async close(): Promise<void> {
    await Promise.all([this.there.close(), this.here.close()]);
  }

  /** Has everything mirrored; then the index has it. */
  async mirror(client: Client, add: (wish: Wish) => void): Promise<void> {
    const from = { remote_registry_address: this.there.address, remote_repository_name: REPOSITORY, insecure: true };
    const sync = await client.post<Seen>('/v1/syncs', from);
    add({
      label: 'mirror of another directory',
      kind: 'syncs',
      id: sync.id,
      end: 'COMPLETED',
      reason: 'Mirrored',
      now: sync,
    });
    await client.get(`/v1/syncs/${sync.id}?wait=COMPLETED&timeout=60s`);
    for (const name of agents) {
      const now = await client.get<Seen>(`/v1/records/${cidOfBytes(recordOf(name))}`);
      add({ label: `record of ${name}`, kind: 'records', id: now.id, end: 'indexed', reason: null, now });
    }
  }
}

async function publish(writer: RegistryWriter, name: string): Promise<void> {
  const bytes = recordOf(name);
  await writer.push({ bytes, tag: cidOfBytes(bytes) });
}

function cidOfBytes(bytes: Buffer): string {
  return cidOf(`sha256:${createHash('sha256').update(bytes).digest('hex')}`);
}

function recordOf(name: string): Buffer {
  const record = {
    ...{ name, version: '1.0.0', schema_version: '0.7.0', description: `The ${name} agent.`, authors: ['acme'] },
    ...{ created_at: '2026-01-01T00:00:00Z', skills: [{ id: 10201, name: 'natural_language_processing/text' }] },
    locators: [{ type: 'docker_image', url: `https://registry.example/${name}` }],
  };
  return Buffer.from(JSON.stringify(record));
}
