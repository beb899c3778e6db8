import type { EventType, HouseEvent } from '@homeostat/shared';
import { type TestBroker, hasBroker, testBroker } from '@homeostat/testing';
import { connect } from 'amqplib';
import { register } from 'prom-client';
import { v7 as uuidv7 } from 'uuid';
import { type Log, makeLog } from '../logs';
import { DeadLetters } from './dead-letters';
import { RabbitmqTransport } from './rabbitmq.transport';
import { EVENTS, deadQueueOf, queueOf } from './topology';

jest.setTimeout(120_000);

type Handlers = Partial<Record<EventType, (event: HouseEvent) => unknown>>;

const log: Log = makeLog('silent');
let broker: TestBroker;
let transports: RabbitmqTransport[] = [];

/** A process of one service, or of several, whose handlers do what they are told. */
async function replica(services: Readonly<Record<string, Handlers>>): Promise<RabbitmqTransport> {
  const transport = new RabbitmqTransport({ urls: [broker.url], caFile: null }, Object.keys(services), log);
  for (const [service, handlers] of Object.entries(services))
    for (const [type, handler] of Object.entries(handlers))
      transport.addHandler(type, async (event: HouseEvent) => handler(event), true, { service });
  transport.listen(() => undefined);
  transports.push(transport);
  await until(() => transport.fault === null);
  return transport;
}

