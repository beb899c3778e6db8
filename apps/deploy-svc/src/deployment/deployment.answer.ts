import { instant, resourceShape } from '@homeostat/platform';
import { deploymentStates } from '@homeostat/shared';
import { z } from 'zod';

const time = instant.nullable();
/** A deployment as the API shows it. */
export const deploymentShape = z.object({
  ...resourceShape,
  status: z.enum(deploymentStates),
  phase: z.enum(['waiting_for_build', 'waiting_for_vm']).nullable(),
  number: z.string().describe('The order of creation'),
  project_id: z.uuid(),
  environment_id: z.uuid(),
  commit: z.string().nullable(),
  port: z.int(),
  env: z.record(z.string(), z.string()),
  build_id: z.uuid().nullable(),
  image_id: z.uuid().nullable(),
  vm_id: z.uuid().nullable(),
  pinned: z.boolean().describe('Protected against supersession'),
  rollback_of: z.uuid().nullable().describe('The deployment whose image this one runs again'),
  cancel_requested_at: time,
  building_at: time,
  image_at: time,
  ready_at: time,
  inactive_at: time,
  failed_at: time,
  paused: z.boolean(),
});

const { paused: _, ...columns } = deploymentShape.shape;

/** Where deployments are read from: what is shown, and nothing else of the table. */
export const deployments = { from: 'deployment', kind: 'deployments', columns: Object.keys(columns) } as const;
