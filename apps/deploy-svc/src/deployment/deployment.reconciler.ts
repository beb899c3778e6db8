import { Database, type Description, type HouseReconciler, SETTINGS, type Tx, byStep } from '@homeostat/platform';
import type { Plan } from '@homeostat/reconcile';
import { Inject, Injectable } from '@nestjs/common';
import type { DeploySettings } from '../deploy.config';
import { type DeploymentReach, type DeploymentSight, type DeploymentStep, decideDeployment } from './deployment.decide';
import { type DeploymentFacts, factsOf, queueOf } from './deployment.reads';
import { adopt, build, claim, ready, release, retire } from './deployment.writes';
import { checkHealth } from './health';

type Queue = NonNullable<DeploymentSight['queue']>;

/** Takes deployments from `queued` to `ready`, and gives their VMs back in the end. */
@Injectable()
export class DeploymentReconciler implements HouseReconciler<DeploymentSight, DeploymentStep, DeploymentReach> {
  readonly kind = 'deployments';
  readonly reaches = { atOnce: 500, timeoutMs: 5_000 };
  readonly decide = decideDeployment;

  constructor(
    private readonly database: Database,
    @Inject(SETTINGS) private readonly settings: DeploySettings,
  ) {}

  async observe(keys: readonly string[]): Promise<ReadonlyMap<string, DeploymentSight>> {
    const facts = await factsOf(this.database, keys);
    const waiting = facts.flatMap(({ claim }) => (claim && !claim.vm ? [claim.id] : []));
    const queue = await queueOf(this.database, waiting);
    return new Map(facts.map((one) => [one.deployment.id, this.sight(one, queue.get(one.claim?.id ?? '') ?? null)]));
  }

  async reach(
    { observed, step }: Plan<DeploymentSight, DeploymentReach>,
    signal: AbortSignal,
  ): Promise<DeploymentSight> {
    const url = `http://${step.host}:${step.port}${this.settings.RECONCILER_DEPLOYMENT_HEALTH_PATH}`;
    return { ...observed, health: await checkHealth(url, signal) };
  }

  async act(plans: readonly Plan<DeploymentSight, DeploymentStep>[], tx: Tx): Promise<ReadonlySet<string>> {
    const done = new Set<string>();
    for (const [name, some] of byStep(plans)) {
      for (const key of await this.apply(name, some, tx)) done.add(key);
    }
    return done;
  }

  describe({ deployment, settings, ...observed }: DeploymentSight): Description {
    const { pinned, cancel_requested_at } = deployment;
    const status = cancel_requested_at ? 'failed' : 'ready';
    return { desired: { status, pinned, gate: settings.gate }, observed: { ...deployment, ...observed } };
  }

  private apply(
    name: DeploymentStep['do'],
    plans: readonly Plan<DeploymentSight, DeploymentStep>[],
    tx: Tx,
  ): Promise<string[]> {
    switch (name) {
      case 'build':
        return build(tx, plans, this.settings.RECONCILER_BUILD_QUEUE_TIMEOUT);
      case 'claim':
        return claim(tx, plans);
      case 'ready':
        return ready(tx, plans);
      case 'adopt':
        return adopt(tx, plans);
      case 'inactivate':
      case 'fail':
        return retire(tx, plans);
      case 'release':
        return release(
          tx,
          plans.map(({ key }) => key),
        );
    }
  }

  private sight(facts: DeploymentFacts, queue: Queue | null): DeploymentSight {
    const { settings } = this;
    const buildDeadlineMs = settings.RECONCILER_BUILD_QUEUE_TIMEOUT + settings.RECONCILER_BUILD_TIMEOUT + 60_000;
    return {
      ...facts,
      queue,
      health: null,
      settings: {
        gate: settings.RECONCILER_DEPLOYMENT_READY_GATE,
        graceMs: settings.RECONCILER_DEPLOYMENT_GRACE_PERIOD,
        vmDeadlineMs: settings.RECONCILER_DEPLOYMENT_VM_TIMEOUT,
        buildDeadlineMs,
      },
    };
  }
}
