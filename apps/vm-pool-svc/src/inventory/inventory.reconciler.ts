import { Database, type Description, type HouseReconciler, type Tx } from '@homeostat/platform';
import type { Plan } from '@homeostat/reconcile';
import { POOL_ID, type VmStatus } from '@homeostat/shared';
import { Inject, Injectable } from '@nestjs/common';
import { MACHINES, type MachineState, type Machines } from '../machines/machines.port';
import { discard } from '../vm/vm.writes';
import {
  type InventoryReach,
  type InventorySight,
  type InventoryStep,
  type Stray,
  decideInventory,
  strayingOf,
} from './inventory.decide';

/** VMs per stock-taking: the cost of idling does not grow with the fleet. */
const SLICE = 1_000;

const isResting = `status IN ('pooling', 'running', 'off')`;

/** A VM that no order is under way for. */
interface Resting {
  readonly id: string;
  readonly status: VmStatus;
  readonly generation: string;
}

/** Destroys machines that no row knows, and replaces VMs whose machine vanished, or does not do what it should. */
@Injectable()
export class InventoryReconciler implements HouseReconciler<InventorySight, InventoryStep, InventoryReach> {
  readonly kind = 'inventory';
  readonly reaches = { atOnce: 1, timeoutMs: 30_000 };
  readonly decide = decideInventory;
  /** The id at which the last slice ended; a restart begins anew. */
  private after: string | null = null;
  /** VMs whose machine did not do what it should when it was last asked, with the generation of their rows. */
  private suspects: ReadonlyMap<string, string> = new Map();

  constructor(
    private readonly database: Database,
    @Inject(MACHINES) private readonly machines: Machines,
  ) {}

  async observe(): Promise<ReadonlyMap<string, InventorySight>> {
    return new Map([[POOL_ID, { stock: null }]]);
  }

  async reach(_plan: Plan<InventorySight, InventoryReach>, signal: AbortSignal): Promise<InventorySight> {
    const resting = await this.resting();
    const machines = await this.machines.list(this.after, SLICE, signal);
    const last = machines.size === SLICE ? [...machines.keys()].at(-1)! : null;
    const destroyed = await this.destroyOrphans([...machines.keys()], signal);
    const inSlice = resting.filter(({ id }) => this.suspects.has(id) || last === null || id <= last);
    const { strays, suspects } = await this.sorted(inSlice, machines, signal);
    [this.after, this.suspects] = [last, suspects];
    return { stock: { strays, suspected: suspects.size, destroyed } };
  }

  /** A VM that something was done with since its machine was seen is left alone. */
  async act([plan]: readonly Plan<InventorySight, InventoryStep>[], tx: Tx): Promise<ReadonlySet<string>> {
    const strays = plan!.step.vms.toSorted((one, other) => (one.id < other.id ? -1 : 1));
    const unchanged = await tx.query<{ id: string }>(
      `SELECT v.id FROM unnest($1::uuid[], $2::bigint[]) AS s (id, generation)
       CROSS JOIN LATERAL (SELECT id FROM vm WHERE id = s.id AND generation = s.generation FOR UPDATE) AS v`,
      [strays.map(({ id }) => id), strays.map(({ generation }) => generation)],
    );
    const left = new Set(unchanged.map(({ id }) => id));
    await discard(
      tx,
      strays.filter(({ id }) => left.has(id)).map(({ id, reason, because }) => ({ key: id, reason, because })),
    );
    return new Set([POOL_ID]);
  }

  describe({ stock }: InventorySight): Description {
    return { desired: { every_machine_known: true }, observed: { stock } };
  }

  /** Those of this slice, as they are before the provider is asked, and those that were suspected. */
  private resting(): Promise<Resting[]> {
    return this.database.query<Resting>(
      `(SELECT id, status, generation FROM vm WHERE ($1::uuid IS NULL OR id > $1) AND ${isResting} ORDER BY id LIMIT $2)
       UNION SELECT id, status, generation FROM vm WHERE id = ANY ($3) AND ${isResting}`,
      [this.after, SLICE, [...this.suspects.keys()]],
    );
  }

  /** A row is written before its machine is made, so a machine without one belongs to nobody. */
  private async destroyOrphans(machines: readonly string[], signal: AbortSignal): Promise<number> {
    const known = await this.database.query<{ id: string }>('SELECT id FROM vm WHERE id = ANY ($1)', [machines]);
    const rows = new Set(known.map(({ id }) => id));
    const orphans = machines.filter((id) => !rows.has(id));
    for (const id of orphans) await this.machines.remove(id, signal);
    return orphans.length;
  }

  /**
   * A list may lie; each machine that is missing in it, or not what its row says, is asked for by name. One that does
   * something else than it should counts when it was seen so before, with the same row.
   */
  private async sorted(
    resting: readonly Resting[],
    listed: ReadonlyMap<string, MachineState>,
    signal: AbortSignal,
  ): Promise<{ readonly strays: Stray[]; readonly suspects: ReadonlyMap<string, string> }> {
    const strays: Stray[] = [];
    const suspects = new Map<string, string>();
    for (const { id, status, generation } of resting) {
      if (strayingOf(status, listed.get(id) ?? 'absent') === null) continue;
      const machine = await this.machines.observe(id, signal);
      const straying = strayingOf(status, machine);
      if (straying === null) continue;
      if (machine === 'absent' || this.suspects.get(id) === generation) strays.push({ id, generation, ...straying });
      else suspects.set(id, generation);
    }
    return { strays, suspects };
  }
}
