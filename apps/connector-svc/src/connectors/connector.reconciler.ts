import { Database, type Description, type HouseReconciler, type Tx } from '@homeostat/platform';
import type { Plan } from '@homeostat/reconcile';
import { type Connector, HouseError } from '@homeostat/shared';
import { Injectable } from '@nestjs/common';
import { resolve } from '../catalog/destination';
import { enqueue } from '../jobs/job.intents';
import { shown } from './connector.answer';
import { type ConnectorSight, type ConnectorStep, decideConnector } from './connector.decide';

/** Keeps the schedules of connectors. */
@Injectable()
export class ConnectorReconciler implements HouseReconciler<ConnectorSight, ConnectorStep> {
  readonly kind = 'connectors';
  readonly decide = decideConnector;

  constructor(private readonly database: Database) {}

  async observe(keys: readonly string[]): Promise<ReadonlyMap<string, ConnectorSight>> {
    const rows = await this.database.query<Connector>('SELECT * FROM connector WHERE id = ANY ($1)', [keys]);
    const sights = rows.map(async (connector) => [connector.id, await this.sight(connector)] as const);
    return new Map(await Promise.all(sights));
  }

  async act(plans: readonly Plan<ConnectorSight, ConnectorStep>[], tx: Tx): Promise<ReadonlySet<string>> {
    const done = new Set<string>();
    for (const plan of plans.toSorted((one, other) => (one.key < other.key ? -1 : 1)))
      if (await (plan.step.do === 'schedule' ? schedule(tx, plan) : recover(tx, plan))) done.add(plan.key);
    return done;
  }

  describe({ connector }: ConnectorSight): Description {
    const { source, destination, policy, next_run_at, last_run } = shown({ ...connector, paused: false });
    return { desired: { source, destination, policy }, observed: { status: connector.status, next_run_at, last_run } };
  }

  private async sight(connector: Connector): Promise<ConnectorSight> {
    if (connector.status !== 'conflict') return { connector, conflict: null };
    const conflict = await resolve(this.database, connector).then(
      () => null,
      (error: unknown) => {
        if (error instanceof HouseError) return error.detail;
        throw error;
      },
    );
    return { connector, conflict };
  }
}

type Planned = Plan<ConnectorSight, ConnectorStep>;

/** A job that is not finished takes the turn; turns that were missed are not made up for. */
async function schedule(tx: Tx, { key, observed }: Planned): Promise<boolean> {
  const [connector] = await tx.query<Connector>(
    `UPDATE connector SET next_run_at = now() + make_interval(secs => interval_ms::float8 / 1000)
     WHERE id = $1 AND status = 'active' AND generation = $2 RETURNING *`,
    [key, observed.connector.generation],
  );
  if (!connector) return false;
  await enqueue(tx, connector, { full_rescan: false, scope: {}, allow_vanished: false }, 'It is due by the policy.');
  return true;
}

async function recover(tx: Tx, { key, because }: Planned): Promise<boolean> {
  const [connector] = await tx.query<Connector>(
    `UPDATE connector SET status = 'active', reason = NULL, message = NULL WHERE id = $1 AND status = 'conflict' RETURNING *`,
    [key],
  );
  if (!connector) return false;
  const { tenant_id } = connector;
  tx.changed({ tenant_id, kind: 'connectors', key, from: 'conflict', to: 'active', because });
  return true;
}
