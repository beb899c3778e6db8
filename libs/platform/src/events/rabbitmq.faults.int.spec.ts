import { type AddressInfo, type Server, type Socket, connect as dial, createServer } from 'node:net';
import type { HouseEvent } from '@homeostat/shared';
import { type TestBroker, type TestDatabase, hasBroker, testBroker, testDatabase } from '@homeostat/testing';
import { v7 as uuidv7 } from 'uuid';
import { Database } from '../database/database';
import { type Log, makeLog } from '../logs';
import { Outbox } from './outbox';
import { RabbitmqTransport } from './rabbitmq.transport';
import { deadQueueOf, queueOf } from './topology';

jest.setTimeout(120_000);

const log: Log = makeLog('silent');
const service = 'alpha-svc';
let broker: TestBroker;
let server: TestDatabase;
let database: Database;
let transport: RabbitmqTransport;
let outbox: Outbox;
let relay: NodeJS.Timeout;
let got: string[];
let handler: (event: HouseEvent) => unknown;

/** A process that writes events, and takes its own. */
function startProcess(urls: readonly string[] = [broker.url]): void {
  transport = new RabbitmqTransport({ urls, caFile: null }, [service], log);
  transport.addHandler('vm.deleted', async (event: HouseEvent) => handler(event), true, { service });
  outbox = new Outbox(database, transport, log);
  transport.listen(() => undefined);
  relay = setInterval(() => void outbox.relay().catch(() => undefined), 1_000);
}

async function stopProcess(): Promise<void> {
  clearInterval(relay);
  await transport.close();
  await outbox.settled();
  await transport.disconnect();
}

async function emit(count: number): Promise<string[]> {
  const ids: string[] = [];
  const committed = new Database(
    { url: server.url, role: null, application: service, connections: 1 },
    ({ events }) => {
      ids.push(...events.map(({ id }) => id));
      outbox.send(events);
    },
  );
  await committed.transaction(async (tx) => {
    for (let n = 0; n < count; n += 1) {
      const subject = uuidv7();
      tx.emit('vm.deleted', { tenant_id: 'default', subject, version: '1', data: { vm_id: subject } });
    }
  });
  await committed.close();
  return ids;
}

