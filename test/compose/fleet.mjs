import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { root } from '../../scripts/root.mjs';
import { freePort } from '../house/free-port.mjs';
import { serviceFor } from '../house/services.mjs';
import { until } from '../house/until.mjs';

const run = promisify(execFile);
const BACK_MS = 90_000;
const LOG_BYTES = 64 << 20;

/** The fleet of docker-compose.yml, under a name of its own: to be scaled, broken, and mended. */
export class Fleet {
  scale = [];

  constructor(env) {
    this.env = env;
  }

  /** Lays down secrets and settings, and builds the image. */
  async open(settings) {
    this.folder = await mkdtemp(join(tmpdir(), 'homeostat-compose-'));
    const [secrets, plain] = ['secrets.env', 'settings.env'].map((name) => join(this.folder, name));
    const { RECONCILER_AUTH_SECRET: secret, ...rest } = settings;
    const lines = Object.entries(rest).map((pair) => pair.join('='));
    await Promise.all([writeFile(secrets, `RECONCILER_AUTH_SECRET=${secret}\n`), writeFile(plain, lines.join('\n'))]);
    await run('sh', ['deploy/env.sh', secrets], { cwd: root });
    const port = await freePort();
    this.env = { ...this.env, HOMEOSTAT_SETTINGS: plain, TEST_POSTGRES_PORT: String(port) };
    this.args = ['compose', '--project-name', 'homeostat-test', '--env-file', secrets];
    this.args.push('-f', 'docker-compose.yml', '-f', 'test/compose/override.yml');
    const text = await readFile(secrets, 'utf8');
    const secretOf = (name) => new RegExp(`^${name}=(.+)$`, 'm').exec(text)[1];
    const urlOf = (login, name) => `postgres://${login}:${secretOf(name)}@127.0.0.1:${port}/homeostat`;
    this.databaseUrl = urlOf('homeostat', 'POSTGRES_PASSWORD');
    this.loginUrl = (service) => urlOf(service, `${service.toUpperCase().replaceAll('-', '_')}_DATABASE_PASSWORD`);
    const { services } = JSON.parse(await this.compose('config', '--format', 'json'));
    const routes = services.gateway.command.slice(1).map((route) => /^(\d+)=([\w-]+)/.exec(route));
    this.ports = new Map(routes.map(([, from, name]) => [name, from]));
    await this.compose('build');
  }

  async up() {
    await this.compose('up', '-d', '--wait', ...this.scale);
  }

  /** Where a request with this path is sent: to the published ports. */
  urlsFor(path) {
    return [`http://127.0.0.1:${this.ports.get(serviceFor(path))}`];
  }

  /** A token, as the documentation tells people to make their first. */
  async token() {
    const asked = ['token', '--subject', 'first', '--scope', 'admin'];
    return (await this.compose('run', '--rm', '--no-TTY', 'homeostat', ...asked)).trim();
  }

  /** The containers that are up, each as `{ id, name, service, pid, healthy }`. */
  async containers() {
    return (await this.inspected()).map(({ Id, Name, State, Config }) => ({
      id: Id,
      name: Name.replace('/homeostat-test-', ''),
      service: Config.Labels['com.docker.compose.service'],
      pid: State.Pid,
      healthy: State.Health?.Status === 'healthy',
    }));
  }

  /** The same in Docker's own words. */
  async inspected() {
    const ids = (await this.compose('ps', '--quiet')).split('\n').filter(Boolean);
    return JSON.parse(await this.docker('inspect', ...ids));
  }

  /** Waits until as many containers run as did before, all healthy, and none of them is the process that was killed. */
  async whole(count, killed) {
    const isWhole = async () => {
      const containers = await this.containers();
      const left = containers.filter(({ healthy, pid }) => !healthy || pid === killed.pid).map(({ name }) => name);
      return (left.length === 0 && containers.length === count) || `${containers.length} of ${count}, not yet: ${left}`;
    };
    await until(isWhole, BACK_MS, `${killed.name} is back`);
  }

  /** Removes everything but the image. */
  async remove() {
    if (!this.args) return;
    await this.compose('--profile', '*', 'down', '--volumes', '--timeout', '5');
    await rm(this.folder, { recursive: true });
  }

  logs() {
    return this.compose('logs', '--no-color', '--tail', '40');
  }

  compose(...args) {
    return this.docker(...this.args, ...args);
  }

  async docker(...args) {
    const options = { cwd: root, env: this.env, maxBuffer: LOG_BYTES };
    return (await run('docker', args, options)).stdout;
  }
}

/** The address of this machine on Docker's own bridge: what containers can reach, and nobody outside. */
export async function bridgeAddress(env) {
  const format = '{{(index .IPAM.Config 0).Gateway}}';
  return (await run('docker', ['network', 'inspect', 'bridge', '--format', format], { env })).stdout.trim();
}
