import { Database, type Running, type Tx, serve } from '@homeostat/platform';
import { POOL_ID, type VmStatus } from '@homeostat/shared';
import { type TestDatabase, testDatabase, eventually } from '@homeostat/testing';
import { v7 as uuidv7 } from 'uuid';
import { InventoryReconciler } from './inventory/inventory.reconciler';
import { MACHINES, type MachineState, type Machines, type Workload } from './machines/machines.port';
import { bind, make, report } from './pool/pool.writes';
import { parseNetwork } from './vm/address';
import { discard, forget, move } from './vm/vm.writes';
import { vmPoolService } from './vm-pool.module';

type Order = 'create' | 'start' | 'scrub' | 'remove' | 'observe';

/** A provider that does as it is told at once, unless the spec lets something befall an order. */
class ScriptedMachines implements Machines {
  readonly atOnce = 100;
  readonly states = new Map<string, MachineState>();
  readonly workloads = new Map<string, Workload>();
  readonly calls: { order: Order; vmId: string; region?: string; address?: string }[] = [];
  readonly unlisted = new Set<string>();
  befalls: (order: Order, vmId: string) => 'fail' | 'hang' | MachineState | null = () => null;

  create(vmId: string, region: string, address: string): Promise<MachineState> {
    const before = this.states.get(vmId);
    return this.order(
      { order: 'create', vmId, region, address },
      before === undefined || before === 'stopped' ? 'up' : before,
    );
  }

  start(vmId: string, workload: Workload): Promise<MachineState> {
    this.workloads.set(vmId, workload);
    return this.order({ order: 'start', vmId }, this.states.has(vmId) ? 'running' : 'absent');
  }

  scrub(vmId: string): Promise<MachineState> {
    this.workloads.delete(vmId);
    return this.order({ order: 'scrub', vmId }, this.states.has(vmId) ? 'stopped' : 'absent');
  }

  remove(vmId: string): Promise<MachineState> {
    return this.order({ order: 'remove', vmId }, 'absent');
  }

  observe(vmId: string): Promise<MachineState> {
    return this.order({ order: 'observe', vmId }, this.states.get(vmId) ?? 'absent');
  }

  async list(after: string | null, limit: number): Promise<ReadonlyMap<string, MachineState>> {
    const ids = [...this.states.keys()].filter((id) => !this.unlisted.has(id) && (after === null || id > after));
    const page = ids.toSorted().slice(0, limit);
    return new Map(page.map((id) => [id, this.states.get(id)!]));
  }

  called(order: Order): string[] {
    return this.calls.filter((call) => call.order === order).map(({ vmId }) => vmId);
  }

  private async order(call: ScriptedMachines['calls'][number], state: MachineState): Promise<MachineState> {
    this.calls.push(call);
    const fate = this.befalls(call.order, call.vmId);
    if (fate === 'hang') return new Promise(() => {});
    if (fate === 'fail') throw new Error(`${call.order} was refused: region full`);
    if (fate !== null) return fate;
    if (state === 'absent') this.states.delete(call.vmId);
    else this.states.set(call.vmId, state);
    return state;
  }
}

interface VmRow {
  readonly id: string;
  readonly number: number;
  readonly private_ip: string;
  readonly status: VmStatus;
  readonly claim_id: string | null;
  readonly region: string;
}
interface ClaimRow {
  readonly id: string;
  readonly deployment_id: string;
  readonly vm_id: string | null;
  readonly status: 'waiting' | 'bound' | 'released';
}

let database: TestDatabase;
let machines: ScriptedMachines;
let replicas: Running[];

beforeEach(async () => {
  database = await testDatabase();
  machines = new ScriptedMachines();
  replicas = [];
  await database.sql(`
    CREATE TABLE told (LIKE outbox);
    CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN INSERT INTO public.told SELECT NEW.*; RETURN NULL; END';
    CREATE TRIGGER tell AFTER INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION tell();
  `);
});

afterEach(async () => {
  await Promise.all(replicas.map((replica) => replica.stop()));
  const { close } = database;
  database = undefined as never;
  await close();
});

async function start(settings: Record<string, string> = {}): Promise<Running> {
  const scripted = { ...vmPoolService, providers: [{ provide: MACHINES, useValue: machines }] };
  const running = await serve([scripted], {
    RECONCILER_DATABASE_URL: database.url,
    RECONCILER_HTTP_PORT: '0',
    RECONCILER_LOG_LEVEL: 'error',
    RECONCILER_INTERVAL: '100ms',
    ...settings,
  });
  replicas.push(running);
  return running;
}

