import { type Decision, act, settle, wait } from '@homeostat/reconcile';

export const MOST_COUNTED = 1_000;

/** The whole pool at a glance. Lists are cut to what one step can use. */
export interface PoolSight {
  readonly size: number;
  readonly pooling: number;
  /** On their way to `pooling`. */
  readonly initializing: number;
  /** Pooling VMs, lowest number first. */
  readonly free: readonly string[];
  /** Stopped VMs that could be booted again. */
  readonly off: readonly string[];
  /** At most MOST_COUNTED: a look costs no more for those behind. */
  readonly waitingClaims: number;
  /** Claims without a VM, oldest first. */
  readonly claims: readonly string[];
  /** Ids of regions by number; `turn` counts the VMs that were ever made. */
  readonly regions: readonly string[];
  readonly turn: number;
  /** VM numbers that may be used now, and when the next one leaves quarantine. */
  readonly numbers: readonly number[];
  readonly nextNumberAt: Date | null;
  /** What was last said to hinder the pool. */
  readonly condition: PoolCondition | null;
}

export type PoolCondition = 'NoRegion' | 'AddressesExhausted';

export type PoolStep =
  | { readonly do: 'bind'; readonly pairs: readonly { readonly claim: string; readonly vm: string }[] }
  | { readonly do: 'boot_again'; readonly vms: readonly string[] }
  | {
      readonly do: 'make';
      readonly vms: readonly { readonly number: number; readonly region: string }[];
      readonly turn: number;
    }
  | { readonly do: 'discard'; readonly vms: readonly string[] }
  | { readonly do: 'report'; readonly condition: PoolCondition | null; readonly message: string | null };

const RECHECK_MS = 60_000;
/** With VMs to spare, those that were bound are replaced together. */
const GATHER_MS = 100;
/** Until it is seen that VMs on their way have come. Those that a claim waits for wake the pool themselves. */
const ARRIVAL_MS = 1_000;

/** Serves claims in their order, then brings the pool to its size (spec 1, "VM pool"). */
export function decidePool(pool: PoolSight, now: Date): Decision<PoolStep> {
  const missing = pool.size - pool.pooling - pool.initializing;
  if (pool.claims.length > 0 && pool.free.length > 0) return bind(pool, now);
  if (missing > 0) return topUp(pool, missing, now);
  if (pool.condition !== null)
    return act({ do: 'report', condition: null, message: null }, 'nothing hinders the pool any more');
  if (pool.off.length > 0) return comeBack(pool);
  const surplus = pool.pooling - pool.size;
  if (surplus > 0 && pool.free.length > 0) {
    return act(
      { do: 'discard', vms: pool.free.slice(-surplus) },
      `the pool is ${surplus} VM(s) larger than ${pool.size}`,
    );
  }
  if (pool.initializing > 0 && (pool.waitingClaims > 0 || missing < 0))
    return wait(stateOf(pool), new Date(now.getTime() + ARRIVAL_MS));
  return settle(stateOf(pool));
}

function bind(pool: PoolSight, now: Date): Decision<PoolStep> {
  const pairs = pool.claims.slice(0, pool.free.length).map((claim, at) => ({ claim, vm: pool.free[at]! }));
  const isAmple = pairs.length === pool.waitingClaims && pool.pooling - pairs.length > pool.size / 2;
  return act(
    { do: 'bind', pairs },
    `${counted(pool.waitingClaims)} claim(s) wait, ${pool.pooling} VM(s) are free`,
    isAmple ? new Date(now.getTime() + GATHER_MS) : 'now',
  );
}

/** Released VMs return to the pool though it is full: what is too much then goes, beginning with the newest. */
function comeBack({ size, off }: PoolSight): Decision<PoolStep> {
  if (size === 0) return act({ do: 'discard', vms: off }, 'no VM is wanted in the pool');
  return act({ do: 'boot_again', vms: off }, 'a released VM comes back');
}

function topUp(pool: PoolSight, missing: number, now: Date): Decision<PoolStep> {
  const because = `the pool has ${pool.pooling} of ${pool.size} VM(s), and ${pool.initializing} on their way`;
  if (pool.off.length > 0) return act({ do: 'boot_again', vms: pool.off.slice(0, missing) }, because);
  const { regions, turn } = pool;
  if (regions.length === 0) return hindered(pool, 'NoRegion', 'make a region: POST /v1/regions', now);
  const vms = pool.numbers
    .slice(0, missing)
    .map((number, at) => ({ number, region: regions[(turn + at) % regions.length]! }));
  if (vms.length > 0)
    return act({ do: 'make', vms, turn: turn + vms.length }, because, vms.length === missing ? 'settled' : 'now');
  return hindered(pool, 'AddressesExhausted', 'widen RECONCILER_VM_NETWORK, or let deployments go', now);
}

const hindrances: Record<PoolCondition, string> = {
  NoRegion: 'there is no region to make VMs in',
  AddressesExhausted: 'every address of the network is used or in quarantine',
};

function hindered(pool: PoolSight, condition: PoolCondition, fix: string, now: Date): Decision<PoolStep> {
  const message = hindrances[condition];
  if (pool.condition !== condition) return act({ do: 'report', condition, message }, message);
  const recheck = new Date(now.getTime() + RECHECK_MS);
  return wait(message, pool.nextNumberAt && pool.nextNumberAt < recheck ? pool.nextNumberAt : recheck, fix);
}

function stateOf({ pooling, initializing, size, waitingClaims }: PoolSight): string {
  const queue = waitingClaims > 0 ? `; ${counted(waitingClaims)} claim(s) wait for a VM` : '';
  return `${pooling} of ${size} VM(s) are free, ${initializing} on their way${queue}`;
}

/** A number of claims that may have been cut. */
export function counted(claims: number): number | string {
  return claims < MOST_COUNTED ? claims : `${claims} or more`;
}
