import { Database, type Description, type HouseReconciler, SETTINGS, type Tx, byStep } from '@homeostat/platform';
import type { Plan } from '@homeostat/reconcile';
import { POOL_ID, type VmStatus } from '@homeostat/shared';
import { Inject, Injectable } from '@nestjs/common';
import { MACHINES, type Machines, type MachineState, type Workload } from '../machines/machines.port';
import type { VmPoolSettings } from '../vm-pool.config';
import { type VmReach, type VmSight, type VmStep, decideVm } from './vm.decide';
import { type Moved, discard, forget, move } from './vm.writes';

interface Row {
  readonly id: string;
  readonly status: VmStatus;
  readonly status_at: Date;
  readonly private_ip: string;
  readonly region: string;
  readonly claim_id: string | null;
  readonly released: boolean;
  readonly image_id: string;
  readonly port: number;
  readonly env: Workload['env'];
}

/** Walks each VM through its life: asks or orders the provider, and writes down what was seen. */
@Injectable()
export class VmReconciler implements HouseReconciler<VmSight, VmStep, VmReach> {
  readonly kind = 'vms';
  readonly reaches: { atOnce: number; timeoutMs: number };
  readonly decide = decideVm;

  constructor(
    private readonly database: Database,
    @Inject(MACHINES) private readonly machines: Machines,
    @Inject(SETTINGS) private readonly settings: VmPoolSettings,
  ) {
    this.reaches = { atOnce: machines.atOnce, timeoutMs: 30_000 };
  }

  async observe(keys: readonly string[]): Promise<ReadonlyMap<string, VmSight>> {
    const rows = await this.database.query<Row>(
      `SELECT v.id, v.status, v.status_at, host(v.private_ip) AS private_ip, r.name AS region, v.claim_id,
         c.released_at IS NOT NULL AS released, c.image_id, c.port, c.env
       FROM vm v CROSS JOIN LATERAL (SELECT name FROM region WHERE id = v.region_id LIMIT 1) AS r
       LEFT JOIN LATERAL (SELECT * FROM vm_claim WHERE id = v.claim_id AND vm_id = v.id LIMIT 1) AS c ON true
       WHERE v.id = ANY ($1)`,
      [keys],
    );
    return new Map(rows.map((row) => [row.id, this.sight(row)]));
  }

  async reach(plan: Plan<VmSight, VmReach>, signal: AbortSignal): Promise<VmSight> {
    return { ...plan.observed, machine: await this.ask(plan.key, plan.step, signal) };
  }

  async act(plans: readonly Plan<VmSight, VmStep>[], tx: Tx): Promise<ReadonlySet<string>> {
    const moved: Moved[] = [];
    for (const [name, some] of byStep(plans)) moved.push(...(await this.apply(name, some, tx)));
    return new Set(moved.map(({ id }) => id));
  }

  describe({ vm, claim, settings }: VmSight): Description {
    const { reuse } = settings;
    return {
      desired: { workload: claim && !claim.released ? claim.workload.imageId : null, reuse },
      observed: { ...vm, claim },
    };
  }

  private ask(vmId: string, order: VmReach, signal: AbortSignal): Promise<MachineState> {
    switch (order.do) {
      case 'boot':
        return this.machines.create(vmId, order.region, order.address, signal);
      case 'start':
        return this.machines.start(vmId, order.workload, signal);
      case 'scrub':
        return this.machines.scrub(vmId, signal);
      case 'delete':
        return this.machines.remove(vmId, signal);
    }
  }

  private async apply(name: VmStep['do'], plans: readonly Plan<VmSight, VmStep>[], tx: Tx): Promise<Moved[]> {
    switch (name) {
      case 'pool':
        return this.pooled(await move(tx, plans, ['initializing'], 'pooling'), tx);
      case 'run':
        return this.running(await move(tx, plans, ['starting'], 'running'), tx);
      case 'stop':
        return move(tx, plans, ['starting', 'running'], 'stopping');
      case 'switch_off':
        return this.freed(await move(tx, plans, ['stopping'], 'off'), tx);
      case 'discard':
        return discard(
          tx,
          plans.map(({ key, step, because }) => ({ key, because, reason: 'reason' in step ? step.reason : '' })),
        );
      case 'forget':
        return this.freed(await forget(tx, plans, this.settings.RECONCILER_VM_QUARANTINE), tx);
    }
  }

  /** The pool may have use for it: at once only where a claim waits. */
  private async pooled(moved: Moved[], tx: Tx): Promise<Moved[]> {
    for (const { id, generation, region_id } of moved) {
      tx.emit('vm.pooled', { tenant_id: 'system', subject: id, version: generation, data: { vm_id: id, region_id } });
    }
    const waiting = await tx.query('SELECT FROM vm_claim WHERE vm_id IS NULL AND released_at IS NULL LIMIT 1');
    if (waiting.length > 0) tx.look('pool', POOL_ID);
    return moved;
  }

  private running(moved: Moved[], tx: Tx): Moved[] {
    for (const { id, generation, tenant_id, claim_id, deployment_id, awaited } of moved) {
      if (!awaited || claim_id === null || deployment_id === null) continue;
      tx.emit('vm.running', {
        tenant_id,
        subject: id,
        version: generation,
        data: { vm_id: id, claim_id, deployment_id },
      });
      tx.look('deployments', deployment_id);
    }
    return moved;
  }

  /** There is a VM or an address more: the pool may have use for it. */
  private freed(moved: Moved[], tx: Tx): Moved[] {
    if (moved.length > 0) tx.look('pool', POOL_ID);
    return moved;
  }

  private sight({ id, status, status_at, private_ip, region, claim_id, released, image_id, port, env }: Row): VmSight {
    const { RECONCILER_VM_RELEASE_POLICY: policy, RECONCILER_VM_BOOT_TIMEOUT: bootTimeoutMs } = this.settings;
    return {
      vm: { id, status, status_at, private_ip, region },
      claim: claim_id === null ? null : { id: claim_id, released, workload: { imageId: image_id, port, env } },
      machine: null,
      settings: { reuse: policy === 'reuse', bootTimeoutMs },
    };
  }
}
