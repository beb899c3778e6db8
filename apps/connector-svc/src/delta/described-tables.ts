import { type CallOptions } from '../connector/connector.port';
import { type ObjectStore } from '../storage/storage.port';
import { logFolder, type DeltaLog } from './delta-log';
import { type Described } from './delta.table';

const mostTables = 1000;

interface Remembered {
  readonly described: Described;
  /** The commit that was the newest, as it was listed. */
  readonly newest: { readonly uri: string; readonly size: number; readonly modifiedAtMs: number };
}

/**
 * Descriptions of tables that were read without a fault. One request, for what comes after the newest commit, shows whether such a
 * description still holds: commits never change, and a new one has a higher number.
 */
export class DescribedTables {
  private readonly tables = new Map<string, Remembered>();

  /** The description, if nothing was committed since; null otherwise. `id` tells apart tables of other sources that have the same URI. */
  async current(id: string, store: ObjectStore, root: string, { signal }: CallOptions): Promise<Described | null> {
    const known = this.tables.get(id);
    if (!known) return null;
    const { newest } = known;
    const folder = logFolder(root);
    let stands = false;
    for await (const file of store.list(folder, { after: newest.uri.replace(/\.json$/, ''), signal })) {
      const name = file.uri.slice(folder.length);
      if (!/^\d/.test(name)) break;
      if (file.uri === newest.uri) stands = file.size === newest.size && file.modifiedAtMs === newest.modifiedAtMs;
      else if (name.slice(0, 20) > newest.uri.slice(folder.length).slice(0, 20)) return null;
    }
    return stands ? known.described : null;
  }

  /** Keeps a description; the ones not renewed for longest go first. One with a fault is not kept. */
  remember(id: string, described: Described, log: DeltaLog): void {
    this.tables.delete(id);
    const newest = log.commit(log.newest);
    if (described.fault !== null || !newest) return;
    this.tables.set(id, { described, newest });
    if (this.tables.size > mostTables) this.tables.delete([...this.tables.keys()][0]!);
  }
}
