import type { ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { findBinaries } from './binaries';
import { clusterVersion, makeCluster } from './cluster';
import { accepts, databaseUrl, makeDatabase } from './connection';
import { type Home, openHome } from './home';
import { launchPostmaster, postmasterPid, stopPostmaster } from './postmaster';

/** A PostgreSQL server of our own, with a database `homeostat`. */
export interface EmbeddedPostgres {
  /** For `pg` and `psql`: a Unix socket that only the server's user and root can reach, hence no password. */
  readonly url: string;
  /** Whether the server ran already: left by a process that was killed, or started by one that still lives. */
  readonly adopted: boolean;
  /** Ends the server, an adopted one too; may be called again. */
  stop(): Promise<void>;
}

/** Where and how the server runs. */
export interface EmbeddedPostgresOptions {
  /** Made when missing; holds the data and `postgres.log`. */
  readonly dataDir: string;
  /** False, for tests: faster, but a crash of the machine may lose everything. True when left out. */
  readonly durable?: boolean;
  /** Told what a user should know, such as data that had to go elsewhere. */
  readonly log?: (line: string) => void;
}

/** After a crash a large database has much to recover. */
const startsWithinMs = 120_000;

/**
 * Starts a server on the data directory, or adopts the one that runs there. A server started here ends with this
 * process, except by kill -9. Throws when there is no PostgreSQL, or with the end of its log when it does not start.
 */
export async function startPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const home = await openHome(options.dataDir, options.log ?? (() => undefined));
  let pid = await answering(home);
  let own: ChildProcess | undefined;
  if (pid === undefined) {
    own = await launch(home, options.durable ?? true);
    pid = await answering(home, own);
  }
  if (pid === undefined)
    throw new Error(`PostgreSQL does not start; ${home.logFile} ends with:\n${await logEnd(home)}`);
  await makeDatabase(home);
  const running = pid;
  return { url: databaseUrl(home), adopted: pid !== own?.pid, stop: () => stopPostmaster(home, running) };
}

async function launch(home: Home, durable: boolean): Promise<ChildProcess> {
  const version = await clusterVersion(home);
  const binaries = await findBinaries(home, version);
  if (version === undefined) await makeCluster(home, binaries, durable);
  return launchPostmaster(home, binaries, durable);
}

/**
 * Waits until a server answers and returns its process id, or undefined when none runs, or ours has ended without
 * another in its place: of two that start at once, PostgreSQL lets one go on.
 */
async function answering(home: Home, own?: ChildProcess): Promise<number | undefined> {
  for (const endMs = Date.now() + startsWithinMs; Date.now() < endMs; await pause(20)) {
    const ended = !own || own.exitCode !== null || own.signalCode !== null;
    const pid = await postmasterPid(home);
    if (pid === undefined && ended) return undefined;
    if (pid !== undefined && (await accepts(home))) return pid;
  }
  own?.kill('SIGINT');
  throw new Error(
    `PostgreSQL on ${home.cluster} runs but does not answer within ${startsWithinMs} ms: see ${home.logFile}`,
  );
}

async function logEnd(home: Home): Promise<string> {
  return (await readFile(home.logFile, 'utf8')).trimEnd().split('\n').slice(-5).join('\n');
}
