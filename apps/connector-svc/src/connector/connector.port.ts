import { type DataType } from './data-type';

/** Makes connectors of one kind; registered in the module by one line. */
export interface ConnectorFactory {
  /** What `kind` of a connector row selects this factory: `iceberg`, `delta`. */
  readonly kind: string;
  /** Checks the configuration and returns a connector, without any request. Throws ConnectorFault `invalid_config`. */
  create(config: ConnectorConfig): Connector;
}

/** How to reach a source. Both maps are flat, so that they can be stored, shown (properties) and encrypted (credentials) as they are. */
export interface ConnectorConfig {
  /** Where the catalog, or the folder, is. */
  readonly uri: string;
  readonly properties: Readonly<Record<string, string>>;
  /** Secrets in clear, in memory only: `token`, `client_id`, `client_secret`, `access_key_id`, `secret_access_key`, `session_token`. */
  readonly credentials: Readonly<Record<string, string>>;
}

/** One open source. Every method may throw ConnectorFault; every one stops soon after `signal` is aborted, with the signal's reason. */
export interface Connector {
  /** All namespaces, each as its levels, outermost first. */
  listNamespaces(options?: CallOptions): AsyncIterable<readonly string[]>;
  /** The tables of one namespace, not of those below it. Ends without a fault only when the listing was complete. */
  listTables(namespace: readonly string[], options?: CallOptions): AsyncIterable<TableName>;
  /** Reads a table's metadata once; all that the returned table answers is of that moment. `not_found` when there is none. */
  describe(table: TableName, options?: CallOptions): Promise<SourceTable>;
  /** Frees connections; may be called twice. */
  close(): Promise<void>;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
}

/** How a reading that takes long makes way for others, where its source can. */
export interface ReadingOptions extends CallOptions {
  /** The mark of an earlier reading of the same snapshot and columns, to go on from. Throws StaleMark where that cannot be. */
  readonly from?: Buffer | null;
  /** Asked now and then: whether the reading should stop. */
  readonly mayStop?: () => boolean;
}

export interface TableName {
  readonly namespace: readonly string[];
  readonly name: string;
}

/** A table as it was when it was described. Fails as a whole only when nothing of it can be read. */
export interface SourceTable {
  readonly description: TableDescription;
  /** Ids of all snapshots that the source has: one that is known, and not among them, has expired. */
  readonly snapshotIds: readonly bigint[];
  /**
   * Snapshots whose id is not in `known`, parents before children, those of other branches too. What cannot be read is left out;
   * the fault is thrown after the last readable one.
   */
  listSnapshots(known: ReadonlySet<bigint>, options?: CallOptions): AsyncIterable<Snapshot>;
  /**
   * Reads a snapshot once: every file of its plan (`file`), then each selected column (`column`), then the table (`table`).
   * Statistics are complete only if the last item came. A reading that stopped early ends with a `mark` in place of columns and table; of one
   * that went on from there, the columns and the table are of all files.
   */
  statistics(snapshot: Snapshot, columns: ColumnSelection, options?: ReadingOptions): AsyncIterable<StatisticsItem>;
  /** The files of a snapshot with the statistics of all columns. */
  plan(snapshot: Snapshot, options?: CallOptions): AsyncIterable<PlanFile>;
}

/** Names of top-level columns, dotted paths, or `#<field id>`; or all columns (spec 3, "Column selectors"). */
export type ColumnSelection = readonly string[] | 'all';

export interface TableDescription {
  readonly name: TableName;
  readonly format: string;
  /** Iceberg: format version; Delta: `minReaderVersion`. */
  readonly formatVersion: number;
  /** The identity that the writer gave the table; null where it gave none. */
  readonly uuid: string | null;
  readonly location: string;
  /** The metadata file that was read; null for formats without one. */
  readonly metadataLocation: string | null;
  readonly lastUpdatedMs: bigint | null;
  /** Null for a table without rows ever. After a rollback not the newest one. */
  readonly currentSnapshotId: bigint | null;
  readonly schemas: readonly Schema[];
  readonly currentSchemaId: number;
  readonly partitionSpecs: readonly PartitionSpec[];
  readonly defaultSpecId: number;
  readonly properties: Readonly<Record<string, string>>;
  readonly refs: readonly SnapshotRef[];
}

export interface SnapshotRef {
  readonly name: string;
  readonly type: 'branch' | 'tag';
  readonly snapshotId: bigint;
}

/** `id`: the format's own; Delta, which has none, takes the version that brought the schema. */
export interface Schema {
  readonly id: number;
  readonly fields: readonly Field[];
  /** Ids of the fields that identify a row; empty where the format has no such thing. */
  readonly identifierFieldIds: readonly number[];
}

export interface Field {
  /** Null where the format has no field ids. */
  readonly id: number | null;
  readonly name: string;
  readonly type: DataType;
  readonly required: boolean;
  readonly doc: string | null;
}

export interface PartitionSpec {
  readonly id: number;
  readonly fields: readonly PartitionField[];
}

