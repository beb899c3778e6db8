import { services } from '@homeostat/homeostat';
import { type Running, type Scope, issueToken, serve } from '@homeostat/platform';
import { type DnsServer, type TestDatabase, startDnsServer, testDatabase, eventually } from '@homeostat/testing';
import { violations } from '../invariants/checks.mjs';

const secret = 'the secret of a story, and of no use elsewhere';
const preset = {
  RECONCILER_HTTP_PORT: '0',
  RECONCILER_LOG_LEVEL: 'error',
  RECONCILER_AUTH_SECRET: secret,
  RECONCILER_INTERVAL: '500ms',
  RECONCILER_SIMULATED_LATENCY_MS: '10',
  RECONCILER_VM_POOL_SIZE: '3',
  RECONCILER_VM_QUARANTINE: '100ms',
  RECONCILER_DEPLOYMENT_GRACE_PERIOD: '300ms',
  RECONCILER_DOMAIN_CHECK_INTERVAL: '50ms',
};

let database: TestDatabase;
let dns: DnsServer;
let running: Running;

afterEach(async () => {
  await running.stop();
  await Promise.all([dns.close(), database.close()]);
});

async function start(settings: Record<string, string> = {}): Promise<void> {
  [database, dns] = await Promise.all([testDatabase(), startDnsServer()]);
  await begin(settings);
}

