import { accessSync, constants } from 'node:fs';
import { duration, oneOf, secretsKey, whole } from '@homeostat/platform';
import { z } from 'zod';
import { registryAddress, repositoryName } from './registry/names';
import { password, username } from './sync/remote/remote-directory.port';

const NO_ADDRESS = 'is no address of a registry: write it like registry.example.com or 127.0.0.1:5000';
const flag = (fallback: 'true' | 'false') => oneOf(['true', 'false'], fallback).transform((word) => word === 'true');

/** What sync-svc is told (spec 2, "Settings"). */
export const syncSettings = {
  RECONCILER_REGSYNC_ENABLED: flag('true'),
  /** Between looks at a sync that waits for something. */
  RECONCILER_REGSYNC_INTERVAL: duration('30s'),
  /** Of one run of regsync. */
  RECONCILER_REGSYNC_TIMEOUT: duration('10m'),
  /** Its path, or its name in `PATH`. */
  RECONCILER_REGSYNC_BINARY: z.string().default('regsync'),
  PATH: z.string().default(''),
  /** Syncs that one process works on at the same time, each by up to two runs of regsync. */
  RECONCILER_SYNCS_AT_ONCE: whole(4, 1, 100),
  /** Syncs from one remote host that the whole fleet works on at the same time. */
  RECONCILER_SYNCS_PER_HOST: whole(2, 1, 100),
  /** How long a sync that has ended can be read. */
  RECONCILER_SYNC_RETENTION: duration('168h'),
  /** Encrypts what syncs are told in confidence. */
  RECONCILER_SECRETS_KEY: secretsKey,
  /** The registry as peers are told of it; where it is null, as this service itself knows it. */
  RECONCILER_PEER_REGISTRY_ADDRESS: z.string().regex(registryAddress, NO_ADDRESS).nullable().default(null),
  /** A user who may only read, for peers; null: they are told the one of this service. */
  RECONCILER_PEER_REGISTRY_USERNAME: username.nullable().default(null),
  RECONCILER_PEER_REGISTRY_PASSWORD: password.default(''),
  RECONCILER_INDEXER_ENABLED: flag('true'),
  /** Between listings of the registry's tags. */
  RECONCILER_INDEXER_INTERVAL: duration('1h'),
  /** Of the registry that is indexed; null: there is none. */
  RECONCILER_LOCAL_REGISTRY_ADDRESS: z.string().regex(registryAddress, NO_ADDRESS).nullable().default(null),
  RECONCILER_LOCAL_REGISTRY_REPOSITORY: z
    .string()
    .max(255, 'is longer than 255 characters')
    .regex(repositoryName, 'is no name of a repository: write it like dir or team/dir')
    .default('dir'),
  RECONCILER_LOCAL_REGISTRY_USERNAME: z.string().nullable().default(null),
  RECONCILER_LOCAL_REGISTRY_PASSWORD: z.string().default(''),
  /** Plain http. */
  RECONCILER_LOCAL_REGISTRY_INSECURE: flag('false'),
  /** A PEM file with certificates to trust beside the system's. */
  RECONCILER_LOCAL_REGISTRY_CA_FILE: z
    .string()
    .refine(isReadable, 'is no file that can be read')
    .nullable()
    .default(null),
  /** Whether a registry may send us to addresses that are not public: for development. */
  RECONCILER_ALLOW_PRIVATE_ADDRESSES: flag('false'),
  /** An OASF schema server that has a say in what is a valid record; null: there is none. */
  RECONCILER_SCHEMA_URL: z
    .url({ protocol: /^https?$/, error: 'is no http or https URL' })
    .transform((text) => text.replace(/\/+$/, ''))
    .nullable()
    .default(null),
};

export type SyncSettings = z.infer<z.ZodObject<typeof syncSettings>>;

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
