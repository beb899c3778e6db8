import { createServer } from 'node:http';
import { type Running, type Tx, Database, issueToken, migrate, serve } from '@homeostat/platform';
import {
  type Build,
  type BuildStatus,
  type Deployment,
  type DeploymentStatus,
  type Image,
  POOL_ID,
} from '@homeostat/shared';
import { type TestDatabase, testDatabase, eventually } from '@homeostat/testing';
import { v7 as uuidv7 } from 'uuid';
import { fail } from './build/build.writes';
import type { DeploymentStep } from './deployment/deployment.decide';
import { factsOf } from './deployment/deployment.reads';
import { adopt, build, ready, release, retire } from './deployment/deployment.writes';
import { deployService } from './deploy.module';

type Scope = 'read' | 'write' | 'build' | 'admin';
interface Asking {
  readonly tenant?: string;
  readonly scopes?: readonly Scope[];
  readonly key?: string;
}
interface Problem {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly errors?: readonly { readonly pointer: string; readonly message: string }[];
}
interface Place {
  readonly project_id: string;
  readonly environment_id: string;
}
interface ClaimRow {
  readonly id: string;
  readonly deployment_id: string;
  readonly vm_id: string | null;
  readonly status: 'waiting' | 'bound' | 'released';
}

const secret = 'a secret of these tests, and of no use elsewhere';
const anImage = { registry: 'registry.example', repository: 'acme/web', tag: 'v1', digest: `sha256:${'0'.repeat(64)}` };

let database: TestDatabase;
let replicas: Running[];
let place: Place;

beforeEach(async () => {
  database = await testDatabase();
  replicas = [];
  await database.sql(`
    CREATE TABLE told (LIKE outbox);
    CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN INSERT INTO public.told SELECT NEW.*; RETURN NULL; END';
    CREATE TRIGGER tell AFTER INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION tell();
    INSERT INTO region (id, tenant_id, name) VALUES (gen_random_uuid(), 'system', 'eu');
  `);
});

afterEach(async () => {
  await stop();
  const { close } = database;
  database = undefined as never;
  await close();
});

async function start(settings: Record<string, string> = {}): Promise<void> {
  replicas.push(
    await serve([deployService], {
      RECONCILER_DATABASE_URL: database.url,
      RECONCILER_HTTP_PORT: '0',
      RECONCILER_LOG_LEVEL: 'error',
      RECONCILER_INTERVAL: '100ms',
      RECONCILER_AUTH_SECRET: secret,
      ...settings,
    }),
  );
  place ??= await newPlace();
}

async function stop(): Promise<void> {
  await Promise.all(replicas.splice(0).map((replica) => replica.stop()));
}

afterEach(() => (place = undefined as never));

async function request(method: string, path: string, body?: object, asking: Asking = {}): Promise<Response> {
  const { tenant = 'acme', scopes = ['read', 'write', 'build'], key } = asking;
  const token = await issueToken(secret, { subject: 'somebody', tenant, scopes, expiresInSeconds: 60 });
  const headers = {
    Authorization: `Bearer ${token}`,
    'Content-Type': 'application/json',
    ...(key && { 'Idempotency-Key': key }),
  };
  return fetch(`${replicas[0]!.url}/v1/${path}`, { method, headers, body: body && JSON.stringify(body) });
}

