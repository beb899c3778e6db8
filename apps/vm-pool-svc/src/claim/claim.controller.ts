import { type Asked, Database, Route, idParams, instant, listOf, listQuery, page, readOne } from '@homeostat/platform';
import type { VmClaim } from '@homeostat/shared';
import { Controller } from '@nestjs/common';
import { z } from 'zod';

const claimShape = z.object({
  id: z.uuid(),
  tenant_id: z.string(),
  status: z.enum(['waiting', 'bound', 'released']),
  reason: z.null(),
  message: z.null(),
  generation: z.string(),
  created_at: instant,
  updated_at: instant,
  deployment_id: z.uuid(),
  image_id: z.uuid(),
  port: z.int(),
  vm_id: z.uuid().nullable(),
  bound_at: instant.nullable(),
  released_at: instant.nullable(),
  freed_at: instant.nullable().describe('Since when its VM is free of it'),
});
const columns =
  'id tenant_id status generation created_at updated_at deployment_id image_id port vm_id bound_at released_at freed_at';
const claims = { from: 'vm_claim', columns: [...columns.split(' '), 'NULL AS reason', 'NULL AS message'] };
const filters = ['status', 'deployment_id', 'vm_id'] as const;
const query = listQuery(filters);

/** Claims: what deployments want of the pool, and the VM that each got. */
@Controller()
export class ClaimController {
  constructor(private readonly database: Database) {}

  @Route('GET /v1/claims', { summary: 'List claims on VMs', scope: 'read', query, answer: page(claimShape) })
  list({ caller, query: asked }: Asked<{ query: typeof query }>) {
    return listOf<VmClaim>(this.database, { ...claims, caller, query: asked, filters });
  }

  @Route('GET /v1/claims/{id}', { summary: 'Read a claim', scope: 'read', params: idParams, answer: claimShape })
  read({ caller, params }: Asked<{ params: typeof idParams }>) {
    return readOne<VmClaim>(this.database, claims, params.id, caller);
  }
}
