import { ConnectorFault } from '../connector/fault';
import { type ExactJson, member, objectOf } from './exact-json';
import { urlDecoded } from './file-path';

/** What a data file may be read with (protocol, "Protocol Evolution"). Features are null below reader version 3, writer version 7. */
export interface Protocol {
  readonly minReaderVersion: number;
  readonly minWriterVersion: number;
  readonly readerFeatures: readonly string[] | null;
  readonly writerFeatures: readonly string[] | null;
}

/** A table's identity, schema and properties (protocol, "Change Metadata"). */
export interface Metadata {
  readonly id: string;
  readonly schemaString: string;
  readonly partitionColumns: readonly string[];
  readonly configuration: Readonly<Record<string, string>>;
}

/** Who committed what, and when (protocol, "Commit Provenance Information"). */
export interface CommitInfo {
  readonly operation: string | null;
  readonly timestampMs: bigint | null;
  readonly inCommitTimestampMs: bigint | null;
  readonly metrics: Readonly<Record<string, string>>;
}

/** A descriptor as the log has it (protocol, "Deletion Vector Descriptor Schema"). */
export interface VectorDescriptor {
  readonly storageType: string;
  readonly pathOrInlineDv: string;
  readonly offset: bigint | null;
  readonly sizeInBytes: bigint;
  readonly cardinality: bigint;
}

/** A data file as it was added; `stats` is JSON, or the members of a checkpoint's `stats_parsed` with texts at their ends. */
export interface AddedFile {
  readonly path: string;
  readonly size: bigint;
  readonly modifiedAtMs: bigint | null;
  readonly partitionValues: Readonly<Record<string, string | null>>;
  readonly stats: string | ExactJson;
  readonly vector: VectorDescriptor | null;
}

/** The files of one logical file differ in their vectors: this pair is what `remove` names (protocol, "Action Reconciliation"). */
export function fileKey(path: string, vector: VectorDescriptor | null): string {
  const decoded = urlDecoded(path);
  return vector ? `${decoded}\n${vector.storageType}${vector.pathOrInlineDv}@${vector.offset ?? ''}` : decoded;
}

/** Reads `add`. Throws ConnectorFault `corrupt`. */
export function addedFile(raw: unknown): AddedFile {
  const stats = member(raw, 'stats');
  return {
    path: textOf(raw, 'path'),
    size: integerOf(raw, 'size'),
    modifiedAtMs: integerOrNull(raw, 'modificationTime'),
    partitionValues: stringMap(member(raw, 'partitionValues')),
    stats: typeof stats === 'string' ? stats : member(raw, 'stats_parsed'),
    vector: vectorOf(raw),
  };
}

/** The key of the file that `remove` takes away. Throws ConnectorFault `corrupt`. */
export function removedKey(raw: unknown): string {
  return fileKey(textOf(raw, 'path'), vectorOf(raw));
}

/** Reads `protocol`. Throws ConnectorFault `corrupt`. */
export function protocolOf(raw: unknown): Protocol {
  return {
    minReaderVersion: Number(integerOf(raw, 'minReaderVersion')),
    minWriterVersion: Number(integerOf(raw, 'minWriterVersion')),
    readerFeatures: stringsOrNull(member(raw, 'readerFeatures')),
    writerFeatures: stringsOrNull(member(raw, 'writerFeatures')),
  };
}

/** Reads `metaData`. Throws ConnectorFault `corrupt`. */
export function metadataOf(raw: unknown): Metadata {
  const configuration = Object.entries(stringMap(member(raw, 'configuration'))).filter(([, value]) => value !== null);
  return {
    id: textOf(raw, 'id'),
    schemaString: textOf(raw, 'schemaString'),
    partitionColumns: stringsOrNull(member(raw, 'partitionColumns')) ?? [],
    configuration: Object.fromEntries(configuration) as Record<string, string>,
  };
}

/** Reads `commitInfo`, in which every member may be missing. */
export function commitInfoOf(raw: unknown): CommitInfo {
  const operation = member(raw, 'operation');
  const metrics = Object.entries(stringMap(member(raw, 'operationMetrics'))).filter(([, value]) => value !== null);
  return {
    operation: typeof operation === 'string' ? operation : null,
    timestampMs: integerOrNull(raw, 'timestamp'),
    inCommitTimestampMs: integerOrNull(raw, 'inCommitTimestamp'),
    metrics: Object.fromEntries(metrics) as Record<string, string>,
  };
}

/** The member as text. Throws ConnectorFault `corrupt`. */
export function textOf(raw: unknown, name: string): string {
  const value = member(raw, name);
  if (typeof value !== 'string') throw new ConnectorFault('corrupt', `"${name}" is not a text`);
  return value;
}

/** The member as an integer of at most 64 bits. Throws ConnectorFault `corrupt`. */
export function integerOf(raw: unknown, name: string): bigint {
  const value = integerOrNull(raw, name);
  if (value === null) throw new ConnectorFault('corrupt', `"${name}" is not an integer`);
  return value;
}

function integerOrNull(raw: unknown, name: string): bigint | null {
  const value: unknown = member(raw, name);
  if (typeof value === 'bigint') return value;
  if (typeof value === 'number' && Number.isInteger(value)) return BigInt(value);
  return typeof value === 'string' && /^-?\d{1,19}$/.test(value) ? BigInt(value) : null;
}

function vectorOf(raw: unknown): VectorDescriptor | null {
  const vector = member(raw, 'deletionVector');
  if (vector === null || member(vector, 'storageType') === null) return null;
  return {
    storageType: textOf(vector, 'storageType'),
    pathOrInlineDv: textOf(vector, 'pathOrInlineDv'),
    offset: integerOrNull(vector, 'offset'),
    sizeInBytes: integerOf(vector, 'sizeInBytes'),
    cardinality: integerOf(vector, 'cardinality'),
  };
}

function stringMap(value: ExactJson): Record<string, string | null> {
  const entries = Object.entries(objectOf(value) ?? {});
  return Object.fromEntries(entries.map(([name, inner]) => [name, scalarText(inner)]));
}

function scalarText(value: unknown): string | null {
  return value === null || value === undefined || typeof value === 'object' ? null : String(value);
}

function stringsOrNull(value: ExactJson): string[] | null {
  return Array.isArray(value) ? value.map(String) : null;
}