/** `transform` as Iceberg writes it: `identity`, `bucket[8]`, `day`, …. Delta's partition columns are `identity`. */
export interface PartitionField {
  readonly name: string;
  readonly fieldId: number | null;
  readonly sourceIds: readonly number[];
  readonly transform: string;
}

export interface Snapshot {
  /** Iceberg: snapshot id; Delta: version, of which 0 is valid. */
  readonly id: bigint;
  readonly parentId: bigint | null;
  /** False when the parent has expired, or there is none. */
  readonly parentPresent: boolean;
  readonly sequenceNumber: bigint | null;
  readonly committedAtMs: bigint | null;
  /** Where the time comes from (spec 3, "Time of a version"). */
  readonly timeSource: 'snapshot' | 'in_commit_timestamp' | 'commit_info' | 'file_modification';
  readonly operation: string | null;
  readonly schema: Schema;
  readonly isCurrent: boolean;
  /** False for snapshots of other branches and for rolled-back ones. */
  readonly inCurrentLineage: boolean;
  /** Iceberg: the manifest list; null for formats without one, and for v1 snapshots that name their manifests themselves. */
  readonly manifestList: string | null;
  /** The writer's own summary, as it stands. */
  readonly summary: Readonly<Record<string, string>>;
}

/** One item of a snapshot's statistics; `key` is unique in the snapshot and the same in every reading. */
export type StatisticsItem =
  | { readonly item: 'file'; readonly key: string; readonly file: PlanFile }
  | { readonly item: 'column'; readonly key: string; readonly column: ColumnStatistics }
  | { readonly item: 'table'; readonly key: string; readonly table: TableStatistics }
  | { readonly item: 'mark'; readonly key: string; readonly mark: Buffer };

/** Null is unknown, never 0 (spec 3, "Statistics"). */
export interface TableStatistics {
  /** Rows in live data files, deletes not subtracted. */
  readonly recordCount: bigint | null;
  /** What a query returns; null where metadata cannot know. */
  readonly liveRowCount: bigint | null;
  readonly dataFileCount: number;
  readonly dataBytes: bigint;
  readonly positionDeleteFileCount: number;
  readonly equalityDeleteFileCount: number;
  /** Iceberg: rows of delete files; Delta: rows marked by deletion vectors. */
  readonly deleteRecordCount: bigint | null;
  readonly deleteBytes: bigint;
}

/** The counts and bounds of one column in one file. */
export interface FileColumn {
  readonly fieldId: number | null;
  /** Null for a column that is not in the snapshot's schema any more. */
  readonly path: readonly string[] | null;
  /** Nulls and NaN included. */
  readonly valueCount: bigint | null;
  readonly nullCount: bigint | null;
  readonly nanCount: bigint | null;
  readonly min: string | null;
  readonly max: string | null;
  /** True when min or max may only enclose the values (cut strings, loose bounds); null without bounds. */
  readonly boundsTruncated: boolean | null;
}

/** A column of a snapshot, folded over its data files. `type` is the source's own name of the type. */
export interface ColumnStatistics extends Omit<FileColumn, 'path'> {
  readonly path: readonly string[];
  readonly type: string;
  /** True when every file has both bounds, or only nulls and NaN. */
  readonly boundsComplete: boolean;
  /** Distinct values, estimated by the writer; null where it left no such figure for this snapshot. */
  readonly ndv: bigint | null;
}

/** A data or delete file of a snapshot. */
export interface PlanFile {
  /** As the metadata has it. Delta: URL-encoded, relative to the table's root, unless the log says otherwise. */
  readonly path: string;
  readonly content: 'data' | 'position_deletes' | 'equality_deletes' | 'deletion_vector';
  /** In capitals: PARQUET, ORC, AVRO, PUFFIN. */
  readonly format: string;
  readonly recordCount: bigint | null;
  readonly bytes: bigint;
  readonly specId: number;
  /** By partition field name: values as stored, in text; dates and times as integers since 1970 (Iceberg), as in the log (Delta). */
  readonly partition: Readonly<Record<string, string | null>>;
  readonly sequenceNumber: bigint | null;
  readonly addedSnapshotId: bigint | null;
  /** Fields that equality deletes compare; null for other files. */
  readonly equalityIds: readonly number[] | null;
  /** The data file that position deletes, or a vector, are for, when the metadata names one. */
  readonly appliesTo: string | null;
  /** Where in `path` a deletion vector lies. Several vectors may share one Puffin file. */
  readonly contentOffset: bigint | null;
  readonly contentBytes: bigint | null;
  /** Delta: the vector that marks rows of this data file. */
  readonly deletionVector: DeletionVector | null;
  /** Delta: milliseconds since 1970. */
  readonly modifiedAtMs: bigint | null;
  /** Empty for delete files. */
  readonly columns: readonly FileColumn[];
}

/** Delta's descriptor (protocol, "Deletion Vector Descriptor Schema"). */
export interface DeletionVector {
  readonly storageType: string;
  readonly cardinality: bigint;
  readonly bytes: bigint;
  readonly offset: bigint | null;
}
