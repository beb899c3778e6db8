import { type Decision, act, reach, wait } from '@homeostat/reconcile';

/** A slice of the provider's machines held against our VMs, or nothing yet. */
export interface InventorySight {
  readonly stock: {
    /** VMs with a machine, as far as we knew, that the provider does not know. */
    readonly vanished: readonly string[];
    /** Machines that no row knew, and that were destroyed. */
    readonly destroyed: number;
  } | null;
}

export type InventoryReach = { readonly do: 'take_stock' };
export type InventoryStep = { readonly do: 'replace'; readonly vms: readonly string[] };

export const STOCK_EVERY_MS = 60_000;

/** Compares what the provider has with what our rows say, once a minute (spec 1, "Provider port"). */
export function decideInventory({ stock }: InventorySight, now: Date): Decision<InventoryStep, InventoryReach> {
  const next = new Date(now.getTime() + STOCK_EVERY_MS);
  if (stock === null) return reach({ do: 'take_stock' }, 'the stock is taken once a minute');
  const { vanished, destroyed } = stock;
  if (vanished.length > 0) return act({ do: 'replace', vms: vanished }, `${vanished.length} machine(s) vanished`, next);
  return wait(
    destroyed > 0 ? `${destroyed} unknown machine(s) were destroyed` : 'all machines are accounted for',
    next,
  );
}
