import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, readFile, realpath } from 'node:fs/promises';
import { connect as dial } from 'node:net';
import { resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { connect } from 'amqplib';
import { findRabbitmq } from './rabbitmq.programs';
import { type RabbitmqHome, type Whereabouts, openRabbitmqHome } from './rabbitmq.home';

/** A RabbitMQ server of our own, on loopback only. */
export interface EmbeddedRabbitmq {
  /** For AMQP 0-9-1; holds a password that other users of this machine cannot know. It is the same after a restart. */
  readonly url: string;
  /** The management API with its credentials, or null where it was not asked for. */
  readonly managementUrl: string | null;
  /** Of the server itself, not of a script around it. */
  readonly pid: number;
  /** Runs rabbitmqctl against this server and returns what it printed; throws, with its stderr, when it fails. */
  ctl(...args: readonly string[]): Promise<string>;
  /** Ends the server; may be called again. */
  stop(): Promise<void>;
  /** Ends it by SIGKILL, as a crash would. */
  kill(): Promise<void>;
}

/** Where and how the server runs. */
export interface EmbeddedRabbitmqOptions {
  /** Made when missing; holds the queues, the logs and the ports. */
  readonly dataDir: string;
  readonly management?: boolean;
  /** Told what a user should know. */
  readonly log?: (line: string) => void;
}

const startsWithinMs = 120_000;
/** Queues survive a kill, and a clean stop takes six seconds. */
const stopsWithinMs = 3_000;

/**
 * Starts an installed RabbitMQ on the data directory, as a node with a name, a cookie and ports of its own: it meets no
 * other node of this machine. What an earlier process left running there is ended first; the queues stay. Ends with
 * this process, except by kill -9. Throws, with advice, where there is no RabbitMQ or where it does not start.
 */
export async function startRabbitmq(options: EmbeddedRabbitmqOptions): Promise<EmbeddedRabbitmq> {
  const programs = findRabbitmq();
  const dataDir = resolve(options.dataDir);
  await mkdir(dataDir, { recursive: true });
  const home = await openRabbitmqHome(await realpath(dataDir), options.management ?? false);
  const names = await launch(home, home.environment(programs.path), programs.epmd, ['-port', String(home.ports.epmd)]);
  await answering(home, names, () => reachable(home.ports.epmd));
  const server = await launch(home, home.environment(programs.path), programs.server, []);
  const whereabouts: Whereabouts = { server: server.pid!, names: names.pid! };
  await home.remember(whereabouts);
  const stop = (): Promise<void> => end(server, names, ['SIGTERM', 'SIGKILL']);
  await answering(home, server, () => ready(home)).catch((error: unknown) => stop().then(() => Promise.reject(error)));
  options.log?.(`RabbitMQ listens on 127.0.0.1:${home.ports.amqp}`);
  const { url, managementUrl } = home;
  const ctl = async (...args: readonly string[]): Promise<string> =>
    (await promisify(execFile)(programs.ctl, [...args, '--quiet'], { env: home.environment(programs.path) })).stdout;
  return { url, managementUrl, pid: server.pid!, ctl, stop, kill: () => end(server, names, ['SIGKILL']) };
}

/** A session of its own keeps it from a Ctrl-C that is meant for us; it ends when we exit. */
async function launch(
  home: RabbitmqHome,
  env: Record<string, string>,
  program: string,
  args: readonly string[],
): Promise<ChildProcess> {
  const log = await open(home.logFile, 'a', 0o600);
  try {
    const child = spawn(program, args, { env, cwd: home.directory, detached: true, stdio: ['ignore', log.fd, log.fd] });
    const endWithUs = (): void => void child.kill('SIGKILL');
    process.once('exit', endWithUs);
    child.once('exit', () => process.off('exit', endWithUs));
    await once(child, 'spawn');
    child.unref();
    return child;
  } finally {
    await log.close();
  }
}

/** Waits until the condition holds; throws, with the end of the log, when the process has ended or takes too long. */
async function answering(home: RabbitmqHome, child: ChildProcess, condition: () => Promise<boolean>): Promise<void> {
  for (const endMs = Date.now() + startsWithinMs; !(await condition()); await pause(50)) {
    if (!hasEnded(child) && Date.now() < endMs) continue;
    const lines = (await readFile(home.logFile, 'utf8')).trimEnd().split('\n').slice(-15).join('\n');
    throw new Error(`RabbitMQ does not start; ${home.logFile} ends with:\n${lines}`);
  }
}

/** Somebody who may work with the default virtual host is let in, and the management API, where wanted, answers. */
async function ready({ ports, url, managementUrl }: RabbitmqHome): Promise<boolean> {
  if (!(await reachable(ports.amqp))) return false;
  if (managementUrl && !(await reachable(ports.management))) return false;
  try {
    await (await connect(url, { timeout: 5_000 })).close();
    return true;
  } catch {
    return false;
  }
}

function reachable(port: number): Promise<boolean> {
  return new Promise((tell) => {
    const socket = dial({ port, host: '127.0.0.1' });
    const done = (answer: boolean) => (): void => {
      socket.destroy();
      tell(answer);
    };
    socket.once('connect', done(true)).once('error', done(false));
  });
}

async function end(server: ChildProcess, names: ChildProcess, signals: readonly NodeJS.Signals[]): Promise<void> {
  for (const signal of signals) {
    server.kill(signal);
    for (const endMs = Date.now() + stopsWithinMs; !hasEnded(server) && Date.now() < endMs;) await pause(20);
  }
  names.kill('SIGKILL');
  while (!hasEnded(names)) await pause(20);
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}
