import { Database } from '@homeostat/platform';
import type { HouseEvent } from '@homeostat/shared';
import { finishBuilds } from '@homeostat/deploy-svc';
import { Controller, type OnApplicationBootstrap } from '@nestjs/common';
import { EventPattern } from '@nestjs/microservices';
import { v7 as uuidv7 } from 'uuid';
import { obey } from './orders';

/** What `deploy` is told: one deployment for each environment. */
export interface DeployOrder {
  readonly projectId: string;
  readonly environments: readonly string[];
}

/** Builds that one transaction turns ready. */
const BATCH = 500;

/**
 * The people around deploy-svc, inside its process so that their commits nudge its loop as those of its API do: somebody
 * who asks for many deployments at once, and a builder that has every image ready as soon as it is asked for.
 */
@Controller()
export class Hands implements OnApplicationBootstrap {
  private readonly requested: string[] = [];
  private building = false;

  constructor(private readonly database: Database) {}

  onApplicationBootstrap(): void {
    obey('deploy', (order: DeployOrder) => this.deploy(order));
  }

  @EventPattern('build.requested')
  buildRequested({ data }: HouseEvent<'build.requested'>): void {
    this.requested.push(data.build_id);
    if (!this.building) setImmediate(() => void this.build());
    this.building = true;
  }

  private async build(): Promise<void> {
    while (this.requested.length > 0) {
      const ids = this.requested.splice(0, BATCH).sort();
      const image = { registry: 'registry.test', repository: 'bench', tag: null, digest: null };
      await this.database.transaction((tx) =>
        finishBuilds(
          tx,
          ids.map((id) => ({ id, ...image })),
        ),
      );
    }
    this.building = false;
  }

  /** Writes what the API writes for each deployment, all in one transaction; returns the time of its commit. */
  private async deploy({ projectId, environments }: DeployOrder): Promise<number> {
    const rows = environments.map((environment) => ({ id: uuidv7(), environment }));
    await this.database.transaction(async (tx) => {
      await tx.query(
        `INSERT INTO deployment (id, tenant_id, project_id, environment_id)
         SELECT id, 'default', $3, environment_id FROM unnest($1::uuid[], $2::uuid[]) AS d (id, environment_id)`,
        [rows.map(({ id }) => id), environments, projectId],
      );
      for (const { id, environment } of rows) {
        const data = { deployment_id: id, environment_id: environment };
        tx.changed({
          tenant_id: 'default',
          kind: 'deployments',
          key: id,
          from: null,
          to: 'queued',
          because: 'it was asked for',
        });
        tx.emit('deployment.created', { tenant_id: 'default', subject: id, version: '1', data });
        tx.look('deployments', id);
      }
    });
    return Date.now();
  }
}