async function until(isSo: () => boolean | Promise<boolean>, withinMs = 30_000): Promise<void> {
  for (const end = Date.now() + withinMs; !(await isSo());) {
    if (Date.now() > end) throw new Error(`${isSo.toString()} is not so`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function event(vmId = uuidv7()): HouseEvent<'vm.deleted'> {
  return {
    specversion: '1.0',
    id: uuidv7(),
    source: '/homeostat/test',
    type: 'vm.deleted',
    subject: vmId,
    time: new Date().toISOString(),
    datacontenttype: 'application/json',
    tenantid: 'default',
    version: '1',
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00',
    data: { vm_id: vmId },
  };
}

const events = (count: number): HouseEvent[] => Array.from({ length: count }, () => event());
const idsOf = (some: readonly HouseEvent[]): string[] => some.map(({ id }) => id).sort();

/** Puts anything into the exchange, as nobody in the house would. */
async function throwIn(content: string, type = 'vm.deleted', messageId: string = uuidv7()): Promise<void> {
  const model = await connect(broker.url);
  const channel = await model.createConfirmChannel();
  channel.publish(EVENTS, type, Buffer.from(content), { messageId });
  await channel.waitForConfirms();
  await model.close();
}

async function depth(queue: string): Promise<number> {
  const model = await connect(broker.url);
  const channel = await model.createChannel();
  const { messageCount } = await channel.checkQueue(queue);
  await model.close();
  return messageCount;
}

const letters = () => new DeadLetters({ urls: [broker.url], caFile: null });

async function counted(service: string, result: string): Promise<number> {
  const { values } = await register.getSingleMetric('homeostat_events_received_total')!.get();
  return values.find(({ labels }) => labels['service'] === service && labels['result'] === result)?.value ?? 0;
}

(hasBroker() ? describe : describe.skip)('over a real broker', () => {
  beforeAll(async () => {
    broker = await testBroker();
  });

  afterEach(async () => {
    await Promise.all(transports.map((transport) => transport.close().then(() => transport.disconnect())));
    transports = [];
  });

  afterAll(() => broker.close());

  it('brings an event, as it was, to the handlers of another process', async () => {
    const got: HouseEvent[] = [];
    await replica({ 'alpha-svc': { 'vm.deleted': (one) => got.push(one) } });
    const sender = await replica({ 'beta-svc': {} });
    const sent = event();
    expect(await sender.publish([sent])).toEqual([sent.id]);
    await until(() => got.length === 1);
    expect(got).toEqual([sent]);
  });

  it('gives each service of a process its own copy, and calls each handler once', async () => {
    const calls: string[] = [];
    const one = await replica({
      'gamma-svc': { 'vm.deleted': () => calls.push('gamma') },
      'delta-svc': { 'vm.deleted': () => calls.push('delta') },
    });
    one.addHandler('vm.deleted', async () => calls.push('late'), true, { service: 'gamma-svc' });
    await one.publish([event()]);
    await until(() => calls.length >= 3);
    await until(async () => (await depth(queueOf('gamma-svc'))) === 0);
    expect(calls.sort()).toEqual(['delta', 'gamma', 'late']);
  });

  it('shares a queue between the replicas of a service', async () => {
    const [first, second]: HouseEvent[][] = [[], []];
    const sender = await replica({ 'epsilon-svc': { 'vm.deleted': (one) => first!.push(one) } });
    await replica({ 'epsilon-svc': { 'vm.deleted': (one) => second!.push(one) } });
    const sent = events(100);
    await sender.publish(sent);
    await until(() => first!.length + second!.length >= 100);
    expect(idsOf([...first!, ...second!])).toEqual(idsOf(sent));
    expect(Math.min(first!.length, second!.length)).toBeGreaterThan(0);
  });

  it('counts an event that nobody wants as arrived', async () => {
    const sender = await replica({ 'zeta-svc': {} });
    const unwanted = { ...event(), type: 'pool.exhausted', data: { reason: 'full' } } as HouseEvent;
    expect(await sender.publish([unwanted])).toEqual([unwanted.id]);
    const { values } = await register.getSingleMetric('homeostat_events_unrouted_total')!.get();
    expect(values[0]!.value).toBe(1);
  });

  it('keeps what comes while no replica is there', async () => {
    const got: HouseEvent[] = [];
    const before = await replica({ 'eta-svc': { 'vm.deleted': () => undefined } });
    await before.close();
    const sent = events(3);
    expect(await before.publish(sent)).toHaveLength(3);
    await replica({ 'eta-svc': { 'vm.deleted': (one) => got.push(one) } });
    await until(() => got.length === 3);
    expect(idsOf(got)).toEqual(idsOf(sent));
  });

  it('passes over what a newer version, or an older one, has asked for', async () => {
    const newer = await replica({ 'theta-svc': { 'vm.pooled': () => undefined } });
    await newer.close();
    await replica({ 'theta-svc': { 'vm.deleted': () => undefined } });
    await newer.publish([{ ...event(), type: 'vm.pooled', data: { vm_id: uuidv7(), region_id: uuidv7() } }]);
    await throwIn(JSON.stringify({ ...event(), type: 'vm.painted' }));
    await until(async () => (await counted('theta-svc', 'unwanted')) === 1);
    await until(async () => (await counted('theta-svc', 'unknown')) === 1);
    expect(await depth(queueOf('theta-svc'))).toBe(0);
    expect(await depth(deadQueueOf('theta-svc'))).toBe(0);
  });

  it('makes a dead letter of what is no event, and says why', async () => {
    await replica({ 'iota-svc': { 'vm.deleted': () => undefined } });
    await throwIn('{', 'vm.deleted', 'one');
    await throwIn('{"specversion":"1.0"}', 'vm.deleted', 'two');
    await throwIn(JSON.stringify({ ...event(), data: { vm_id: 7 } }), 'vm.deleted', 'three');
    await until(async () => (await depth(deadQueueOf('iota-svc'))) === 3);
    const { items, total } = await letters().list('iota-svc', 50);
    expect(total).toBe(3);
    expect(items.map(({ id, reason }) => [id, reason])).toEqual([
      ['one', 'rejected'],
      ['two', 'rejected'],
      ['three', 'rejected'],
    ]);
    expect(items.map(({ message }) => message)).toEqual([
      'it is not JSON',
      expect.stringMatching(/^it is no CloudEvent: id: /),
      expect.stringMatching(/^its data are none of vm\.deleted: vm_id: /),
    ]);
    expect(items[0]!.died_at.getTime()).toBeGreaterThan(Date.now() - 60_000);
  });

  it('tries a failing event again a few times with growing pauses, gives it up, and goes on with the others', async () => {
    const poison = event();
    const tries: number[] = [];
    const got: HouseEvent[] = [];
    const sender = await replica({
      'kappa-svc': {
        'vm.deleted': (one) => {
          if (one.id !== poison.id) return got.push(one);
          tries.push(performance.now());
          throw new Error('not this one');
        },
      },
    });
    const others = events(300);
    await sender.publish([poison, ...others]);
    await until(() => got.length === 300);
    expect(tries.length).toBeLessThan(11);
    await until(async () => (await depth(deadQueueOf('kappa-svc'))) === 1);
    expect(tries).toHaveLength(11);
    expect(tries[10]! - tries[0]!).toBeGreaterThan(5_000);
    const { items } = await letters().list('kappa-svc', 50);
    expect(items).toMatchObject([{ id: poison.id, reason: 'delivery_limit', count: 1, type: 'vm.deleted' }]);
    expect(items[0]!.event).toEqual(poison);
  });

  it('is not held up by many that fail', async () => {
    const bad = new Set<string>();
    const got: HouseEvent[] = [];
    const sender = await replica({
      'lambda-svc': {
        'vm.deleted': (one) => {
          if (bad.has(one.id)) throw new Error('not this one');
          got.push(one);
        },
      },
    });
    const many = events(400);
    many.slice(0, 300).forEach(({ id }) => bad.add(id));
    await sender.publish(many);
    await until(() => got.length === 100, 3_000);
  });

  it('puts dead letters back or drops them, one or all, and keeps their order', async () => {
    let well = false;
    const got: string[] = [];
    const sender = await replica({
      'mu-svc': {
        'vm.deleted': (one) => {
          if (!well) throw new Error('not yet');
          got.push(one.id);
        },
      },
    });
    const sent = events(4);
    await sender.publish(sent);
    const [a, b, c, d] = sent.map(({ id }) => id) as [string, string, string, string];
    await until(async () => (await depth(deadQueueOf('mu-svc'))) === 4);
    const there = async (): Promise<string[]> => (await letters().list('mu-svc', 50)).items.map(({ id }) => id);
    const before = await there();
    expect([...before].sort()).toEqual([a, b, c, d].sort());
    for (let time = 0; time < 25; time += 1) expect(await there()).toEqual(before);
    expect(await letters().requeue({ service: 'mu-svc', id: b })).toEqual({ count: 1, remaining: 3 });
    await until(async () => (await depth(deadQueueOf('mu-svc'))) === 4);
    expect((await letters().list('mu-svc', 50)).items.find(({ id }) => id === b)!.count).toBe(2);
    expect(await letters().drop({ service: 'mu-svc', id: a })).toEqual({ count: 1, remaining: 3 });
    well = true;
    expect(await letters().requeue({ service: 'mu-svc', id: null })).toEqual({ count: 3, remaining: 0 });
    await until(() => got.length === 3);
    expect(got.sort()).toEqual([b, c, d].sort());
    expect(await there()).toEqual([]);
  });

  it('loses no dead letter when whoever looks at it dies', async () => {
    await replica({ 'nu-svc': { 'vm.deleted': () => undefined } });
    await throwIn('{', 'vm.deleted', 'one');
    await until(async () => (await depth(deadQueueOf('nu-svc'))) === 1);
    const model = await connect(broker.url);
    const channel = await model.createChannel();
    expect(await channel.get(deadQueueOf('nu-svc'))).toBeTruthy();
    await model.close();
    await until(async () => (await letters().list('nu-svc', 5)).items.length === 1);
  });

  it('knows no dead letters of a service that was never there', async () => {
    expect(await letters().list('nobody-svc', 5)).toEqual({ items: [], total: 0 });
    expect(await letters().drop({ service: 'nobody-svc', id: null })).toEqual({ count: 0, remaining: 0 });
  });

  it('says what to do about a queue that was made otherwise, and recovers once that is done', async () => {
    const model = await connect(broker.url);
    const channel = await model.createChannel();
    const options = { durable: true, arguments: { 'x-queue-type': 'quorum', 'x-delivery-limit': 3 } };
    await channel.assertQueue(queueOf('xi-svc'), options);
    const transport = new RabbitmqTransport({ urls: [broker.url], caFile: null }, ['xi-svc'], log);
    transport.addHandler('vm.deleted', async () => undefined, true, { service: 'xi-svc' });
    transport.listen(() => undefined);
    transports.push(transport);
    await until(() => /x-d/.test(transport.fault ?? ''));
    expect(transport.fault).toMatch(
      /^the queue homeostat\.xi-svc was made with another x-\S+ \(.+; wanted is .+\): once there is nothing in it that you would miss, run: rabbitmqctl --vhost '\/' delete_queue homeostat\.xi-svc; /,
    );
    expect(await transport.publish([event()])).toHaveLength(1);
    await broker.ctl('--vhost', '/', 'delete_queue', queueOf('xi-svc'));
    await until(() => transport.fault === null);
    await model.close();
  });

  it('has its queues replicated, and its messages on disk', async () => {
    await replica({ 'omicron-svc': { 'vm.deleted': () => undefined } });
    const found = await broker.manage<{ type: string; durable: boolean }[]>('GET', 'queues/%2F');
    expect(found.filter(({ type, durable }) => type !== 'quorum' || !durable)).toEqual([]);
  });
});
