import { randomInt } from 'node:crypto';
import { Database, serve } from '@homeostat/platform';
import { POOL_ID } from '@homeostat/shared';
import {
  type TestDatabase,
  TestEngine,
  dockerSocket,
  registryProgram,
  startRegistry,
  testDatabase,
  until,
} from '@homeostat/testing';
import { v7 as uuidv7 } from 'uuid';
import { vmPoolService } from '../vm-pool.module';
import { DockerMachines } from './docker.machines';
import type { Machines, Workload } from './machines.port';
import { SimulatedMachines } from './simulated.machines';

const socket = dockerSocket(process.env);
const network = `homeostat-test-${randomInt(2 ** 40).toString(36)}`;
const block = `10.${randomInt(128, 256)}.${randomInt(256)}`;
const pause = `${network}.invalid/pause`;
const { signal } = new AbortController();

let world: TestDatabase;
let database: Database;

beforeAll(async () => {
  world = await testDatabase();
  database = new Database({ url: world.url, role: 'homeostat_vm_pool', application: 'vm-pool-svc', connections: 2 });
});

afterAll(async () => {
  await database.close();
  await world.close();
});

/** What a builder reported, and a deployment wants to run. */
async function workloadOf(
  more: Partial<Workload> = {},
  image = { registry: `${network}.invalid`, repository: 'pause' },
) {
  const imageId = uuidv7();
  await world.sql(
    `INSERT INTO image (id, tenant_id, build_id, registry, repository, tag) VALUES ($1, 'acme', $1, $2, $3, 'latest')`,
    [imageId, image.registry, image.repository],
  );
  return { imageId, port: 8080, env: {}, ...more };
}

interface Provider {
  readonly name: string;
  /** As another process would know it. */
  readonly opened: () => Machines & Partial<{ onApplicationShutdown(): Promise<void> }>;
}

const docker = () => new DockerMachines(database, { socket: socket!, network, subnet: `${block}.0/24`, image: pause });
const providers: Provider[] = [{ name: 'simulated', opened: () => new SimulatedMachines(database, 1, 0) }];
if (socket !== null) providers.push({ name: 'docker', opened: docker });

const engine = socket === null ? null : new TestEngine(socket);
const containers = () =>
  engine!.ask<{ Id: string }[]>('GET', `/containers/json?all=1&filters={"network":["${network}"]}`);

beforeAll(async () => engine?.importPause(pause));

afterAll(async () => {
  if (!engine) return;
  for (const { Id } of await containers()) await engine.ask('DELETE', `/containers/${Id}?force=1&v=1`);
  await engine.ask('DELETE', `/networks/${network}`);
  await engine.ask('DELETE', `/images/${pause}`);
  await engine.close();
});

let last = 0;
const newAddress = () => `${block}.${(last = (last + 1) % 30) * 8 + 2}`;