async function restart(settings: Record<string, string> = {}): Promise<void> {
  await Promise.all(replicas.splice(0).map((replica) => replica.stop()));
  await start(settings);
}

async function regions(...names: string[]): Promise<void> {
  for (const name of names)
    await database.sql(`INSERT INTO region (id, tenant_id, name) VALUES ($1, 'system', $2)`, [uuidv7(), name]);
  await look('pool', POOL_ID);
}

const look = (kind: string, ...keys: string[]) => database.sql('SELECT request_look($1, $2::uuid[])', [kind, keys]);
const vms = (): Promise<VmRow[]> =>
  database.sql<VmRow>(
    `SELECT vm.id, vm.number, host(private_ip) AS private_ip, vm.status, claim_id, region.name AS region
     FROM vm JOIN region ON region.id = region_id ORDER BY vm.number`,
  );
const claims = (): Promise<ClaimRow[]> =>
  database.sql<ClaimRow>('SELECT id, deployment_id, vm_id, status FROM vm_claim ORDER BY number');
const told = (type: string) =>
  database.sql<{ data: Record<string, string> }>('SELECT data FROM told WHERE type = $1 ORDER BY id', [type]);
/** Waits until the last stock-taking came to this. */
const inventorySays = (because: string) =>
  eventually(
    () =>
      database.sql(`SELECT FROM reconcile_status WHERE kind = 'inventory' AND because = $1 AND lease_holder IS NULL`, [
        because,
      ]),
    (rows) => rows.length === 1,
  );
const condition = async () =>
  (await database.sql<{ condition: string | null }>('SELECT condition FROM pool'))[0]!.condition;

/** What deploy-svc writes when deployments want VMs. */
async function claim(count: number, wanted = 'assigned'): Promise<string[]> {
  const ids = Array.from({ length: count }, () => uuidv7());
  await database.sql(
    `INSERT INTO vm_claim (id, deployment_id, image_id, port, env, tenant_id, wanted)
     SELECT id, gen_random_uuid(), gen_random_uuid(), 8080, '{"A": "1"}', 'acme', $2 FROM unnest($1::uuid[]) AS id`,
    [ids, wanted],
  );
  await look('pool', POOL_ID);
  return ids;
}

/** What deploy-svc writes when deployments end; it may come late, or twice. */
async function release(...ids: string[]): Promise<void> {
  const rows = await database.sql<{ vm_id: string | null }>(
    'UPDATE vm_claim SET released_at = coalesce(released_at, now()) WHERE id = ANY ($1) RETURNING vm_id',
    [ids],
  );
  await look('vms', ...rows.flatMap(({ vm_id }) => vm_id ?? []));
}

const inState = (status: VmStatus) => async () => (await vms()).filter((vm) => vm.status === status);
const untilPooling = (count: number) => eventually(inState('pooling'), (found) => found.length === count);
const untilRunning = (count: number) => eventually(inState('running'), (found) => found.length === count);
const untilBound = (count: number) =>
  eventually(
    async () => (await claims()).filter((one) => one.status === 'bound'),
    (found) => found.length >= count,
  );
const untilCondition = (wanted: string | null) => eventually(condition, (found) => found === wanted);
/** Nothing is under way, and nothing is due but deadlines that lie ahead. */
const settled = () =>
  eventually(
    () =>
      database.sql(
        `SELECT FROM reconcile_status WHERE kind IN ('pool', 'vms') AND (due_at <= now() + interval '2 s' OR lease_holder IS NOT NULL)`,
      ),
    (due) => due.length === 0,
  );

async function inTransaction<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
  const own = new Database({
    url: database.url,
    role: 'homeostat_vm_pool',
    application: 'vm-pool-svc',
    connections: 2,
  });
  try {
    return await own.transaction(work);
  } finally {
    await own.close();
  }
}

