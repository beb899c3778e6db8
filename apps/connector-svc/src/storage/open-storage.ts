import { z } from 'zod';
import { ConnectorFault } from '../connector/fault';
import { type AwsKeys } from './aws';
import { FilesystemStore, type Mount } from './filesystem.storage';
import { parseUri } from './object-uri';
import { RoutedStore } from './routed.storage';
import { type S3Settings, S3Store } from './s3.storage';
import { type ObjectStore } from './storage.port';

/** Properties of a connector that say where its objects are. */
export const storageProperties = {
  s3_endpoint: z.url({ protocol: /^https?$/ }).optional(),
  s3_region: z.string().min(1).default('us-east-1'),
  s3_path_style: z.enum(['true', 'false']).default('false'),
  /** Folders beyond a table's own that its metadata may name, separated by commas. */
  allowed_locations: z
    .string()
    .default('')
    .transform((list) =>
      list
        .split(',')
        .map((one) => one.trim())
        .filter(Boolean),
    ),
};

/** Credentials of a connector for S3 and Glue. */
export const storageCredentials = {
  access_key_id: z.string().min(1).optional(),
  secret_access_key: z.string().min(1).optional(),
  session_token: z.string().min(1).optional(),
};

export type StorageProperties = z.infer<z.ZodObject<typeof storageProperties>>;
type StorageCredentials = z.infer<z.ZodObject<typeof storageCredentials>>;

/** The keys among a connector's credentials; undefined when it has none. Throws ConnectorFault `invalid_config` for half a pair. */
export function awsKeysOf(credentials: StorageCredentials): AwsKeys | undefined {
  return credentials.access_key_id || credentials.secret_access_key ? neededAwsKeys(credentials) : undefined;
}

/** The keys among a connector's credentials, for what cannot be asked without. Throws ConnectorFault `invalid_config`. */
export function neededAwsKeys(credentials: StorageCredentials): AwsKeys {
  const { access_key_id: accessKeyId, secret_access_key: secretAccessKey, session_token: sessionToken } = credentials;
  if (accessKeyId && secretAccessKey) return { accessKeyId, secretAccessKey, sessionToken };
  const both = 'credentials.access_key_id, credentials.secret_access_key';
  throw new ConnectorFault('invalid_config', `${both}: both are needed`);
}

/** What the process allows its connectors. */
export interface Surroundings {
  /** Folders whose files may be read: `/srv/lake`, or `/lake=/srv/lake` where tables know the folder by another name. */
  readonly fileRoots: readonly string[];
  /** Whether catalogs and storage may have addresses that are not of the public internet. */
  readonly allowPrivate: boolean;
}

/** The objects a connector may reach: S3 as its properties say, and files below `fileRoots` only. */
export function openStorage(
  properties: StorageProperties,
  keys: AwsKeys | undefined,
  { fileRoots, allowPrivate }: Surroundings,
): ObjectStore {
  const s3 = new S3Store({ ...s3Settings(properties, allowPrivate), keys });
  const file = new FilesystemStore(fileRoots.map(mountOf));
  return new RoutedStore((uri) => (parseUri(uri).scheme === 's3' ? s3 : file), [s3]);
}

function mountOf(root: string): Mount {
  const [uri, folder = uri] = root.split('=', 2) as [string, string?];
  return { uri, folder };
}

/** Where a connector's own S3 is. */
export function s3Settings(properties: StorageProperties, allowPrivate: boolean): S3Settings {
  const { s3_region: region, s3_endpoint: endpoint, s3_path_style: style } = properties;
  return { region, endpoint, pathStyle: style === 'true', allowPrivate };
}
