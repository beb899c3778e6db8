import { mkdtemp, readFile, readdir, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hasBroker } from '@homeostat/testing';
import { connect } from 'amqplib';
import { type EmbeddedRabbitmq, startRabbitmq } from './rabbitmq';

jest.setTimeout(120_000);

let dataDir: string;
let server: EmbeddedRabbitmq | null;

async function start(): Promise<EmbeddedRabbitmq> {
  server = await startRabbitmq({ dataDir });
  return server;
}

/** Leaves a message in a quorum queue. */
async function leave(url: string): Promise<void> {
  const model = await connect(url);
  const channel = await model.createConfirmChannel();
  await channel.assertQueue('kept', { durable: true, arguments: { 'x-queue-type': 'quorum' } });
  channel.sendToQueue('kept', Buffer.from('a letter'), { persistent: true });
  await channel.waitForConfirms();
  await model.close();
}

async function found(url: string): Promise<string | false> {
  const model = await connect(url);
  const channel = await model.createChannel();
  const message = await channel.get('kept', { noAck: true });
  await model.close();
  return message && message.content.toString();
}

/** The addresses that a process listens at, as Linux knows them. */
async function listening(pid: number): Promise<string[]> {
  const own = new Set<string>();
  for (const fd of await readdir(`/proc/${pid}/fd`)) {
    const target = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => '');
    own.add(/^socket:\[(\d+)\]$/.exec(target)?.[1] ?? '');
  }
  const lines = (await readFile('/proc/net/tcp', 'utf8')).split('\n').map((line) => line.trim().split(/\s+/));
  return lines.filter((line) => line[3] === '0A' && own.has(line[9]!)).map((line) => line[1]!.split(':')[0]!);
}

(hasBroker() ? describe : describe.skip)('a broker of our own', () => {
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'embedded rabbitmq '));
    server = null;
  });

  afterEach(async () => {
    await server?.kill();
    await rm(dataDir, { recursive: true });
  });

  it('listens on loopback only, and writes its password nowhere', async () => {
    const { url, pid } = await start();
    const loopback = Buffer.from([1, 0, 0, 127]).toString('hex').toUpperCase();
    const addresses = await listening(pid);
    expect(addresses.length).toBeGreaterThan(1);
    expect(new Set(addresses)).toEqual(new Set([loopback]));
    const { password } = new URL(url);
    for (const name of await readdir(dataDir, { recursive: true, withFileTypes: true }))
      if (name.isFile()) expect(await readFile(join(name.parentPath, name.name), 'latin1')).not.toContain(password);
    expect(await readFile(`/proc/${pid}/cmdline`, 'utf8')).not.toContain(password);
  });

  it('has its queues and its address again after a stop, a crash, and a start beside a leftover', async () => {
    const first = await start();
    await leave(first.url);
    await first.stop();
    const second = await start();
    expect(second.url).toBe(first.url);
    expect(await found(second.url)).toBe('a letter');
    await leave(second.url);
    await second.kill();
    const third = await start();
    await leave(third.url);
    const fourth = await start();
    expect(fourth.pid).not.toBe(third.pid);
    expect(() => process.kill(third.pid, 0)).toThrow('ESRCH');
    expect([fourth.url, await found(fourth.url)]).toEqual([first.url, 'a letter']);
  });

  it('is told to by rabbitmqctl, of its own node only', async () => {
    const { ctl, url } = await start();
    await leave(url);
    expect(await ctl('list_queues', 'name', '--no-table-headers')).toBe('kept\n');
    await expect(ctl('list_nonsense')).rejects.toThrow(/list_nonsense/);
  });
});