async function call<T>(method: string, path: string, body?: object, asking?: Asking): Promise<T> {
  const response = await request(method, path, body, asking);
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${text}`);
  return JSON.parse(text) as T;
}

async function refused(method: string, path: string, body?: object, asking?: Asking): Promise<Problem> {
  const response = await request(method, path, body, asking);
  expect(response.headers.get('content-type')).toContain('application/problem+json');
  return (await response.json()) as Problem;
}

async function newPlace(tenant = 'acme'): Promise<Place> {
  const project = await call<{ id: string }>('POST', 'projects', { name: `web ${uuidv7()}` }, { tenant });
  const environment = await call<{ id: string }>(
    'POST',
    'environments',
    { project_id: project.id, name: 'production' },
    { tenant },
  );
  return { project_id: project.id, environment_id: environment.id };
}

const deploy = (more: object = {}, asking?: Asking) =>
  call<Deployment>('POST', 'deployments', { ...place, commit: 'abc', ...more }, asking);
const read = (id: string) => call<Deployment>('GET', `deployments/${id}`);
const becomes = (status: DeploymentStatus, id: string) =>
  call<Deployment>('GET', `deployments/${id}?wait=${status}&timeout=20s`);
const buildOf = async (id: string) => {
  const { build_id } = await eventually(
    () => read(id),
    (found) => found.build_id !== null,
  );
  return call<Build>('GET', `builds/${build_id}`);
};
const report = (verb: string, { id }: Pick<Build, 'id'>, body?: object) =>
  call<Build>('POST', `builds/${id}/${verb}`, body);
const finished = async (id: string) => report('ready', await buildOf(id), { image: anImage });

const look = (kind: string, ...keys: string[]) => database.sql('SELECT request_look($1, $2::uuid[])', [kind, keys]);
const claimsOf = (id: string) =>
  database.sql<ClaimRow>(
    'SELECT id, deployment_id, vm_id, status FROM vm_claim WHERE deployment_id = $1 ORDER BY number',
    [id],
  );
const claimOf = async (id: string) =>
  (
    await eventually(
      () => claimsOf(id),
      (found) => found.some(({ status }) => status === 'waiting'),
    )
  ).at(-1)!;
const told = (...types: string[]) =>
  database.sql<{ type: string; subject: string; data: Record<string, string> }>(
    'SELECT type, subject, data FROM told WHERE type = ANY ($1) OR $1 = ARRAY[]::text[] ORDER BY id',
    [types],
  );
const history = async (key: string) =>
  (await database.sql<{ to_state: string }>('SELECT to_state FROM state_change WHERE key = $1 ORDER BY id', [key])).map(
    (row) => row.to_state,
  );

/** Once nothing is due, whatever was asked for has been looked at. */
const settled = () =>
  eventually(
    () =>
      database.sql(
        `SELECT FROM reconcile_status WHERE kind IN ('deployments', 'builds') AND (due_at <= now() + interval '2 s' OR lease_holder IS NOT NULL)`,
      ),
    (due) => due.length === 0,
  );

/** What vm-pool-svc does: a VM of its own for a claim. */
async function assign(id: string, { status = 'starting', network = '10.77.0.0' } = {}): Promise<string> {
  const claim = await claimOf(id);
  const vmId = uuidv7();
  await database.sql(
    `WITH n AS (SELECT count(*)::integer AS number FROM vm), bound AS (
       UPDATE vm_claim SET vm_id = $1, bound_at = now() WHERE id = $2)
     INSERT INTO vm (id, tenant_id, region_id, number, private_ip, status, claim_id)
     SELECT $1, 'acme', region.id, n.number, $4::inet + 8 * n.number + 2, $3, $2 FROM n, region`,
    [vmId, claim.id, status, network],
  );
  await look('deployments', id);
  return vmId;
}

async function readyOne(more: object = {}): Promise<Deployment> {
  const { id } = await deploy(more);
  if (!('image_id' in more)) await finished(id);
  await assign(id, { status: 'running' });
  return becomes('ready', id);
}

const isDue = async (kind: string, key: string) =>
  (await database.sql('SELECT FROM reconcile_status WHERE kind = $1 AND key = $2 AND due_at IS NOT NULL', [kind, key]))
    .length === 1;

async function inTransaction<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
  const own = new Database({ url: database.url, role: 'homeostat_deploy', application: 'deploy-svc', connections: 2 });
  try {
    return await own.transaction(work);
  } finally {
    await own.close();
  }
}

/** A step that was decided before the world moved on. */
function stale<Step extends DeploymentStep>(
  key: string,
  step: Step,
): [{ key: string; step: Step; because: string; observed: never }] {
  return [{ key, step, because: 'an old decision', observed: undefined as never }];
}

describe('a deployment', () => {
  beforeEach(() => start({ RECONCILER_DEPLOYMENT_GRACE_PERIOD: '1h' }));

  test('goes from queued to ready, step by step, and tells of it', async () => {
    const created = await deploy({ env: { A: '1' }, port: 81 });
    expect(created).toMatchObject({ status: 'queued', phase: null, build_id: null });
    const queued = await buildOf(created.id);
    expect(queued).toMatchObject({ status: 'queued', commit: 'abc', deployment_id: created.id });
    expect(await read(created.id)).toMatchObject({ status: 'building', phase: 'waiting_for_build' });
    await report('start', queued, { builder: 'b1' });
    const { image_id } = await report('ready', queued, { image: anImage });
    const claim = await claimOf(created.id);
    expect(await isDue('pool', POOL_ID)).toBe(true);
    expect(await read(created.id)).toMatchObject({
      status: 'building',
      phase: 'waiting_for_vm',
      image_id,
      vm_id: null,
    });
    const vm_id = await assign(created.id);
    const done = await becomes('ready', created.id);
    expect(done).toMatchObject({ status: 'ready', phase: null, image_id, vm_id, failed_at: null, inactive_at: null });
    for (const at of [done.building_at, done.image_at, done.ready_at]) expect(at).not.toBeNull();
    expect(await history(created.id)).toEqual(['queued', 'building', 'ready']);
    expect(await history(queued.id)).toEqual(['queued', 'building', 'ready']);
    expect((await told()).map(({ type }) => type)).toEqual([
      'deployment.created',
      'deployment.building',
      'build.requested',
      'build.started',
      'build.ready',
      'vm.claimed',
      'deployment.ready',
    ]);
    const [row] = await database.sql('SELECT port, env, image_id FROM vm_claim WHERE id = $1', [claim.id]);
    expect(row).toEqual({ port: 81, env: { A: '1' }, image_id });
    expect(await call<Image>('GET', `images/${image_id}`)).toMatchObject({ ...anImage, build_id: queued.id });
  });

  test('with an image skips the build', async () => {
    const { image_id } = await readyOne();
    const second = await readyOne({ image_id });
    expect(second).toMatchObject({ build_id: null, image_id });
    expect(await history(second.id)).toEqual(['queued', 'building', 'ready']);
  });

  test('fails with its build, and says why', async () => {
    const { id } = await deploy();
    await report('error', await buildOf(id), { message: 'no Dockerfile' });
    expect(await becomes('failed', id)).toMatchObject({
      reason: 'BuildFailed',
      message: 'its build failed: no Dockerfile',
      phase: null,
    });
    expect(await told('deployment.failed')).toMatchObject([{ subject: id, data: { reason: 'BuildFailed' } }]);
  });

  test('says how many are ahead of it while it waits for a VM', async () => {
    for (let ahead = 0; ahead < 2; ahead += 1) {
      const { id } = await deploy();
      await finished(id);
      await claimOf(id);
    }
    const { id } = await deploy();
    await finished(id);
    await claimOf(id);
    const explained = await eventually(
      () => call<{ because: string; fix: string }>('GET', `deployments/${id}/explain`),
      ({ because }) => because.includes('ahead'),
    );
    expect(explained.because).toBe('it waits for a VM: 2 ahead of it, 0 free in the pool, 0 on their way');
    expect(explained.fix).toContain('RECONCILER_VM_POOL_SIZE');
  });

  test('stays as the second newest for the grace period, and goes at once when there are two newer ones', async () => {
    const [first, second] = [await readyOne(), await readyOne()];
    await settled();
    expect([(await read(first.id)).status, (await read(second.id)).status]).toEqual(['ready', 'ready']);
    const third = await readyOne();
    expect(await becomes('inactive', first.id)).toMatchObject({ vm_id: null, reason: 'Superseded' });
    expect((await claimsOf(first.id)).map(({ status, vm_id }) => [status, vm_id])).toEqual([['released', first.vm_id]]);
    expect(await told('vm.released')).toMatchObject([{ data: { deployment_id: first.id, vm_id: first.vm_id } }]);
    expect(await isDue('vms', first.vm_id!)).toBe(true);
    await settled();
    expect((await read(second.id)).status).toBe('ready');

    await database.sql(`UPDATE deployment SET ready_at = now() - interval '1 h' WHERE id = $1`, [third.id]);
    await look('deployments', second.id);
    expect((await becomes('inactive', second.id)).vm_id).toBeNull();
    expect((await read(third.id)).status).toBe('ready');
  });

  test('that is newer but not ready supersedes nothing', async () => {
    const first = await readyOne();
    const [second, third] = [await deploy(), await deploy()];
    await finished(second.id);
    await report('error', await buildOf(third.id), { message: 'broken' });
    await becomes('failed', third.id);
    await look('deployments', first.id);
    await settled();
    expect((await read(first.id)).status).toBe('ready');
  });

  test('of another environment supersedes nothing', async () => {
    const first = await readyOne();
    place = await newPlace();
    await readyOne();
    await readyOne();
    await look('deployments', first.id);
    await settled();
    expect((await read(first.id)).status).toBe('ready');
  });

  test('that still is queued or building is given up when a newer one is ready, with its build and its claim', async () => {
    const [building, waiting] = [await deploy(), await deploy()];
    const itsBuild = await buildOf(building.id);
    await finished(waiting.id);
    const itsClaim = await claimOf(waiting.id);
    await readyOne();
    for (const { id } of [building, waiting])
      expect(await becomes('failed', id)).toMatchObject({ reason: 'Superseded' });
    expect((await call<Build>('GET', `builds/${itsBuild.id}`)).status).toBe('canceled');
    expect(await claimsOf(waiting.id)).toMatchObject([{ id: itsClaim.id, status: 'released' }]);
  });

  test('that is pinned stays until it is unpinned', async () => {
    const first = await readyOne();
    expect(await call<Deployment>('POST', `deployments/${first.id}/pin`)).toMatchObject({ pinned: true });
    await readyOne();
    await readyOne();
    await settled();
    expect((await read(first.id)).status).toBe('ready');
    await call('POST', `deployments/${first.id}/unpin`);
    expect((await becomes('inactive', first.id)).status).toBe('inactive');
    expect(await refused('POST', `deployments/${first.id}/pin`)).toMatchObject({ status: 409, code: 'conflict' });
  });

  test('that was pinned after the decision to retire it stays', async () => {
    const first = await readyOne();
    await call('POST', `deployments/${first.id}/pin`);
    expect(await inTransaction((tx) => retire(tx, stale(first.id, { do: 'inactivate' })))).toEqual([]);
    expect(await read(first.id)).toMatchObject({ status: 'ready', vm_id: first.vm_id });
    expect(await claimsOf(first.id)).toMatchObject([{ status: 'bound' }]);
  });

  test('that is cancelled ends its build, and can be cancelled twice but not once it is over', async () => {
    const { id } = await deploy();
    const itsBuild = await buildOf(id);
    const answers = await Promise.all([1, 2, 3].map(() => request('POST', `deployments/${id}/cancel`)));
    for (const { status } of answers) expect([202, 409]).toContain(status);
    expect(answers.map(({ status }) => status)).toContain(202);
    expect(await becomes('failed', id)).toMatchObject({ reason: 'Canceled' });
    expect((await call<Build>('GET', `builds/${itsBuild.id}`)).status).toBe('canceled');
    expect(await refused('POST', `deployments/${id}/cancel`)).toMatchObject({ status: 409 });
    expect((await told('deployment.failed', 'build.failed')).map(({ type }) => type).toSorted()).toEqual([
      'build.failed',
      'deployment.failed',
    ]);
  });

  test('that is cancelled while it waits for a VM gives its claim back', async () => {
    const { id } = await deploy();
    await finished(id);
    await claimOf(id);
    await call('POST', `deployments/${id}/cancel`);
    expect(await becomes('failed', id)).toMatchObject({ reason: 'Canceled', vm_id: null });
    expect(await claimsOf(id)).toMatchObject([{ status: 'released' }]);
  });

  test('that is rolled back to runs its image again, without a build, and supersedes what came between', async () => {
    const [first, second] = [await readyOne(), await readyOne()];
    const again = await call<Deployment>('POST', `deployments/${second.id}/rollback`, { to_deployment_id: first.id });
    expect(again).toMatchObject({ status: 'queued', rollback_of: first.id, image_id: first.image_id });
    await assign(again.id);
    expect(await becomes('ready', again.id)).toMatchObject({ build_id: null, image_id: first.image_id });
    await becomes('inactive', first.id);
    expect(await told('build.requested')).toHaveLength(2);
  });

  test('cannot be rolled back to one without an image, nor to one of another environment', async () => {
    const [first, second] = [await readyOne(), await deploy()];
    const fault = await refused('POST', `deployments/${first.id}/rollback`, { to_deployment_id: second.id });
    expect(fault).toMatchObject({ status: 422, errors: [{ pointer: '/to_deployment_id' }] });
    place = await newPlace();
    const elsewhere = await deploy();
    expect(await refused('POST', `deployments/${first.id}/rollback`, { to_deployment_id: elsewhere.id })).toMatchObject(
      { status: 422 },
    );
    expect(await refused('POST', `deployments/${first.id}/rollback`, { to_deployment_id: uuidv7() })).toMatchObject({
      status: 404,
    });
  });

  test('that is deployed once more is built once more', async () => {
    const first = await readyOne({ env: { A: '1' } });
    const second = await call<Deployment>('POST', `deployments/${first.id}/redeploy`);
    expect(second).toMatchObject({ status: 'queued', image_id: null, env: { A: '1' }, commit: 'abc' });
    expect((await buildOf(second.id)).id).not.toBe(first.build_id);
  });

  test('that lost its VM says so, and takes over the next one', async () => {
    const { id } = await readyOne();
    await database.sql('UPDATE vm_claim SET vm_id = NULL, bound_at = NULL WHERE deployment_id = $1', [id]);
    await database.sql('DELETE FROM vm');
    await look('deployments', id);
    await eventually(
      () => read(id),
      ({ vm_id }) => vm_id === null,
    );
    const lost = await eventually(
      () => call<{ because: string }>('GET', `deployments/${id}/explain`),
      ({ because }) => because.includes('waits'),
    );
    expect(lost.because).toBe('it waits for a VM: 0 ahead of it, 0 free in the pool, 0 on their way');
    expect(await read(id)).toMatchObject({ status: 'ready', reason: 'VmLost' });
    const vm_id = await assign(id, { status: 'running' });
    expect(
      await eventually(
        () => read(id),
        (found) => found.vm_id !== null,
      ),
    ).toMatchObject({ status: 'ready', reason: null, vm_id });
    expect(await history(id)).toEqual(['queued', 'building', 'ready']);
  });
});

describe('deadlines', () => {
  test('of VMs end a deployment that gets none, and take its claim back', async () => {
    await start({ RECONCILER_DEPLOYMENT_VM_TIMEOUT: '300ms' });
    const { id } = await deploy();
    await finished(id);
    expect(await becomes('failed', id)).toMatchObject({ reason: 'NoVm' });
    expect(await claimsOf(id)).toMatchObject([{ status: 'released' }]);
  });

  test('of builds count from the start, and a heartbeat moves none', async () => {
    await start({ RECONCILER_BUILD_TIMEOUT: '300ms' });
    const { id } = await deploy();
    const itsBuild = await buildOf(id);
    await report('start', itsBuild, { builder: 'b1' });
    const beating = eventually(
      () => request('POST', `builds/${itsBuild.id}/heartbeat`),
      ({ status }) => status === 409,
    );
    expect(await becomes('failed', id)).toMatchObject({ reason: 'BuildTimeout' });
    await beating;
    expect(await call<Build>('GET', `builds/${itsBuild.id}`)).toMatchObject({ status: 'error', reason: 'Timeout' });
    expect(await refused('POST', `builds/${itsBuild.id}/ready`, { image: anImage })).toMatchObject({ status: 409 });
  });

  test('of queued builds end what nobody builds', async () => {
    await start({ RECONCILER_BUILD_QUEUE_TIMEOUT: '300ms' });
    const [untaken, taken] = [await deploy(), await deploy()];
    await report('take', await buildOf(taken.id), { builder: 'b1' });
    for (const { id } of [untaken, taken]) {
      expect(await becomes('failed', id)).toMatchObject({ reason: 'BuildTimeout' });
      expect(await buildOf(id)).toMatchObject({ status: 'error', reason: 'QueueTimeout' });
    }
  });
});

describe('the gate', () => {
  test('of running workloads holds a deployment until its VM runs', async () => {
    await start({ RECONCILER_DEPLOYMENT_READY_GATE: 'running' });
    const { id } = await deploy();
    await finished(id);
    const vmId = await assign(id);
    await eventually(
      () => call<{ because: string }>('GET', `deployments/${id}/explain`),
      ({ because }) => because === `VM ${vmId} was assigned and is starting`,
    );
    await settled();
    expect((await read(id)).status).toBe('building');
    await database.sql(`UPDATE vm SET status = 'running'`);
    await look('deployments', id);
    expect(await becomes('ready', id)).toMatchObject({ status: 'ready', vm_id: vmId });
  });

  test('of healthy workloads holds a deployment until its workload answers well', async () => {
    await start({ RECONCILER_DEPLOYMENT_READY_GATE: 'healthy', RECONCILER_DEPLOYMENT_HEALTH_PATH: '/health' });
    const asked: string[] = [];
    let answer = 503;
    const workload = createServer((incoming, response) => {
      asked.push(incoming.url!);
      response.writeHead(answer).end();
    });
    await new Promise<void>((listening) => workload.listen(0, '127.77.0.2', listening));
    const { port } = workload.address() as { port: number };
    const { id } = await deploy({ port });
    await finished(id);
    await assign(id, { status: 'running', network: '127.77.0.0' });
    await eventually(
      async () => asked,
      ({ length }) => length >= 2,
    );
    expect((await read(id)).status).toBe('building');
    const explained = await call<{ because: string }>('GET', `deployments/${id}/explain`);
    expect(explained.because).toContain(`http://127.77.0.2:${port}/health answered 503`);
    answer = 204;
    expect((await becomes('ready', id)).status).toBe('ready');
    expect(new Set(asked)).toEqual(new Set(['/health']));
    workload.close();
  });

  test('of healthy workloads fails a deployment whose workload never answers', async () => {
    await start({ RECONCILER_DEPLOYMENT_READY_GATE: 'healthy', RECONCILER_DEPLOYMENT_VM_TIMEOUT: '700ms' });
    const { id } = await deploy({ port: 1 });
    await finished(id);
    await assign(id, { status: 'running', network: '127.77.0.0' });
    const failed = await becomes('failed', id);
    expect(failed).toMatchObject({
      reason: 'NotServing',
      message: expect.stringContaining('not healthy within 0.7 s'),
    });
    expect(await claimsOf(id)).toMatchObject([{ status: 'released' }]);
  });
});

