import { execFile } from 'node:child_process';
import { mkdir, rm, statfs, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { postmasterOf, removeServer, startPostgres } from '../house/postmaster.mjs';

const run = promisify(execFile);
const require = createRequire(import.meta.url);
const DISK = '384m';

/** A real PostgreSQL; as root on a small disk of its own, which can be filled up. */
export class DatabaseServer {
  constructor(folder) {
    this.disk = join(folder, 'disk');
    this.dataDir = join(this.disk, 'postgres');
  }

  async start() {
    if (!this.url) await this.mount();
    this.server = await startPostgres(this.dataDir);
    this.url = this.server.url;
  }

  /** What `net.connect` takes: a Unix socket. */
  get address() {
    return { path: join(new URL(this.url).searchParams.get('host'), '.s.PGSQL.5432') };
  }

  async signal(signal) {
    process.kill(await postmasterOf(this.dataDir), signal);
  }

  /** Takes all that is left of the disk; resolves to a call that gives it back. */
  async fill() {
    if (!this.mounted) return null;
    const ballast = join(this.disk, 'ballast');
    const { bavail, bsize } = await statfs(this.disk);
    await writeFile(ballast, Buffer.alloc(bavail * bsize)).catch((error) => {
      // The database writes as well.
      if (error.code !== 'ENOSPC') throw error;
    });
    return () => rm(ballast);
  }

  async remove() {
    if (this.url) {
      await this.server.stop();
      await removeServer(this.dataDir, this.url);
    }
    if (this.mounted) await run('umount', [this.disk]);
  }

  async mount() {
    await mkdir(this.disk, { recursive: true });
    const asked = ['-t', 'tmpfs', '-o', `size=${DISK},mode=0755`, 'tmpfs', this.disk];
    this.mounted = await run('mount', asked).then(
      () => true,
      () => false,
    );
  }
}

/** A real RabbitMQ of our own. */
export class Broker {
  constructor(folder) {
    this.dataDir = join(folder, 'rabbitmq');
  }

  async start() {
    const { startRabbitmq } = require('../../libs/platform/dist/embedded/rabbitmq.js');
    this.server = await startRabbitmq({ dataDir: this.dataDir });
    this.url = this.server.url;
  }

  /** What `net.connect` takes. */
  get address() {
    const { hostname, port } = new URL(this.url);
    return { host: hostname, port: Number(port) };
  }

  /** Its URL for those who reach it at another port. */
  urlBy(port) {
    const url = new URL(this.url);
    url.port = String(port);
    return url.href;
  }

  async deleteQueue(name) {
    await this.ctl('delete_queue', name);
  }

  /** Queues and the keys by which they are bound to an exchange. */
  async bindings(exchange, queues) {
    const text = await this.ctl(
      'list_bindings',
      'source_name',
      'destination_name',
      'routing_key',
      '--no-table-headers',
    );
    return text
      .split('\n')
      .map((line) => line.split('\t'))
      .filter(([source, queue]) => source === exchange && queues.test(queue))
      .map(([, queue, key]) => ({ queue, key }));
  }

  ctl(...args) {
    return this.server.ctl('--quiet', ...args);
  }

  async remove() {
    await this.server?.stop();
  }
}
