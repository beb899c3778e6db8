import { mkdir, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { start } from '../house/child.mjs';
import { check, rowsOf } from '../house/database.mjs';
import { serviceFor, serviceNames } from '../house/services.mjs';
import { Subscriber, keepEmitted } from './emitted.mjs';
import { Member } from './member.mjs';
import { Broker, DatabaseServer } from './servers.mjs';

/** Lines of each process that a failure shows. */
const SAID = 8;
/** Replicas of the services that have most to do; of the others there is one. */
const replicas = { 'deploy-svc': 2, 'vm-pool-svc': 2 };

/** The services as processes of their own on a PostgreSQL and a RabbitMQ of their own: to be broken, and mended. */
export class Fleet {
  constructor(name, settings) {
    this.folder = join(tmpdir(), `homeostat-fleet-${process.pid}-${name}`);
    this.database = new DatabaseServer(this.folder);
    this.broker = new Broker(this.folder);
    this.members = serviceNames.flatMap((service) =>
      Array.from({ length: replicas[service] ?? 1 }, () => new Member(service, settings)),
    );
  }

  async up() {
    await mkdir(this.folder, { recursive: true });
    await Promise.all([this.database.start(), this.broker.start()]);
    await migrated(this.database.url);
    await this.rows(`INSERT INTO region (id, tenant_id, name) VALUES (gen_random_uuid(), 'system', 'local')`);
    await keepEmitted(this.database.url);
    this.subscriber = new Subscriber(this.broker.url);
    await this.subscriber.open();
    for (const member of this.members) {
      await member.open({ database: this.database.address, broker: this.broker });
      member.begin();
    }
    await this.ready();
  }

  /** Every process says that it is ready. */
  async ready() {
    await Promise.all(this.members.map((member) => member.ready()));
  }

  /** Where a request with this path may be sent. */
  urlsFor(path) {
    const service = serviceFor(path);
    return this.members.filter((member) => member.service === service).map(({ url }) => url);
  }

  /** What must hold at any instant does. */
  check() {
    return check(this.database.url, { atRest: false });
  }

  rows(sql, values) {
    return rowsOf(this.database.url, sql, values);
  }

  /** Resolves to how many leases a process holds on something that is to be looked at. */
  async leasesOf(pid) {
    const sql =
      'SELECT count(*)::integer AS count FROM reconcile_status WHERE lease_holder = $1 AND due_at IS NOT NULL';
    return (await this.rows(sql, [`${hostname()}/${pid}`]))[0].count;
  }

  said() {
    return this.members
      .map((member) => `--- ${member.service} said:\n${lastOf(member.before)}\n${lastOf(member.process?.said() ?? '')}`)
      .join('\n');
  }

  async down() {
    for (const member of this.members) await member.close();
    await this.subscriber?.close();
    await this.broker.remove();
    await this.database.remove();
    await rm(this.folder, { recursive: true, force: true });
  }
}

async function migrated(url) {
  const migration = start('apps/homeostat/dist/main.js', ['migrate'], { RECONCILER_DATABASE_URL: url });
  if ((await migration.ended) !== 0) throw new Error(`homeostat migrate failed:\n${migration.said()}`);
}

function lastOf(said) {
  return said.split('\n').slice(-SAID).join('\n');
}