describe('the pool', () => {
  test('fills up, region by region, with addresses of its network', async () => {
    await regions('eu', 'us');
    await start();
    const pooling = await untilPooling(3);
    expect(pooling).toMatchObject([
      { number: 0, private_ip: '10.77.0.2', region: 'eu' },
      { number: 1, private_ip: '10.77.0.10', region: 'us' },
      { number: 2, private_ip: '10.77.0.18', region: 'eu' },
    ]);
    expect(machines.calls.map(({ region, address }) => [region, address]).toSorted()).toEqual([
      ['eu', '10.77.0.18'],
      ['eu', '10.77.0.2'],
      ['us', '10.77.0.10'],
    ]);
    expect(await told('vm.pooled')).toHaveLength(3);
  });

  test('spreads VMs evenly over regions though each is made after a restart', async () => {
    await regions('eu', 'us', 'ap');
    await start({ RECONCILER_VM_POOL_SIZE: '1' });
    for (let made = 1; made < 6; made += 1) {
      await untilPooling(1);
      await Promise.all(replicas.splice(0).map((replica) => replica.stop()));
      await claim(1);
      await start({ RECONCILER_VM_POOL_SIZE: '1' });
      await untilBound(made);
    }
    await untilPooling(1);
    expect((await vms()).map(({ region }) => region)).toEqual(['eu', 'us', 'ap', 'eu', 'us', 'ap']);
  });

  test('says that there is no region, and goes on when there is one', async () => {
    await start();
    await untilCondition('NoRegion');
    await regions('eu');
    await untilPooling(3);
    expect(await condition()).toBeNull();
  });

  test('of size 0 makes nothing, and a claim on it waits', async () => {
    await regions('eu');
    await start({ RECONCILER_VM_POOL_SIZE: '0' });
    await claim(1);
    const [row] = await eventually(
      () =>
        database.sql<{ because: string }>(
          `SELECT because FROM reconcile_status WHERE kind = 'pool' AND due_at IS NULL`,
        ),
      ([found]) => found?.because.includes('1 claim(s)') === true,
    );
    expect(row!.because).toBe('0 of 0 VM(s) are free, 0 on their way; 1 claim(s) wait for a VM');
    expect(await vms()).toEqual([]);
  });

  test('shrinks to its new size at a restart, and grows again', async () => {
    await regions('eu');
    await start({ RECONCILER_VM_POOL_SIZE: '4' });
    await untilPooling(4);
    await restart({ RECONCILER_VM_POOL_SIZE: '1' });
    const left = await eventually(vms, (found) => found.length === 1);
    expect(left).toMatchObject([{ number: 0, status: 'pooling' }]);
    expect([...machines.states.keys()]).toEqual([left[0]!.id]);
    await restart({ RECONCILER_VM_POOL_SIZE: '2', RECONCILER_VM_QUARANTINE: '1ms' });
    expect((await untilPooling(2)).map(({ number }) => number)).toEqual([0, 4]);
  });

  test('gives a claim’s VM its workload, its tenant and its image', async () => {
    await regions('eu');
    await start();
    await claim(1, 'running');
    const [vm] = await untilRunning(1);
    expect(
      await database.sql(`SELECT FROM reconcile_status JOIN vm_claim ON deployment_id = key WHERE due_at IS NOT NULL`),
    ).toHaveLength(1);
    expect(machines.workloads.get(vm!.id)).toMatchObject({ port: 8080, env: { A: '1' } });
    const [row] = await database.sql(
      'SELECT vm.tenant_id, vm.image_id = c.image_id AS right FROM vm JOIN vm_claim c ON c.id = claim_id',
    );
    expect(row).toEqual({ tenant_id: 'acme', right: true });
    expect(await told('vm.assigned')).toMatchObject([{ data: { vm_id: vm!.id } }]);
    expect(await told('vm.running')).toMatchObject([{ data: { vm_id: vm!.id, claim_id: vm!.claim_id } }]);
  });

  test('serves claims in their order', async () => {
    await regions('eu');
    const waiting = await claim(3);
    await start({ RECONCILER_VM_POOL_SIZE: '1', RECONCILER_VM_NETWORK: '10.77.0.0/29' });
    for (const first of waiting) {
      expect((await untilBound(1))[0]!.id).toBe(first);
      await untilRunning(1);
      await release(first);
      await eventually(claims, (found) => found.find(({ id }) => id === first)!.status === 'released');
    }
  });
});

