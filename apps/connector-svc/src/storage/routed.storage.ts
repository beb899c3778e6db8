import { type CallOptions } from '../connector/connector.port';
import { ConnectorFault } from '../connector/fault';
import { liesIn, parseUri } from './object-uri';
import {
  type LimitOptions,
  type ListOptions,
  type ObjectInfo,
  type ObjectStore,
  type ReadOptions,
} from './storage.port';

/** Sends each request to the store that `storeOf` picks for its URI. */
export class RoutedStore implements ObjectStore {
  constructor(
    private readonly storeOf: (uri: string) => ObjectStore,
    private readonly owned: readonly ObjectStore[],
  ) {}

  async read(uri: string, options: ReadOptions): Promise<Buffer> {
    return this.storeOf(uri).read(uri, options);
  }

  async *stream(uri: string, options: LimitOptions): AsyncIterable<Buffer> {
    yield* this.storeOf(uri).stream(uri, options);
  }

  async stat(uri: string, options?: CallOptions): Promise<ObjectInfo | null> {
    return this.storeOf(uri).stat(uri, options);
  }

  async *list(prefix: string, options?: ListOptions): AsyncIterable<ObjectInfo> {
    yield* this.storeOf(prefix).list(prefix, options);
  }

  async *listFolders(prefix: string, options?: CallOptions): AsyncIterable<string> {
    yield* this.storeOf(prefix).listFolders(prefix, options);
  }

  /** Closes the stores it owns. */
  close(): void {
    for (const store of this.owned) store.close();
  }
}

/** The same objects, but only those below `roots`: metadata may name any path, and none outside its table's places is followed. */
export function confined(store: ObjectStore, roots: readonly string[]): ObjectStore {
  const holds = (uri: string, root: string) => parseUri(uri).scheme === parseUri(root).scheme && liesIn(uri, root);
  return new RoutedStore((uri) => {
    if (roots.some((root) => holds(uri, root))) return store;
    throw new ConnectorFault('outside_root', `${uri}: outside ${roots.join(', ')}`);
  }, []);
}
