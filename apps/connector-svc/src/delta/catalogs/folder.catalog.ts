import { type CallOptions, type TableName } from '../../connector/connector.port';
import { ConnectorFault } from '../../connector/fault';
import { confined } from '../../storage/routed.storage';
import { type ObjectStore } from '../../storage/storage.port';
import { logFolder } from '../delta-log';
import { type TablePlace } from '../table-place';
import { type DeltaCatalog } from './catalog.port';

const deepestNamespace = 8;
const logFile = /^\d{20}\.(json|checkpoint\.)/;

/** Tables as folders below a root, `<namespace levels>/<table>/_delta_log/`, on a filesystem or S3; or the one table that the root itself is. */
export class FolderCatalog implements DeltaCatalog {
  private readonly root: string;
  private readonly rootName: string;

  constructor(
    private readonly store: ObjectStore,
    uri: string,
    private readonly allowed: readonly string[],
  ) {
    this.root = uri.replace(/\/+$/, '');
    this.rootName = this.root.slice(this.root.lastIndexOf('/') + 1);
  }

  async *listNamespaces(options: CallOptions): AsyncIterable<readonly string[]> {
    if (await this.isTable([], options)) yield [];
    else yield* this.below([], options);
  }

  async *listTables(namespace: readonly string[], options: CallOptions): AsyncIterable<TableName> {
    if (namespace.length === 0 && (await this.isTable([], options))) return yield { namespace, name: this.rootName };
    for await (const name of this.folders(namespace, options)) {
      if (await this.isTable([...namespace, name], options)) yield { namespace, name };
    }
  }

  async locate({ namespace, name }: TableName, options: CallOptions): Promise<TablePlace> {
    const isRoot = namespace.length === 0 && name === this.rootName && (await this.isTable([], options));
    const folder = isRoot ? this.root : this.folder([...namespace, name]);
    return { roots: [folder, ...this.allowed], store: confined(this.store, [folder, ...this.allowed]) };
  }

  async close(): Promise<void> {
    this.store.close();
  }

  private async *below(above: readonly string[], options: CallOptions): AsyncIterable<readonly string[]> {
    if (above.length >= deepestNamespace) return;
    for await (const name of this.folders(above, options)) {
      const path = [...above, name];
      if (await this.isTable(path, options)) continue;
      yield path;
      yield* this.below(path, options);
    }
  }

  /** Folders that begin with `_` or a dot are hidden (protocol, "Data Files"). */
  private async *folders(path: readonly string[], options: CallOptions): AsyncIterable<string> {
    for await (const name of this.store.listFolders(`${this.folder(path)}/`, options))
      if (!/^[._]/.test(name)) yield name;
  }

  private async isTable(path: readonly string[], { signal }: CallOptions): Promise<boolean> {
    const log = logFolder(this.folder(path));
    for await (const { uri } of this.store.list(log, { signal })) if (logFile.test(uri.slice(log.length))) return true;
    return false;
  }

  private folder(path: readonly string[]): string {
    if (path.some((level) => level === '' || level.includes('/'))) {
      throw new ConnectorFault('outside_root', `${path.join(' / ')}: a name in a folder has no slash`);
    }
    return [this.root, ...path].join('/');
  }
}
