import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { root } from '../root.mjs';

const FIRST_DELAY_MS = 500;
const LAST_DELAY_MS = 30_000;
const STOPS_MS = 6_000;

/** A service in a process of its own: started again, later and later, whenever it ends by itself once it was ready. */
export class Member {
  delayMs = FIRST_DELAY_MS;
  wasReady = false;
  ending = false;

  /** `failed` is told when it ends before it was ready for the first time: it would do so again. */
  constructor({ name, port }, settings, paint, failed) {
    Object.assign(this, { name, paint, failed });
    this.env = { ...process.env, ...settings, RECONCILER_HTTP_PORT: String(port) };
    this.url = `http://127.0.0.1:${port}`;
    process.once('exit', () => this.child?.kill('SIGKILL'));
  }

  /** Resolves when it is ready, or has ended. */
  async begin() {
    const options = { cwd: root, env: this.env, stdio: ['ignore', 'pipe', 'pipe'], detached: true };
    // A session of its own keeps it from a Ctrl-C that is meant for us, so that the order of stopping is ours.
    this.child = spawn(process.execPath, [`apps/${this.name}/dist/main.js`], options);
    const { child } = this;
    for (const stream of [child.stdout, child.stderr]) {
      createInterface(stream).on('line', (line) => this.paint(this.name, line));
    }
    this.ended = once(child, 'exit').then(([code, signal]) => this.afterwards(signal ?? code));
    while (child.exitCode === null && child.signalCode === null) {
      if (await this.isReady()) return this.ready();
      await sleep(100);
    }
  }

  /** Asks it to stop, and ends it when it does not. */
  async end() {
    this.ending = true;
    if (!this.child) return;
    const late = setTimeout(() => this.child.kill('SIGKILL'), STOPS_MS);
    this.child.kill('SIGTERM');
    await this.ended;
    clearTimeout(late);
  }

  ready() {
    this.wasReady = true;
    this.delayMs = FIRST_DELAY_MS;
  }

  isReady() {
    return fetch(`${this.url}/readyz`, { signal: AbortSignal.timeout(1_000) }).then(
      ({ ok }) => ok,
      () => false,
    );
  }

  afterwards(how) {
    if (this.ending) return;
    if (!this.wasReady) return void this.failed();
    this.paint('fleet', `${this.name} ended (${how}), and is started again in ${this.delayMs / 1000} s`);
    setTimeout(() => this.ending || this.begin(), this.delayMs);
    this.delayMs = Math.min(this.delayMs * 2, LAST_DELAY_MS);
  }
}
