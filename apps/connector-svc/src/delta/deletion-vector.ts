import { crc32 } from 'node:zlib';
import { type DeletionVector } from '../connector/connector.port';
import { ConnectorFault } from '../connector/fault';
import { uuidText } from '../connector/value-text';
import { type ObjectStore } from '../storage/storage.port';
import { type VectorDescriptor } from './actions';
import { insideRoots, type Roots, urlDecoded } from './file-path';
import { rowsMarked } from './roaring';
import { fromZ85 } from './z85';

/** A vector of a plan: beside what the port asks for, where it lies, as the path of a data file; null for one that the log itself holds. */
export interface PlacedVector extends DeletionVector {
  readonly path: string | null;
}

const encodedUuid = 20;
const mostVectorBytes = 256 * 1024 * 1024;

/** A descriptor as a plan shows it. Throws ConnectorFault: `corrupt`, `outside_root`, `unsupported` for another kind of storage. */
export function placedVector(roots: Roots, vector: VectorDescriptor): PlacedVector {
  const { storageType, cardinality, sizeInBytes, offset } = vector;
  const path = vectorPath(vector);
  if (path !== null) insideRoots(roots, urlDecoded(path));
  return { storageType, cardinality, bytes: sizeInBytes, offset, path };
}

/**
 * Reads a vector and compares it with its descriptor: size, checksum, number of rows (protocol, "Deletion Vector Format"). Throws
 * ConnectorFault: `corrupt`, `not_found`, and those of the store.
 */
export async function checkVector(
  store: ObjectStore,
  roots: Roots,
  vector: VectorDescriptor,
  signal?: AbortSignal,
): Promise<void> {
  const path = vectorPath(vector);
  const uri = path === null ? null : insideRoots(roots, urlDecoded(path));
  const where = uri ?? 'an inline deletion vector';
  const bitmap = uri === null ? inlineBitmap(vector) : await bitmapIn(store, uri, vector, signal);
  const rows = bitmap && rowsMarked(bitmap);
  if (rows === null) throw new ConnectorFault('corrupt', `${where}: not a deletion vector`);
  if (rows !== vector.cardinality) {
    throw new ConnectorFault('corrupt', `${where}: marks ${rows} rows, the log says ${vector.cardinality}`);
  }
}

/** As data files are named: relative to the table's folder, or a whole URI. */
function vectorPath({ storageType, pathOrInlineDv: text }: VectorDescriptor): string | null {
  if (storageType === 'i') return null;
  if (storageType === 'p') return text;
  if (storageType !== 'u') throw new ConnectorFault('unsupported', `a deletion vector of storage type ${storageType}`);
  const uuid = fromZ85(text.slice(-encodedUuid));
  if (uuid?.length !== 16) throw new ConnectorFault('corrupt', `the deletion vector ${text} names no file`);
  const prefix = text.slice(0, -encodedUuid);
  return `${prefix}${prefix && '/'}deletion_vector_${uuidText(uuid)}.bin`;
}

/** Z85 fills up to a multiple of four bytes; `sizeInBytes` are meant. */
function inlineBitmap({ pathOrInlineDv, sizeInBytes }: VectorDescriptor): Buffer | null {
  const bytes = fromZ85(pathOrInlineDv);
  return bytes && BigInt(bytes.length) >= sizeInBytes ? bytes.subarray(0, Number(sizeInBytes)) : null;
}

/** In a file a vector has its size before it and its CRC-32 behind it, both big-endian. */
async function bitmapIn(
  store: ObjectStore,
  uri: string,
  { offset, sizeInBytes }: VectorDescriptor,
  signal?: AbortSignal,
) {
  const size = Number(sizeInBytes);
  if (size > mostVectorBytes) throw new ConnectorFault('too_large', `${uri}: a deletion vector of ${size} bytes`);
  const range = { offset: Number(offset ?? 0n), length: size + 8 };
  const bytes = await store.read(uri, { range, limit: range.length, signal });
  if (bytes.length < range.length || bytes.readUInt32BE(0) !== size) {
    throw new ConnectorFault('corrupt', `${uri}: no deletion vector of ${size} bytes at ${range.offset}`);
  }
  const bitmap = bytes.subarray(4, size + 4);
  if (crc32(bitmap) !== bytes.readUInt32BE(size + 4))
    throw new ConnectorFault('corrupt', `${uri}: wrong checksum at ${range.offset}`);
  return bitmap;
}