describe('addresses', () => {
  test('that are exhausted are a condition, said once, without a half-made VM; a quarantine that ends mends it', async () => {
    await regions('eu');
    await start({
      RECONCILER_VM_NETWORK: '10.9.0.0/28',
      RECONCILER_VM_QUARANTINE: '1h',
      RECONCILER_VM_RELEASE_POLICY: 'delete',
    });
    await untilCondition('AddressesExhausted');
    expect((await vms()).map(({ private_ip }) => private_ip)).toEqual(['10.9.0.2', '10.9.0.10']);
    const [mine] = await claim(1);
    await untilRunning(1);
    await release(mine!);
    await eventually(vms, (found) => found.length === 1);
    await settled();
    expect(await condition()).toBe('AddressesExhausted');
    expect(await told('pool.exhausted')).toMatchObject([{ data: { reason: 'AddressesExhausted' } }]);

    await database.sql('UPDATE vm_address SET free_at = now() WHERE vm_id IS NULL');
    await look('pool', POOL_ID);
    const again = await eventually(vms, (found) => found.length === 2);
    expect(again.map(({ private_ip }) => private_ip)).toEqual(['10.9.0.2', '10.9.0.10']);
  });

  test('beyond a network that became smaller are not used again', async () => {
    await regions('eu');
    await database.sql('INSERT INTO vm_address (number, free_at) SELECT n, now() FROM generate_series(0, 9) AS n');
    await start({ RECONCILER_VM_NETWORK: '10.9.0.0/28' });
    await untilCondition('AddressesExhausted');
    expect((await vms()).map(({ private_ip }) => private_ip)).toEqual(['10.9.0.2', '10.9.0.10']);
  });

  test('rest in quarantine while there are others', async () => {
    await regions('eu');
    await start({
      RECONCILER_VM_POOL_SIZE: '1',
      RECONCILER_VM_QUARANTINE: '1h',
      RECONCILER_VM_RELEASE_POLICY: 'delete',
    });
    for (const number of [0, 1, 2]) {
      const [mine] = await claim(1);
      expect(await untilRunning(1)).toMatchObject([{ number }]);
      await release(mine!);
      await eventually(vms, (found) => found.every((vm) => vm.number !== number));
    }
  });

  test('fault: text addresses running past 10.77.255.x', async () => {
    await regions('eu');
    await database.sql(
      'INSERT INTO vm_address (number, vm_id) SELECT n, gen_random_uuid() FROM generate_series(0, 8190) AS n',
    );
    await start();
    await untilCondition('AddressesExhausted');
    expect(await vms()).toMatchObject([{ number: 8191, private_ip: '10.77.255.250' }]);
    const twice = database.sql(
      `INSERT INTO vm (id, tenant_id, region_id, number, private_ip) SELECT gen_random_uuid(), 'system', region_id, 1, private_ip FROM vm`,
    );
    await expect(twice).rejects.toThrow('vm_private_ip_key');
  });
});

