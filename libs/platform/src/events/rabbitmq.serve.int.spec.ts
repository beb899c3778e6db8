import type { HouseEvent } from '@homeostat/shared';
import { type TestBroker, type TestDatabase, hasBroker, testBroker, testDatabase } from '@homeostat/testing';
import { Controller } from '@nestjs/common';
import { EventPattern } from '@nestjs/microservices';
import { v7 as uuidv7 } from 'uuid';
import { Database } from '../database/database';
import { type Running, serve } from '../serve';
import { defineService } from '../service';

jest.setTimeout(120_000);

const heard = { north: [] as string[], south: [] as string[] };
let poisoned = new Set<string>();

@Controller()
class NorthEvents {
  @EventPattern(['vm.pooled', 'vm.deleted'])
  hear({ subject }: HouseEvent): void {
    if (poisoned.has(subject)) throw new Error('not this one');
    heard.north.push(subject);
  }
}

@Controller()
class SouthEvents {
  constructor(private readonly database: Database) {}

  @EventPattern('vm.deleted')
  hear({ subject }: HouseEvent): void {
    if (this.database.application === 'south-svc') heard.south.push(subject);
  }
}

const rest = { port: 0, settings: {}, reconcilers: [] };
const north = defineService({
  ...rest,
  name: 'north-svc',
  role: 'homeostat_vm_pool',
  controllers: [NorthEvents],
} as const);
const south = defineService({
  ...rest,
  name: 'south-svc',
  role: 'homeostat_deploy',
  controllers: [SouthEvents],
} as const);

let broker: TestBroker;
let database: TestDatabase;
let running: Running | null;

interface Letters {
  readonly total: number;
  readonly items: readonly {
    id: string;
    service: string;
    reason: string;
    count: number;
    died_at: string;
    event: HouseEvent;
  }[];
}

interface Binding {
  readonly destination: string;
  readonly routing_key: string;
}

async function start(...services: Parameters<typeof serve>[0]): Promise<void> {
  running = await serve(services, {
    RECONCILER_DATABASE_URL: database.url,
    RECONCILER_AMQP_URL: broker.url,
    RECONCILER_HTTP_PORT: '0',
    RECONCILER_LOG_LEVEL: 'error',
  });
}

