import { createHash } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Running, serve } from '@homeostat/platform';
import { FakeRegistry, type TestDatabase, testDatabase, until } from '@homeostat/testing';
import { cidOf } from '../registry/cid';
import { syncService } from '../sync.module';
import { REMOTE_DIRECTORY, type RemoteDirectory, registryCredentials } from './remote/remote-directory.port';
import { SyncFault } from './sync.fault';

jest.setTimeout(90_000);

interface Shown {
  readonly id: string;
  readonly status: string;
  readonly reason: string | null;
  readonly message: string | null;
  readonly attempts: number;
  readonly records: { state: string }[];
}

/** What the remote directory answers. */
let told: object | Error = {};
const directory: RemoteDirectory = {
  async credentials() {
    if (told instanceof Error) throw told;
    return registryCredentials.parse(told);
  },
};
const service = {
  ...syncService,
  providers: [...syncService.providers, { provide: REMOTE_DIRECTORY, useValue: directory }],
};
const url = 'https://directory.example.com';
const content = '{"a":"record"}';
const cid = cidOf(`sha256:${createHash('sha256').update(content).digest('hex')}`);

let folder: string;
let database: TestDatabase;
let running: Running;
let [remote, local] = [] as unknown as [FakeRegistry, FakeRegistry];
let places: { remote: string; local: string };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'homeostat-faults-'));
  [remote, local] = [new FakeRegistry(), new FakeRegistry()];
  places = { remote: await remote.listen(), local: await local.listen() };
  remote.put(content, cid);
});
afterAll(async () => {
  await Promise.all([remote.close(), local.close()]);
  await rm(folder, { recursive: true });
});
beforeEach(async () => {
  database = await testDatabase();
  told = { registry_address: places.remote, repository_name: 'dir', insecure: true };
});
afterEach(async () => {
  await running.stop();
  await database.close();
});

async function start(more: Record<string, string> = {}): Promise<Running> {
  return serve([service], {
    ...{ RECONCILER_HTTP_PORT: '0', RECONCILER_LOG_LEVEL: 'error', RECONCILER_INTERVAL: '100ms' },
    ...{ RECONCILER_DATABASE_URL: database.url, RECONCILER_LOCAL_REGISTRY_ADDRESS: places.local },
    ...{ RECONCILER_LOCAL_REGISTRY_INSECURE: 'true', RECONCILER_ALLOW_PRIVATE_ADDRESSES: 'true' },
    ...{ RECONCILER_REGSYNC_BINARY: join(folder, 'regsync'), RECONCILER_REGSYNC_INTERVAL: '100ms' },
    ...{ RECONCILER_INDEXER_ENABLED: 'false', ...more },
  });
}

/** What stands in for regsync: it says its version, writes down who it is, and then does `what`. */
async function regsync(what: string, version = 'v0.11.5'): Promise<void> {
  const program = join(folder, 'regsync');
  await writeFile(
    program,
    `#!/bin/sh\nif [ "$1" = version ]; then echo "VCSTag: ${version}"; exit; fi\n` +
      `env > ${folder}/env; echo "$@" > ${folder}/args; echo $$ >> ${folder}/pids; ${what}\n`,
  );
  await chmod(program, 0o755);
  await writeFile(join(folder, 'pids'), '');
}

async function pids(): Promise<number[]> {
  const text = await readFile(join(folder, 'pids'), 'utf8').catch(() => '');
  return text.split('\n').filter(Boolean).map(Number);
}
const alive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

