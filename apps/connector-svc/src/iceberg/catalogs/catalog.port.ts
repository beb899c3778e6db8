import { type CallOptions, type TableName } from '../../connector/connector.port';
import { type LoadedTable } from '../iceberg.table';

/** Where a connector finds Iceberg tables. Faults are those of Connector. */
export interface IcebergCatalog {
  listNamespaces(options: CallOptions): AsyncIterable<readonly string[]>;
  listTables(namespace: readonly string[], options: CallOptions): AsyncIterable<TableName>;
  load(table: TableName, options: CallOptions): Promise<LoadedTable>;
  close(): Promise<void>;
}