async function call<T>(path: string, body?: object): Promise<{ status: number; body: T }> {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${running!.url}${path}`, {
    method: body ? 'POST' : 'GET',
    headers,
    body: body && JSON.stringify(body),
  });
  return { status: answer.status, body: (await answer.json()) as T };
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 40_000; !(await isSo());) {
    if (Date.now() > end) throw new Error(`${isSo.toString()} is not so`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const ready = async (): Promise<boolean> => (await call('/readyz')).status === 200;

/** As a process would leave it that died right after its commit. */
async function leave(type: string, count = 1): Promise<string[]> {
  const subjects = Array.from({ length: count }, () => uuidv7());
  await database.sql(
    `INSERT INTO outbox (id, type, source, tenant_id, subject, version, data, traceparent, at, relay_at)
     SELECT gen_random_uuid(), $1, '/homeostat/dead', 'default', one, 1,
       json_build_object('vm_id', one, 'region_id', one), '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00', now(), now()
     FROM unnest($2::uuid[]) AS one`,
    [type, subjects],
  );
  return subjects;
}

const left = async (): Promise<object[]> => database.sql('SELECT id FROM outbox');

(hasBroker() ? describe : describe.skip)('a process with a broker', () => {
  beforeAll(async () => {
    broker = await testBroker();
  });

  beforeEach(async () => {
    database = await testDatabase();
    running = null;
    poisoned = new Set();
    for (const one of Object.values(heard)) one.length = 0;
  });

  afterEach(async () => {
    await running?.stop();
    await database.close();
  });

  afterAll(() => broker.close());

  it('has each of its services hear what it asked for, once', async () => {
    await start(north, south);
    await until(ready);
    const [deleted, pooled] = [await leave('vm.deleted', 20), await leave('vm.pooled', 20)];
    await until(async () => (await left()).length === 0);
    await until(() => heard.north.length >= 40 && heard.south.length >= 20);
    expect(heard.north.toSorted()).toEqual([...deleted, ...pooled].sort());
    expect(heard.south.toSorted()).toEqual([...deleted].sort());
    const bindings = await broker.manage<Binding[]>('GET', 'exchanges/%2F/homeostat.events/bindings/source');
    expect(bindings.map(({ destination, routing_key }) => `${destination}: ${routing_key}`).sort()).toEqual([
      'homeostat.north-svc: vm.deleted',
      'homeostat.north-svc: vm.pooled',
      'homeostat.south-svc: vm.deleted',
    ]);
  });

  it('serves without the broker, says that it is unready and why, and catches up', async () => {
    await broker.kill();
    await start(south);
    const [subject] = await leave('vm.deleted');
    const { status, body } = await call<{ checks: { name: string; message: string | null }[] }>('/readyz');
    expect(status).toBe(503);
    const { message } = body.checks.find(({ name }) => name === 'broker')!;
    expect(message).toMatch(/^the broker is away: /);
    expect(message).not.toContain(new URL(broker.url).password);
    expect((await call('/healthz')).status).toBe(200);
    await broker.restart();
    await until(() => heard.south.includes(subject!));
    await until(ready);
  });

  it('shows its dead letters, puts them back, and drops them', async () => {
    await start(north);
    await until(ready);
    const subjects = await leave('vm.deleted', 3);
    poisoned = new Set(subjects);
    const letters = async (): Promise<Letters> => (await call<Letters>('/v1/dead-letters?limit=2')).body;
    await until(async () => (await letters()).total === 3);
    const { items } = await letters();
    expect(items).toHaveLength(2);
    expect(items[0]).toMatchObject({ service: 'north-svc', reason: 'delivery_limit', count: 1 });
    expect(items[0]!.event).toMatchObject({
      type: 'vm.deleted',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00',
    });
    expect(items[0]!.died_at).toMatch(/^\d{4}-.+Z$/);
    poisoned = new Set();
    const { id } = items[0]!;
    const requeued = await call('/v1/dead-letters/requeue', { service: 'north-svc', id });
    expect(requeued).toEqual({ status: 200, body: { count: 1, remaining: 2 } });
    await until(() => heard.north.includes(items[0]!.event.subject));
    const dropped = await call('/v1/dead-letters/drop', { service: 'north-svc' });
    expect(dropped).toEqual({ status: 200, body: { count: 2, remaining: 0 } });
    expect((await call('/v1/dead-letters/drop', { service: 'south-svc' })).status).toBe(404);
    expect((await call('/v1/dead-letters/drop', {})).status).toBe(400);
  });

  it('answers 503 about dead letters while the broker is away', async () => {
    await start(north);
    await broker.kill();
    const { status, body } = await call<{ code: string; detail: string }>('/v1/dead-letters');
    expect([status, body.code]).toEqual([503, 'unavailable']);
    expect(body.detail).toMatch(/^the broker cannot be asked: 127\.0\.0\.1:\d+: /);
    await broker.restart();
  });

  it('measures what it sends, takes, and has left to send', async () => {
    await start(south);
    await until(ready);
    const subjects = await leave('vm.deleted', 5);
    await until(() => subjects.every((subject) => heard.south.includes(subject)));
    const text = await (await fetch(`${running!.url}/metrics`)).text();
    expect(text).toMatch(/^homeostat_events_published_total\{result="arrived"\} [1-9]/m);
    expect(text).toMatch(/^homeostat_events_received_total\{service="south-svc",result="handled"\} [1-9]/m);
    expect(text).toMatch(/^homeostat_events_confirm_seconds_count [1-9]/m);
    expect(text).toMatch(/^homeostat_outbox_events \d+$/m);
    expect(text).toMatch(/^homeostat_outbox_oldest_seconds [\d.]+$/m);
  });

  it('stops within a second, with the broker there or gone', async () => {
    await start(north, south);
    await until(ready);
    const first = performance.now();
    await running!.stop();
    expect(performance.now() - first).toBeLessThan(2_000);
    await start(north, south);
    await until(ready);
    await broker.kill();
    const second = performance.now();
    await running!.stop();
    expect(performance.now() - second).toBeLessThan(2_000);
    running = null;
    await broker.restart();
  });
});