async function begin(settings: Record<string, string> = {}): Promise<void> {
  const places = { RECONCILER_DATABASE_URL: database.url, RECONCILER_DNS_SERVERS: dns.address };
  running = await serve(services, { ...preset, ...places, ...settings });
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- answers of every shape
type Body = any;

interface Answer {
  readonly status: number;
  readonly body: Body;
}

/** Somebody who calls: a tenant, with what the token allows. */
class Caller {
  constructor(
    private readonly tenant: string,
    private readonly scopes: readonly Scope[],
  ) {}

  async ask(method: 'GET' | 'POST', path: string, body?: object): Promise<Answer> {
    const { tenant, scopes } = this;
    const token = await issueToken(secret, { subject: `somebody of ${tenant}`, tenant, scopes, expiresInSeconds: 60 });
    return send(method, path, { authorization: `Bearer ${token}` }, body);
  }

  async get(path: string): Promise<Body> {
    return expected(await this.ask('GET', path), path);
  }

  async post(path: string, body: object = {}): Promise<Body> {
    return expected(await this.ask('POST', path, body), path);
  }
}

async function send(method: string, path: string, headers: Record<string, string>, body?: object): Promise<Answer> {
  const type: Record<string, string> = body ? { 'content-type': 'application/json' } : {};
  const response = await fetch(running.url + path, {
    method,
    headers: { ...headers, ...type },
    body: body && JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

function expected({ status, body }: Answer, path: string): Body {
  if (status >= 300) throw new Error(`${path}: ${status} ${JSON.stringify(body)}`);
  return body;
}

const acme = new Caller('acme', ['read', 'write']);
const builder = new Caller('acme', ['build']);
const admin = new Caller('house', ['admin']);
const umbra = new Caller('umbra', ['read', 'write']);

interface Place {
  readonly project_id: string;
  readonly environment_id: string;
}

async function place(): Promise<Place> {
  const { items } = await admin.get('/v1/regions');
  if (items.length === 0) await admin.post('/v1/regions', { name: 'local' });
  const project = await acme.post('/v1/projects', { name: 'shop' });
  const environment = await acme.post('/v1/environments', { project_id: project.id, name: 'production' });
  return { project_id: project.id, environment_id: environment.id };
}

const deploy = (at: Place, commit: string): Promise<Body> => acme.post('/v1/deployments', { ...at, commit });
const becomes = (status: string, { id }: Body): Promise<Body> =>
  acme.get(`/v1/deployments/${id}?wait=${status}&timeout=20s`);
const image = (tag: string) => ({ image: { registry: 'registry.test', repository: 'shop', tag } });

async function built(deployment: Body): Promise<Body> {
  const { build_id } = await becomes('building', deployment);
  await builder.post(`/v1/builds/${build_id}/start`, { builder: 'one' });
  await builder.post(`/v1/builds/${build_id}/ready`, image(deployment.commit));
  return becomes('ready', deployment);
}

const violated = (atRest: boolean) => violations(async (sql) => database.sql(sql), { atRest });
const historyOf = async (kind: string, id: string): Promise<string[]> =>
  (await acme.get(`/v1/${kind}/${id}/history`)).items.map(({ to }: { to: string }) => to).reverse();

describe('a deployment', () => {
  it('is built, gets a VM and is ready; a newer one takes over, and the VM comes back', async () => {
    await start();
    const at = await place();
    const first = await deploy(at, 'c1');
    expect(first).toMatchObject({ status: 'queued', tenant_id: 'acme', vm_id: null });
    const ready = await built(first);
    expect(ready).toMatchObject({
      status: 'ready',
      phase: null,
      image_id: expect.any(String),
      ready_at: expect.any(String),
    });
    const vm = await acme.get(`/v1/vms/${ready.vm_id}?wait=running`);
    expect(vm).toMatchObject({ status: 'running', tenant_id: 'acme', private_ip: expect.stringMatching(/^10\.77\./) });
    expect(await acme.get(`/v1/claims/${vm.claim_id}`)).toMatchObject({
      status: 'bound',
      deployment_id: first.id,
      vm_id: vm.id,
    });

    const second = await built(await deploy(at, 'c2'));
    const old = await becomes('inactive', first);
    expect(old).toMatchObject({
      status: 'inactive',
      reason: 'Superseded',
      vm_id: null,
      inactive_at: expect.any(String),
    });
    const graceMs = Date.parse(old.inactive_at) - Date.parse(second.ready_at);
    expect(graceMs).toBeGreaterThanOrEqual(300);
    await eventually(
      () => admin.get(`/v1/claims/${vm.claim_id}`),
      ({ freed_at }) => freed_at !== null,
    );
    await eventually(
      () => admin.get(`/v1/vms/${vm.id}`),
      ({ status, claim_id }) => status === 'pooling' && claim_id === null,
    );
    await eventually(
      () => acme.get('/v1/pool'),
      ({ pooling, initializing, claimed }) => pooling === 3 && initializing === 0 && claimed === 1,
    );

    expect(await historyOf('deployments', first.id)).toEqual(['queued', 'building', 'ready', 'inactive']);
    expect(await historyOf('builds', ready.build_id)).toEqual(['queued', 'building', 'ready']);
    await eventually(
      () => violated(true),
      (found) => found.length === 0,
    );
  });

  it('fails with its build, and says why', async () => {
    await start();
    const { build_id, id } = await becomes('building', await deploy(await place(), 'c1'));
    await builder.post(`/v1/builds/${build_id}/error`, { message: 'main.ts does not compile' });
    const failed = await becomes('failed', { id });
    expect(failed).toMatchObject({
      reason: 'BuildFailed',
      message: expect.stringContaining('main.ts does not compile'),
      vm_id: null,
    });
    const late = await builder.ask('POST', `/v1/builds/${build_id}/ready`, image('late'));
    expect(late).toMatchObject({
      status: 409,
      body: { code: 'conflict', detail: expect.stringContaining('is error') },
    });
    expect((await acme.get(`/v1/deployments/${id}`)).status).toBe('failed');
  });

  it('fails when the builder takes too long', async () => {
    await start({ RECONCILER_BUILD_TIMEOUT: '200ms' });
    const { build_id, id } = await becomes('building', await deploy(await place(), 'c1'));
    await builder.post(`/v1/builds/${build_id}/start`, { builder: 'slow' });
    expect(await becomes('failed', { id })).toMatchObject({ reason: 'BuildTimeout' });
    expect(await acme.get(`/v1/builds/${build_id}`)).toMatchObject({ status: 'error', reason: 'Timeout' });
  });

  it('is cancelled, and its build with it; what is ready is not', async () => {
    await start();
    const at = await place();
    const { id, build_id } = await becomes('building', await deploy(at, 'c1'));
    expect((await acme.ask('POST', `/v1/deployments/${id}/cancel`)).status).toBe(202);
    expect(await becomes('failed', { id })).toMatchObject({ reason: 'Canceled' });
    expect((await acme.get(`/v1/builds/${build_id}`)).status).toBe('canceled');
    const ready = await built(await deploy(at, 'c2'));
    const refused = await acme.ask('POST', `/v1/deployments/${ready.id}/cancel`);
    expect(refused).toMatchObject({
      status: 409,
      body: { code: 'conflict', detail: expect.stringContaining('is ready') },
    });
  });

  it('is superseded before it is ready when a newer one is faster', async () => {
    await start();
    const at = await place();
    const slow = await becomes('building', await deploy(at, 'c1'));
    await built(await deploy(at, 'c2'));
    expect(await becomes('failed', slow)).toMatchObject({ reason: 'Superseded' });
    expect((await acme.get(`/v1/builds/${slow.build_id}`)).status).toBe('canceled');
  });

  it('is rolled back to an earlier image without a build', async () => {
    await start();
    const at = await place();
    const first = await built(await deploy(at, 'c1'));
    const second = await built(await deploy(at, 'c2'));
    const back = await acme.post(`/v1/deployments/${second.id}/rollback`, { to_deployment_id: first.id });
    expect(back).toMatchObject({ rollback_of: first.id, commit: 'c1' });
    expect(await becomes('ready', back)).toMatchObject({ build_id: null, image_id: first.image_id });
    expect((await becomes('inactive', second)).status).toBe('inactive');
  });

  it('is deployed again with a build of its own', async () => {
    await start();
    const first = await built(await deploy(await place(), 'c1'));
    const again = await acme.post(`/v1/deployments/${first.id}/redeploy`);
    expect(again).toMatchObject({ commit: 'c1', image_id: null });
    const ready = await built(again);
    expect(ready.build_id).not.toBe(first.build_id);
    expect(ready.image_id).not.toBe(first.image_id);
  });

  it('outlives newer ones while it is pinned', async () => {
    await start();
    const at = await place();
    const first = await built(await deploy(at, 'c1'));
    await acme.post(`/v1/deployments/${first.id}/pin`);
    const second = await built(await deploy(at, 'c2'));
    await built(await deploy(at, 'c3'));
    await becomes('inactive', second);
    expect(await acme.get(`/v1/deployments/${first.id}`)).toMatchObject({ status: 'ready', pinned: true });
    await acme.post(`/v1/deployments/${first.id}/unpin`);
    expect((await becomes('inactive', first)).status).toBe('inactive');
  });

  it('is ready only when its workload runs, where that is asked for', async () => {
    await start({ RECONCILER_DEPLOYMENT_READY_GATE: 'running', RECONCILER_SIMULATED_LATENCY_MS: '100' });
    const ready = await built(await deploy(await place(), 'c1'));
    expect(ready.status).toBe('ready');
    const running = (await acme.get(`/v1/vms/${ready.vm_id}/history`)).items.find(
      ({ to }: { to: string }) => to === 'running',
    );
    expect(Date.parse(running.at)).toBeLessThanOrEqual(Date.parse(ready.ready_at));
  });

  it('gets another VM when its machine vanished while nobody looked', async () => {
    await start();
    const ready = await built(await deploy(await place(), 'c1'));
    await acme.get(`/v1/vms/${ready.vm_id}?wait=running`);
    await running.stop();
    await database.sql('DELETE FROM simulated_machine WHERE vm_id = $1', [ready.vm_id]);
    await begin();
    const moved = await eventually(
      () => acme.get(`/v1/deployments/${ready.id}`),
      ({ vm_id }) => vm_id !== null && vm_id !== ready.vm_id,
    );
    expect(moved).toMatchObject({ status: 'ready', reason: null });
    expect(await historyOf('deployments', ready.id)).toEqual(['queued', 'building', 'ready']);
    await eventually(
      () => violated(true),
      (found) => found.length === 0,
    );
  });
});

describe('a deployment that waits for a VM of an empty pool', () => {
  it('says how many are ahead of it, and what to do', async () => {
    await start({ RECONCILER_VM_POOL_SIZE: '0' });
    const at = await place();
    const waiting: string[] = [];
    for (const commit of ['c1', 'c2', 'c3']) {
      const { id, build_id } = await becomes('building', await deploy(at, commit));
      await builder.post(`/v1/builds/${build_id}/ready`, image(commit));
      await eventually(
        () => acme.get(`/v1/deployments/${id}`),
        ({ phase }) => phase === 'waiting_for_vm',
      );
      waiting.push(id as string);
    }
    const explain = () => acme.get(`/v1/deployments/${waiting[2]}/explain`);
    const told = await eventually(explain, ({ waiting_for }) => /waits for a VM/.test(waiting_for ?? ''));
    expect(told).toMatchObject({
      status: 'building',
      waiting_for: expect.stringContaining('2 ahead of it, 0 free in the pool'),
      fix: expect.stringContaining('RECONCILER_VM_POOL_SIZE'),
      desired: { status: 'ready' },
      next_look_at: expect.any(String),
    });
    expect(await acme.get('/v1/pool')).toMatchObject({ wanted: 0, pooling: 0, waiting_claims: 3 });
    expect(await violated(false)).toEqual([]);
  });
});

describe('what people do to the work itself', () => {
  it('paused, a deployment stays as it is; a plan tells what would be done; resumed, it goes on', async () => {
    await start();
    const { id, build_id } = await becomes('building', await deploy(await place(), 'c1'));
    expect(await acme.post(`/v1/deployments/${id}/pause`)).toMatchObject({ id, paused: true });
    await builder.post(`/v1/builds/${build_id}/ready`, image('c1'));
    expect(await acme.get(`/v1/deployments/${id}/explain`)).toMatchObject({
      status: 'paused',
      fix: `POST /v1/deployments/${id}/resume`,
    });
    expect(await acme.get(`/v1/deployments/${id}/plan`)).toMatchObject({
      verdict: 'act',
      step: { do: 'claim' },
      paused: true,
    });
    expect(await acme.ask('POST', `/v1/deployments/${id}/retry`)).toMatchObject({ status: 409 });
    expect((await acme.get(`/v1/deployments/${id}`)).phase).toBe('waiting_for_build');
    expect(await acme.post(`/v1/deployments/${id}/resume`)).toMatchObject({ paused: false });
    expect((await becomes('ready', { id })).status).toBe('ready');
    expect((await acme.post(`/v1/deployments/${id}/retry`)).id).toBe(id);
    const told = await eventually(
      () => acme.get(`/v1/deployments/${id}/explain`),
      ({ waiting_for }) => waiting_for === null,
    );
    expect(told).toMatchObject({ because: 'it is ready', fix: null, failures: 0 });
    expect(told.passes.length).toBeGreaterThan(0);
  });

  it('a whole kind stands still while it is paused', async () => {
    await start();
    const at = await place();
    await admin.post('/v1/kinds/deployments/pause');
    const { id } = await deploy(at, 'c1');
    expect(await acme.get(`/v1/deployments/${id}/explain`)).toMatchObject({
      status: 'paused',
      fix: 'POST /v1/kinds/deployments/resume',
    });
    expect((await acme.get(`/v1/deployments/${id}?wait=building&timeout=300ms`)).status).toBe('queued');
    await admin.post('/v1/kinds/deployments/resume');
    expect((await becomes('building', { id })).status).toBe('building');
  });
});

describe('a domain', () => {
  it('is verified once its record is there', async () => {
    await start();
    const claimed = await acme.post('/v1/domains', { name: 'Shop.Example' });
    expect(claimed).toMatchObject({
      name: 'shop.example',
      status: 'pending',
      record: { type: 'TXT', value: expect.any(String) },
    });
    dns.set(claimed.record.name, { txt: [[claimed.record.value]] });
    const verified = await acme.get(`/v1/domains/${claimed.id}?wait=verified&timeout=20s`);
    expect(verified).toMatchObject({ status: 'verified', verified_at: expect.any(String) });
    expect(await historyOf('domains', claimed.id)).toEqual(['pending', 'verified']);
  });
});

describe('who may call', () => {
  it('nobody without a token, nobody beyond its scope, and nobody sees what is another tenant’s', async () => {
    await start();
    const at = await place();
    const { id, build_id } = await becomes('building', await deploy(at, 'c1'));
    const paths = [
      `projects/${at.project_id}`,
      `environments/${at.environment_id}`,
      `deployments/${id}`,
      `builds/${build_id}`,
    ];
    for (const path of [...paths, `deployments/${id}/explain`, `deployments/${id}/plan`, `deployments/${id}/history`]) {
      expect(await send('GET', `/v1/${path}`, {})).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
      expect(await umbra.ask('GET', `/v1/${path}`)).toMatchObject({ status: 404, body: { code: 'not_found' } });
    }
    for (const verb of ['cancel', 'pin', 'redeploy', 'pause', 'retry']) {
      expect(await umbra.ask('POST', `/v1/deployments/${id}/${verb}`, {})).toMatchObject({ status: 404 });
      expect(await builder.ask('POST', `/v1/deployments/${id}/${verb}`, {})).toMatchObject({
        status: 403,
        body: { code: 'forbidden' },
      });
    }
    expect((await umbra.get('/v1/deployments')).items).toEqual([]);
    expect(await umbra.ask('POST', '/v1/deployments', { ...at, commit: 'c1' })).toMatchObject({ status: 422 });
    expect(await acme.ask('POST', '/v1/regions', { name: 'mine' })).toMatchObject({ status: 403 });
    expect(await acme.ask('POST', '/v1/kinds/deployments/pause', {})).toMatchObject({ status: 403 });
    const pool = await acme.get('/v1/pool');
    for (const call of ['GET plan', 'POST pause', 'POST resume', 'POST retry'] as const) {
      const [method, verb] = call.split(' ') as ['GET' | 'POST', string];
      expect(await acme.ask(method, `/v1/pool/${pool.id}/${verb}`)).toMatchObject({ status: 403 });
    }
    expect(await admin.ask('POST', `/v1/pool/${pool.id}/retry`, {})).toMatchObject({
      status: 200,
      body: { wanted: pool.wanted },
    });
    expect(await acme.ask('POST', `/v1/builds/${build_id}/start`, { builder: 'me' })).toMatchObject({ status: 403 });
    expect((await acme.get('/v1/deployments')).items).toHaveLength(1);
    expect(await violated(false)).toEqual([]);
  });
});
