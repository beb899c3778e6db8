import { type Asked, Database, KindDesks, Route, SETTINGS } from '@homeostat/platform';
import { POOL_ID } from '@homeostat/shared';
import { Controller, Inject } from '@nestjs/common';
import { z } from 'zod';
import type { VmPoolSettings } from '../vm-pool.config';

const poolShape = z.object({
  id: z.uuid(),
  wanted: z.int().describe('VMs to be kept warm'),
  pooling: z.int(),
  initializing: z.int(),
  claimed: z.int().describe('VMs that serve a claim'),
  waiting_claims: z.int(),
  addresses: z.object({ used: z.int(), quarantined: z.int(), total: z.int() }),
  condition: z.enum(['NoRegion', 'AddressesExhausted']).nullable(),
  message: z.string().nullable(),
});

/** The pool in figures. */
@Controller()
export class PoolController {
  constructor(
    private readonly database: Database,
    @Inject(SETTINGS) private readonly settings: VmPoolSettings,
    desks: KindDesks,
  ) {
    desks.showBy('pool', () => this.figures());
  }

  @Route('GET /v1/pool', { summary: 'Read the pool', scope: 'read', answer: poolShape })
  read(_asked: Asked) {
    return this.figures();
  }

  private async figures(): Promise<object> {
    const { RECONCILER_VM_POOL_SIZE: wanted, RECONCILER_VM_NETWORK: network } = this.settings;
    const [row] = await this.database.query<Record<string, number>>(figures, [POOL_ID]);
    const { used, quarantined, ...pool } = row!;
    return { id: POOL_ID, wanted, ...pool, addresses: { used, quarantined, total: network.blocks } };
  }
}

const figures = `
  SELECT pool.condition, pool.message, vms.*, addresses.*,
    (SELECT count(*)::integer FROM vm_claim WHERE vm_id IS NULL AND released_at IS NULL) AS waiting_claims
  FROM pool, (
    SELECT count(*) FILTER (WHERE status = 'pooling')::integer AS pooling,
      count(*) FILTER (WHERE status = 'initializing')::integer AS initializing,
      count(*) FILTER (WHERE status IN ('starting', 'running'))::integer AS claimed FROM vm
  ) AS vms, (
    SELECT count(*) FILTER (WHERE vm_id IS NOT NULL)::integer AS used,
      count(*) FILTER (WHERE vm_id IS NULL AND free_at > now())::integer AS quarantined FROM vm_address
  ) AS addresses WHERE pool.id = $1`;
