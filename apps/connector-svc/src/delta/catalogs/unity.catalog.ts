import { type CallOptions, type TableName } from '../../connector/connector.port';
import { ConnectorFault } from '../../connector/fault';
import { type LentStores } from '../../iceberg/catalogs/lent-storage';
import { type RestHttp } from '../../iceberg/catalogs/rest.http';
import { type Json } from '../../iceberg/json';
import { type ObjectStore } from '../../storage/storage.port';
import { member } from '../exact-json';
import { type TablePlace } from '../table-place';
import { type DeltaCatalog, placeOf } from './catalog.port';

const mostAnswerBytes = 32 << 20;
const mostPages = 10_000;
/** As many as the server likes: its most differs from list to list, and more is refused (50 tables, 1 000 catalogs). */
const pageSize = '0';

/** What of Unity Catalog's OpenAPI a connector is told. */
export interface UnitySettings {
  /** Whether each table's storage is read with credentials that the catalog lends (`temporary-table-credentials`). */
  readonly lends: boolean;
  readonly allowed: readonly string[];
}

/** Delta tables of a Unity Catalog: namespaces are `<catalog>.<schema>`. */
export class UnityCatalog implements DeltaCatalog {
  constructor(
    private readonly http: RestHttp,
    private readonly stores: LentStores,
    private readonly settings: UnitySettings,
  ) {}

  async *listNamespaces(options: CallOptions): AsyncIterable<readonly string[]> {
    for await (const catalog of this.pages('catalogs', {}, options)) {
      const catalog_name = nameOf(catalog);
      for await (const schema of this.pages('schemas', { catalog_name }, options)) yield [catalog_name, nameOf(schema)];
    }
  }

  async *listTables(namespace: readonly string[], options: CallOptions): AsyncIterable<TableName> {
    const [catalog_name, schema_name] = levelsOf(namespace);
    for await (const table of this.pages('tables', { catalog_name, schema_name }, options)) {
      if (isDelta(table)) yield { namespace, name: nameOf(table) };
    }
  }

  async locate({ namespace, name }: TableName, options: CallOptions): Promise<TablePlace> {
    const fullName = [...levelsOf(namespace), name].join('.');
    const table = await this.ask(`tables/${encodeURIComponent(fullName)}`, {}, options);
    const location = member(table, 'storage_location');
    if (!isDelta(table) || typeof location !== 'string' || location === '') {
      throw new ConnectorFault('not_found', `${fullName}: in Unity Catalog, but no Delta table with a place`);
    }
    return placeOf(location, await this.storeFor(table, fullName, options), this.settings.allowed);
  }

  async close(): Promise<void> {
    this.stores.close();
    await this.http.close();
  }

  private async storeFor(table: Json, fullName: string, options: CallOptions): Promise<ObjectStore> {
    if (!this.settings.lends) return this.stores.storeFor({});
    const asked = { table_id: member(table, 'table_id'), operation: 'READ' };
    const lent = member(await this.ask('temporary-table-credentials', {}, options, asked), 'aws_temp_credentials');
    const [id, secret, token] = ['access_key_id', 'secret_access_key', 'session_token'].map((key) => member(lent, key));
    if (typeof id !== 'string' || typeof secret !== 'string') {
      throw new ConnectorFault('unsupported', `${fullName}: Unity Catalog lends no credentials for S3`);
    }
    const session: Record<string, string> = typeof token === 'string' ? { 's3.session-token': token } : {};
    return this.stores.storeFor({ 's3.access-key-id': id, 's3.secret-access-key': secret, ...session });
  }

  private ask(
    path: string,
    query: Readonly<Record<string, string>>,
    { signal }: CallOptions,
    json?: object,
  ): Promise<Json> {
    return this.http.ask(path, query, { signal, json, limit: mostAnswerBytes });
  }

  /** The items of all pages, until the server names no next one; a token that comes again, or too many pages, is a fault. */
  private async *pages(
    kind: string,
    query: Readonly<Record<string, string>>,
    options: CallOptions,
  ): AsyncIterable<Json> {
    const seen = new Set<string>();
    let token: Json = null;
    do {
      const place: Record<string, string> = typeof token === 'string' ? { page_token: token } : {};
      const page = await this.ask(kind, { ...query, max_results: pageSize, ...place }, options);
      const items = member(page, kind);
      if (items !== null && !Array.isArray(items))
        throw new ConnectorFault('invalid_answer', `the listing of ${kind} is no list`);
      yield* (items ?? []) as readonly Json[];
      token = member(page, 'next_page_token');
      if (typeof token === 'string' && (seen.has(token) || seen.size >= mostPages)) {
        throw new ConnectorFault('invalid_answer', `the listing of ${kind} has no end`);
      }
      if (typeof token === 'string') seen.add(token);
    } while (typeof token === 'string' && token !== '');
  }
}

function isDelta(table: Json): boolean {
  return member(table, 'data_source_format') === 'DELTA';
}

function nameOf(item: Json): string {
  const name = member(item, 'name');
  if (typeof name !== 'string')
    throw new ConnectorFault('invalid_answer', 'Unity Catalog lists something without a name');
  return name;
}

function levelsOf(namespace: readonly string[]): readonly [string, string] {
  const [catalog, schema, ...more] = namespace;
  if (catalog !== undefined && schema !== undefined && more.length === 0) return [catalog, schema];
  throw new ConnectorFault(
    'not_found',
    `${namespace.join('.')}: a namespace of Unity Catalog has two levels, catalog and schema`,
  );
}
