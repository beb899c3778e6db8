import { createReadStream, type Stats } from 'node:fs';
import { open, readdir, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { type CallOptions } from '../connector/connector.port';
import { ConnectorFault, type FaultCode } from '../connector/fault';
import { sourceBytes } from './metrics';
import { canonicalUri, liesIn } from './object-uri';
import {
  type LimitOptions,
  type ListOptions,
  type ObjectInfo,
  type ObjectStore,
  type ReadOptions,
} from './storage.port';

/** A folder that may be read, and the URI under which tables know it. */
export interface Mount {
  readonly uri: string;
  readonly folder: string;
}

/** Objects that are files below the mounts' folders. A symbolic link that leads out of a folder is refused; listings have no links. */
export class FilesystemStore implements ObjectStore {
  constructor(private readonly mounts: readonly Mount[]) {}

  async read(uri: string, { range, limit, signal }: ReadOptions): Promise<Buffer> {
    signal?.throwIfAborted();
    const path = await this.pathOf(uri);
    const file = await open(path, 'r').catch(refused(uri));
    try {
      const { size } = regular(uri, await file.stat());
      const length = Math.min(range?.length ?? size, Math.max(0, size - (range?.offset ?? 0)));
      if (length > limit) throw tooLarge(uri, length, limit);
      const bytes = Buffer.alloc(length);
      const { bytesRead } = await file.read(bytes, 0, length, range?.offset ?? 0);
      sourceBytes.inc({ from: 'file' }, bytesRead);
      signal?.throwIfAborted();
      return bytes.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  }

  async *stream(uri: string, { limit, signal }: LimitOptions): AsyncIterable<Buffer> {
    const path = await this.pathOf(uri);
    const { size } = regular(uri, await stat(path).catch(refused(uri)));
    if (size > limit) throw tooLarge(uri, size, limit);
    sourceBytes.inc({ from: 'file' }, size);
    yield* createReadStream(path, { highWaterMark: 1 << 18, signal }) as AsyncIterable<Buffer>;
  }

  async stat(uri: string, options?: CallOptions): Promise<ObjectInfo | null> {
    options?.signal?.throwIfAborted();
    try {
      const found = await stat(await this.pathOf(uri)).catch(refused(uri));
      return found.isFile() ? infoOf(uri, found) : null;
    } catch (error) {
      if (error instanceof ConnectorFault && error.code === 'not_found') return null;
      throw error;
    }
  }

  async *list(prefix: string, { signal, after }: ListOptions = {}): AsyncIterable<ObjectInfo> {
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
    for await (const object of this.walk(folder, signal)) {
      if (object.uri.startsWith(prefix) && (after === undefined || object.uri > after)) yield object;
    }
  }

  async *listFolders(prefix: string, { signal }: CallOptions = {}): AsyncIterable<string> {
    for (const entry of await this.entriesOf(prefix)) {
      signal?.throwIfAborted();
      if (entry.isDirectory()) yield entry.name;
    }
  }

  close(): void {}

  private async *walk(folder: string, signal: AbortSignal | undefined): AsyncIterable<ObjectInfo> {
    for (const entry of await this.entriesOf(folder)) {
      signal?.throwIfAborted();
      const uri = `${folder}${entry.name}`;
      if (entry.isDirectory()) yield* this.walk(`${uri}/`, signal);
      const found = entry.isFile() ? await this.stat(uri) : null;
      if (found) yield found;
    }
  }

  /** In the order of the URIs below: a folder sorts by its name with the slash. */
  private async entriesOf(folder: string) {
    try {
      const entries = await readdir(await this.pathOf(folder), { withFileTypes: true }).catch(refused(folder));
      const keyed = entries.map((entry) => ({ entry, key: entry.isDirectory() ? `${entry.name}/` : entry.name }));
      return keyed.sort((a, b) => (a.key < b.key ? -1 : 1)).map(({ entry }) => entry);
    } catch (error) {
      if (error instanceof ConnectorFault && error.code === 'not_found') return [];
      throw error;
    }
  }

  private async pathOf(uri: string): Promise<string> {
    const mount = this.mounts.find((one) => liesIn(uri, one.uri));
    if (!mount) throw new ConnectorFault('outside_root', `${uri}: outside the folders this connector may read`);
    const [root, inside] = [canonicalUri(mount.uri).replace(/\/+$/, ''), canonicalUri(uri)];
    const home = await realpath(mount.folder).catch(refused(uri));
    const path = await realpath(join(home, inside.slice(root.length))).catch(refused(uri));
    if (path !== home && !path.startsWith(home.endsWith(sep) ? home : home + sep)) {
      throw new ConnectorFault('outside_root', `${uri}: a link leads out of the folder this connector may read`);
    }
    return path;
  }
}

function regular(uri: string, found: Stats): Stats {
  if (found.isFile()) return found;
  throw new ConnectorFault('not_found', `${uri}: no file`);
}

function infoOf(uri: string, found: Stats): ObjectInfo {
  return { uri, size: found.size, modifiedAtMs: Math.floor(found.mtimeMs) };
}

/** The fault of an object that is larger than its reader allows. */
export function tooLarge(uri: string, size: number, limit: number): ConnectorFault {
  return new ConnectorFault('too_large', `${uri}: ${size} bytes, more than the ${limit} that are read of such a file`);
}

const codes: Record<string, FaultCode> = {
  ENOENT: 'not_found',
  ENOTDIR: 'not_found',
  EACCES: 'forbidden',
  EPERM: 'forbidden',
  ELOOP: 'outside_root',
  EISDIR: 'not_found',
};

function refused(uri: string): (error: NodeJS.ErrnoException) => never {
  return (error) => {
    const code = codes[error.code ?? ''] ?? 'unreachable';
    throw new ConnectorFault(code, `${uri}: ${code === 'not_found' ? 'no such file' : (error.code ?? 'unreadable')}`);
  };
}