describe('builds', () => {
  beforeEach(() => start());

  test('that two builders start belong to one of them', async () => {
    const { id } = await deploy();
    const itsBuild = await buildOf(id);
    const answers = await Promise.all(
      ['b1', 'b2', 'b3'].map((builder) => request('POST', `builds/${itsBuild.id}/start`, { builder })),
    );
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409, 409]);
    const winner = `b${answers.findIndex(({ status }) => status === 200) + 1}`;
    expect(await buildOf(id)).toMatchObject({ status: 'building', builder: winner });
    const loser = answers.find(({ status }) => status === 409)!;
    expect(((await loser.json()) as Problem).detail).toContain(`is building by ${winner}`);
    expect(await history(itsBuild.id)).toEqual(['queued', 'building']);
  });

  test('that a builder has taken cannot be started by another', async () => {
    const { id } = await deploy();
    const itsBuild = await buildOf(id);
    expect(await report('take', itsBuild, { builder: 'b1' })).toMatchObject({ status: 'initializing', builder: 'b1' });
    expect(await refused('POST', `builds/${itsBuild.id}/start`, { builder: 'b2' })).toMatchObject({ status: 409 });
    expect(await refused('POST', `builds/${itsBuild.id}/take`, { builder: 'b2' })).toMatchObject({ status: 409 });
    expect(await report('start', itsBuild, { builder: 'b1' })).toMatchObject({ status: 'building' });
  });

  const ends: [BuildStatus, string, object | undefined][] = [
    ['ready', 'ready', { image: anImage }],
    ['error', 'error', { message: 'broken' }],
    ['canceled', 'cancel', undefined],
  ];
  test.each(ends)('that are %s refuse every report, and change nothing', async (status, verb, body) => {
    const { id } = await deploy();
    const itsBuild = await report(verb, await buildOf(id), body);
    expect(itsBuild.status).toBe(status);
    await settled();
    const before = [
      await database.sql('SELECT * FROM build'),
      await database.sql('SELECT * FROM image'),
      await told(),
      await history(itsBuild.id),
    ];
    const reports: [string, object?][] = [
      ['take', { builder: 'b' }],
      ['start', { builder: 'b' }],
      ['heartbeat'],
      ['ready', { image: anImage }],
      ['error', { message: 'late' }],
      ['cancel'],
    ];
    for (const [late, more] of reports) {
      const { status: refusal, code, detail } = await refused('POST', `builds/${itsBuild.id}/${late}`, more);
      expect([refusal, code, detail]).toEqual([409, 'conflict', expect.stringContaining(`is ${status}`)]);
    }
    expect([
      await database.sql('SELECT * FROM build'),
      await database.sql('SELECT * FROM image'),
      await told(),
      await history(itsBuild.id),
    ]).toEqual(before);
  });

  test('that are reported ready and failed at the same moment are one or the other', async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => deploy()));
    for (const { id } of all) {
      const itsBuild = await buildOf(id);
      const answers = await Promise.all([
        request('POST', `builds/${itsBuild.id}/ready`, { image: anImage }),
        request('POST', `builds/${itsBuild.id}/error`, { message: 'broken' }),
        request('POST', `builds/${itsBuild.id}/cancel`),
      ]);
      expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409, 409]);
      expect(await history(itsBuild.id)).toHaveLength(2);
    }
  });

  test('are a builder’s to report on, and its tenant’s to see', async () => {
    const { id } = await deploy();
    const itsBuild = await buildOf(id);
    const path = `builds/${itsBuild.id}`;
    expect(await refused('POST', `${path}/start`, { builder: 'b' }, { scopes: ['read', 'write'] })).toMatchObject({
      status: 403,
    });
    expect(await refused('GET', path, undefined, { tenant: 'other' })).toMatchObject({ status: 404 });
    expect(await refused('POST', `${path}/ready`, { image: anImage }, { tenant: 'other' })).toMatchObject({
      status: 404,
    });
    expect(await refused('POST', `${path}/cancel`, undefined, { tenant: 'other' })).toMatchObject({ status: 404 });
    expect(await buildOf(id)).toMatchObject({ status: 'queued' });
  });
});

