import { Database, type Description, type HouseReconciler, type Tx } from '@homeostat/platform';
import type { Plan } from '@homeostat/reconcile';
import { POOL_ID } from '@homeostat/shared';
import { Inject, Injectable } from '@nestjs/common';
import { MACHINES, type Machines } from '../machines/machines.port';
import { discard } from '../vm/vm.writes';
import { type InventoryReach, type InventorySight, type InventoryStep, decideInventory } from './inventory.decide';

/** VMs per stock-taking: the cost of idling does not grow with the fleet. */
const SLICE = 1_000;

/** Destroys machines that no row knows, and replaces VMs whose machine vanished. */
@Injectable()
export class InventoryReconciler implements HouseReconciler<InventorySight, InventoryStep, InventoryReach> {
  readonly kind = 'inventory';
  readonly reaches = { atOnce: 1, timeoutMs: 30_000 };
  readonly decide = decideInventory;
  /** The id at which the last slice ended; a restart begins anew. */
  private after: string | null = null;

  constructor(
    private readonly database: Database,
    @Inject(MACHINES) private readonly machines: Machines,
  ) {}

  async observe(): Promise<ReadonlyMap<string, InventorySight>> {
    return new Map([[POOL_ID, { stock: null }]]);
  }

  async reach(_plan: Plan<InventorySight, InventoryReach>, signal: AbortSignal): Promise<InventorySight> {
    const supposed = await this.supposedToExist();
    const machines = await this.machines.list(this.after, SLICE, signal);
    const last = machines.length === SLICE ? machines.at(-1)! : null;
    const destroyed = await this.destroyOrphans(machines, signal);
    const vanished = await this.vanished(
      supposed.filter((id) => last === null || id <= last),
      new Set(machines),
      signal,
    );
    this.after = last;
    return { stock: { vanished, destroyed } };
  }

  async act([plan]: readonly Plan<InventorySight, InventoryStep>[], tx: Tx): Promise<ReadonlySet<string>> {
    const vanished = { reason: 'MachineVanished', because: 'the provider does not know the machine' };
    await discard(
      tx,
      plan!.step.vms.toSorted().map((key) => ({ key, ...vanished })),
    );
    return new Set([POOL_ID]);
  }

  describe({ stock }: InventorySight): Description {
    return { desired: { every_machine_known: true }, observed: { stock } };
  }

  /** VMs of this slice whose machine was there before the provider is asked. */
  private async supposedToExist(): Promise<string[]> {
    const rows = await this.database.query<{ id: string }>(
      `SELECT id FROM vm WHERE ($1::uuid IS NULL OR id > $1) AND status IN ('pooling', 'running', 'off') ORDER BY id LIMIT $2`,
      [this.after, SLICE],
    );
    return rows.map(({ id }) => id);
  }

  /** A row is written before its machine is made, so a machine without one belongs to nobody. */
  private async destroyOrphans(machines: readonly string[], signal: AbortSignal): Promise<number> {
    const known = await this.database.query<{ id: string }>('SELECT id FROM vm WHERE id = ANY ($1)', [machines]);
    const rows = new Set(known.map(({ id }) => id));
    const orphans = machines.filter((id) => !rows.has(id));
    for (const id of orphans) await this.machines.remove(id, signal);
    return orphans.length;
  }

  /** A list may lie; each machine that is missing in it is asked for by name before it counts as gone. */
  private async vanished(
    supposed: readonly string[],
    listed: ReadonlySet<string>,
    signal: AbortSignal,
  ): Promise<string[]> {
    const missing: string[] = [];
    for (const id of supposed.filter((one) => !listed.has(one))) {
      if ((await this.machines.observe(id, signal)) === 'absent') missing.push(id);
    }
    return missing;
  }
}
