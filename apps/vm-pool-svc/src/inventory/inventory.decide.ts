import { type Decision, act, reach, wait } from '@homeostat/reconcile';
import type { VmStatus } from '@homeostat/shared';
import type { MachineState } from '../machines/machines.port';
import type { Straying } from '../vm/vm.decide';

/** A VM whose machine is not, or does not do, what its row says; `generation` is that of the row. */
export interface Stray {
  readonly id: string;
  readonly generation: string;
  readonly reason: Straying;
  readonly because: string;
}

/** Since when a machine was seen not to do what it should, for the row of that generation. */
export interface Suspicion {
  readonly generation: string;
  readonly sinceMs: number;
}

/** A slice of the provider's machines held against our VMs, or nothing yet. */
export interface InventorySight {
  readonly stock: {
    readonly strays: readonly Stray[];
    /** Machines that were seen not to do what they should, and may be on their way to it. */
    readonly suspected: number;
    /** Machines that no row knew, and that were destroyed. */
    readonly destroyed: number;
  } | null;
}

export type InventoryReach = { readonly do: 'take_stock' };
export type InventoryStep = { readonly do: 'replace'; readonly vms: readonly Stray[] };

export const STOCK_EVERY_MS = 60_000;
/** A provider that comes back says of its machines for some seconds that they are stopped. */
export const ASK_AGAIN_MS = 10_000;
/** What was seen longer ago says nothing about now. */
const FORGET_MS = 6 * ASK_AGAIN_MS;

/** Compares what the provider has with what our rows say, once a minute (spec 1, "Provider port"). */
export function decideInventory({ stock }: InventorySight, now: Date): Decision<InventoryStep, InventoryReach> {
  if (stock === null) return reach({ do: 'take_stock' }, 'the stock is taken once a minute');
  const { strays, suspected, destroyed } = stock;
  const next = new Date(now.getTime() + (suspected > 0 ? ASK_AGAIN_MS : STOCK_EVERY_MS));
  if (strays.length > 0) return act({ do: 'replace', vms: strays }, replaced(strays), next);
  if (suspected > 0) return wait(`${suspected} machine(s) do not do what they should; they are asked again`, next);
  return wait(
    destroyed > 0 ? `${destroyed} unknown machine(s) were destroyed` : 'all machines are accounted for',
    next,
  );
}

function replaced(strays: readonly Stray[]): string {
  const reasons = [...new Set(strays.map(({ because }) => because))].toSorted();
  return `${strays.length} machine(s) are replaced: ${reasons.join('; ')}`;
}

/** What is wrong with a machine, of a VM that no order is under way for; null: nothing, or not yet. */
export function strayingOf(status: VmStatus, machine: MachineState): Pick<Stray, 'reason' | 'because'> | null {
  if (machine === 'absent') return { reason: 'MachineVanished', because: 'the provider does not know the machine' };
  if (machine === 'booting') return null;
  if (status === 'running')
    return machine === 'running' ? null : { reason: 'WorkloadStopped', because: 'somebody stopped the workload' };
  if (machine === 'running' || machine === 'halted')
    return { reason: 'NotEmpty', because: 'somebody started a workload on it' };
  if (status === 'pooling' && machine === 'stopped')
    return { reason: 'MachineStopped', because: 'somebody stopped the machine' };
  return null;
}

/**
 * Tells strays from suspects among machines that were seen to be odd at `nowMs`: one that is gone is a stray at once, and another
 * one where it was odd ten seconds before, at least, and a minute, at most, with the same row.
 */
export function sifted(
  odd: readonly Stray[],
  before: ReadonlyMap<string, Suspicion>,
  nowMs: number,
): { readonly strays: readonly Stray[]; readonly suspects: ReadonlyMap<string, Suspicion> } {
  const strays: Stray[] = [];
  const suspects = new Map<string, Suspicion>();
  for (const one of odd) {
    const earlier = before.get(one.id);
    const isKnown = earlier?.generation === one.generation && nowMs - earlier.sinceMs <= FORGET_MS;
    const suspicion = isKnown ? earlier : { generation: one.generation, sinceMs: nowMs };
    if (one.reason === 'MachineVanished' || nowMs - suspicion.sinceMs >= ASK_AGAIN_MS) strays.push(one);
    else suspects.set(one.id, suspicion);
  }
  return { strays, suspects };
}
