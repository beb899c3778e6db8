import { type PartitionSpec, type Schema, type SnapshotRef } from '../connector/connector.port';
import { ConnectorFault } from '../connector/fault';
import { JsonReader, type Json } from './json';
import { icebergSchema } from './schema';

/** A table's metadata file, of format 1 to 3 (Iceberg spec, "Table metadata"). */
export interface TableMetadata {
  readonly formatVersion: number;
  readonly uuid: string | null;
  readonly location: string;
  readonly lastUpdatedMs: bigint;
  readonly currentSnapshotId: bigint | null;
  readonly schemas: readonly Schema[];
  readonly currentSchemaId: number;
  readonly partitionSpecs: readonly PartitionSpec[];
  readonly defaultSpecId: number;
  readonly properties: Readonly<Record<string, string>>;
  readonly refs: readonly SnapshotRef[];
  /** In the order of the file. */
  readonly snapshots: readonly SnapshotEntry[];
  readonly statistics: readonly StatisticsFile[];
}

export interface SnapshotEntry {
  readonly id: bigint;
  readonly parentId: bigint | null;
  readonly sequenceNumber: bigint;
  readonly timestampMs: bigint;
  readonly operation: string | null;
  readonly schemaId: number | null;
  readonly manifestList: string | null;
  /** Of format 1 only, which may do without a manifest list. */
  readonly manifests: readonly string[];
  readonly summary: Readonly<Record<string, string>>;
}

/** A Puffin file of statistics, as far as the metadata describes it. */
export interface StatisticsFile {
  readonly snapshotId: bigint;
  readonly path: string;
  readonly bytes: bigint;
  readonly blobs: readonly StatisticsBlob[];
}

export interface StatisticsBlob {
  readonly type: string;
  readonly snapshotId: bigint;
  readonly fieldIds: readonly number[];
  readonly properties: Readonly<Record<string, string>>;
}

const newestFormat = 3;

/** Reads table metadata. Throws ConnectorFault `unsupported` for a newer format, `corrupt` where a needed member is missing or wrong. */
export function readMetadata(json: Json, subject: string): TableMetadata {
  const metadata = JsonReader.of(json, subject);
  const formatVersion = metadata.int('format-version');
  if (formatVersion < 1 || formatVersion > newestFormat) {
    throw new ConnectorFault(
      'unsupported',
      `${subject}: format version ${formatVersion}; 1 to ${newestFormat} are read`,
    );
  }
  refuseEncryption(metadata, subject);
  const currentSnapshotId = snapshotIdOf(metadata, 'current-snapshot-id');
  const refs = metadata.members('refs').map(([name, ref]) => refOf(name, ref));
  const schemas = schemasOf(metadata);
  const specs = specsOf(metadata);
  const result: TableMetadata = {
    formatVersion,
    uuid: metadata.has('table-uuid') ? metadata.text('table-uuid') : null,
    location: metadata.text('location'),
    lastUpdatedMs: metadata.long('last-updated-ms'),
    currentSnapshotId,
    schemas,
    currentSchemaId: metadata.has('current-schema-id') ? metadata.int('current-schema-id') : schemas.at(-1)!.id,
    partitionSpecs: specs,
    defaultSpecId: metadata.has('default-spec-id') ? metadata.int('default-spec-id') : specs.at(-1)!.id,
    properties: metadata.textMap('properties'),
    refs: refs.length === 0 && currentSnapshotId !== null ? [mainOf(currentSnapshotId)] : refs,
    snapshots: metadata.objects('snapshots').map(snapshotOf),
    statistics: metadata.objects('statistics').map(statisticsOf),
  };
  return complete(result, subject);
}

/** What must hold between the members. */
function complete(metadata: TableMetadata, subject: string): TableMetadata {
  const { schemas, currentSchemaId, currentSnapshotId, snapshots } = metadata;
  if (!schemas.some(({ id }) => id === currentSchemaId)) throw corrupt(subject, `schema ${currentSchemaId} is missing`);
  if (currentSnapshotId !== null && !snapshots.some(({ id }) => id === currentSnapshotId)) {
    throw corrupt(subject, `the current snapshot ${currentSnapshotId} is missing`);
  }
  return metadata;
}

function refuseEncryption(metadata: JsonReader, subject: string): void {
  if (metadata.objects('encryption-keys').length > 0) {
    throw new ConnectorFault('unsupported', `${subject}: table encryption is not read`);
  }
}

function schemasOf(metadata: JsonReader): Schema[] {
  const schemas = metadata.objects('schemas').map(icebergSchema);
  return schemas.length > 0 ? schemas : [icebergSchema(metadata.object('schema'))];
}

function specsOf(metadata: JsonReader): PartitionSpec[] {
  const specs = metadata.objects('partition-specs').map((spec) => specOf(spec.int('spec-id'), spec.objects('fields')));
  return specs.length > 0 ? specs : [specOf(0, metadata.objects('partition-spec'))];
}

/** Fields of format 1 may lack their ids: they count from 1000. */
function specOf(id: number, fields: readonly JsonReader[]): PartitionSpec {
  return {
    id,
    fields: fields.map((field, at) => ({
      name: field.text('name'),
      fieldId: field.has('field-id') ? field.int('field-id') : 1000 + at,
      sourceIds: field.has('source-ids') ? field.ints('source-ids') : [field.int('source-id')],
      transform: field.text('transform'),
    })),
  };
}

/** Format 1 and old writers say -1 where there is none. */
function snapshotIdOf(json: JsonReader, name: string): bigint | null {
  const id = json.has(name) ? json.long(name) : null;
  return id === -1n ? null : id;
}

function refOf(name: string, ref: JsonReader): SnapshotRef {
  return { name, type: ref.text('type') === 'tag' ? 'tag' : 'branch', snapshotId: ref.long('snapshot-id') };
}

function mainOf(snapshotId: bigint): SnapshotRef {
  return { name: 'main', type: 'branch', snapshotId };
}

function snapshotOf(json: JsonReader): SnapshotEntry {
  const summary = json.textMap('summary');
  return {
    id: json.long('snapshot-id'),
    parentId: snapshotIdOf(json, 'parent-snapshot-id'),
    sequenceNumber: json.has('sequence-number') ? json.long('sequence-number') : 0n,
    timestampMs: json.long('timestamp-ms'),
    operation: summary['operation'] ?? null,
    schemaId: json.has('schema-id') ? json.int('schema-id') : null,
    manifestList: json.has('manifest-list') ? json.text('manifest-list') : null,
    manifests: json.texts('manifests'),
    summary,
  };
}

function statisticsOf(json: JsonReader): StatisticsFile {
  return {
    snapshotId: json.long('snapshot-id'),
    path: json.text('statistics-path'),
    bytes: json.long('file-size-in-bytes'),
    blobs: json.objects('blob-metadata').map((blob) => ({
      type: blob.text('type'),
      snapshotId: blob.long('snapshot-id'),
      fieldIds: blob.ints('fields'),
      properties: blob.textMap('properties'),
    })),
  };
}

function corrupt(subject: string, what: string): ConnectorFault {
  return new ConnectorFault('corrupt', `${subject}: ${what}`);
}