describe.each(providers)('the machines of the provider $name', ({ opened }) => {
  let machines: ReturnType<Provider['opened']>;
  let id: string;
  let address: string;
  const create = (one = machines) => one.create(id, 'eu', address, signal);

  beforeEach(() => {
    machines = opened();
    id = uuidv7();
    address = newAddress();
  });

  afterEach(async () => {
    for (const [one] of await machines.list(null, 100, signal)) await machines.remove(one, signal);
    await machines.onApplicationShutdown?.();
  });

  test('are made once, however often that is ordered', async () => {
    expect(await create()).toBe('up');
    expect(await create()).toBe('up');
    expect(await machines.observe(id, signal)).toBe('up');
    expect(await machines.list(null, 10, signal)).toEqual(new Map([[id, 'up']]));
  });

  test('are made once, though two replicas order it at the same time', async () => {
    const other = opened();
    // The engine may refuse the second for a moment, and the look is repeated.
    await Promise.allSettled([create(), create(other)]);
    expect(await create()).toBe('up');
    expect(await machines.list(null, 10, signal)).toEqual(new Map([[id, 'up']]));
    await other.onApplicationShutdown?.();
  });

  test('that are not there are absent, and no order but the one to make them does', async () => {
    expect(await machines.observe(id, signal)).toBe('absent');
    expect(await machines.start(id, await workloadOf(), signal)).toBe('absent');
    expect(await machines.scrub(id, signal)).toBe('absent');
    expect(await machines.remove(id, signal)).toBe('absent');
    expect(await machines.list(null, 10, signal)).toEqual(new Map());
  });

  test('run a workload, and are not made anew under it', async () => {
    const workload = await workloadOf();
    await create();
    expect(await machines.start(id, workload, signal)).toBe('running');
    expect(await machines.start(id, workload, signal)).toBe('running');
    expect(await create()).toBe('running');
    expect(await machines.list(null, 10, signal)).toEqual(new Map([[id, 'running']]));
  });

  test('are stopped when they are scrubbed, and come up again', async () => {
    await create();
    await machines.start(id, await workloadOf(), signal);
    expect(await machines.scrub(id, signal)).toBe('stopped');
    expect(await machines.scrub(id, signal)).toBe('stopped');
    expect(await machines.observe(id, signal)).toBe('stopped');
    expect(await create()).toBe('up');
    expect(await machines.start(id, await workloadOf(), signal)).toBe('running');
  });

  test('can be scrubbed though nothing ran on them', async () => {
    await create();
    expect(await machines.scrub(id, signal)).toBe('stopped');
  });

  test('are gone when they are removed, empty or at work, and may be made again', async () => {
    await create();
    expect(await machines.remove(id, signal)).toBe('absent');
    expect(await machines.remove(id, signal)).toBe('absent');
    expect(await create()).toBe('up');
    await machines.start(id, await workloadOf(), signal);
    expect(await machines.remove(id, signal)).toBe('absent');
    expect(await machines.list(null, 10, signal)).toEqual(new Map());
  });

  test('outlive the process that made them, and obey the next one', async () => {
    await create();
    await machines.onApplicationShutdown?.();
    machines = opened();
    expect(await machines.observe(id, signal)).toBe('up');
    expect(await machines.start(id, await workloadOf(), signal)).toBe('running');
  });

  test('are listed in order, page by page', async () => {
    const ids = Array.from({ length: 3 }, () => uuidv7());
    for (const one of ids.toReversed()) await machines.create(one, 'eu', newAddress(), signal);
    const page = async (after: string | null) => [...(await machines.list(after, 2, signal)).keys()];
    expect(await page(null)).toEqual(ids.slice(0, 2));
    expect(await page(ids[1]!)).toEqual(ids.slice(2));
    expect(await page(ids[2]!)).toEqual([]);
  });

  test('obey nobody who has lost patience', async () => {
    await expect(machines.create(id, 'eu', address, AbortSignal.abort(new Error('too late')))).rejects.toThrow();
    expect(await machines.observe(id, signal)).toBe('absent');
  });
});

interface Inspected {
  readonly State: { readonly Status: string };
  readonly Config: { readonly Env: string[]; readonly Labels: Record<string, string> };
  readonly HostConfig: Record<string, unknown>;
  readonly Mounts: readonly { readonly Name: string }[];
  readonly NetworkSettings: { readonly Networks: Record<string, { readonly IPAddress: string }> };
}

