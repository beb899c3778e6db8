import { publicAgent } from '@homeostat/platform';
import { type Dispatcher } from 'undici';
import { z } from 'zod';
import {
  type CallOptions,
  type Connector,
  type ConnectorConfig,
  type ConnectorFactory,
  type SourceTable,
  type TableName,
} from '../connector/connector.port';
import { parsedConfig } from '../connector/config';
import { ConnectorFault } from '../connector/fault';
import { GlueCatalog } from '../storage/glue';
import {
  awsKeysOf,
  neededAwsKeys,
  openStorage,
  storageCredentials,
  storageProperties,
  type Surroundings,
} from '../storage/open-storage';
import { type IcebergCatalog } from './catalogs/catalog.port';
import { FilesystemCatalog } from './catalogs/filesystem.catalog';
import { GlueIcebergCatalog } from './catalogs/glue.catalog';
import { LentStores } from './catalogs/lent-storage';
import { bearerAuth, noAuth, OAuth2Auth, type OAuth2Settings, type RestAuth, sigV4Auth } from './catalogs/rest.auth';
import { RestCatalog } from './catalogs/rest.catalog';
import { RestHttp } from './catalogs/rest.http';
import { IcebergTable } from './iceberg.table';

const properties = z.strictObject({
  ...storageProperties,
  /** What the URI is: a folder of tables, or one metadata file; a REST catalog; or nothing that matters, for Glue. */
  catalog: z.enum(['filesystem', 'rest', 'glue']).default('filesystem'),
  auth: z.enum(['none', 'bearer', 'oauth2', 'sigv4', 'aws']).default('none'),
  warehouse: z.string().min(1).optional(),
  /** Of SigV4 and Glue. */
  region: z.string().min(1).default('us-east-1'),
  /** The name that SigV4 signs for. */
  service: z.string().min(1).default('execute-api'),
  glue_endpoint: z.url({ protocol: /^https?$/ }).optional(),
  glue_catalog_id: z.string().min(1).optional(),
  oauth2_server_uri: z.url({ protocol: /^https?$/ }).optional(),
  scope: z.string().min(1).default('catalog'),
  audience: z.string().min(1).optional(),
  resource: z.string().min(1).optional(),
});

const credentials = z.strictObject({
  ...storageCredentials,
  token: z.string().min(1).optional(),
  client_id: z.string().min(1).optional(),
  client_secret: z.string().min(1).optional(),
});

type Properties = z.infer<typeof properties>;
type Credentials = z.infer<typeof credentials>;

/** Opens Iceberg catalogs: folders, REST, AWS Glue (spec 3, "Iceberg"). */
export class IcebergConnectorFactory implements ConnectorFactory {
  readonly kind = 'iceberg';

  constructor(private readonly surroundings: Surroundings) {}

  create(config: ConnectorConfig): Connector {
    const parsed = parsedConfig(config, { properties, credentials });
    return new IcebergConnector(this.catalog(config.uri, parsed.properties, parsed.credentials));
  }

  private catalog(uri: string, properties: Properties, credentials: Credentials): IcebergCatalog {
    const { allowed_locations: allowed } = properties;
    const storage = openStorage(properties, awsKeysOf(credentials), this.surroundings);
    switch (properties.catalog) {
      case 'filesystem':
        return new FilesystemCatalog(storage, uri, allowed);
      case 'glue': {
        const { region, glue_endpoint: endpoint, glue_catalog_id: catalogId } = properties;
        const { allowPrivate } = this.surroundings;
        const keys = neededAwsKeys(credentials);
        return new GlueIcebergCatalog(
          new GlueCatalog({ region, endpoint, keys, allowPrivate }, catalogId),
          storage,
          allowed,
        );
      }
      case 'rest':
        return this.rest(uri, properties, credentials, new LentStores(storage, properties, this.surroundings));
    }
  }

  private rest(uri: string, properties: Properties, credentials: Credentials, stores: LentStores): RestCatalog {
    if (!URL.canParse(uri) || !/^https?:/.test(uri)) {
      throw new ConnectorFault('invalid_config', 'uri: a REST catalog is at an http: or https: address');
    }
    const dispatcher = publicAgent(this.surroundings);
    const { warehouse, allowed_locations: allowed } = properties;
    const http = new RestHttp(uri, restAuth(uri, properties, credentials, dispatcher), dispatcher);
    return new RestCatalog({ warehouse, allowed }, http, stores);
  }
}

function restAuth(uri: string, properties: Properties, credentials: Credentials, dispatcher: Dispatcher): RestAuth {
  switch (properties.auth) {
    case 'none':
    case 'aws':
      return noAuth;
    case 'bearer':
      return bearerAuth(needed(credentials, 'token'));
    case 'sigv4':
      return sigV4Auth({ region: properties.region, service: properties.service, keys: neededAwsKeys(credentials) });
    case 'oauth2':
      return new OAuth2Auth(oauth2Settings(uri, properties, credentials), dispatcher);
  }
}

/** The secret is sent to the address that the connector's owner named, or to the catalog itself; never to one that a catalog names. */
function oauth2Settings(uri: string, properties: Properties, credentials: Credentials): OAuth2Settings {
  const { scope, audience, resource } = properties;
  const extras = Object.entries({ scope, audience, resource }).filter(
    (one): one is [string, string] => one[1] !== undefined,
  );
  return {
    server: new URL(properties.oauth2_server_uri ?? `${uri.replace(/\/+$/, '')}/v1/oauth/tokens`),
    clientId: needed(credentials, 'client_id'),
    clientSecret: needed(credentials, 'client_secret'),
    extras: Object.fromEntries(extras),
  };
}

function needed(credentials: Credentials, name: 'token' | 'client_id' | 'client_secret'): string {
  const value = credentials[name];
  if (value === undefined) throw new ConnectorFault('invalid_config', `credentials.${name}: is missing`);
  return value;
}

/** An open Iceberg catalog. */
class IcebergConnector implements Connector {
  constructor(private readonly catalog: IcebergCatalog) {}

  listNamespaces(options: CallOptions = {}): AsyncIterable<readonly string[]> {
    return this.catalog.listNamespaces(options);
  }

  listTables(namespace: readonly string[], options: CallOptions = {}): AsyncIterable<TableName> {
    return this.catalog.listTables(namespace, options);
  }

  async describe(table: TableName, options: CallOptions = {}): Promise<SourceTable> {
    return new IcebergTable(table, await this.catalog.load(table, options));
  }

  async close(): Promise<void> {
    await this.catalog.close();
  }
}
