import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Running, stopOnSignal } from '@homeostat/platform';
import { startDnsServer } from '@homeostat/testing';
import { up } from '../up';
import { runBuilder } from './builder';
import { Client, type Seen } from './client';
import { DIRECTORY_FIX, Directory, mirrored } from './directory';
import { Lake, jobs } from './lake';
import { type PoolSeen, Screen } from './screen';
import { type Wish, isGranted, walk } from './walk';
import { claims, poolSize, regions, settings, streets } from './world';

const DATA_DIR = '.homeostat-demo';
const USUAL_PORT = 7080;
const PATIENCE_MS = 90_000;
const deployed = streets.flatMap(({ commits }) => commits).length;
const always = deployed + claims.length + jobs;

export interface DemoOptions {
  /** Exit when the world has converged, or has not in time. */
  readonly once: boolean;
  readonly say: (sentence: string) => void;
}

/** Starts a fleet of its own on an empty folder, states the wishes of a small world, and shows how they come true. */
export async function demo({ once, say }: DemoOptions): Promise<void> {
  const startedAtMs = performance.now();
  say('starting PostgreSQL and all services …');
  const dns = await startDnsServer();
  const port = (await isTaken(USUAL_PORT)) ? 0 : USUAL_PORT;
  const lake = new Lake(DATA_DIR);
  await lake.fill();
  const directory = await Directory.open();
  if (!directory) say(DIRECTORY_FIX);
  const total = always + (directory ? mirrored : 0);
  const places = { RECONCILER_DNS_SERVERS: dns.address, RECONCILER_HTTP_PORT: String(port) };
  const preset = { ...settings, ...lake.settings, ...directory?.settings, ...places };
  const starting = up({ dataDir: DATA_DIR, databaseUrl: null, fresh: true, regions, preset, say });
  const ended = new AbortController();
  const stop = async (): Promise<void> => {
    ended.abort();
    await (await starting).stop();
    await Promise.all([dns.close(), directory?.close()]);
  };
  stopOnSignal({ stop });
  const running = await starting;
  const client = new Client(running.url);
  const wishes: Wish[] = [];
  const builder = runBuilder(client, ended.signal);
  const walked = walk({ client, dns, lake, directory }, (wish) => wishes.push(wish));
  const failed = Promise.all([builder, walked]).then(() => new Promise<never>(() => {}));
  const converged = await Promise.race([watch(client, { wishes, total }, startedAtMs, ended.signal), failed]);
  if (ended.signal.aborted) return;
  say(converged ? summary(wishes, running, startedAtMs) : await reasons(client, { wishes, total }));
  if (!once) return;
  await stop();
  process.exit(converged ? 0 : 1);
}

/** The wishes that were stated so far, and how many there will be. */
interface Stated {
  readonly wishes: readonly Wish[];
  readonly total: number;
}

/** Shows the world until everything is as it should be; false when that takes too long. */
async function watch(
  client: Client,
  { wishes, total }: Stated,
  startedAtMs: number,
  ended: AbortSignal,
): Promise<boolean> {
  const screen = new Screen(process.stdout, total, startedAtMs);
  while (performance.now() - startedAtMs < PATIENCE_MS && !ended.aborted) {
    const [deployments, domains, reconciled, syncs, records, pool] = await Promise.all([
      client.list('/v1/deployments?limit=100'),
      client.list('/v1/domains?limit=100'),
      client.list('/v1/reconcile-jobs?limit=100'),
      client.list('/v1/syncs?limit=100'),
      client.list('/v1/records?limit=100'),
      client.get<PoolSeen>('/v1/pool'),
    ]);
    const seen = new Map([...deployments, ...domains, ...reconciled, ...syncs, ...records].map((one) => [one.id, one]));
    for (const wish of wishes) wish.now = seen.get(wish.id) ?? wish.now;
    screen.show(wishes, pool);
    if (wishes.length === total && wishes.every(isGranted) && pool.pooling === poolSize) return true;
    await sleep(200);
  }
  return false;
}

function summary(wishes: readonly Wish[], { url }: Running, startedAtMs: number): string {
  const first = (kind: Wish['kind'], reason: string): Wish =>
    wishes.find((wish) => wish.kind === kind && wish.reason === reason)!;
  const count = (status: string): number =>
    wishes.filter(({ kind, now }) => kind === 'deployments' && now.status === status).length;
  const isMirrored = wishes.some(({ kind }) => kind === 'syncs');
  return [
    '',
    `Converged after ${((performance.now() - startedAtMs) / 1000).toFixed(1)} s: of ${deployed} deployments ${count('ready')} are ready,`,
    `${count('inactive')} gave way to newer ones and ${count('failed')} failed with a reason; 1 of ${claims.length} domains is verified;`,
    'two tables of lakehouses are in the catalog, one of them with a version that came meanwhile.',
    ...(isMirrored ? ['The records of another directory were mirrored, and are found.'] : []),
    '',
    'Worth trying, from another terminal:',
    `  curl -s ${url}/v1/deployments/${first('deployments', 'BuildTimeout').id}/explain     # why did it fail?`,
    `  curl -s ${url}/v1/domains/${first('domains', 'RecordDiffers').id}/explain     # what does the name server say instead?`,
    `  curl -s ${url}/v1/tables     # what came out of the lakes; …/{id}/snapshots has their history`,
    ...(isMirrored
      ? [`  curl -s '${url}/v1/records?query=name:acme/*'     # what was mirrored; …/v1/syncs says how`]
      : []),
    `  curl -s ${url}/v1/pool     # and ${url}/docs for everything else`,
    '',
  ].join('\n');
}

/** Why the world is not as it should be, wish by wish. */
async function reasons(client: Client, { wishes, total }: Stated): Promise<string> {
  const lines = [`Not converged within ${PATIENCE_MS / 1000} s; ${wishes.length} of ${total} wishes were stated:`];
  for (const wish of wishes.filter((one) => !isGranted(one))) {
    const { because } = await client.get<Seen & { because: string }>(`/v1/${wish.kind}/${wish.id}/explain`);
    lines.push(`  ${wish.label}: ${wish.now.status} instead of ${wish.end}, because ${because}`);
  }
  return lines.join('\n');
}

function isTaken(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('close', () => socket.destroy()).unref();
  });
}