(engine ? describe : describe.skip)('a machine of the provider docker', () => {
  let machines: DockerMachines;
  let id: string;
  let address: string;
  const name = () => `${network}-${id}`;
  const own = () => `${name()}-workload`;
  const inspect = (one: string) => engine!.ask<Inspected>('GET', `/containers/${one}/json`);
  const order = (method: 'POST' | 'DELETE', path: string) => engine!.ask(method, `/containers/${path}`);
  const statuses = () => Promise.all([name(), own()].map(async (one) => (await inspect(one)).State.Status));

  beforeEach(async () => {
    machines = docker();
    id = uuidv7();
    address = newAddress();
    expect(await machines.create(id, 'eu', address, signal)).toBe('up');
  });

  afterEach(async () => {
    for (const [one] of await machines.list(null, 100, signal)) await machines.remove(one, signal);
    await machines.onApplicationShutdown();
  });

  test('is a container with the address of its VM, which passes to the one of the workload', async () => {
    const at = async (one: string) => (await inspect(one)).NetworkSettings.Networks[network]!.IPAddress;
    expect(await at(name())).toBe(address);
    await machines.start(id, await workloadOf(), signal);
    expect([await at(name()), await at(own())]).toEqual(['', address]);
    expect(await statuses()).toEqual(['exited', 'running']);
  });

  test('tells the workload its environment and its port, and the engine what it may not do', async () => {
    await machines.start(id, await workloadOf({ port: 3000, env: { A: '1=2' } }), signal);
    const { Config, HostConfig } = await inspect(own());
    expect(Config.Env).toEqual(expect.arrayContaining(['PORT=3000', 'A=1=2']));
    expect(HostConfig).toMatchObject({
      Privileged: false,
      CapDrop: ['NET_RAW'],
      SecurityOpt: ['no-new-privileges:true'],
      PidsLimit: 4096,
      RestartPolicy: { Name: 'unless-stopped' },
      PortBindings: {},
    });
    const { Options } = await engine!.ask<{ Options: object }>('GET', `/networks/${network}`);
    expect(Options).toEqual({ 'com.docker.network.bridge.enable_icc': 'false' });
  });

  test('is known by our labels, whatever the image says of itself', async () => {
    await machines.start(id, await workloadOf(), signal);
    for (const one of [name(), own()]) expect((await inspect(one)).Config.Labels['homeostat.vm']).toBe(id);
    expect(await machines.list(null, 10, signal)).toEqual(new Map([[id, 'running']]));
  });

  test.each(['stop', 'pause'])('says that it is halted when somebody has its workload %s', async (how) => {
    const workload = await workloadOf();
    await machines.start(id, workload, signal);
    await order('POST', `${own()}/${how}`);
    expect(await machines.observe(id, signal)).toBe('halted');
    expect(await machines.list(null, 10, signal)).toEqual(new Map([[id, 'halted']]));
  });

  test('keeps nothing of its workload when it is scrubbed', async () => {
    await machines.start(id, await workloadOf(), signal);
    const [volume] = (await inspect(own())).Mounts;
    await machines.scrub(id, signal);
    await expect(inspect(own())).rejects.toThrow('No such container');
    await expect(engine!.ask('GET', `/volumes/${volume!.Name}`)).rejects.toThrow('no such volume');
  });

  test('is started to the end though we crashed when the container of the workload was made', async () => {
    const workload = await workloadOf();
    await machines.start(id, workload, signal);
    await order('POST', `${own()}/stop`);
    await order('POST', `${name()}/start`);
    expect(await machines.observe(id, signal)).toBe('booting');
    expect(await machines.start(id, workload, signal)).toBe('running');
    expect(await statuses()).toEqual(['exited', 'running']);
  });

  test('is started though we crashed when the empty container was stopped', async () => {
    await order('POST', `${name()}/stop`);
    expect(await machines.start(id, await workloadOf(), signal)).toBe('running');
  });

  test('is scrubbed, and removed, to the end though we crashed on the way', async () => {
    await machines.start(id, await workloadOf(), signal);
    await order('POST', `${own()}/stop`);
    expect(await machines.scrub(id, signal)).toBe('stopped');
    await machines.start(id, await workloadOf(), signal);
    await order('DELETE', `${own()}?force=1&v=1`);
    expect(await machines.remove(id, signal)).toBe('absent');
  });

  test('runs its own workload, and not the one that an order left behind which came late', async () => {
    await machines.start(id, await workloadOf({ env: { OF: 'the claim before' } }), signal);
    expect(await machines.start(id, await workloadOf({ env: { OF: 'this claim' } }), signal)).toBe('running');
    expect((await inspect(own())).Config.Env).toContain('OF=this claim');
  });

  test('of another fleet, or of nobody, is not ours', async () => {
    const others = { 'homeostat.network': `${network}-other`, 'homeostat.vm': uuidv7() };
    const nobodys = { 'homeostat.network': network, 'homeostat.vm': 'no id' };
    for (const Labels of [others, nobodys]) {
      const body = { Image: pause, Labels, HostConfig: { NetworkMode: network } };
      await engine!.ask('POST', '/containers/create', body);
    }
    expect(await machines.list(null, 10, signal)).toEqual(new Map([[id, 'up']]));
  });

  test('stays as it was when the image of its workload cannot be had, and says what to do', async () => {
    const workload = await workloadOf({}, { registry: '127.0.0.1:1', repository: 'shop' });
    await until('the engine has given up', () =>
      machines.start(id, workload, signal).then(
        (state) => state !== 'booting',
        ({ message }: Error) => {
          expect(message).toMatch(
            /^image 127\.0\.0\.1:1\/shop:latest cannot be had: .*; push it, or load it into the engine$/,
          );
          return true;
        },
      ),
    );
    expect(await machines.observe(id, signal)).toBe('up');
  });

  test('whose workload cannot be run says why', async () => {
    const workload = await workloadOf({ env: { 'A\0': '' } });
    await expect(machines.start(id, workload, signal)).rejects.toThrow('the Docker engine refused POST /containers/');
  });

  const program = engine && registryProgram('distribution', process.env);
  (program ? test : test.skip)('pulls the image of its workload from the registry', async () => {
    const { address: registry, close } = await startRegistry('distribution', program!);
    const image = `${registry}/shop`;
    try {
      await engine!.ask(
        'POST',
        `/images/${encodeURIComponent(pause)}/tag?repo=${encodeURIComponent(image)}&tag=latest`,
      );
      await engine!.ask('POST', `/images/${encodeURIComponent(image)}/push?tag=latest`);
      await engine!.ask('DELETE', `/images/${encodeURIComponent(image)}`);
      const workload = await workloadOf({}, { registry, repository: 'shop' });
      await until('it runs', async () => (await machines.start(id, workload, signal)) === 'running');
    } finally {
      await machines.remove(id, signal);
      await engine!.ask('DELETE', `/images/${encodeURIComponent(image)}`);
      await close();
    }
  });
});

