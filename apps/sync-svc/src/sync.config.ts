import { accessSync, constants } from 'node:fs';
import { duration, oneOf } from '@homeostat/platform';
import { z } from 'zod';

/** `host` or `host:port`; nothing of it may reach a URL as something else. */
const address = /^(?:[a-zA-Z\d](?:[a-zA-Z\d.-]*[a-zA-Z\d])?|\[[\da-fA-F:.]+\])(?::\d{1,5})?$/;
/** The name of a repository (distribution specification 1.1). */
const repository = /^[a-z\d]+(?:(?:[._]|__|-+)[a-z\d]+)*(?:\/[a-z\d]+(?:(?:[._]|__|-+)[a-z\d]+)*)*$/;

const flag = (fallback: 'true' | 'false') => oneOf(['true', 'false'], fallback).transform((word) => word === 'true');

/** What sync-svc is told (spec 2, "Settings"). */
export const syncSettings = {
  RECONCILER_INDEXER_ENABLED: flag('true'),
  /** Between listings of the registry's tags. */
  RECONCILER_INDEXER_INTERVAL: duration('1h'),
  /** Of the registry that is indexed; null: there is none. */
  RECONCILER_LOCAL_REGISTRY_ADDRESS: z
    .string()
    .regex(address, 'is no address of a registry: write it like registry.example.com or 127.0.0.1:5000')
    .nullable()
    .default(null),
  RECONCILER_LOCAL_REGISTRY_REPOSITORY: z
    .string()
    .max(255, 'is longer than 255 characters')
    .regex(repository, 'is no name of a repository: write it like dir or team/dir')
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