describe('faults of the original', () => {
  test('fault: unguarded UPDATE … WHERE id', async () => {
    await start();
    const alive = await readyOne();
    const failed = await deploy();
    await report('error', await buildOf(failed.id), { message: 'broken' });
    await becomes('failed', failed.id);
    await settled();
    const tables = ['deployment', 'build', 'vm_claim', 'state_change', 'told'];
    const rows = () => Promise.all(tables.map((table) => database.sql(`SELECT * FROM ${table} ORDER BY id`)));
    const before = await rows();
    const vm_id = alive.vm_id!;
    const effects = await inTransaction(async (tx) => [
      ...(await build(tx, stale(alive.id, { do: 'build' }), 1)),
      ...(await build(tx, stale(failed.id, { do: 'build' }), 1)),
      ...(await ready(tx, stale(failed.id, { do: 'ready', vm_id }))),
      ...(await ready(tx, stale(alive.id, { do: 'ready', vm_id: uuidv7() }))),
      ...(await adopt(tx, stale(failed.id, { do: 'adopt', vm_id }))),
      ...(await retire(tx, stale(alive.id, { do: 'fail', reason: 'BuildTimeout' }))),
      ...(await retire(tx, stale(failed.id, { do: 'inactivate' }))),
      ...(await release(tx, [failed.id])),
      ...(await fail(tx, alive.build_id!, ['queued', 'building'], 'Timeout', 'late')),
    ]);
    expect(effects).toEqual([]);
    expect(await rows()).toEqual(before);
  });

  test('fault: one VM on two deployments – only the VM of its own, unreleased claim makes a deployment ready', async () => {
    await start();
    const other = await readyOne();
    await stop();
    await database.sql(
      `UPDATE deployment SET status = 'building', phase = 'waiting_for_vm', vm_id = NULL WHERE id = $1`,
      [other.id],
    );
    const steal = (vm_id: string) => inTransaction((tx) => ready(tx, stale(other.id, { do: 'ready', vm_id })));
    expect(await steal(uuidv7())).toEqual([]);
    await database.sql('UPDATE vm_claim SET released_at = now()');
    expect(await steal(other.vm_id!)).toEqual([]);
    await database.sql('UPDATE vm_claim SET released_at = NULL');
    await database.sql('UPDATE deployment SET cancel_requested_at = now() WHERE id = $1', [other.id]);
    expect(await steal(other.vm_id!)).toEqual([]);
    await database.sql('UPDATE deployment SET cancel_requested_at = NULL WHERE id = $1', [other.id]);
    expect(await steal(other.vm_id!)).toEqual([other.id]);
  });

  test('fault: duplicate builds', async () => {
    await Promise.all([start(), start(), start()]);
    place = await newPlace();
    const all = await Promise.all(Array.from({ length: 40 }, () => deploy()));
    for (let times = 0; times < 5; times += 1) await look('deployments', ...all.map(({ id }) => id));
    await eventually(
      () => database.sql(`SELECT FROM deployment WHERE status = 'building'`),
      ({ length }) => length === 40,
    );
    await settled();
    const builds = await database.sql<{ deployment_id: string }>('SELECT deployment_id FROM build');
    expect(builds.map(({ deployment_id }) => deployment_id).toSorted()).toEqual(all.map(({ id }) => id).toSorted());
    expect(await told('build.requested')).toHaveLength(40);
    const second = database.sql(
      'INSERT INTO build (id, tenant_id, deployment_id, project_id) SELECT gen_random_uuid(), tenant_id, deployment_id, project_id FROM build LIMIT 1',
    );
    await expect(second).rejects.toThrow('build_deployment_id_key');
  });

  test('fault: timeout overwriting `ready`', async () => {
    await start();
    const { id } = await deploy();
    const itsBuild = await buildOf(id);
    await report('start', itsBuild, { builder: 'b1' });
    await report('ready', itsBuild, { image: anImage });
    await database.sql(
      `UPDATE build SET started_at = now() - interval '1 day', created_at = now() - interval '2 days'`,
    );
    await look('builds', itsBuild.id);
    await settled();
    expect(await inTransaction((tx) => fail(tx, itsBuild.id, ['building'], 'Timeout', 'late'))).toEqual([]);
    expect(await buildOf(id)).toMatchObject({ status: 'ready', reason: null });
    expect(await history(itsBuild.id)).toEqual(['queued', 'building', 'ready']);
  });

  test('fault: a VM returned to the pool before its deployment let go of it (theft) – a release comes once, and names the claim', async () => {
    await start({ RECONCILER_DEPLOYMENT_GRACE_PERIOD: '1ms' });
    const first = await readyOne();
    const [mine] = await claimsOf(first.id);
    await readyOne();
    await becomes('inactive', first.id);
    const [{ both }] = (await database.sql<{ both: boolean }>(
      `SELECT d.xmin = c.xmin AS both FROM deployment d JOIN vm_claim c ON c.deployment_id = d.id WHERE d.id = $1`,
      [first.id],
    )) as [{ both: boolean }];
    expect(both).toBe(true);
    expect(await inTransaction((tx) => release(tx, [first.id]))).toEqual([]);
    await look('deployments', first.id);
    await settled();
    expect(await told('vm.released')).toMatchObject([{ subject: mine!.id, data: { claim_id: mine!.id } }]);
  });

  test('fault: a crash between two writes', async () => {
    await start();
    await database.sql(`
      CREATE FUNCTION crash() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'the process died before the commit'; END $$;
      CREATE CONSTRAINT TRIGGER crash AFTER INSERT ON build DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION crash();
      CREATE CONSTRAINT TRIGGER crash AFTER INSERT ON vm_claim DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION crash();
    `);
    const crashed = (id: string) =>
      eventually(
        () =>
          database.sql<{ because: string }>(
            `SELECT because FROM reconcile_status WHERE key = $1 AND outcome = 'failed'`,
            [id],
          ),
        ([row]) => row?.because.includes('died before the commit') === true,
      );
    const { id } = await deploy();
    await crashed(id);
    expect(await read(id)).toMatchObject({ status: 'queued', build_id: null });
    expect(await database.sql('SELECT FROM build')).toEqual([]);
    expect(await told('build.requested', 'deployment.building')).toEqual([]);
    await database.sql('DROP TRIGGER crash ON build');
    await finished(id);
    await crashed(id);
    expect(await read(id)).toMatchObject({ phase: 'waiting_for_build', image_id: null });
    expect(await claimsOf(id)).toEqual([]);
    await database.sql('DROP TRIGGER crash ON vm_claim');
    await assign(id);
    expect((await becomes('ready', id)).status).toBe('ready');
    expect(await claimsOf(id)).toHaveLength(1);
  });

  test('fault: throughput capped at pool-size per tick', async () => {
    await start({ RECONCILER_INTERVAL: '1h' });
    const { image_id } = await inTransaction(async (tx) => {
      const [image] = await tx.query<{ image_id: string }>(
        `INSERT INTO image (id, tenant_id, registry, repository) VALUES ($1, 'acme', 'r', 'a') RETURNING id AS image_id`,
        [uuidv7()],
      );
      return image!;
    });
    await Promise.all(Array.from({ length: 100 }, () => deploy({ image_id })));
    await eventually(
      () => database.sql(`SELECT FROM vm_claim WHERE status = 'waiting'`),
      ({ length }) => length === 100,
    );
    await database.sql(`
      INSERT INTO vm (id, tenant_id, region_id, number, private_ip, status, claim_id)
      SELECT gen_random_uuid(), 'acme', region.id, c.number, '10.77.0.0'::inet + 8 * c.number + 2, 'starting', c.id FROM vm_claim c, region;
      UPDATE vm_claim SET vm_id = vm.id, bound_at = now() FROM vm WHERE vm.claim_id = vm_claim.id;
      UPDATE deployment SET pinned = true;
      SELECT request_look('deployments', array_agg(id)) FROM deployment;
    `);
    await deploy({ image_id });
    await eventually(
      () => database.sql(`SELECT FROM deployment WHERE status = 'ready'`),
      ({ length }) => length === 100,
    );
  });

  test('fault: deployments stuck for ever – queued with a build', async () => {
    await start();
    const left = await deploy();
    const itsBuild = await buildOf(left.id);
    const orphan = await deploy();
    await buildOf(orphan.id);
    await stop();
    await database.sql(`UPDATE deployment SET status = 'queued', phase = NULL, building_at = NULL`);
    await database.sql('DELETE FROM build WHERE deployment_id = $1', [orphan.id]);
    await look('deployments', left.id, orphan.id);
    await start();
    for (const { id } of [left, orphan]) await becomes('building', id);
    expect((await buildOf(left.id)).id).toBe(itsBuild.id);
    expect(await database.sql('SELECT FROM build')).toHaveLength(2);
    for (const { id } of [left, orphan]) {
      await finished(id);
      await claimOf(id);
    }
  });

  test('fault: deployments stuck for ever – building with a deleted build', async () => {
    await start();
    const { id } = await deploy();
    await buildOf(id);
    await database.sql('DELETE FROM build');
    await look('deployments', id);
    expect(await becomes('failed', id)).toMatchObject({ reason: 'BuildMissing' });
  });

  test('fault: deployments stuck for ever – a ready build without an image', async () => {
    await start();
    const { id } = await deploy();
    await buildOf(id);
    await database.sql(`UPDATE build SET status = 'ready'`);
    await look('deployments', id);
    expect(await becomes('failed', id)).toMatchObject({ reason: 'BuildWithoutImage' });
  });

  test('fault: pg_advisory_lock in the same statement as the read it should guard – several migrations at once are one', async () => {
    const name = `fresh_${uuidv7().replaceAll('-', '')}`;
    await database.sql(`CREATE DATABASE ${name}`);
    const url = new URL(database.url);
    url.pathname = `/${name}`;
    const applied = await Promise.all([1, 2, 3, 4].map(() => migrate(url.href)));
    const worked = applied.filter(({ length }) => length > 0);
    expect(worked).toHaveLength(1);
    expect(new Set(worked[0]).size).toBe(worked[0]!.length);
    await database.sql(`DROP DATABASE ${name} WITH (FORCE)`);
  });
});

