import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startUp } from '../house/child.mjs';
import { check } from '../house/database.mjs';
import { postmasterOf, removeServer, startPostgres } from '../house/postmaster.mjs';
import { until } from '../house/until.mjs';

const READY_MS = 15_000;

/** Everything in one process on one data folder, with its PostgreSQL: to be killed, and started again. */
export class House {
  folder = join(tmpdir(), `homeostat-chaos-${process.pid}`);
  dataDir = join(this.folder, 'postgres');
  /** Where it answers; null while it does not. */
  address = null;
  /** Milliseconds that each start took which was not cut short. */
  starts = [];
  databaseUrl = null;
  /** A database server that we started ourselves. */
  own = null;

  begin(settings) {
    this.process = startUp(['--data', this.folder], settings);
    this.process.startedMs = performance.now();
  }

  /** Waits until it is up, checks what must hold at any instant, and resolves to how long the start took. */
  async up() {
    this.address = await this.process.url;
    if (this.process.tookMs === undefined) {
      this.process.tookMs = performance.now() - this.process.startedMs;
      this.starts.push(this.process.tookMs);
    }
    this.databaseUrl ??= (await startPostgres(this.dataDir)).url;
    await check(this.databaseUrl, { atRest: false });
    return this.process.tookMs;
  }

  async kill({ withDatabase }) {
    this.address = null;
    if (withDatabase) await this.signalDatabase('SIGKILL');
    await this.process.end('SIGKILL');
  }

  /** It lives on without a database for a while, and must find the new one by itself; resolves to how long that took. */
  async restartDatabase(signal, awayMs) {
    await this.signalDatabase(signal);
    await sleep(awayMs);
    this.own = await startPostgres(this.dataDir);
    const ready = async () => (await fetch(`${this.address}/readyz`)).ok;
    const tookMs = await until(ready, READY_MS, 'the fleet is ready again after its database came back');
    await check(this.databaseUrl, { atRest: false });
    return tookMs;
  }

  /** Stops it as a person would, and removes its data. Throws when it does not end by itself. */
  async remove() {
    const tookMs = await this.process.end('SIGTERM');
    const how = await this.process.ended;
    await this.own?.stop();
    await removeServer(this.dataDir, this.databaseUrl);
    await rm(this.folder, { recursive: true });
    if (how !== 0) throw new Error(`SIGTERM: it ended with ${how} after ${Math.round(tookMs)} ms`);
  }

  async signalDatabase(signal) {
    const pid = await postmasterOf(this.dataDir).catch(() => null);
    if (pid) process.kill(pid, signal);
  }
}
