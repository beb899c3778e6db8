import { type CallOptions, type TableName } from '../../connector/connector.port';
import { ConnectorFault } from '../../connector/fault';
import { folderOf } from '../../storage/object-uri';
import { type ObjectStore } from '../../storage/storage.port';
import { type LoadedTable } from '../iceberg.table';
import { loadedTable, readMetadataFile } from '../metadata-file';
import { type IcebergCatalog } from './catalog.port';

const deepestNamespace = 8;
/** `v3.metadata.json`, `00003-<uuid>.metadata.json`, either with `.gz` before or after. */
const metadataName = /^(?:v(\d+)|(\d+)-[^/]+?)(?:\.gz)?\.metadata\.json(?:\.gz)?$/;

/**
 * Tables as folders below a root, `<namespace levels>/<table>/metadata/`, on a filesystem or S3; or the one table whose metadata file is
 * the URI itself. The newest metadata file is the one with the highest number: `version-hint.text` only says where to start
 * looking for it, may be stale or missing, and is not needed where the folder is listed.
 */
export class FilesystemCatalog implements IcebergCatalog {
  private readonly root: string;
  private readonly only: { readonly location: string; readonly table: TableName } | null;

  constructor(
    private readonly store: ObjectStore,
    uri: string,
    private readonly allowed: readonly string[],
  ) {
    this.root = uri.replace(/\/+$/, '');
    const folder = folderOf(folderOf(uri));
    const table = { namespace: [], name: folder.slice(folder.lastIndexOf('/') + 1) };
    this.only = metadataName.test(uri.slice(uri.lastIndexOf('/') + 1)) ? { location: uri, table } : null;
  }

  async *listNamespaces(options: CallOptions): AsyncIterable<readonly string[]> {
    if (this.only) yield [];
    else yield* this.below([], options);
  }

  async *listTables(namespace: readonly string[], options: CallOptions): AsyncIterable<TableName> {
    if (this.only) return yield this.only.table;
    for await (const name of this.store.listFolders(`${this.folder(namespace)}/`, options)) {
      if (await this.isTable([...namespace, name], options)) yield { namespace, name };
    }
  }

  async load(table: TableName, { signal }: CallOptions): Promise<LoadedTable> {
    const location = this.only?.location ?? (await this.newest(table, signal));
    const metadata = await readMetadataFile(this.store, location, signal);
    return loadedTable(metadata, location, this.store, this.allowed);
  }

  async close(): Promise<void> {
    this.store.close();
  }

  private async *below(above: readonly string[], options: CallOptions): AsyncIterable<readonly string[]> {
    if (above.length >= deepestNamespace) return;
    for await (const name of this.store.listFolders(`${this.folder(above)}/`, options)) {
      const path = [...above, name];
      if (await this.holdsTable(path, options)) continue;
      yield path;
      yield* this.below(path, options);
    }
  }

  /** Whether a folder is a table, of Iceberg or of Delta, and so no namespace. */
  private async holdsTable(path: readonly string[], options: CallOptions): Promise<boolean> {
    for await (const name of this.store.listFolders(`${this.folder(path)}/`, options)) {
      if (name === '_delta_log') return true;
      if (name === 'metadata' && (await this.isTable(path, options))) return true;
    }
    return false;
  }

  private async isTable(path: readonly string[], { signal }: CallOptions): Promise<boolean> {
    for await (const { uri } of this.store.list(`${this.folder(path)}/metadata/`, { signal })) {
      if (metadataName.test(uri.slice(uri.lastIndexOf('/') + 1))) return true;
    }
    return false;
  }

  private async newest({ namespace, name }: TableName, signal?: AbortSignal): Promise<string> {
    const folder = `${this.folder([...namespace, name])}/metadata/`;
    let newest: { readonly uri: string; readonly version: number; readonly modifiedAtMs: number } | undefined;
    for await (const { uri, modifiedAtMs } of this.store.list(folder, { signal })) {
      const parts = metadataName.exec(uri.slice(folder.length));
      const version = Number(parts?.[1] ?? parts?.[2] ?? -1);
      const isNewer =
        !newest || version > newest.version || (version === newest.version && modifiedAtMs > newest.modifiedAtMs);
      if (parts && isNewer) newest = { uri, version, modifiedAtMs };
    }
    if (!newest) throw new ConnectorFault('not_found', `${folder}: no metadata file, so no Iceberg table`);
    return newest.uri;
  }

  private folder(path: readonly string[]): string {
    if (path.some((level) => level === '' || level.includes('/'))) {
      throw new ConnectorFault('outside_root', `${path.join(' / ')}: a name in a folder has no slash`);
    }
    return [this.root, ...path].join('/');
  }
}
