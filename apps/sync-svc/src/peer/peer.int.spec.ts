import { type Running, issueToken, serve } from '@homeostat/platform';
import { type TestDatabase, testDatabase } from '@homeostat/testing';
import { syncService } from '../sync.module';

const secret = 'a secret of these tests, and of no use elsewhere';
const own = {
  RECONCILER_LOCAL_REGISTRY_ADDRESS: 'registry:5000',
  RECONCILER_LOCAL_REGISTRY_USERNAME: 'writer',
  RECONCILER_LOCAL_REGISTRY_PASSWORD: 'may write',
};
const peers = {
  RECONCILER_PEER_REGISTRY_ADDRESS: 'registry.example.com',
  RECONCILER_PEER_REGISTRY_USERNAME: 'reader',
  RECONCILER_PEER_REGISTRY_PASSWORD: 'may read',
};
let database: TestDatabase;
let running: Running;

beforeEach(async () => (database = await testDatabase()));
afterEach(async () => {
  await running.stop();
  await database.close();
});

async function start(settings: Record<string, string>): Promise<void> {
  running = await serve([syncService], {
    ...{ RECONCILER_HTTP_PORT: '0', RECONCILER_LOG_LEVEL: 'error', RECONCILER_DATABASE_URL: database.url },
    ...{ RECONCILER_AUTH_SECRET: secret, RECONCILER_INDEXER_ENABLED: 'false', ...settings },
  });
}

async function ask(body: object, scope: 'peer' | 'admin' = 'peer'): Promise<{ status: number; answer: object }> {
  const token = await issueToken(secret, { subject: 'a peer', tenant: 'peers', scopes: [scope], expiresInSeconds: 60 });
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const place = `${running.url}/v1/registry-credentials`;
  const response = await fetch(place, { method: 'POST', headers, body: JSON.stringify(body) });
  return { status: response.status, answer: (await response.json()) as object };
}
const node = { requesting_node_id: 'node-1' };

describe('a peer', () => {
  it('is told the user who was made for peers, where there is one', async () => {
    await start({ ...own, ...peers });
    const basic_auth = { username: 'reader', password: 'may read' };
    const told = { registry_address: 'registry.example.com', repository_name: 'dir', insecure: false, basic_auth };
    expect(await ask(node)).toEqual({ status: 200, answer: told });
  });

  it('is never told our own, and nobody where the registry asks for none', async () => {
    await start(own);
    const refused = { status: 503, answer: { detail: expect.stringContaining('RECONCILER_PEER_REGISTRY_USERNAME') } };
    expect(await ask(node)).toMatchObject(refused);
    await running.stop();
    await start({ RECONCILER_LOCAL_REGISTRY_ADDRESS: 'registry:5000' });
    expect((await ask(node)).answer).toEqual({
      registry_address: 'registry:5000',
      repository_name: 'dir',
      insecure: false,
    });
  });

  it('needs the scope for it, which an administrator does not have by itself, and says who it is', async () => {
    await start(own);
    expect((await ask(node, 'admin')).status).toBe(403);
    for (const body of [{}, { requesting_node_id: '' }, { requesting_node_id: 'a\nb' }, { ...node, more: 1 }])
      expect((await ask(body)).status).toBe(400);
  });

  it('learns that there is no registry', async () => {
    await start({});
    expect(await ask(node)).toMatchObject({ status: 503, answer: { code: 'unavailable' } });
  });
});
