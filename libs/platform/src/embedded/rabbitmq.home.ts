import { createHash, randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** The processes of a server: RabbitMQ, and its name server. */
export interface Whereabouts {
  readonly server: number;
  readonly names: number;
}

interface Ports {
  readonly amqp: number;
  readonly management: number;
  readonly distribution: number;
  readonly epmd: number;
}

/** Where a server keeps its things, and how it is reached. */
export interface RabbitmqHome {
  readonly directory: string;
  readonly logFile: string;
  readonly ports: Ports;
  readonly url: string;
  readonly managementUrl: string | null;
  environment(path: string): Record<string, string>;
  /** Notes the processes, for whoever starts next on this directory. */
  remember(whereabouts: Whereabouts): Promise<void>;
}

/** Opens the directory: ends what still runs there, and takes the ports it had, or free ones. */
export async function openRabbitmqHome(directory: string, management: boolean): Promise<RabbitmqHome> {
  const noteFile = join(directory, 'rabbitmq.json');
  const note = await readNote(noteFile);
  if (note) await endLeftOver(note.whereabouts);
  const cookie = await cookieOf(directory);
  const ports = note && (await areFree(note.ports)) ? note.ports : await freePorts();
  // Other users can reach the port, but cannot read the cookie.
  const password = createHash('sha256').update(`amqp ${cookie}`).digest('base64url');
  await writeConfiguration(directory, ports, management);
  return {
    directory,
    logFile: join(directory, 'rabbitmq.log'),
    ports,
    url: `amqp://homeostat:${password}@127.0.0.1:${ports.amqp}/`,
    managementUrl: management ? `http://homeostat:${password}@127.0.0.1:${ports.management}` : null,
    environment: (path) => ({
      ...serverEnvironment(directory, ports),
      PATH: path,
      RABBITMQ_DEFAULT_USER: 'homeostat',
      RABBITMQ_DEFAULT_PASS: password,
    }),
    remember: (whereabouts) => writeFile(noteFile, JSON.stringify({ ports, whereabouts })),
  };
}

async function readNote(path: string): Promise<{ ports: Ports; whereabouts: Whereabouts } | null> {
  const text = await readFile(path, 'utf8').catch(() => null);
  return text === null ? null : (JSON.parse(text) as { ports: Ports; whereabouts: Whereabouts });
}

/** Numbers of processes come round again: only what is Erlang's is ended. */
async function endLeftOver({ server, names }: Whereabouts): Promise<void> {
  for (const [pid, program] of [
    [server, 'beam'],
    [names, 'epmd'],
  ] as const) {
    while ((await commandOf(pid)).includes(program)) {
      process.kill(pid, 'SIGKILL');
      await pause(20);
    }
  }
}

/** The name of a living process's program, or the empty string. */
async function commandOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return /^\d+ \((.*)\) [^ZX]/.exec(stat)?.[1] ?? '';
}

/** Erlang wants it in the home directory, for its owner's eyes only. */
async function cookieOf(directory: string): Promise<string> {
  const path = join(directory, '.erlang.cookie');
  const cookie = randomBytes(24).toString('hex');
  await writeFile(path, cookie, { mode: 0o400, flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  return readFile(path, 'utf8');
}

async function areFree(ports: Ports): Promise<boolean> {
  const wanted: number[] = Object.values(ports);
  const held = await Promise.all(wanted.map((port) => hold(port).catch(() => null)));
  await Promise.all(held.map(async (one) => one?.free()));
  return held.every((one) => one !== null);
}

async function freePorts(): Promise<Ports> {
  const held = await Promise.all([0, 0, 0, 0].map((any) => hold(any)));
  await Promise.all(held.map(({ free }) => free()));
  const [amqp, management, distribution, epmd] = held.map(({ port }) => port) as [number, number, number, number];
  return { amqp, management, distribution, epmd };
}

function hold(wanted: number): Promise<{ port: number; free: () => Promise<void> }> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(wanted, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      resolve({ port, free: () => new Promise((done) => server.close(() => done())) });
    });
  });
}

async function writeConfiguration(directory: string, ports: Ports, management: boolean): Promise<void> {
  const lines = [
    `listeners.tcp.1 = 127.0.0.1:${ports.amqp}`,
    ...(management ? ['management.tcp.ip = 127.0.0.1', `management.tcp.port = ${ports.management}`] : []),
    'vm_memory_high_watermark.absolute = 512MB',
    'disk_free_limit.absolute = 50MB',
    // 512 MB each by default, in memory and on disk.
    'raft.wal_max_size_bytes = 16777216',
    'log.console.level = warning',
    'log.file = false',
    'log.console = true',
  ];
  await writeFile(join(directory, 'rabbitmq.conf'), `${lines.join('\n')}\n`);
  await writeFile(join(directory, 'enabled_plugins'), `[${management ? 'rabbitmq_management' : ''}].\n`);
}

function serverEnvironment(directory: string, ports: Ports): Record<string, string> {
  return {
    HOME: directory,
    LC_ALL: 'C.UTF-8',
    // Nobody else's: its name server is its own.
    RABBITMQ_NODENAME: 'homeostat@localhost',
    // A file that is not there: the system's settings are not for this server.
    RABBITMQ_CONF_ENV_FILE: join(directory, 'no-environment'),
    ERL_EPMD_PORT: String(ports.epmd),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_CONFIG_FILE: join(directory, 'rabbitmq.conf'),
    RABBITMQ_CONFIG_FILES: join(directory, 'no-more.conf'),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(directory, 'no-advanced.config'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(directory, 'enabled_plugins'),
    RABBITMQ_MNESIA_BASE: join(directory, 'data'),
    RABBITMQ_LOG_BASE: directory,
    RABBITMQ_LOGS: '-',
    RABBITMQ_PID_FILE: join(directory, 'rabbitmq.pid'),
    RABBITMQ_DIST_PORT: String(ports.distribution),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1} +S 2:2',
    // As under systemd, its script becomes the server, with the same process id, and leaves signals alone.
    RUNNING_UNDER_SYSTEMD: 'true',
  };
}
