import { type CallOptions } from '../connector/connector.port';

/**
 * Read access to objects by URI: `s3://bucket/key`, or `file:/…`, `file:///…` and bare absolute paths. All methods throw ConnectorFault:
 * `not_found`, `outside_root`, `too_large`, `forbidden`, `unauthenticated`, and the transient ones.
 */
export interface ObjectStore {
  /** The whole object, or a part of it; `too_large` when it has more than `limit` bytes. */
  read(uri: string, options: ReadOptions): Promise<Buffer>;
  /** The whole object piece by piece, none of them large; `too_large` when more than `limit` bytes come. */
  stream(uri: string, options: LimitOptions): AsyncIterable<Buffer>;
  /** Null when there is no such object. */
  stat(uri: string, options?: CallOptions): Promise<ObjectInfo | null>;
  /** Every object whose URI starts with `prefix`, in order of their URIs, page by page. */
  list(prefix: string, options?: ListOptions): AsyncIterable<ObjectInfo>;
  /** The names, without a slash, of what lies directly below the folder `prefix` and holds objects itself. */
  listFolders(prefix: string, options?: CallOptions): AsyncIterable<string>;
  close(): void;
}

export interface LimitOptions extends CallOptions {
  /** Bytes. */
  readonly limit: number;
}

export interface ReadOptions extends LimitOptions {
  readonly range?: { readonly offset: number; readonly length: number };
}

export interface ListOptions extends CallOptions {
  /** Only objects whose URI comes after this one. */
  readonly after?: string;
}

export interface ObjectInfo {
  /** In the spelling of the prefix that was listed, or of the URI that was asked. */
  readonly uri: string;
  readonly size: number;
  readonly modifiedAtMs: number;
}