describe('the provider', () => {
  test('fault: provider failure creating rows until the address space is gone', async () => {
    await regions('eu');
    machines.befalls = () => 'fail';
    const impatient = { RECONCILER_VM_BOOT_TIMEOUT: '1ms' };
    await start(impatient);
    await eventually(
      async () => machines.called('create'),
      (calls) => calls.length >= 9,
    );
    expect(await vms()).toMatchObject([
      { status: 'initializing' },
      { status: 'initializing' },
      { status: 'initializing' },
    ]);
    expect(await database.sql('SELECT FROM vm_address')).toHaveLength(3);
    machines.befalls = () => null;
    await untilPooling(3);
    expect(new Set(machines.called('create')).size).toBe(3);
  });

  test('that hangs on one machine holds up no other, nor a shutdown', async () => {
    await regions('eu');
    let hung = '';
    machines.befalls = (order, vmId) =>
      order === 'create' && [vmId, ''].includes(hung) ? ((hung = vmId), 'hang') : null;
    await start();
    await untilPooling(2);
    await claim(2);
    await untilRunning(2);
    await Promise.all(replicas.splice(0).map((replica) => replica.stop()));
    expect(await database.sql('SELECT FROM reconcile_status WHERE lease_holder IS NOT NULL')).toEqual([]);
  });

  test('that never gets a machine up has it replaced', async () => {
    await regions('eu');
    let first = '';
    machines.befalls = (order, vmId) =>
      order === 'create' && [vmId, ''].includes(first) ? ((first = vmId), 'booting') : null;
    await start({ RECONCILER_VM_POOL_SIZE: '1', RECONCILER_VM_BOOT_TIMEOUT: '300ms' });
    const [vm] = await untilPooling(1);
    expect(vm!.id).not.toBe(first);
    expect(machines.called('remove')).toContain(first);
    const history = await database.sql<{ to_state: string; because: string }>(
      'SELECT to_state, because FROM state_change WHERE key = $1 ORDER BY id',
      [first],
    );
    expect(history.map(({ to_state }) => to_state).slice(0, 2)).toEqual(['initializing', 'deleting']);
    expect(history[1]!.because).toBe('the machine was not up within 0.3 s');
  });

  test('that says up, and then knows nothing of the machine, has it replaced: the claim keeps its place', async () => {
    await regions('eu');
    await start({ RECONCILER_VM_POOL_SIZE: '1' });
    const [liar] = await untilPooling(1);
    await settled();
    machines.states.clear();
    const [mine] = await claim(1);
    await eventually(claims, ([one]) => one!.vm_id !== null && one!.vm_id !== liar!.id);
    const [vm] = await untilRunning(1);
    expect(vm!.claim_id).toBe(mine);
    expect(await told('vm.lost')).toMatchObject([{ data: { vm_id: liar!.id, claim_id: mine } }]);
  });

  test('that omits a machine in its list is asked for it by name before it counts as gone', async () => {
    await regions('eu');
    await start({ RECONCILER_VM_POOL_SIZE: '1' });
    await claim(1);
    const [vm] = await untilRunning(1);
    machines.unlisted.add(vm!.id);
    await look('inventory', POOL_ID);
    await eventually(
      async () => machines.called('observe'),
      (asked) => asked.includes(vm!.id),
    );
    await eventually(
      () => database.sql(`SELECT FROM reconcile_status WHERE kind = 'inventory' AND lease_holder IS NULL`),
      (rows) => rows.length === 1,
    );
    expect(await untilRunning(1)).toMatchObject([{ id: vm!.id }]);
    expect(await told('vm.lost')).toEqual([]);
  });

  test('that forgot a machine has it replaced, and the deployment is told', async () => {
    await regions('eu');
    await start({ RECONCILER_VM_POOL_SIZE: '1' });
    const [mine] = await claim(1);
    const [vm] = await untilRunning(1);
    await untilPooling(1);
    machines.states.delete(vm!.id);
    await look('inventory', POOL_ID);
    await eventually(claims, ([one]) => one!.vm_id !== null && one!.vm_id !== vm!.id);
    const [other] = await untilRunning(1);
    expect(other!.claim_id).toBe(mine);
    const [{ deployment_id }] = (await claims()) as [ClaimRow];
    expect(await told('vm.lost')).toMatchObject([{ data: { vm_id: vm!.id, claim_id: mine, deployment_id } }]);
    expect(
      await database.sql(`SELECT FROM reconcile_status WHERE kind = 'deployments' AND key = $1`, [deployment_id]),
    ).toHaveLength(1);
    await eventually(vms, (found) => found.every(({ id }) => id !== vm!.id));
  });

  test('that forgot a free machine has it replaced before a claim gets it', async () => {
    await regions('eu');
    await start();
    const pooling = await untilPooling(3);
    machines.states.delete(pooling[1]!.id);
    await look('inventory', POOL_ID);
    await eventually(vms, (found) => found.every(({ id }) => id !== pooling[1]!.id));
    await untilPooling(3);
    expect(await told('vm.lost')).toEqual([]);
  });

  test('whose workload somebody stopped is asked twice, and then replaced; the deployment is told', async () => {
    await regions('eu');
    await start({ RECONCILER_VM_POOL_SIZE: '1' });
    const [mine] = await claim(1);
    const [vm] = await untilRunning(1);
    await untilPooling(1);
    machines.states.set(vm!.id, 'halted');
    await look('inventory', POOL_ID);
    await inventorySays('1 machine(s) do not do what they should; they are asked again');
    expect(await untilRunning(1)).toMatchObject([{ id: vm!.id }]);
    await eventually(claims, ([one]) => one!.vm_id !== null && one!.vm_id !== vm!.id);
    expect(await untilRunning(1)).toMatchObject([{ claim_id: mine }]);
    expect(await told('vm.lost')).toMatchObject([{ data: { vm_id: vm!.id, claim_id: mine } }]);
    const [change] = await database.sql<{ because: string }>(
      `SELECT because FROM state_change WHERE key = $1 AND to_state = 'deleting'`,
      [vm!.id],
    );
    expect(change!.because).toBe('somebody stopped the workload');
  });

  test('that says for a moment that a workload is stopped is believed when it says that it runs', async () => {
    await regions('eu');
    await start({ RECONCILER_VM_POOL_SIZE: '1' });
    await claim(1);
    const [vm] = await untilRunning(1);
    machines.states.set(vm!.id, 'stopped');
    await look('inventory', POOL_ID);
    await inventorySays('1 machine(s) do not do what they should; they are asked again');
    machines.states.set(vm!.id, 'running');
    await look('inventory', POOL_ID);
    await inventorySays('all machines are accounted for');
    machines.states.set(vm!.id, 'stopped');
    await look('inventory', POOL_ID);
    await inventorySays('1 machine(s) do not do what they should; they are asked again');
    expect(await untilRunning(1)).toMatchObject([{ id: vm!.id }]);
  });

  test('that runs something on a free machine has it replaced before a claim gets it', async () => {
    await regions('eu');
    await start({ RECONCILER_VM_POOL_SIZE: '1' });
    const [free] = await untilPooling(1);
    machines.states.set(free!.id, 'running');
    await look('inventory', POOL_ID);
    await inventorySays('1 machine(s) do not do what they should; they are asked again');
    await eventually(vms, (found) => found.every(({ id }) => id !== free!.id));
    expect(await untilPooling(1)).toMatchObject([{ claim_id: null }]);
  });

  test('is not believed about a VM that was moved on since', async () => {
    await regions('eu');
    await start({ RECONCILER_VM_POOL_SIZE: '1' });
    const [mine] = await claim(1);
    const [vm] = await untilRunning(1);
    const [{ generation }] = (await database.sql<{ generation: string }>('SELECT generation FROM vm WHERE id = $1', [
      vm!.id,
    ])) as [{ generation: string }];
    const inventory = new InventoryReconciler(undefined as never, machines);
    const stray = { id: vm!.id, reason: 'WorkloadStopped', because: 'somebody stopped the workload' } as const;
    const observed = { stock: { strays: [], suspected: 0, destroyed: 0 } };
    const replace = (of: string) => {
      const step = { do: 'replace', vms: [{ ...stray, generation: of }] } as const;
      return inTransaction((tx) => inventory.act([{ key: POOL_ID, observed, step, because: '' }], tx));
    };
    await replace(String(BigInt(generation) - 1n));
    expect(await vms()).toContainEqual(expect.objectContaining({ id: vm!.id, status: 'running', claim_id: mine }));
    await replace(generation);
    expect(await vms()).not.toContainEqual(expect.objectContaining({ id: vm!.id, status: 'running' }));
  });

  test('has machines destroyed that no row knows', async () => {
    await regions('eu');
    const stray = uuidv7();
    machines.states.set(stray, 'running');
    await start();
    await eventually(
      async () => [...machines.states.keys()],
      (known) => known.length === 3 && !known.includes(stray),
    );
    await untilPooling(3);
  });
});

