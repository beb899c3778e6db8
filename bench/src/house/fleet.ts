import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { startRabbitmq } from '@homeostat/platform';
import { services } from '@homeostat/homeostat';
import { type Child, openChild } from './child';
import { stoppable } from './cleanup';
import { openDatabase, quiet } from './house';
import type { Serve } from './process';
import { cpuMsOfFamily } from './processes';
import type { Database } from './postgres';
import { until } from './until';

const READY_MS = 60_000;

/** Each service in a process of its own, on a fresh PostgreSQL and a fresh RabbitMQ. */
export interface Fleet {
  readonly database: Database;
  readonly brokerUrl: string;
  /** Where the API of a service is. */
  url(service: string): string;
  /** Asks something of each replica of deploy-svc, if there is a builder in them; `inputs` are one for each. */
  order<Output>(name: string, inputs: readonly unknown[]): Promise<Output[]>;
  /** CPU time that each service, the database and the broker have used so far; NaN where it is not known. */
  cpuMs(): Promise<Readonly<Record<string, number>>>;
  stop(): Promise<void>;
}

interface Member {
  readonly name: string;
  readonly pid: number;
  readonly url: string;
  readonly order: Child['order'] | null;
  stop(): Promise<void>;
}

export interface FleetOptions {
  /** Of each service. */
  readonly replicas?: number;
  /** With each deploy-svc, in its process, somebody who asks for deployments and a builder that is never late. */
  readonly hands?: boolean;
}

/** Builds and starts one. Throws what hinders it, and leaves nothing behind then. */
export function openFleet(
  settings: Readonly<Record<string, string>>,
  { replicas = 1, hands = false }: FleetOptions = {},
): Promise<Fleet> {
  return stoppable(async (undo) => {
    const { folder, database } = await openDatabase(undo);
    await database.query(`INSERT INTO region (id, tenant_id, name) VALUES (gen_random_uuid(), 'system', 'local')`);
    const broker = await startRabbitmq({ dataDir: join(folder, 'broker') });
    undo.push(broker.stop);
    const servers = { RECONCILER_DATABASE_URL: database.url, RECONCILER_AMQP_URL: broker.url };
    const members: Member[] = [];
    for (const { name } of Array.from({ length: replicas }, () => services).flat()) {
      const start = hands && name === 'deploy-svc' ? peopled : started;
      const member = await start(name, { ...quiet, ...servers, ...settings });
      members.push(member);
      undo.push(member.stop);
    }
    await Promise.all(members.map(ready));
    const cpuMs = async (): Promise<Record<string, number>> => {
      const pids = [
        ...members.map(({ name, pid }, at) => [at < services.length ? name : `${name} (${at})`, pid] as const),
        ['RabbitMQ', broker.pid] as const,
      ];
      const spent = pids.map(async ([name, pid]) => [name, await cpuMsOfFamily(pid)] as const);
      return { ...Object.fromEntries(await Promise.all(spent)), PostgreSQL: (await database.cpuMs()) ?? NaN };
    };
    const url = (service: string): string => members.find(({ name }) => name === service)!.url;
    const order = <Output>(name: string, inputs: readonly unknown[]): Promise<Output[]> =>
      Promise.all(members.flatMap((one) => one.order ?? []).map((ask, at) => ask<Output>(name, inputs[at])));
    return { database, brokerUrl: broker.url, url, order, cpuMs };
  });
}

async function started(name: string, settings: Readonly<Record<string, string>>): Promise<Member> {
  const port = await freePort();
  const env = { ...settings, RECONCILER_HTTP_PORT: String(port) };
  const program = join(__dirname, '../../../apps', name, 'dist/main.js');
  const child = spawn(process.execPath, [program], { env, stdio: ['ignore', 'inherit', 'inherit'] });
  return { name, pid: child.pid!, url: `http://127.0.0.1:${port}`, order: null, stop: () => ended(child) };
}

async function peopled(name: string, settings: Readonly<Record<string, string>>): Promise<Member> {
  const { pid, order, stop } = openChild(join(__dirname, 'process.js'));
  const url = await order<string>('serve', { settings, only: name } satisfies Serve);
  return { name, pid, url, order, stop };
}

/** Waits until a service says that it is ready. Throws after a minute. */
export async function ready({ name, url }: Pick<Member, 'name' | 'url'>): Promise<void> {
  const answers = (): Promise<boolean> =>
    fetch(`${url}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );
  await until(`${name} is ready`, READY_MS, answers);
}

async function ended(child: ChildProcess): Promise<void> {
  child.kill('SIGTERM');
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}
