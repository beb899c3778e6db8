import { cp, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Client, Seen } from './client';
import type { Wish } from './walk';

/** What ships with the house: two small tables, and what is to happen to one of them. */
const shipped = join(__dirname, '../../lake');
/** The name by which the tables know their folder. */
const KNOWN_AS = '/demo-lake';
/** Jobs that the demo's lakes come to. */
export const jobs = 3;

/** A lake of the demo's own, fresh from what ships; its tables can be changed. */
export class Lake {
  private readonly folder: string;

  constructor(dataDir: string) {
    this.folder = resolve(dataDir, 'lake');
  }

  /** What services must be told to find it. */
  get settings(): Record<string, string> {
    return { RECONCILER_FILE_ROOTS: `${KNOWN_AS}=${this.folder}` };
  }

  async fill(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
    for (const format of ['iceberg', 'delta'])
      await cp(join(shipped, format), join(this.folder, format), { recursive: true });
  }

  /** Somebody commits to the Delta table. */
  async commit(): Promise<void> {
    await cp(join(shipped, 'later'), this.folder, { recursive: true });
  }
}

/** Has both tables brought into the catalog; then one is changed, and its new version follows. */
export async function reconcileLake(client: Client, lake: Lake, add: (wish: Wish) => void): Promise<void> {
  const orders = async (): Promise<void> => {
    await reconcile(client, await connect(client, 'iceberg'), 'shop.orders (Iceberg)', add);
  };
  const visits = async (): Promise<void> => {
    const connector = await connect(client, 'delta');
    await reconcile(client, connector, 'shop.visits (Delta)', add);
    await lake.commit();
    await reconcile(client, connector, 'shop.visits after a commit', add);
  };
  await Promise.all([orders(), visits()]);
}

async function connect(client: Client, kind: 'iceberg' | 'delta'): Promise<string> {
  const source = { uri: `file:${KNOWN_AS}/${kind}` };
  const { id } = await client.post('/v1/connectors', { display_name: `${kind} lake`, kind, source });
  return id;
}

async function reconcile(client: Client, connector: string, label: string, add: (wish: Wish) => void): Promise<void> {
  const job = await client.post<Seen>(`/v1/connectors/${connector}/trigger`);
  add({ label, kind: 'reconcile-jobs', id: job.id, end: 'JS_SUCCEEDED', reason: 'Reconciled', now: job });
  await client.get(`/v1/reconcile-jobs/${job.id}?wait=JS_SUCCEEDED&timeout=60s`);
}