describe('a released VM', () => {
  test('is scrubbed and used again, where that is the policy', async () => {
    await regions('eu');
    await start({ RECONCILER_VM_POOL_SIZE: '1', RECONCILER_VM_NETWORK: '10.77.0.0/29' });
    const [mine] = await claim(1);
    const [vm] = await untilRunning(1);
    await release(mine!);
    expect(await untilPooling(1)).toMatchObject([{ id: vm!.id, claim_id: null }]);
    expect(machines.called('scrub')).toEqual([vm!.id]);
    const states = await database.sql<{ to_state: string }>(
      'SELECT to_state FROM state_change WHERE key = $1 ORDER BY id',
      [vm!.id],
    );
    expect(states.map(({ to_state }) => to_state)).toEqual([
      'initializing',
      'pooling',
      'starting',
      'running',
      'stopping',
      'off',
      'initializing',
      'pooling',
    ]);
    const [row] = await database.sql('SELECT tenant_id, image_id FROM vm');
    expect(row).toEqual({ tenant_id: 'system', image_id: null });
  });

  test('is deleted, where that is the policy', async () => {
    await regions('eu');
    await start({ RECONCILER_VM_POOL_SIZE: '1', RECONCILER_VM_RELEASE_POLICY: 'delete' });
    const [mine] = await claim(1);
    const [vm] = await untilRunning(1);
    await release(mine!);
    await eventually(
      () => told('vm.deleted'),
      (deleted) => deleted.length === 1,
    );
    expect((await vms()).map(({ id }) => id)).not.toContain(vm!.id);
    expect(machines.states.has(vm!.id)).toBe(false);
    expect(await database.sql('SELECT FROM vm_claim WHERE freed_at IS NOT NULL')).toHaveLength(1);
  });

  test('is nobody’s until the provider has scrubbed it', async () => {
    await regions('eu');
    await start({ RECONCILER_VM_POOL_SIZE: '1', RECONCILER_VM_NETWORK: '10.77.0.0/29' });
    const [mine] = await claim(1);
    await untilRunning(1);
    machines.befalls = (order) => (order === 'scrub' ? 'fail' : null);
    await release(mine!);
    const [next] = await claim(1);
    await eventually(
      async () => machines.called('scrub'),
      (calls) => calls.length >= 2,
    );
    expect(await vms()).toMatchObject([{ status: 'stopping', claim_id: mine }]);
    expect((await claims()).find(({ id }) => id === next)!.vm_id).toBeNull();
    machines.befalls = () => null;
    expect(await untilRunning(1)).toMatchObject([{ claim_id: next }]);
  });

  test('is replaced where an order that came late started its workload again', async () => {
    await regions('eu');
    await start({ RECONCILER_VM_POOL_SIZE: '1' });
    const [mine] = await claim(1);
    const [vm] = await untilRunning(1);
    machines.befalls = (order, vmId) => (order === 'create' && vmId === vm!.id ? 'running' : null);
    await release(mine!);
    await eventually(vms, (left) => left.every(({ id }) => id !== vm!.id));
    expect(machines.called('remove')).toContain(vm!.id);
    await untilPooling(1);
  });

  test('fault: a VM returned to the pool before its deployment let go of it (theft)', async () => {
    await regions('eu');
    await start({ RECONCILER_VM_POOL_SIZE: '1', RECONCILER_VM_NETWORK: '10.77.0.0/29' });
    const [mine] = await claim(1);
    const [vm] = await untilRunning(1);
    await release(mine!);
    const [next] = await claim(1);
    await eventually(inState('running'), ([found]) => found?.claim_id === next);
    for (let times = 0; times < 3; times += 1) {
      await release(mine!);
      await settled();
    }
    expect(await vms()).toMatchObject([{ id: vm!.id, status: 'running', claim_id: next }]);
    expect((await claims()).find(({ id }) => id === next)).toMatchObject({ status: 'bound', vm_id: vm!.id });
    expect(machines.called('scrub')).toHaveLength(1);
  });
});