(engine ? test : test.skip)(
  'with the provider docker the pool fills, serves a claim, and mends what others break',
  async () => {
    const running = await serve([vmPoolService], {
      RECONCILER_DATABASE_URL: world.url,
      RECONCILER_HTTP_PORT: '0',
      RECONCILER_LOG_LEVEL: 'error',
      RECONCILER_INTERVAL: '100ms',
      RECONCILER_VM_POOL_SIZE: '2',
      RECONCILER_VM_NETWORK: `${block}.0/24`,
      RECONCILER_VM_PROVIDER: 'docker',
      RECONCILER_DOCKER_SOCKET: socket!,
      RECONCILER_DOCKER_NETWORK: network,
      RECONCILER_DOCKER_IMAGE: `${pause}:latest`,
    });
    const vmsIn = (status: string) => world.sql<{ id: string }>('SELECT id FROM vm WHERE status = $1', [status]);
    const look = (kind: string, key: string) => world.sql('SELECT request_look($1, ARRAY[$2::uuid])', [kind, key]);
    try {
      await world.sql(`INSERT INTO region (id, tenant_id, name) VALUES ($1, 'system', 'eu')`, [uuidv7()]);
      await look('pool', POOL_ID);
      await until('two VMs are free', async () => (await vmsIn('pooling')).length === 2);
      await world.sql(
        `INSERT INTO vm_claim (id, deployment_id, image_id, port, tenant_id) VALUES ($1, $1, $2, 8080, 'acme')`,
        [uuidv7(), (await workloadOf()).imageId],
      );
      await look('pool', POOL_ID);
      const runs = async () => (await vmsIn('running'))[0] ?? false;
      const vm = await until('the claim is served', runs);
      const machines = docker();
      const stray = uuidv7();
      await machines.create(stray, 'eu', `${block}.250`, signal);
      await machines.remove(vm.id, signal);
      await look('inventory', POOL_ID);
      await until('the stray is gone', async () => (await machines.observe(stray, signal)) === 'absent');
      const second = await until('another VM serves the claim', async () => {
        const other = await runs();
        return other && other.id !== vm.id && other;
      });
      await engine!.ask('POST', `/containers/${network}-${second.id}-workload/stop`);
      await look('inventory', POOL_ID);
      await until('a third one serves the claim', async () => {
        const other = await runs();
        return other && other.id !== second.id;
      });
      await machines.onApplicationShutdown();
    } finally {
      await running.stop();
    }
  },
);