describe('requests', () => {
  beforeEach(() => start());

  test('with the same Idempotency-Key make one deployment', async () => {
    const answers = await Promise.all([1, 2, 3, 4].map(() => deploy({}, { key: 'once' })));
    expect(new Set(answers.map(({ id }) => id)).size).toBe(1);
    expect(await database.sql('SELECT FROM deployment')).toHaveLength(1);
    expect(await told('deployment.created')).toHaveLength(1);
    expect(await refused('POST', 'deployments', { ...place, commit: 'other' }, { key: 'once' })).toMatchObject({
      status: 422,
      code: 'idempotency_key_reused',
    });
    expect((await deploy({}, { key: 'once', tenant: 'acme' })).id).toBe(answers[0]!.id);
  });

  test('with ids of another kind or tenant are refused, and say which', async () => {
    const mine = await readyOne();
    const theirs = await newPlace('other');
    const wrong: [object, string][] = [
      [{ project_id: place.environment_id }, '/project_id'],
      [{ environment_id: place.project_id }, '/environment_id'],
      [{ environment_id: theirs.environment_id }, '/environment_id'],
      [{ project_id: theirs.project_id }, '/project_id'],
      [{ image_id: mine.build_id }, '/image_id'],
    ];
    for (const [more, pointer] of wrong) {
      const fault = await refused('POST', 'deployments', { ...place, ...more });
      expect(fault).toMatchObject({ status: 422, errors: [{ pointer }] });
    }
    const { image_id } = mine;
    expect(await refused('POST', 'deployments', { ...theirs, image_id }, { tenant: 'other' })).toMatchObject({
      status: 422,
      errors: [{ pointer: '/image_id' }],
    });
    for (const verb of ['cancel', 'redeploy', 'pin', 'unpin']) {
      expect(await refused('POST', `deployments/${mine.id}/${verb}`, undefined, { tenant: 'other' })).toMatchObject({
        status: 404,
      });
      expect(await refused('POST', `deployments/${mine.build_id}/${verb}`)).toMatchObject({ status: 404 });
    }
    expect(await refused('POST', 'environments', { project_id: theirs.project_id, name: 'x' })).toMatchObject({
      status: 422,
      errors: [{ pointer: '/project_id' }],
    });
    expect(await refused('GET', `images/${image_id}`, undefined, { tenant: 'other' })).toMatchObject({ status: 404 });
    expect(await call('GET', 'deployments', undefined, { tenant: 'other' })).toEqual({ items: [], next_cursor: null });
    expect(await read(mine.id)).toMatchObject({ status: 'ready', pinned: false });
  });

  test('that cancel, pin and assign at the same moment leave every deployment whole', async () => {
    const all = await Promise.all(Array.from({ length: 10 }, async () => deploy({ ...(await newPlace()) })));
    for (const { id } of all) await finished(id);
    await Promise.all(
      all.flatMap(({ id }) => [
        assign(id, { status: 'running' }).catch(() => undefined),
        request('POST', `deployments/${id}/cancel`),
        request('POST', `deployments/${id}/pin`),
        request('POST', `deployments/${id}/cancel`),
      ]),
    );
    await settled();
    for (const { id } of all) {
      const { status, vm_id } = await read(id);
      const live = (await claimsOf(id)).filter((claim) => claim.status !== 'released');
      expect(['ready', 'failed']).toContain(status);
      expect(live.map((claim) => claim.vm_id)).toEqual(status === 'ready' ? [vm_id] : []);
    }
  });

  test('to roll back, to redeploy and to cancel at the same moment end in one newest deployment', async () => {
    const [first, second] = [await readyOne(), await readyOne()];
    const answers = await Promise.all([
      ...[1, 2, 3].map(() => request('POST', `deployments/${second.id}/rollback`, { to_deployment_id: first.id })),
      request('POST', `deployments/${second.id}/redeploy`),
      request('POST', `deployments/${second.id}/cancel`),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 201, 409]);
    const rolled = await database.sql<{ id: string }>(
      'SELECT id FROM deployment WHERE rollback_of = $1 ORDER BY number',
      [first.id],
    );
    expect(rolled).toHaveLength(3);
    await assign(rolled[2]!.id, { status: 'running' });
    await becomes('ready', rolled[2]!.id);
    for (const { id } of rolled.slice(0, 2))
      expect(await becomes('failed', id)).toMatchObject({ reason: 'Superseded', vm_id: null });
    expect((await becomes('inactive', first.id)).status).toBe('inactive');
    const wanted = await database.sql<{ deployment_id: string }>(
      'SELECT deployment_id FROM vm_claim WHERE released_at IS NULL',
    );
    expect(wanted.map(({ deployment_id }) => deployment_id).toSorted()).toEqual([second.id, rolled[2]!.id].toSorted());
  });

  test('for a name that is taken are refused, whoever comes second', async () => {
    const answers = await Promise.all([1, 2, 3].map(() => request('POST', 'projects', { name: 'same' })));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 409, 409]);
    expect((await request('POST', 'projects', { name: 'same' }, { tenant: 'other' })).status).toBe(201);
  });
});

describe('facts', () => {
  test('about newer deployments are those that are ready, in the same environment, the newest first', async () => {
    await start();
    const [first, second, third] = [await readyOne(), await readyOne(), await deploy()];
    const elsewhere = await deploy(await newPlace());
    await stop();
    await database.sql(`UPDATE deployment SET ready_at = '2026-01-01T00:00:00Z' WHERE id = $1`, [second.id]);
    const own = new Database({
      url: database.url,
      role: 'homeostat_deploy',
      application: 'deploy-svc',
      connections: 2,
    });
    const facts = await factsOf(own, [first.id, second.id, third.id, elsewhere.id]);
    await own.close();
    const newer = new Map(facts.map((one) => [one.deployment.id, one.newer]));
    expect(newer.get(first.id)).toEqual({ count: 1, newest_ready_at: new Date('2026-01-01T00:00:00Z') });
    for (const { id } of [second, third, elsewhere]) expect(newer.get(id)).toEqual({ count: 0, newest_ready_at: null });
  });
});
