import { type CallOptions, type TableName } from '../../connector/connector.port';
import { ConnectorFault } from '../../connector/fault';
import { type GlueCatalog } from '../../storage/glue';
import { type ObjectStore } from '../../storage/storage.port';
import { type LoadedTable } from '../iceberg.table';
import { loadedTable, readMetadataFile } from '../metadata-file';
import { type IcebergCatalog } from './catalog.port';

/** Iceberg tables that AWS Glue lists: those whose parameter `table_type` is ICEBERG; `metadata_location` is the pointer to their truth. */
export class GlueIcebergCatalog implements IcebergCatalog {
  constructor(
    private readonly glue: GlueCatalog,
    private readonly store: ObjectStore,
    private readonly allowed: readonly string[],
  ) {}

  async *listNamespaces(options: CallOptions): AsyncIterable<readonly string[]> {
    for await (const name of this.glue.databases(options)) yield [name];
  }

  async *listTables(namespace: readonly string[], options: CallOptions): AsyncIterable<TableName> {
    for await (const { Name, Parameters } of this.glue.tables(databaseOf(namespace), options)) {
      if (isIceberg(Parameters)) yield { namespace, name: Name! };
    }
  }

  async load({ namespace, name }: TableName, options: CallOptions): Promise<LoadedTable> {
    const { Parameters } = await this.glue.table(databaseOf(namespace), name, options);
    const location = Parameters?.['metadata_location'];
    if (!isIceberg(Parameters) || !location) {
      throw new ConnectorFault('not_found', `${databaseOf(namespace)}.${name}: in Glue, but no Iceberg table`);
    }
    const metadata = await readMetadataFile(this.store, location, options.signal);
    return loadedTable(metadata, location, this.store, this.allowed);
  }

  async close(): Promise<void> {
    this.glue.close();
    this.store.close();
  }
}

function isIceberg(parameters: Readonly<Record<string, string>> | undefined): boolean {
  return parameters?.['table_type']?.toUpperCase() === 'ICEBERG';
}

function databaseOf(namespace: readonly string[]): string {
  if (namespace.length === 1) return namespace[0]!;
  throw new ConnectorFault('not_found', `${namespace.join('.')}: a database of Glue has one level`);
}
