import { Database, type Description, type HouseReconciler, SETTINGS, type Tx } from '@homeostat/platform';
import type { Plan } from '@homeostat/reconcile';
import { POOL_ID } from '@homeostat/shared';
import { Inject, Injectable } from '@nestjs/common';
import { discard } from '../vm/vm.writes';
import type { VmPoolSettings } from '../vm-pool.config';
import { MOST_COUNTED, type PoolSight, type PoolStep, decidePool, counted } from './pool.decide';
import { bind, bootAgain, make, report } from './pool.writes';

/** VMs bound, made or removed by one step: while the next ones are bound, the machines of these are made. */
const BATCH = 250;

/** Keeps the pool at its size, and binds its VMs to claims. */
@Injectable()
export class PoolReconciler implements HouseReconciler<PoolSight, PoolStep> {
  readonly kind = 'pool';
  readonly decide = decidePool;

  constructor(
    private readonly database: Database,
    @Inject(SETTINGS) private readonly settings: VmPoolSettings,
  ) {}

  async observe(): Promise<ReadonlyMap<string, PoolSight>> {
    const { RECONCILER_VM_POOL_SIZE: size, RECONCILER_VM_NETWORK: network } = this.settings;
    const [row] = await this.database.query<Omit<PoolSight, 'size'>>(observation, [
      POOL_ID,
      BATCH,
      network.blocks,
      size,
    ]);
    return new Map([[POOL_ID, { ...row!, size }]]);
  }

  async act([plan]: readonly Plan<PoolSight, PoolStep>[], tx: Tx): Promise<ReadonlySet<string>> {
    const done = await this.apply(plan!.step, plan!.because, tx);
    return new Set(done ? [POOL_ID] : []);
  }

  describe({ size, pooling, initializing, waitingClaims, condition }: PoolSight): Description {
    const observed = { pooling, initializing, waiting_claims: counted(waitingClaims), condition };
    return { desired: { pooling: size }, observed };
  }

  /** False where nothing of the step could be done, because the world had moved on. */
  private async apply(step: PoolStep, because: string, tx: Tx): Promise<boolean> {
    switch (step.do) {
      case 'bind':
        return (await bind(tx, step.pairs)) > 0;
      case 'boot_again':
        return (await bootAgain(tx, step.vms, because)) > 0;
      case 'make':
        return (await make(tx, step, this.settings.RECONCILER_VM_NETWORK, because)) > 0;
      case 'discard':
        return (
          (
            await discard(
              tx,
              step.vms.toSorted().map((key) => ({ key, because, reason: 'Surplus' })),
            )
          ).length > 0
        );
      case 'report':
        return report(tx, step);
    }
  }
}

/**
 * Parameters: the pool's id, how many of anything to list, how many VMs the network has room for, the pool's size. What
 * the next step has no use for is not listed: VMs only for claims or where there are too many, numbers for what is missing.
 * A range of states, and the order by them, can only be had from the index of states and numbers: that of the numbers
 * alone has all VMs at work before the first free one.
 */
const observation = `
  WITH counts AS MATERIALIZED (
    SELECT pooling, initializing, greatest($4::integer - pooling - initializing, 0) AS missing FROM (
      SELECT count(*) FILTER (WHERE status = 'pooling')::integer AS pooling,
        count(*) FILTER (WHERE status = 'initializing')::integer AS initializing
      FROM vm WHERE status IN ('pooling', 'initializing')) AS vms
  ), queue AS MATERIALIZED (
    SELECT id, number FROM vm_claim WHERE vm_id IS NULL AND released_at IS NULL ORDER BY number LIMIT $2
  ), limits AS MATERIALIZED (
    SELECT CASE WHEN pooling > $4 THEN $2 ELSE (SELECT count(*) FROM queue) END AS free, least(missing, $2) AS numbers FROM counts
  ), used AS (
    SELECT coalesce(max(number) + 1, 0) AS next FROM vm_address
  ), rested AS (
    SELECT number FROM vm_address WHERE vm_id IS NULL AND free_at <= now() AND number < $3 ORDER BY number
    LIMIT (SELECT numbers FROM limits)
  ), fresh AS (
    SELECT number FROM used, limits, generate_series(used.next, least(used.next + limits.numbers::integer, $3::integer) - 1) AS number
  )
  SELECT counts.pooling, counts.initializing, pool.turn, pool.condition,
    ARRAY (SELECT id FROM vm WHERE status BETWEEN 'pooling' AND 'pooling' ORDER BY status, number LIMIT (SELECT free FROM limits)) AS free,
    ARRAY (SELECT id FROM vm WHERE status BETWEEN 'off' AND 'off' ORDER BY status, number LIMIT $2) AS off,
    (SELECT count(*)::integer FROM (
      SELECT FROM vm_claim WHERE vm_id IS NULL AND released_at IS NULL LIMIT ${MOST_COUNTED}) AS waiting) AS "waitingClaims",
    ARRAY (SELECT id FROM queue ORDER BY number) AS claims,
    ARRAY (SELECT id FROM region ORDER BY number) AS regions,
    ARRAY (SELECT number FROM (TABLE rested UNION ALL TABLE fresh) AS usable ORDER BY number LIMIT (SELECT numbers FROM limits)) AS numbers,
    CASE WHEN counts.missing > 0 THEN
      (SELECT min(free_at) FROM vm_address WHERE vm_id IS NULL AND free_at > now()) END AS "nextNumberAt"
  FROM counts, pool WHERE pool.id = $1`;
