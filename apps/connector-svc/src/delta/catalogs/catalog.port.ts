import { type CallOptions, type TableName } from '../../connector/connector.port';
import { ConnectorFault } from '../../connector/fault';
import { liesIn, parseUri } from '../../storage/object-uri';
import { confined } from '../../storage/routed.storage';
import { type ObjectStore } from '../../storage/storage.port';
import { type TablePlace } from '../table-place';

/** Where a connector finds Delta tables. Faults are those of Connector. */
export interface DeltaCatalog {
  listNamespaces(options: CallOptions): AsyncIterable<readonly string[]>;
  listTables(namespace: readonly string[], options: CallOptions): AsyncIterable<TableName>;
  /** Where a table's folder is; `not_found` where the catalog has no such Delta table. */
  locate(table: TableName, options: CallOptions): Promise<TablePlace>;
  close(): Promise<void>;
}

/** The place of a table that a catalog locates. Throws `outside_root` for files that the connector's owner did not allow: a catalog could otherwise make us read our own disk. */
export function placeOf(location: string, store: ObjectStore, allowed: readonly string[]): TablePlace {
  const root = location.replace(/\/+$/, '');
  if (
    parseUri(root).scheme === 'file' &&
    !allowed.some((one) => parseUri(one).scheme === 'file' && liesIn(root, one))
  ) {
    throw new ConnectorFault('outside_root', `${root}: files are not read on the word of a catalog`);
  }
  return { roots: [root, ...allowed], store: confined(store, [root, ...allowed]) };
}
