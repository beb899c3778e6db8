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
  type Suspicion,
  decideInventory,
  strayingOf,
  sifted,
} from './inventory.decide';

/** VMs per stock-taking: the cost of idling does not grow with the fleet. */
const SLICE = 1_000;

/** Comes before every id. */
const FIRST = `'00000000-0000-0000-0000-000000000000'::uuid`;
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
  /** VMs whose machine did not do what it should, by id. A stock-taking that fails forgets them. */
  private suspects: ReadonlyMap<string, Suspicion> = new Map();

  constructor(
    private readonly database: Database,
    @Inject(MACHINES) private readonly machines: Machines,
  ) {}

  async observe(): Promise<ReadonlyMap<string, InventorySight>> {
    return new Map([[POOL_ID, { stock: null }]]);
  }

  async reach(_plan: Plan<InventorySight, InventoryReach>, signal: AbortSignal): Promise<InventorySight> {
    const before = this.suspects;
    this.suspects = new Map();
    const resting = await this.resting([...before.keys()]);
    const machines = await this.machines.list(this.after, SLICE, signal);
    const last = machines.size === SLICE ? [...machines.keys()].at(-1)! : null;
    const destroyed = await this.destroyOrphans([...machines.keys()], signal);
    const inSlice = resting.filter(({ id }) => before.has(id) || last === null || id <= last);
    const odd = await this.odd(inSlice, machines, signal);
    const { strays, suspects } = sifted(odd, before, performance.now());
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
  private resting(suspects: readonly string[]): Promise<Resting[]> {
    return this.database.query<Resting>(
      `(SELECT id, status, generation FROM vm WHERE id > coalesce($1, ${FIRST}) AND ${isResting} ORDER BY id LIMIT $2)
       UNION SELECT id, status, generation FROM vm WHERE id = ANY ($3) AND ${isResting}`,
      [this.after, SLICE, suspects],
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

  /** A list may lie; each machine that is missing in it, or not what its row says, is asked for by name. */
  private async odd(
    resting: readonly Resting[],
    listed: ReadonlyMap<string, MachineState>,
    signal: AbortSignal,
  ): Promise<Stray[]> {
    const odd: Stray[] = [];
    for (const { id, status, generation } of resting) {
      if (strayingOf(status, listed.get(id) ?? 'absent') === null) continue;
      const straying = strayingOf(status, await this.machines.observe(id, signal));
      if (straying !== null) odd.push({ id, generation, ...straying });
    }
    return odd;
  }
}
