import { type Table } from '@aws-sdk/client-glue';
import { type CallOptions, type TableName } from '../../connector/connector.port';
import { ConnectorFault } from '../../connector/fault';
import { type GlueCatalog } from '../../storage/glue';
import { type ObjectStore } from '../../storage/storage.port';
import { type TablePlace } from '../table-place';
import { type DeltaCatalog, placeOf } from './catalog.port';

/** Delta tables that AWS Glue lists: those whose parameter `spark.sql.sources.provider` is delta. */
export class GlueDeltaCatalog implements DeltaCatalog {
  constructor(
    private readonly glue: GlueCatalog,
    private readonly store: ObjectStore,
    private readonly allowed: readonly string[],
  ) {}

  async *listNamespaces(options: CallOptions): AsyncIterable<readonly string[]> {
    for await (const name of this.glue.databases(options)) yield [name];
  }

  async *listTables(namespace: readonly string[], options: CallOptions): AsyncIterable<TableName> {
    for await (const table of this.glue.tables(databaseOf(namespace), options)) {
      if (isDelta(table)) yield { namespace, name: table.Name! };
    }
  }

  async locate({ namespace, name }: TableName, options: CallOptions): Promise<TablePlace> {
    const table = await this.glue.table(databaseOf(namespace), name, options);
    const location = locationOf(table);
    if (!isDelta(table) || !location) {
      throw new ConnectorFault('not_found', `${databaseOf(namespace)}.${name}: in Glue, but no Delta table`);
    }
    return placeOf(location, this.store, this.allowed);
  }

  async close(): Promise<void> {
    this.glue.close();
    this.store.close();
  }
}

function isDelta({ Parameters }: Table): boolean {
  return Parameters?.['spark.sql.sources.provider']?.toLowerCase() === 'delta';
}

/** Where Spark could not tell Hive the real place, it left a mark in the location and the path among the parameters of the SerDe. */
function locationOf({ StorageDescriptor: storage }: Table): string | undefined {
  const isMark = storage?.Location?.endsWith('__PLACEHOLDER__') ?? true;
  return isMark ? storage?.SerdeInfo?.Parameters?.['path'] : storage?.Location;
}

function databaseOf(namespace: readonly string[]): string {
  if (namespace.length === 1) return namespace[0]!;
  throw new ConnectorFault('not_found', `${namespace.join('.')}: a database of Glue has one level`);
}
