import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { ConnectorFault } from '../connector/fault';
import { canonicalUri, folderOf, parseUri } from '../storage/object-uri';
import { confined } from '../storage/routed.storage';
import { type ObjectStore } from '../storage/storage.port';
import { type LoadedTable } from './iceberg.table';
import { parseJson } from './json';
import { readMetadata, type TableMetadata } from './metadata';

/** Metadata of 100 MB is seen; more than this, unpacked or not, is refused. */
export const largestMetadata = 256 << 20;

const unzipped = promisify(gunzip);

/** Reads a metadata file, packed with gzip or not, whatever its name says. */
export async function readMetadataFile(store: ObjectStore, uri: string, signal?: AbortSignal): Promise<TableMetadata> {
  const bytes = await store.read(uri, { limit: largestMetadata, signal });
  const isPacked = bytes[0] === 0x1f && bytes[1] === 0x8b;
  const plain = isPacked ? await unzipped(bytes, { maxOutputLength: largestMetadata }).catch(unpackable(uri)) : bytes;
  return readMetadata(parseJson(plain.toString('utf8'), uri), uri);
}

/**
 * The table with a store that reaches the table's location, the folder of its metadata file, and the places the connector allows. The location
 * must lie where the metadata file lies: in the same bucket, or among files as well; otherwise ConnectorFault `outside_root`.
 */
export function loadedTable(
  metadata: TableMetadata,
  metadataLocation: string,
  store: ObjectStore,
  allowed: readonly string[],
): LoadedTable {
  const roots = [folderOf(metadataLocation), ...allowed];
  if (samePlace(metadata.location, metadataLocation)) roots.push(metadata.location);
  else refuseUnlessAllowed(metadata.location, allowed);
  return { metadata, metadataLocation, store: confined(store, roots) };
}

function samePlace(a: string, b: string): boolean {
  const [left, right] = [parseUri(a), parseUri(b)];
  return left.scheme === right.scheme && left.bucket === right.bucket;
}

function refuseUnlessAllowed(location: string, allowed: readonly string[]): void {
  const place = canonicalUri(location);
  if (allowed.some((root) => `${place}/`.startsWith(`${canonicalUri(root).replace(/\/+$/, '')}/`))) return;
  throw new ConnectorFault('outside_root', `${location}: the table lies where this connector may not read`);
}

function unpackable(uri: string): (error: NodeJS.ErrnoException) => never {
  return (error) => {
    const code = error.code === 'ERR_BUFFER_TOO_LARGE' ? 'too_large' : 'corrupt';
    throw new ConnectorFault(code, `${uri}: ${error.message}`, { cause: error });
  };
}
