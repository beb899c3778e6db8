import { Changes, Database, type HouseSettings, SETTINGS, type Tx } from '@homeostat/platform';
import { type Connector as ConnectorRow } from '@homeostat/shared';
import { Inject, Injectable } from '@nestjs/common';
import { bindDestination, ensureNamespace, pathOf } from '../catalog/destination';
import type { ConnectorSettings } from '../connector.config';
import type { Connector, ConnectorFactory } from '../connector/connector.port';
import { ConnectorFault } from '../connector/fault';
import { FACTORIES } from '../connector/registry';
import { Login, configFor } from '../connectors/login';
import type { JobSight, SliceEnd } from '../jobs/job.decide';
import { failureOf, reasonOf } from './failure';
import { Fence, Stopped, Turnstile } from './fence';
import { onLeanHeap } from './lean-heap';
import { listTables } from './listing';
import type { SliceScope } from './slice-scope';
import { reconcileTables } from './tables';

/** How long a job that was called off by another process goes on at most. */
const REREAD_MS = 1_000;

/** Works on jobs, slice by slice: opens the source, lists its tables, reads what is new of them, closes it again. */
@Injectable()
export class JobWorker {
  private readonly login: Login;
  private readonly turnstile: Turnstile;

  constructor(
    private readonly database: Database,
    private readonly changes: Changes,
    @Inject(SETTINGS) private readonly settings: ConnectorSettings & HouseSettings,
    @Inject(FACTORIES) factories: readonly ConnectorFactory[],
  ) {
    this.login = new Login(settings, factories);
    this.turnstile = new Turnstile(Math.ceil(settings.RECONCILER_DATABASE_CONNECTIONS / 2));
  }

  /** Works for the time of a slice, or until there is nothing left to be done now. Throws Unavailable. */
  async work(sight: JobSight, signal: AbortSignal): Promise<SliceEnd> {
    const fence = new Fence(this.database, sight.job.id, sight.epoch, this.turnstile);
    if (!(await fence.begin())) return { end: 'paused' };
    const over = new AbortController();
    const stop = AbortSignal.any([signal, over.signal]);
    let ended: Promise<void> | null = null;
    // Whether it is done or was aborted, it has come to an end in good order: nobody waits for its lease, nor counts an attempt.
    const end = (): Promise<void> => (ended ??= fence.end().catch(() => undefined));
    stop.addEventListener('abort', () => void end(), { once: true });
    void this.watch(fence, over, stop);
    const secrets: string[] = [];
    try {
      stop.throwIfAborted();
      await onLeanHeap(() => this.slice(sight, fence, stop, secrets));
      return { end: 'paused' };
    } catch (error) {
      return endOf(stop.aborted ? new Stopped('aborted') : error, secrets);
    } finally {
      over.abort(new Stopped('the slice is over'));
      // Nobody is told of an abort that came before there was a listener.
      await end();
    }
  }

  private async slice(sight: JobSight, fence: Fence, signal: AbortSignal, secrets: string[]): Promise<void> {
    const startedMs = performance.now();
    const target = await fence.write((tx) => boundTarget(tx, sight.job.connector_id));
    const config = configFor(target.source, target.auth, this.login.credentialsOf(target));
    secrets.push(...Object.values(config.credentials));
    await this.sealAnew(fence, target, config.credentials);
    const connector = this.login.open(target.kind, config);
    const isOver = (): boolean => performance.now() - startedMs >= this.settings.RECONCILER_JOB_SLICE;
    try {
      const scope = { ...this.scopeOf(sight, fence, target, connector), secrets, signal, startedMs, isOver };
      if (sight.job.listed_at === null) await listTables(scope);
      await reconcileTables(scope, this.settings.RECONCILER_JOB_ATTEMPTS);
    } finally {
      await connector.close();
    }
  }

  /** A key that has another one before it is on its way out: once every connector has run, it can go. */
  private async sealAnew(
    fence: Fence,
    target: ConnectorRow,
    credentials: Readonly<Record<string, string>>,
  ): Promise<void> {
    const { secrets } = this.login;
    if (target.secrets === null || !secrets.isOutdated(target.secrets)) return;
    const sealed = secrets.seal(credentials, target);
    await fence.write((tx) =>
      tx.query('UPDATE connector SET secrets = $3 WHERE id = $1 AND secrets = $2', [target.id, target.secrets, sealed]),
    );
  }

  private scopeOf(
    { job }: JobSight,
    fence: Fence,
    target: ConnectorRow,
    connector: Connector,
  ): Omit<SliceScope, 'secrets' | 'signal' | 'startedMs' | 'isOver'> {
    const { tenant_id, id: connector_id, catalog_id, source } = target;
    const namespaceOf = (tx: Tx, from: readonly string[]): Promise<string> =>
      target.namespace_id !== null && source.namespace !== null
        ? Promise.resolve(target.namespace_id)
        : ensureNamespace(tx, tenant_id, catalog_id!, pathOf(target, from));
    const tellDone: SliceScope['tellDone'] = (tx, table_id, outcome) =>
      tx.emit('job.table_done', {
        ...{ tenant_id, subject: job.id, version: job.generation },
        data: { job_id: job.id, connector_id, table_id, outcome },
      });
    const columns = source.columns ?? 'all';
    return { database: this.database, fence, job, target, connector, columns, namespaceOf, tellDone };
  }

  /** Stops the work as soon as the job is not to be worked on any more; in this process at once. */
  private async watch(fence: Fence, over: AbortController, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.changes.next(fence.jobId, REREAD_MS, signal);
      if (signal.aborted) return;
      const holds = await fence.holds().catch(() => true);
      if (!holds) over.abort(new Stopped('the job was called off, or taken over'));
    }
  }
}

async function boundTarget(tx: Tx, connectorId: string): Promise<ConnectorRow> {
  const find = 'SELECT * FROM connector WHERE id = $1 FOR UPDATE';
  const [target] = await tx.query<ConnectorRow>(find, [connectorId]);
  if (!target) throw new ConnectorFault('invalid_config', `connector ${connectorId} is there no more`);
  const { catalog_id, namespace_id, table_id } = await bindDestination(tx, target);
  return { ...target, catalog_id, namespace_id, table_id };
}

/** Throws what is nobody's fault. */
function endOf(error: unknown, secrets: readonly string[]): SliceEnd {
  if (error instanceof Stopped) return { end: 'paused' };
  const failure = failureOf(error, secrets);
  if (!failure) throw error;
  const { failureClass, code, message } = failure;
  const reason = reasonOf(code);
  if (failureClass === 'terminal') return { end: 'failed', reason, message };
  return { end: 'retry', costs: failureClass === 'transient', reason, message };
}