async function ask(method: string, path: string, body?: object): Promise<{ status: number; answer: Shown }> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${running.url}/v1/${path}`, { method, headers, body: body && JSON.stringify(body) });
  const text = await response.text();
  return { status: response.status, answer: text === '' ? null : JSON.parse(text) };
}
const get = async (id: string): Promise<Shown> => (await ask('GET', `syncs/${id}`)).answer;
const explain = async (id: string) =>
  (await ask('GET', `syncs/${id}/explain`)).answer as unknown as { because: string; fix: string | null };
const wish = async (more: object = {}): Promise<string> =>
  (await ask('POST', 'syncs', { remote_directory_url: url, cids: [cid], ...more })).answer.id;
const isUnderWay = async (): Promise<boolean> => (await pids()).length > 0;
const isGone = async (): Promise<boolean> => !(await pids()).some(alive);

describe('regsync', () => {
  it.each([
    ['is missing', 'RegsyncMissing', () => rm(join(folder, 'regsync'), { force: true })],
    ['is too old', 'RegsyncTooOld', () => regsync('exit 0', 'v0.11.4')],
    ['does not say its version', 'RegsyncTooOld', () => regsync('exit 0', '')],
  ])('that %s is waited for, and a person is told how to get it', async (_what, reason, arrange) => {
    await arrange();
    running = await start();
    const id = await wish();
    await until('somebody has looked', async () => (await get(id)).reason === reason);
    await until('the fix is said', async () => (await explain(id)).fix !== null);
    expect((await explain(id)).fix).toMatch(/go install .*regsync@v0\.11\.5.*RECONCILER_REGSYNC_BINARY/);
    expect(await get(id)).toMatchObject({ status: 'PENDING', attempts: 0 });
    await regsync('exec sleep 60');
    await until('it is under way', isUnderWay);
  });

  it('is run with an empty environment, and its arguments say nothing in confidence', async () => {
    await regsync('exit 0');
    told = { ...told, basic_auth: { username: 'mirror', password: 'never to be told' } };
    running = await start();
    await wish();
    await until('it ran', isUnderWay);
    const env = (await readFile(join(folder, 'env'), 'utf8')).split('\n').map((line) => line.split('=')[0]);
    expect(env.filter((name) => name && !['PWD', 'SHLVL', '_', 'OLDPWD'].includes(name))).toEqual([]);
    expect((await readFile(join(folder, 'args'), 'utf8')).trim()).toBe('once -c - --logopt json --missing');
  });

  it('that ends well, and has copied nothing, is no success', async () => {
    await regsync('exit 0');
    running = await start();
    const id = await wish();
    await until('it was tried', async () => (await get(id)).attempts > 0);
    expect(await get(id)).toMatchObject({ reason: 'NotCopied', message: expect.stringContaining('it is not here') });
  });

  it('that takes too long is ended, and tried again', async () => {
    await regsync('exec sleep 60');
    running = await start({ RECONCILER_REGSYNC_TIMEOUT: '300ms' });
    const id = await wish();
    await until('it was tried', async () => (await get(id)).attempts > 0);
    expect((await get(id)).message).toContain('ended after 0.3 s');
    expect(await isGone()).toBe(true);
  });

  it('that does not end when it is told to is killed, with all that it has started', async () => {
    await regsync(`trap '' TERM; sleep 61 & echo $! >> ${folder}/pids; sleep 62; sleep 63`);
    running = await start();
    const id = await wish();
    await until('it is under way', async () => (await pids()).length === 2);
    await ask('DELETE', `syncs/${id}`);
    await until('all of it is gone', isGone);
  });

  it('may say as much as it likes, passwords included', async () => {
    await regsync(
      `yes 'pass: swordfish and many words beside' | head -c 20000000 >&2; printf '\\n{"level":"ERROR","msg":"it broke"}\\n' >&2; exit 1`,
    );
    running = await start();
    const id = await wish();
    await until('it was tried', async () => (await get(id)).attempts > 0);
    expect((await get(id)).message).toContain('it broke');
    expect(JSON.stringify(await get(id))).not.toContain('swordfish');
  });

  it('shows which record it is at', async () => {
    const line = JSON.stringify({
      level: 'INFO',
      msg: 'Image sync needed',
      source: `h/dir:${cid}`,
      target: `t/dir:${cid}`,
    });
    await regsync(`echo '${line}' >&2; exec sleep 60`);
    running = await start();
    const id = await wish();
    await until('it is seen', async () => (await get(id)).records[0]!.state === 'copying');
  });
});

describe('a sync that is under way', () => {
  beforeEach(() => regsync('exec sleep 60'));

  it('stops when it is deleted', async () => {
    running = await start();
    const id = await wish();
    await until('it is under way', isUnderWay);
    expect((await ask('DELETE', `syncs/${id}`)).status).toBe(204);
    await until('it is deleted', async () => (await get(id)).status === 'DELETED');
    await until('regsync is gone', isGone);
    const { items } = (await ask('GET', `syncs/${id}/history`)).answer as unknown as { items: { to: string }[] };
    expect(items.map(({ to }) => to)).toEqual(['DELETED', 'DELETE_PENDING', 'IN_PROGRESS', 'PENDING']);
    expect((await ask('DELETE', `syncs/${id}`)).status).toBe(204);
  });

  it('is gone on with by another process, and regsync of the first is ended', async () => {
    running = await start();
    const id = await wish();
    await until('it is under way', isUnderWay);
    const [first] = await pids();
    await running.stop();
    await until('the first is gone', () => !alive(first!));
    running = await start();
    await until('the second is under way', async () => (await pids()).length === 2);
    expect((await get(id)).status).toBe('IN_PROGRESS');
  });

  it('ends its regsync when the lease is another’s', async () => {
    running = await start();
    const id = await wish();
    await until('it is under way', isUnderWay);
    const [first] = await pids();
    await database.sql(
      `UPDATE reconcile_status SET lease_epoch = lease_epoch + 1, lease_holder = 'another', lease_until = now() + interval '1 h'
       WHERE kind = 'syncs' AND key = $1`,
      [id],
    );
    await until('regsync is gone', () => !alive(first!));
    expect(await get(id)).toMatchObject({ status: 'IN_PROGRESS', attempts: 0 });
  });

  it('has so many others from its host beside it as there may be', async () => {
    running = await start({ RECONCILER_SYNCS_PER_HOST: '2' });
    const ids = [await wish(), await wish(), await wish()];
    await until('two are under way', async () => (await pids()).length === 2);
    const states = await Promise.all(ids.map(async (id) => (await get(id)).status));
    const third = ids[states.indexOf('PENDING')]!;
    await until('the third says why it waits', async () => (await explain(third)).because.includes('2 other sync(s)'));
    const other = await wish({ remote_directory_url: 'https://another.example.com' });
    await until('that of another host is under way', async () => (await get(other)).status === 'IN_PROGRESS');
    await ask('DELETE', `syncs/${ids.find((id) => id !== third)}`);
    await until('the third is under way', async () => (await get(third)).status === 'IN_PROGRESS');
  });
});

describe('a remote directory', () => {
  it.each([
    '169.254.169.254',
    '127.0.0.1:5000',
    'localhost:5000',
    '[::1]:5000',
    '10.0.0.1',
    '[::ffff:169.254.169.254]',
    '2130706433',
  ])('that names %s is not followed', async (registry_address) => {
    await regsync('exit 0');
    told = { registry_address, repository_name: 'dir', insecure: true };
    running = await start({ RECONCILER_ALLOW_PRIVATE_ADDRESSES: 'false' });
    const id = await wish();
    await until('it has failed', async () => (await get(id)).status === 'FAILED');
    expect(await get(id)).toMatchObject({ reason: 'AddressNotPublic' });
    expect(await pids()).toEqual([]);
  });

  it('that names another registry than the sync ends it', async () => {
    await regsync('exit 0');
    running = await start();
    const id = await wish({ remote_registry_address: 'another.example.com' });
    await until('it has failed', async () => (await get(id)).status === 'FAILED');
    expect(await get(id)).toMatchObject({ reason: 'RemoteDiffers' });
  });

  it('that is away is asked again', async () => {
    await regsync('exec sleep 60');
    told = new SyncFault('DirectoryUnreachable', 'it is away', false);
    running = await start();
    const id = await wish();
    await until('it was asked', async () => (await get(id)).attempts > 0);
    told = { registry_address: places.remote, repository_name: 'dir', insecure: true };
    await until('it is under way', isUnderWay);
  });
});

describe('the wish for a sync', () => {
  it('that is at fault is refused, with every fault', async () => {
    running = await start();
    const body = { remote_directory_url: 'https://user@host', cids: [], more: 1 };
    const { status, answer } = await ask('POST', 'syncs', body);
    const { errors } = answer as unknown as { errors: { pointer: string }[] };
    expect([status, errors.map(({ pointer }) => pointer)]).toEqual([400, ['/remote_directory_url', '/cids', '/more']]);
  });

  it('that holds a secret is known again, and nothing that is kept of it gives the secret away', async () => {
    running = await start({ RECONCILER_SECRETS_KEY: Buffer.alloc(32, 1).toString('base64') });
    const body = { auth: { token: 'swordfish' }, remote_directory_url: url };
    const headers = { 'content-type': 'application/json', 'idempotency-key': 'one' };
    const send = async (): Promise<Shown> => {
      const sent = { method: 'POST', headers, body: JSON.stringify(body) };
      return (await (await fetch(`${running.url}/v1/syncs`, sent)).json()) as Shown;
    };
    expect((await send()).id).toBe((await send()).id);
    const plain = createHash('sha256')
      .update(`POST /v1/syncs\n${JSON.stringify(body)}`)
      .digest('base64url');
    const kept = await database.sql<{ request_hash: string }>('SELECT request_hash FROM idempotency_key');
    expect(kept).toEqual([{ request_hash: expect.not.stringContaining(plain) }]);
  });

  it('that holds a secret is refused where there is no key to seal it with', async () => {
    running = await start();
    const { status, answer } = await ask('POST', 'syncs', { remote_directory_url: url, auth: { token: 'swordfish' } });
    expect(status).toBe(422);
    expect(JSON.stringify(answer)).toContain('RECONCILER_SECRETS_KEY');
    expect(JSON.stringify(answer)).not.toContain('swordfish');
  });
});
