import {
  type Asked,
  Changes,
  Database,
  KindDesks,
  Route,
  idParams,
  instant,
  listOf,
  listQuery,
  page,
  readOne,
  resourceShape,
  waitFor,
  waitQuery,
} from '@homeostat/platform';
import { type Vm, vmStates } from '@homeostat/shared';
import { Controller } from '@nestjs/common';
import { z } from 'zod';

const vmShape = z.object({
  ...resourceShape,
  status: z.enum(vmStates),
  region_id: z.uuid(),
  number: z.int(),
  private_ip: z.ipv4(),
  claim_id: z.uuid().nullable(),
  image_id: z.uuid().nullable(),
  status_at: instant.describe('Since when it has this status'),
  paused: z.boolean(),
});
const columns =
  'id tenant_id status reason message generation created_at updated_at region_id number claim_id image_id status_at';
const vms = { from: 'vm', columns: [...columns.split(' '), 'host(private_ip) AS private_ip'], kind: 'vms' } as const;
const filters = ['status', 'region_id', 'claim_id', 'image_id'] as const;
const query = listQuery(filters);
const wait = waitQuery(vmStates);

/** VMs: those that serve a claim belong to its tenant, all others to `system`; one that is being removed stays with its last. */
@Controller()
export class VmController {
  constructor(
    private readonly database: Database,
    private readonly changes: Changes,
    desks: KindDesks,
  ) {
    desks.showBy('vms', (id, caller) => readOne(database, vms, id, caller));
  }

  @Route('GET /v1/vms', { summary: 'List VMs', scope: 'read', query, answer: page(vmShape) })
  list({ caller, query: asked }: Asked<{ query: typeof query }>) {
    return listOf<Vm>(this.database, { ...vms, caller, query: asked, filters });
  }

  @Route('GET /v1/vms/{id}', {
    summary: 'Read a VM, or wait for a status',
    scope: 'read',
    params: idParams,
    query: wait,
    answer: vmShape,
  })
  read({ caller, params, query: asked, signal }: Asked<{ params: typeof idParams; query: typeof wait }>) {
    const read = () => readOne<Vm>(this.database, vms, params.id, caller);
    const isFinal = ({ status }: Vm) => status === 'deleting';
    return waitFor({ read, wanted: asked.wait, timeoutMs: asked.timeout, isFinal, signal, changes: this.changes });
  }
}
