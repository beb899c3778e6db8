import { duration, oneOf, whole } from '@homeostat/platform';
import { z } from 'zod';
import { type Network, parseNetwork } from './vm/address';

/** What vm-pool-svc is told (spec 1, "VM pool"). */
export const vmPoolSettings = {
  /** VMs kept warm: up, and without a claim. */
  RECONCILER_VM_POOL_SIZE: whole(3, 0, 100_000),
  RECONCILER_VM_NETWORK: z
    .string()
    .default('10.77.0.0/16')
    .transform((text, context): Network => {
      const network = parseNetwork(text);
      if (network) return network;
      context.addIssue(`"${text}" is no IPv4 network of at least 8 addresses: write it like 10.77.0.0/16`);
      return z.NEVER;
    }),
  /** How long the address of a VM that is gone is not given to another one. */
  RECONCILER_VM_QUARANTINE: duration('5m'),
  RECONCILER_VM_RELEASE_POLICY: oneOf(['reuse', 'delete'], 'reuse'),
  /** A machine that is not up, or not running, after that time is replaced. */
  RECONCILER_VM_BOOT_TIMEOUT: duration('5m'),
  RECONCILER_VM_PROVIDER: oneOf(['simulated', 'docker'], 'simulated'),
  RECONCILER_SIMULATED_LATENCY_MS: whole(200, 0, 600_000),
  RECONCILER_SIMULATED_FAILURE_PERCENT: whole(0, 0, 100),
  RECONCILER_DOCKER_SOCKET: z.string().default('/var/run/docker.sock'),
  /** Where machines are, and what tells them from those of another fleet. */
  RECONCILER_DOCKER_NETWORK: z
    .string()
    .default('homeostat')
    .refine(
      (name) => /^[a-z0-9][a-z0-9_.-]{0,39}$/.test(name),
      'is no name of a Docker network: write it like homeostat',
    ),
  /** What an empty machine runs: a program that does nothing and does not end. */
  RECONCILER_DOCKER_IMAGE: z
    .string()
    .default('registry.k8s.io/pause:3.10')
    .refine(
      (image) => /[:@][^/]+$/.test(image),
      'has neither tag nor digest: write it like registry.k8s.io/pause:3.10',
    ),
};

export type VmPoolSettings = z.infer<z.ZodObject<typeof vmPoolSettings>>;
