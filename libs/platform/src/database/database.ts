import { createHash } from 'node:crypto';
import { Unavailable } from '@homeostat/reconcile';
import { entities } from '@homeostat/shared';
import { Client, type ClientConfig, type Pool, type PoolClient } from 'pg';
import { DataSource } from 'typeorm';
import { arrayLiteral } from './array-literal';
import { inSpan } from '../telemetry/spans';
import type { Committed } from './tx';
import { Tx } from './tx';

export interface DatabaseOptions {
  readonly url: string;
  /** The PostgreSQL role to take at connect; null keeps the login's own. */
  readonly role: string | null;
  /** Named in history rows, events and pg_stat_activity. */
  readonly application: string;
  readonly connections: number;
}

/** A new connection is there within this, or the database is away. */
const CONNECT_MS = 5_000;
/** Work waits for a connection that others use for as long as a statement may take: that is load, not a fault. */
const QUEUE_MS = 30_000;

/**
 * The pool knows one limit for both of the above; it keeps to the longer one, and each connection to the shorter. It listens
 * to idle connections only, and one that is lost while nobody listens would end the process: between the pool and whoever
 * gets it, too.
 */
class HouseClient extends Client {
  constructor(config: ClientConfig) {
    super({ ...config, password: config.password, connectionTimeoutMillis: CONNECT_MS });
    this.on('error', () => undefined);
  }
}

/** Serialization failure and deadlock: the same work, done again, may well succeed. */
const transient = new Set(['40001', '40P01']);
const attempts = 5;

/** A process that hangs must not hold what others wait for; the client gives up a little later, should the server be gone. */
const timeouts = '-c statement_timeout=30s -c lock_timeout=10s -c idle_in_transaction_session_timeout=5s';

/**
 * A plan that is cached while a table is small must still be right when it is large. Our statements are keyed, so the
 * plans that read whole tables are ruled out, and each statement is planned once (decision 3). None is worth workers of
 * its own.
 */
const plans =
  '-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c jit=off -c max_parallel_workers_per_gather=0';

/** One service's way to PostgreSQL: a small pool under its role, prepared statements, units of work. */
export class Database {
  private readonly source: DataSource;
  private opening: Promise<Pool> | null = null;
  private pool: Pool | null = null;
  private closed = false;

  constructor(
    private readonly options: DatabaseOptions,
    /** Told after each commit what it brought forth. */
    private readonly committed: (what: Committed) => void = () => {},
  ) {
    const role = options.role === null ? '' : `-c role=${options.role} `;
    this.source = new DataSource({
      type: 'postgres',
      url: options.url,
      entities,
      installExtensions: false,
      poolSize: options.connections,
      applicationName: options.application,
      connectTimeoutMS: QUEUE_MS,
      extra: {
        Client: HouseClient,
        options: `${role}${timeouts} ${plans}`,
        idleTimeoutMillis: 60_000,
        keepAlive: true,
        keepAliveInitialDelayMillis: 10_000,
        query_timeout: 35_000,
        pipeline: true,
      },
    });
  }

  get application(): string {
    return this.options.application;
  }

  /** How many connections there are, and how many pieces of work wait for one. */
  get connections(): { idle: number; inUse: number; most: number; waiting: number } {
    const { idleCount: idle = 0, totalCount = 0, waitingCount: waiting = 0 } = this.pool ?? {};
    return { idle, inUse: totalCount - idle, most: this.options.connections, waiting };
  }

  /** Runs one statement by itself and returns its rows. Throws Unavailable when the database cannot be reached. */
  async query<Row>(sql: string, values: readonly unknown[] = []): Promise<Row[]> {
    const pool = await this.open();
    return rowsOf<Row>(pool, sql, values);
  }

  /**
   * Runs `work` in one transaction, with everything it noted on the way: history, events, looks. It runs again after a
   * serialization failure or a deadlock, so it must have no effects elsewhere. `by`: whose doing it is.
   */
  async transaction<T>(work: (tx: Tx) => Promise<T>, by: string = this.application): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await inSpan('transaction', () => this.once(work, by));
      } catch (error) {
        if (attempt >= attempts || !transient.has(sqlState(error))) throw error;
      }
    }
  }

  /** Waits for the statements under way; whatever is asked from now on throws Unavailable. */
  async close(): Promise<void> {
    this.closed = true;
    await this.opening?.catch(() => undefined);
    if (this.source.isInitialized) await this.source.destroy();
  }

  private async once<T>(work: (tx: Tx) => Promise<T>, by: string): Promise<T> {
    const pool = await this.open();
    const tx = new Tx(() => connect(pool), this.application, by);
    try {
      const result = await work(tx);
      this.committed(await tx.commit());
      return result;
    } catch (error) {
      await tx.rollback(error);
      throw error;
    }
  }

  private async open(): Promise<Pool> {
    if (this.closed) throw new Unavailable('the database is closed: this process is ending');
    this.opening ??= this.source.initialize().then(
      ({ driver }) => (this.pool = (driver as unknown as { master: Pool }).master),
      (error: unknown) => {
        this.opening = null;
        throw asUnavailable(error);
      },
    );
    return this.opening;
  }
}

async function connect(pool: Pool): Promise<PoolClient> {
  try {
    return await pool.connect();
  } catch (error) {
    throw asUnavailable(error);
  }
}

/** Runs a prepared statement; its name is a digest of its text, so equal texts are planned once per connection. */
export async function rowsOf<Row>(on: Pool | PoolClient, text: string, values: readonly unknown[]): Promise<Row[]> {
  try {
    return (await on.query({ name: statementName(text), text, values: values.map(parameter) })).rows as Row[];
  } catch (error) {
    throw asUnavailable(error);
  }
}

function parameter(value: unknown): unknown {
  return Array.isArray(value) ? arrayLiteral(value) : value;
}

/** Opens or ends a transaction. */
export async function control(on: PoolClient, command: 'BEGIN' | 'COMMIT' | 'ROLLBACK'): Promise<void> {
  await on.query(command).catch((error: unknown) => {
    throw asUnavailable(error);
  });
}

const names = new Map<string, string>();

function statementName(text: string): string {
  let name = names.get(text);
  if (name === undefined) {
    name = createHash('sha1').update(text).digest('base64url');
    names.set(text, name);
  }
  return name;
}

/** What Node says of a certificate that is not to be trusted, and of a handshake that fails. */
const ofTls = /^(ERR_TLS|ERR_SSL|CERT|UNABLE|DEPTH|SELF)_/;

/**
 * Faults of the connection (SQLSTATE classes 08 and 57P, the socket's own, a transaction that stood still for too long
 * because a process or the network did: 25P03, 25P04) and of the server's resources (class 53: disk, memory, connections;
 * 58030: I/O) are nobody's error but the database's.
 */
function asUnavailable(error: unknown): unknown {
  const away =
    /^(08...|25P0[34]|57P0[1-5]|53...|58030|E[A-Z]+|ERR_(STREAM|SOCKET)_[A-Z_]+)$/.test(sqlState(error)) ||
    ofTls.test(sqlState(error)) ||
    /connection (terminated|timeout)|timeout (exceeded|expired)|read timeout|not queryable|after calling end|support SSL/i.test(
      String(error),
    );
  return away
    ? new Unavailable(`the database cannot be reached: ${(error as Error).message || sqlState(error)}`, {
        cause: error,
      })
    : error;
}

/** The SQLSTATE of a PostgreSQL error, the code of a system error, or the empty string. */
export function sqlState(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}
