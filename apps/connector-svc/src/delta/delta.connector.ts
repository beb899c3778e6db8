import { publicAgent } from '@homeostat/platform';
import { z } from 'zod';
import { parsedConfig } from '../connector/config';
import {
  type CallOptions,
  type Connector,
  type ConnectorConfig,
  type ConnectorFactory,
  type SourceTable,
  type TableName,
} from '../connector/connector.port';
import { ConnectorFault } from '../connector/fault';
import { LentStores } from '../iceberg/catalogs/lent-storage';
import { bearerAuth, noAuth, OAuth2Auth, type RestAuth } from '../iceberg/catalogs/rest.auth';
import { RestHttp } from '../iceberg/catalogs/rest.http';
import { GlueCatalog } from '../storage/glue';
import {
  awsKeysOf,
  neededAwsKeys,
  openStorage,
  storageCredentials,
  storageProperties,
  type Surroundings,
} from '../storage/open-storage';
import { type ObjectStore } from '../storage/storage.port';
import { type DeltaCatalog } from './catalogs/catalog.port';
import { FolderCatalog } from './catalogs/folder.catalog';
import { GlueDeltaCatalog } from './catalogs/glue.catalog';
import { UnityCatalog } from './catalogs/unity.catalog';
import { DeltaLog } from './delta-log';
import { DeltaTable } from './delta.table';
import { describeTable } from './describe';
import { DescribedTables } from './described-tables';

const properties = z.strictObject({
  ...storageProperties,
  /** What the URI is: a folder of tables, or one table; a Unity Catalog; or nothing that matters, for Glue. */
  catalog: z.enum(['filesystem', 'unity', 'glue']).default('filesystem'),
  auth: z.enum(['none', 'bearer', 'oauth2', 'aws']).default('none'),
  /** Whether the storage of a Unity Catalog's tables is read with the connector's own keys, or with what the catalog lends for each table. */
  storage_access: z.enum(['own', 'lent']).default('own'),
  /** Of Glue. */
  region: z.string().min(1).default('us-east-1'),
  glue_endpoint: z.url({ protocol: /^https?$/ }).optional(),
  glue_catalog_id: z.string().min(1).optional(),
  oauth2_server_uri: z.url({ protocol: /^https?$/ }).optional(),
  scope: z.string().min(1).default('all-apis'),
});

const credentials = z.strictObject({
  ...storageCredentials,
  token: z.string().min(1).optional(),
  client_id: z.string().min(1).optional(),
  client_secret: z.string().min(1).optional(),
});

type Properties = z.infer<typeof properties>;
type Credentials = z.infer<typeof credentials>;

/** Opens folders of Delta tables, Unity Catalogs and AWS Glue (spec 3, "Delta"). */
export class DeltaConnectorFactory implements ConnectorFactory {
  readonly kind = 'delta';
  private readonly described = new DescribedTables();

  constructor(private readonly surroundings: Surroundings) {}

  create(config: ConnectorConfig): Connector {
    const parsed = parsedConfig(config, { properties, credentials });
    const source = JSON.stringify([config.uri, config.properties]);
    return new DeltaConnector(this.catalog(config.uri, parsed.properties, parsed.credentials), this.described, source);
  }

  private catalog(uri: string, properties: Properties, credentials: Credentials): DeltaCatalog {
    const { allowed_locations: allowed } = properties;
    const storage = openStorage(properties, awsKeysOf(credentials), this.surroundings);
    switch (properties.catalog) {
      case 'filesystem':
        return new FolderCatalog(storage, uri, allowed);
      case 'glue':
        return new GlueDeltaCatalog(this.glue(properties, credentials), storage, allowed);
      case 'unity':
        return this.unity(uri, properties, credentials, storage);
    }
  }

  private glue(
    { region, glue_endpoint: endpoint, glue_catalog_id: catalogId }: Properties,
    credentials: Credentials,
  ): GlueCatalog {
    const { allowPrivate } = this.surroundings;
    return new GlueCatalog({ region, endpoint, keys: neededAwsKeys(credentials), allowPrivate }, catalogId);
  }

  private unity(uri: string, properties: Properties, credentials: Credentials, storage: ObjectStore): UnityCatalog {
    if (!URL.canParse(uri) || !/^https?:/.test(uri)) {
      throw new ConnectorFault('invalid_config', 'uri: a Unity Catalog is at an http: or https: address');
    }
    const dispatcher = publicAgent(this.surroundings);
    const base = uri.replace(/\/+$/, '');
    const auth = unityAuth(base, properties, credentials, dispatcher);
    const http = new RestHttp(base.includes('/api/') ? base : `${base}/api/2.1/unity-catalog`, auth, dispatcher);
    const settings = { lends: properties.storage_access === 'lent', allowed: properties.allowed_locations };
    return new UnityCatalog(http, new LentStores(storage, properties, this.surroundings), settings);
  }
}

function unityAuth(
  base: string,
  { auth, oauth2_server_uri: server, scope }: Properties,
  credentials: Credentials,
  dispatcher: ReturnType<typeof publicAgent>,
): RestAuth {
  switch (auth) {
    case 'none':
    case 'aws':
      return noAuth;
    case 'bearer':
      return bearerAuth(needed(credentials, 'token'));
    case 'oauth2': {
      const [clientId, clientSecret] = [needed(credentials, 'client_id'), needed(credentials, 'client_secret')];
      const endpoint = new URL(server ?? '/oidc/v1/token', base);
      return new OAuth2Auth({ server: endpoint, clientId, clientSecret, extras: { scope } }, dispatcher);
    }
  }
}

function needed(credentials: Credentials, name: 'token' | 'client_id' | 'client_secret'): string {
  const value = credentials[name];
  if (value === undefined) throw new ConnectorFault('invalid_config', `credentials.${name}: is missing`);
  return value;
}

/** An open source of Delta tables. */
export class DeltaConnector implements Connector {
  constructor(
    private readonly catalog: DeltaCatalog,
    private readonly remembered: DescribedTables,
    private readonly source: string,
  ) {}

  listNamespaces(options: CallOptions = {}): AsyncIterable<readonly string[]> {
    return this.catalog.listNamespaces(options);
  }

  listTables(namespace: readonly string[], options: CallOptions = {}): AsyncIterable<TableName> {
    return this.catalog.listTables(namespace, options);
  }

  async describe(table: TableName, options: CallOptions = {}): Promise<SourceTable> {
    const place = await this.catalog.locate(table, options);
    const [root] = place.roots;
    const id = JSON.stringify([this.source, table, root]);
    const known = await this.remembered.current(id, place.store, root, options);
    const openLog = onceOpened((signal) => DeltaLog.open(place.store, root, signal));
    if (known) return new DeltaTable(known, place, openLog);
    const opened = await openLog(options.signal);
    const described = await describeTable(table, opened, options.signal);
    this.remembered.remember(id, described, opened);
    return new DeltaTable(described, place, openLog);
  }

  async close(): Promise<void> {
    await this.catalog.close();
  }
}

/** Opens once, and after a failure anew. */
function onceOpened<T>(open: (signal?: AbortSignal) => Promise<T>): (signal?: AbortSignal) => Promise<T> {
  let opened: Promise<T> | null = null;
  return (signal) =>
    (opened ??= open(signal).catch((error: unknown) => {
      opened = null;
      throw error;
    }));
}