describe('several processes', () => {
  test('fault: one VM on two deployments with two replicas', async () => {
    await regions('eu', 'us');
    await Promise.all([start(), start()]);
    const first = await claim(10);
    await Promise.all([claim(10), untilBound(5).then(() => release(...first.slice(0, 5)))]);
    await eventually(claims, (found) => found.length === 20 && found.every(({ vm_id }) => vm_id !== null));
    await untilPooling(3);
    await settled();
    const live = (await claims()).filter(({ status }) => status === 'bound');
    expect(new Set(live.map(({ vm_id }) => vm_id)).size).toBe(live.length);
    const held = (await vms()).filter(({ claim_id }) => claim_id !== null);
    expect(held.map(({ id, claim_id }) => `${id} ${claim_id}`).toSorted()).toEqual(
      live.map(({ id, vm_id }) => `${vm_id} ${id}`).toSorted(),
    );
    const vm_id = live[0]!.vm_id;
    const second = database.sql(
      'INSERT INTO vm_claim (id, deployment_id, image_id, port, tenant_id, vm_id) VALUES (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 1, $1, $2)',
      ['acme', vm_id],
    );
    await expect(second).rejects.toThrow('vm_claim_one_per_vm');
  });

  test('make no more VMs than one process would', async () => {
    await regions('eu');
    await Promise.all([start(), start(), start()]);
    await claim(12);
    await untilBound(12);
    await untilPooling(3);
    await settled();
    expect(await vms()).toHaveLength(15);
    expect(new Set(machines.called('create')).size).toBe(15);
  });

  test('fault: throughput capped at pool-size per tick', async () => {
    await regions('eu');
    await claim(100);
    await start({ RECONCILER_VM_POOL_SIZE: '5', RECONCILER_INTERVAL: '1h' });
    await untilBound(100);
    await untilPooling(5);
    await untilRunning(100);
    const looks = await database.sql(
      `SELECT FROM reconcile_status JOIN vm_claim ON deployment_id = key WHERE due_at IS NOT NULL`,
    );
    expect(looks).toHaveLength(100);
  });
});