async function until(isSo: () => boolean | Promise<boolean>, withinMs = 40_000): Promise<void> {
  for (const end = Date.now() + withinMs; !(await isSo());) {
    if (Date.now() > end) throw new Error(`${isSo.toString()} is not so: ${transport.fault}, ${got.length} came`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const arrived = (ids: readonly string[]) => (): boolean => {
  const there = new Set(got);
  return ids.every((id) => there.has(id));
};
const left = async (): Promise<number> =>
  Number((await server.sql<{ n: string }>('SELECT count(*) AS n FROM outbox'))[0]!.n);
const well = (): boolean => transport.fault === null;
const queues = () => broker.manage<{ name: string; messages?: number }[]>('GET', 'queues/%2F?disable_stats=true');

(hasBroker() ? describe : describe.skip)('a broker in trouble', () => {
  beforeAll(async () => {
    broker = await testBroker();
  });

  beforeEach(async () => {
    server = await testDatabase();
    database = new Database({ url: server.url, role: null, application: service, connections: 4 });
    got = [];
    handler = ({ id }) => got.push(id);
  });

  afterEach(async () => {
    await stopProcess();
    await database.close();
    await server.close();
  });

  afterAll(() => broker.close());

  it('starts without it, keeps events, says so, and sends them as soon as it is there', async () => {
    startProcess();
    await until(well);
    // A crash of RabbitMQ 3.10 in the seconds before it writes down that there is a new queue leaves it without a leader.
    await broker.ctl('eval', '[dets:sync(Table) || Table <- dets:all()].');
    await stopProcess();
    await broker.kill();
    startProcess();
    // Nobody comes by to send what was left: it goes because the broker is back.
    clearInterval(relay);
    await until(() => /^the broker is away: 127\.0\.0\.1:\d+: /.test(transport.fault ?? ''));
    expect(transport.fault).not.toContain(new URL(broker.url).password);
    const ids = await emit(500);
    expect(await left()).toBe(500);
    await broker.restart();
    await until(arrived(ids));
    await until(async () => (await left()) === 0);
  });

  it('loses nothing when the broker is killed and started again in the middle', async () => {
    startProcess();
    await until(well);
    const ids: string[] = [];
    const load = (async () => {
      for (let n = 0; n < 60; n += 1) ids.push(...(await emit(20)));
    })();
    await until(() => got.length > 100);
    await broker.kill();
    await broker.restart();
    await load;
    await until(arrived(ids));
    expect(ids).toHaveLength(1_200);
    await until(async () => (await left()) === 0);
  });

  it('attaches again when its connections are closed from the management side', async () => {
    startProcess();
    await until(well);
    const connections = await broker.manage<{ name: string }[]>('GET', 'connections');
    await until(async () => (await broker.manage<object[]>('GET', 'connections')).length >= 2);
    for (const { name } of connections) await broker.manage('DELETE', `connections/${encodeURIComponent(name)}`);
    await broker.ctl('close_all_connections', 'closed by a test');
    const ids = await emit(50);
    await until(arrived(ids));
    await until(well);
  });

  it('makes its queues anew when they are deleted, with their bindings', async () => {
    startProcess();
    await until(well);
    await broker.manage('DELETE', `queues/%2F/${queueOf(service)}`);
    await broker.manage('DELETE', `queues/%2F/${deadQueueOf(service)}`);
    await until(async () => (await queues()).length === 2);
    await until(well);
    await until(arrived(await emit(10)));
  });

  it('finds out when bindings or exchanges were taken away', async () => {
    startProcess();
    await until(well);
    await broker.manage('DELETE', 'exchanges/%2F/homeostat.events');
    // Until the watch has found out, nobody seems to want them.
    await until(async () => {
      await emit(1);
      return got.length > 0;
    });
    await until(arrived(await emit(10)));
  });

  it('waits while the broker has no memory left, and goes on taking events', async () => {
    startProcess();
    await until(well);
    let slowly = true;
    handler = async ({ id }) => {
      while (slowly) await new Promise((resolve) => setTimeout(resolve, 20));
      got.push(id);
    };
    const before = await emit(300);
    await until(async () => (await left()) === 0);
    await broker.ctl('set_vm_memory_high_watermark', 'absolute', '1MB');
    const during = await emit(300);
    await until(() => /takes no messages for now/.test(transport.fault ?? ''));
    slowly = false;
    await until(arrived(before));
    expect(await left()).toBe(300);
    const since = performance.now();
    await expect(transport.publish([])).rejects.toThrow(/takes no messages/);
    expect(performance.now() - since).toBeLessThan(1_000);
    await broker.ctl('set_vm_memory_high_watermark', 'absolute', '512MB');
    await until(arrived(during));
    await until(async () => (await left()) === 0);
  });

  it('notices that the network swallows everything, and goes another way', async () => {
    const tunnel = await Tunnel.to(Number(new URL(broker.url).port));
    const through = new URL(broker.url);
    through.port = String(tunnel.port);
    startProcess([through.href, broker.url]);
    await until(well);
    await until(() => tunnel.count === 2);
    tunnel.swallow();
    const ids = await emit(100);
    await until(arrived(ids));
    await until(well);
    tunnel.close();
  });

  it('is not held up by an event that the broker refuses', async () => {
    startProcess();
    await until(well);
    const ids = await emit(20);
    await until(arrived(ids));
    const good = ids.map((id) => eventOf(id));
    const bad = { ...eventOf(uuidv7()), type: 'x'.repeat(300) as 'vm.deleted' };
    expect([...(await transport.publish([...good.slice(0, 10), bad, ...good.slice(10)]))].sort()).toEqual(
      [...ids].sort(),
    );
    await broker.ctl('eval', 'persistent_term:put({rabbit_channel, max_message_size}, 2000), ok.');
    await broker.ctl('eval', 'application:set_env(rabbit, max_message_size, 2000).');
    await broker.ctl('close_all_connections', 'new limits');
    await until(() => !well());
    await until(well);
    const big = { ...eventOf(uuidv7()), tenantid: 'x'.repeat(4_000) };
    const through = await transport.publish([...good.slice(0, 10), big, ...good.slice(10)]);
    expect([...through].sort()).toEqual([...ids].sort());
  });

  it('has another replica send what a dead one left', async () => {
    startProcess();
    await until(well);
    await server.sql(
      `INSERT INTO outbox (id, type, source, tenant_id, subject, version, data, at, relay_at)
       SELECT gen_random_uuid(), 'vm.deleted', '/homeostat/dead', 'default', gen_random_uuid(), 1,
         json_build_object('vm_id', gen_random_uuid()), now(), now() FROM generate_series(1, 1000)`,
    );
    const ids = (await server.sql<{ id: string }>('SELECT id FROM outbox')).map(({ id }) => id);
    await until(arrived(ids), 5_000);
    await until(async () => (await left()) === 0);
  });
});

function eventOf(id: string): HouseEvent<'vm.deleted'> {
  return {
    specversion: '1.0',
    id,
    source: '/homeostat/test',
    type: 'vm.deleted',
    subject: id,
    time: new Date().toISOString(),
    datacontenttype: 'application/json',
    tenantid: 'default',
    version: '1',
    data: { vm_id: id },
  };
}

/** A way to a port that can be made to swallow what goes through it, without closing. */
class Tunnel {
  private readonly sockets = new Set<Socket>();
  private readonly server: Server;
  count = 0;

  private constructor(private readonly target: number) {
    this.server = createServer((near) => {
      this.count += 1;
      const far = dial(this.target, '127.0.0.1');
      for (const socket of [near, far]) this.sockets.add(socket.on('error', () => undefined));
      near.on('data', (data) => far.write(data));
      far.on('data', (data) => near.write(data));
    });
  }

  static async to(target: number): Promise<Tunnel> {
    const tunnel = new Tunnel(target);
    await new Promise<void>((resolve) => tunnel.server.listen(0, '127.0.0.1', () => resolve()));
    return tunnel;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  swallow(): void {
    this.server.close();
    for (const socket of this.sockets) socket.removeAllListeners('data').resume();
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy();
  }
}
