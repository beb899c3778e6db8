import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EmbeddedRabbitmq, findRabbitmq, readSettings, startRabbitmq } from '@homeostat/platform';
import { z } from 'zod';

/** A RabbitMQ of a test file's own, which may be killed and starved: hence never one of yours. */
export interface TestBroker extends Pick<EmbeddedRabbitmq, 'url' | 'ctl'> {
  /** What the management API answers. Throws with its words when it refuses. */
  manage<T>(method: 'GET' | 'PUT' | 'POST' | 'DELETE', path: string, body?: object): Promise<T>;
  /** Ends it by SIGKILL. */
  kill(): Promise<void>;
  /** Starts it again with the queues and the address that it had. */
  restart(): Promise<void>;
  /** Ends it and removes its data. */
  close(): Promise<void>;
}

/** Starts a broker, in some five seconds. */
export async function testBroker(): Promise<TestBroker> {
  const dataDir = await mkdtemp(join(tmpdir(), 'homeostat-broker-'));
  const start = (): Promise<EmbeddedRabbitmq> => startRabbitmq({ dataDir, management: true });
  let server = await start();
  return {
    url: server.url,
    ctl: (...args) => server.ctl(...args),
    manage: (method, path, body) => manage(server.managementUrl!, method, path, body),
    kill: () => server.kill(),
    restart: async () => void (server = await start()),
    close: async () => {
      await server.kill();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function manage<T>(base: string, method: string, path: string, body: object | undefined): Promise<T> {
  const { origin, username, password } = new URL(base);
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const headers = { authorization, 'content-type': 'application/json' };
  const answer = await fetch(`${origin}/api/${path}`, { method, headers, body: body && JSON.stringify(body) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return (text === '' ? undefined : JSON.parse(text)) as T;
}

/** Whether a broker can be had: where not, specs are skipped, with a loud line; on CI they run, and fail. */
export function hasBroker(): boolean {
  const { CI } = readSettings({ CI: z.string().optional() });
  try {
    return findRabbitmq() !== null;
  } catch (error) {
    if (CI === 'true') return true;
    process.stderr.write(`\n*** SKIPPED, for want of a broker: ${(error as Error).message} ***\n\n`);
    return false;
  }
}