describe('writes', () => {
  const change = (id: string) => ({ key: id, because: 'an old decision', reason: 'Surplus' });

  test('fault: unguarded UPDATE … WHERE id', async () => {
    await regions('eu');
    await start({ RECONCILER_VM_POOL_SIZE: '1' });
    const [mine] = await claim(1);
    const [vm] = await untilRunning(1);
    const [free] = await untilPooling(1);
    await settled();
    const before = [
      await vms(),
      await claims(),
      await database.sql('SELECT * FROM state_change'),
      await database.sql('SELECT * FROM told'),
    ];
    const effects = await inTransaction(async (tx) => [
      (await move(tx, [change(vm!.id)], ['initializing'], 'pooling')).length,
      (await move(tx, [change(vm!.id)], ['starting'], 'running')).length,
      (await move(tx, [change(free!.id)], ['stopping'], 'off')).length,
      (await forget(tx, [change(vm!.id)], 1)).length,
      await bind(tx, [{ claim: mine!, vm: free!.id }]),
      await bind(tx, [{ claim: uuidv7(), vm: free!.id }]),
      await make(
        tx,
        {
          do: 'make',
          vms: [{ number: vm!.number, region: (await database.sql<{ id: string }>('SELECT id FROM region'))[0]!.id }],
          turn: 2,
        },
        parseNetwork('10.77.0.0/16')!,
        '',
      ),
    ]);
    expect(effects).toEqual([0, 0, 0, 0, 0, 0, 0]);
    expect([
      await vms(),
      await claims(),
      await database.sql('SELECT * FROM state_change'),
      await database.sql('SELECT * FROM told'),
    ]).toEqual(before);
  });

  test('a VM that is being deleted is not discarded twice', async () => {
    await regions('eu');
    machines.befalls = (order) => (order === 'remove' ? 'fail' : null);
    await start({ RECONCILER_VM_POOL_SIZE: '1' });
    const [vm] = await untilPooling(1);
    await Promise.all(replicas.splice(0).map((replica) => replica.stop()));
    expect(await inTransaction(async (tx) => (await discard(tx, [change(vm!.id)])).length)).toBe(1);
    expect(await inTransaction(async (tx) => (await discard(tx, [change(vm!.id)])).length)).toBe(0);
  });

  test('a claim that was released meanwhile gets no VM', async () => {
    await regions('eu');
    await start({ RECONCILER_VM_POOL_SIZE: '1' });
    const [free] = await untilPooling(1);
    await Promise.all(replicas.splice(0).map((replica) => replica.stop()));
    const [mine] = await claim(1);
    await release(mine!);
    expect(await inTransaction((tx) => bind(tx, [{ claim: mine!, vm: free!.id }]))).toBe(0);
    expect(await vms()).toMatchObject([{ status: 'pooling', claim_id: null }]);
  });

  test('a VM that serves a claim is not bound to another', async () => {
    await regions('eu');
    await start({ RECONCILER_VM_POOL_SIZE: '1' });
    const [first] = await claim(1);
    const [vm] = await untilRunning(1);
    await Promise.all(replicas.splice(0).map((replica) => replica.stop()));
    const [second] = await claim(1);
    expect(await inTransaction((tx) => bind(tx, [{ claim: second!, vm: vm!.id }]))).toBe(0);
    expect((await claims()).map(({ id, vm_id }) => [id, vm_id])).toEqual([
      [first, vm!.id],
      [second, null],
    ]);
  });

  test('what hinders the pool is told once, though two processes may find it', async () => {
    const exhausted = { do: 'report', condition: 'AddressesExhausted', message: 'every address is used' } as const;
    expect(await inTransaction((tx) => report(tx, exhausted))).toBe(true);
    expect(await inTransaction((tx) => report(tx, exhausted))).toBe(false);
    expect(await told('pool.exhausted')).toHaveLength(1);
    expect(await inTransaction((tx) => report(tx, { do: 'report', condition: null, message: null }))).toBe(true);
    expect([await condition(), await told('pool.exhausted')]).toEqual([null, [expect.anything()]]);
  });

  test('a number that rests, or that another VM has, is not given away', async () => {
    await regions('eu');
    const [{ id: region }] = (await database.sql<{ id: string }>('SELECT id FROM region')) as [{ id: string }];
    await database.sql(`INSERT INTO vm_address (number, free_at) VALUES (0, now() + interval '1 h'), (1, now())`);
    const wanted = [0, 1, 2].map((number) => ({ number, region }));
    expect(
      await inTransaction((tx) =>
        make(tx, { do: 'make', vms: wanted, turn: 3 }, parseNetwork('10.77.0.0/16')!, 'it is missing'),
      ),
    ).toBe(2);
    expect((await vms()).map(({ number }) => number)).toEqual([1, 2]);
  });

  test('fault: a crash between two writes leaking a VM in `starting`', async () => {
    await regions('eu');
    await start();
    await untilPooling(3);
    await database.sql(`
      CREATE FUNCTION crash() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'the process died before the commit'; END $$;
      CREATE CONSTRAINT TRIGGER crash AFTER UPDATE ON vm_claim DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION crash();
    `);
    await claim(2);
    await eventually(
      () =>
        database.sql<{ because: string }>(
          `SELECT because FROM reconcile_status WHERE kind = 'pool' AND outcome = 'failed'`,
        ),
      ([row]) => row?.because.includes('died before the commit') === true,
    );
    expect((await vms()).map(({ status, claim_id }) => [status, claim_id])).toEqual(Array(3).fill(['pooling', null]));
    expect((await claims()).map(({ vm_id }) => vm_id)).toEqual([null, null]);
    expect(await told('vm.assigned')).toEqual([]);
    expect(await database.sql(`SELECT FROM state_change WHERE to_state = 'starting'`)).toEqual([]);
    await database.sql('DROP TRIGGER crash ON vm_claim');
    await untilRunning(2);
    await untilPooling(3);
  });
});
