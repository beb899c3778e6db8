import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net';
import type { EventType, HouseEvent } from '@homeostat/shared';
import { type TestBroker, hasBroker, testBroker } from '@homeostat/testing';
import { v7 as uuidv7 } from 'uuid';
import { type Log, makeLog } from '../logs';
import { DeadLetters } from './dead-letters';
import { RabbitmqTransport } from './rabbitmq.transport';
import { deadQueueOf, queueOf } from './topology';

jest.setTimeout(120_000);

let broker: TestBroker;
let transport: RabbitmqTransport;
let said: string[];
let got: string[];
const log: Log = makeLog('info', { write: (line) => void said.push((JSON.parse(line) as { msg: string }).msg) });

/** A process whose services each want one type of events. */
function start(wanted: Readonly<Record<string, EventType>>, urls: readonly string[] = [broker.url]): void {
  transport = new RabbitmqTransport({ urls, caFile: null }, Object.keys(wanted), log);
  for (const [service, type] of Object.entries(wanted))
    transport.addHandler(type, async ({ id }: HouseEvent) => got.push(id), true, { service });
  transport.listen(() => undefined);
}

async function stop(): Promise<void> {
  await transport.close();
  await transport.disconnect();
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 60_000; !(await isSo());) {
    if (Date.now() > end) throw new Error(`${isSo.toString()} is not so: ${transport.fault}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const well = (): boolean => transport.fault === null;
const connected = (who: string): number => said.filter((msg) => msg === `the broker is there (${who})`).length;

/** Keeps a queue from answering, as one without a leader, or lets it go on. */
async function leader(doing: 'suspend' | 'resume', queue: string): Promise<void> {
  await broker.ctl('eval', `ok = sys:${doing}('%2F_${queue}').`);
}

function pooled(): HouseEvent {
  const [id, vm_id] = [uuidv7(), uuidv7()];
  const data = { vm_id, region_id: vm_id };
  const rest = { datacontenttype: 'application/json', tenantid: 'default', version: '1', data } as const;
  return {
    specversion: '1.0',
    id,
    source: '/test',
    type: 'vm.pooled',
    subject: vm_id,
    time: new Date().toISOString(),
    ...rest,
  };
}

/** A way to the broker that can be made to keep back what it says, except that the connection is alive. */
class Tunnel {
  isSilent = false;
  private readonly sockets = new Set<Socket>();
  private readonly server: Server = createServer((near) => {
    const far = connect(Number(new URL(broker.url).port), '127.0.0.1');
    for (const socket of [near, far]) this.sockets.add(socket.on('error', () => undefined));
    near.on('data', (data) => far.write(data)).on('close', () => far.destroy());
    let text: Buffer = Buffer.alloc(0);
    far.on('data', (data) => (text = this.passed(near, Buffer.concat([text, data]))));
  });

  async url(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', () => resolve()));
    const url = new URL(broker.url);
    url.port = String((this.server.address() as AddressInfo).port);
    return url.href;
  }

  close(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  /** A frame is a type, a channel (0 is the connection's own), a size, as much, and an end (AMQP 0-9-1, section 4.2.3). */
  private passed(near: Socket, text: Buffer): Buffer {
    while (text.length >= 7 && text.length >= text.readUInt32BE(3) + 8) {
      const frame = text.subarray(0, text.readUInt32BE(3) + 8);
      if (!this.isSilent || frame.readUInt16BE(1) === 0) near.write(frame);
      text = text.subarray(frame.length);
    }
    return text;
  }
}

(hasBroker() ? describe : describe.skip)('a broker that is there, but does not answer', () => {
  beforeAll(async () => {
    broker = await testBroker();
  });

  beforeEach(() => {
    [said, got] = [[], []];
  });

  afterEach(stop);

  afterAll(() => broker.close());

  it('is left for another one by whoever cannot open a channel', async () => {
    const tunnel = new Tunnel();
    tunnel.isSilent = true;
    start({ 'alpha-svc': 'vm.pooled' }, [await tunnel.url(), broker.url]);
    await until(well);
    expect(said.filter((msg) => msg.startsWith('the broker did not open a channel within 10000 ms'))).toHaveLength(1);
    tunnel.close();
  });

  it('is left for another one by whoever gets no confirmations', async () => {
    const tunnel = new Tunnel();
    start({ 'beta-svc': 'vm.pooled' }, [await tunnel.url(), broker.url]);
    await until(well);
    tunnel.isSilent = true;
    const event = pooled();
    expect(await transport.publish([event])).toEqual([]);
    expect(transport.away).toMatch(/^the broker did not confirm/);
    await until(() => transport.away === null);
    expect(await transport.publish([event])).toEqual([event.id]);
    await until(() => well() && got.includes(event.id));
    tunnel.close();
  });

  it('cuts off no other service than the one whose queue has no leader', async () => {
    start({ 'gamma-svc': 'vm.deleted', 'delta-svc': 'vm.pooled' });
    await until(well);
    await stop();
    await leader('suspend', queueOf('gamma-svc'));
    said = [];
    start({ 'gamma-svc': 'vm.deleted', 'delta-svc': 'vm.pooled' });
    await until(() => connected('gamma-svc: receives') === 2);
    expect(connected('delta-svc: receives')).toBe(1);
    expect(transport.fault).toMatch(/^homeostat\.gamma-svc does not answer, as a quorum queue without a leader: /);
    const event = pooled();
    await transport.publish([event]);
    await until(() => got.includes(event.id));
    await leader('resume', queueOf('gamma-svc'));
    await until(well);
  });

  it('keeps nobody waiting who asks for dead letters', async () => {
    start({ 'epsilon-svc': 'vm.pooled' });
    await until(well);
    await leader('suspend', deadQueueOf('epsilon-svc'));
    const letters = new DeadLetters({ urls: [broker.url], caFile: null });
    await expect(letters.list('epsilon-svc', 5)).rejects.toThrow(/did not answer within 10000 ms/);
    await expect(letters.requeue({ service: 'epsilon-svc', id: null })).rejects.toThrow(/did not answer/);
  });
});
