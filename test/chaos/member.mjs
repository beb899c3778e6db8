import { freePort } from '../house/free-port.mjs';
import { start } from '../house/child.mjs';
import { until } from '../house/until.mjs';
import { startProxy } from './proxy.mjs';

const READY_MS = 30_000;

/** One process of one service, with a wire to each server that can be cut, and an address that stays. */
export class Member {
  /** Settings of this member alone, for its next start. */
  special = {};
  /** The folder of the house that it runs from; null: this one. */
  home = null;
  /** What the process before this one printed last. */
  before = '';

  constructor(service, settings) {
    Object.assign(this, { service, settings });
  }

  async open({ database, broker }) {
    this.wires = { database: await startProxy(database), broker: await startProxy(broker.address) };
    this.port = await freePort();
    this.url = `http://127.0.0.1:${this.port}`;
    this.fixed = {
      RECONCILER_DATABASE_URL: `postgresql://homeostat@127.0.0.1:${this.wires.database.port}/homeostat`,
      RECONCILER_AMQP_URL: broker.urlBy(this.wires.broker.port),
      RECONCILER_HTTP_PORT: String(this.port),
      RECONCILER_LOG_LEVEL: 'warn',
    };
  }

  begin() {
    const program = `${this.home ?? '.'}/apps/${this.service}/dist/main.js`;
    this.process = start(program, [], { ...this.settings, ...this.fixed, ...this.special });
  }

  async ready() {
    const answers = async () => {
      const response = await fetch(`${this.url}/readyz`, { signal: AbortSignal.timeout(2_000) });
      return response.ok || (await response.text());
    };
    await until(answers, READY_MS, `${this.service} is ready`).catch((error) => {
      throw new Error(`${error.message}\n${this.process.said()}`);
    });
  }

  /** Ends it by the signal, and starts it again; resolves to how long it took to end, in milliseconds. */
  async restart(signal, special = {}) {
    const tookMs = await this.process.end(signal);
    this.before = this.process.said();
    this.special = special;
    this.begin();
    return tookMs;
  }

  async close() {
    await this.process?.end('SIGKILL');
    for (const wire of Object.values(this.wires)) await wire.close();
  }
}
