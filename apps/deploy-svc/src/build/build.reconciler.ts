import { Database, type Description, type HouseReconciler, SETTINGS, type Tx } from '@homeostat/platform';
import type { Plan } from '@homeostat/reconcile';
import { Inject, Injectable } from '@nestjs/common';
import type { DeploySettings } from '../deploy.config';
import { type BuildSight, type BuildStep, decideBuild } from './build.decide';
import { fail } from './build.writes';

/** Ends builds that are past their deadline. */
@Injectable()
export class BuildReconciler implements HouseReconciler<BuildSight, BuildStep> {
  readonly kind = 'builds';
  readonly decide = decideBuild;

  constructor(
    private readonly database: Database,
    @Inject(SETTINGS) private readonly settings: DeploySettings,
  ) {}

  async observe(keys: readonly string[]): Promise<ReadonlyMap<string, BuildSight>> {
    const rows = await this.database.query<BuildSight['build']>(
      'SELECT id, status, created_at, started_at FROM build WHERE id = ANY ($1)',
      [keys],
    );
    const { RECONCILER_BUILD_TIMEOUT: timeoutMs, RECONCILER_BUILD_QUEUE_TIMEOUT: queueTimeoutMs } = this.settings;
    return new Map(rows.map((build) => [build.id, { build, settings: { timeoutMs, queueTimeoutMs } }]));
  }

  async act(plans: readonly Plan<BuildSight, BuildStep>[], tx: Tx): Promise<ReadonlySet<string>> {
    const failed = new Set<string>();
    for (const { key, step, because } of plans.toSorted((one, other) => (one.key < other.key ? -1 : 1))) {
      for (const { id } of await fail(tx, key, [step.from], step.reason, because)) failed.add(id);
    }
    return failed;
  }

  describe({ build, settings }: BuildSight): Description {
    return { desired: { status: 'ready', ...settings }, observed: build };
  }
}
