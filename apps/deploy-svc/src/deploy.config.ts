import { duration, oneOf } from '@homeostat/platform';
import { z } from 'zod';

/** What deploy-svc is told (spec 1, "Deployments" and "Builds"). */
export const deploySettings = {
  /** From a build's start to its end. */
  RECONCILER_BUILD_TIMEOUT: duration('10m'),
  /** From a build's request to its start. */
  RECONCILER_BUILD_QUEUE_TIMEOUT: duration('1h'),
  /** How long the second newest deployment stays after the newest became ready. */
  RECONCILER_DEPLOYMENT_GRACE_PERIOD: duration('5m'),
  /** How long a deployment with an image waits for a VM. */
  RECONCILER_DEPLOYMENT_VM_TIMEOUT: duration('1h'),
  /** What makes a deployment ready: its VM assigned, the workload running, or an HTTP answer below 400. */
  RECONCILER_DEPLOYMENT_READY_GATE: oneOf(['assigned', 'running', 'healthy'], 'assigned'),
  RECONCILER_DEPLOYMENT_HEALTH_PATH: z
    .string()
    .default('/')
    .refine((path) => path.startsWith('/'), 'must begin with a slash'),
};

export type DeploySettings = z.infer<z.ZodObject<typeof deploySettings>>;
