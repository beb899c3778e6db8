import { Column, Entity } from 'typeorm';
import { Resource } from './resource';

/** `conflict`: its destination is another one than it was bound to, or another's; it does nothing until that is mended. */
export const connectorStates = ['active', 'conflict'] as const;
export type ConnectorStatus = (typeof connectorStates)[number];

/** States in order of life (spec 3, "Jobs"); the last three are final. */
export const jobStates = [
  'JS_QUEUED',
  'JS_RUNNING',
  'JS_CANCELLING',
  'JS_SUCCEEDED',
  'JS_FAILED',
  'JS_CANCELLED',
] as const;
export type JobStatus = (typeof jobStates)[number];

/** `vanished`: no longer in its source; what is known of it is kept. */
export const tableStates = ['active', 'vanished'] as const;
export type TableStatus = (typeof tableStates)[number];

/** Where a connector reads, as its tenant named it. */
export interface ConnectorSource {
  readonly uri: string;
  /** Levels, outermost first; null for every namespace. */
  readonly namespace: readonly string[] | null;
  /** null for every table. */
  readonly table: string | null;
  /** Names of columns or `#<field id>`; null for all. */
  readonly columns: readonly string[] | null;
  readonly properties: Readonly<Record<string, string>>;
}

/** Where a connector's tables are found in the catalog: by name, by id, or by both, which must agree. */
export interface ConnectorDestination {
  readonly catalog: string | null;
  readonly catalog_id: string | null;
  readonly namespace: readonly string[] | null;
  readonly namespace_id: string | null;
  readonly table: string | null;
  readonly table_id: string | null;
}

/** How to log in: what may be shown. */
export interface ConnectorAuth {
  readonly scheme: string;
  readonly settings: Readonly<Record<string, string>>;
  /** Names of the members that are kept as secrets. */
  readonly secrets: readonly string[];
}

@Entity('connector')
export class Connector extends Resource<ConnectorStatus> {
  @Column('text') readonly display_name: string;
  @Column('text') readonly kind: string;
  @Column('jsonb') readonly source: ConnectorSource;
  @Column('jsonb') readonly destination: ConnectorDestination;
  @Column('jsonb') readonly auth: ConnectorAuth;
  /** Encrypted; shown to nobody. */
  @Column('text', { nullable: true }) readonly secrets: string | null;
  /** What the names of the destination were resolved to. */
  @Column('uuid', { nullable: true }) readonly catalog_id: string | null;
  @Column('uuid', { nullable: true }) readonly namespace_id: string | null;
  @Column('uuid', { nullable: true }) readonly table_id: string | null;
  /** Milliseconds between scheduled jobs; null without a policy. */
  @Column('bigint', { nullable: true }) readonly interval_ms: string | null;
  @Column('boolean') readonly policy_enabled: boolean;
  @Column('timestamptz', { nullable: true }) readonly not_before: Date | null;
  @Column('integer') readonly max_parallel: number;
  @Column('timestamptz', { nullable: true }) readonly next_run_at: Date | null;
  @Column('uuid', { nullable: true }) readonly last_job_id: string | null;
  @Column('text', { nullable: true }) readonly last_run_status: JobStatus | null;
  @Column('timestamptz', { nullable: true }) readonly last_run_at: Date | null;
}

/** What a job is about: everything of its connector, a namespace, or a table. */
export interface JobScope {
  readonly namespace?: readonly string[];
  readonly table?: string;
}

@Entity('reconcile_job')
export class ReconcileJob extends Resource<JobStatus> {
  @Column('uuid') readonly connector_id: string;
  @Column('boolean') readonly full_rescan: boolean;
  @Column('jsonb') readonly scope: JobScope;
  /** A person's word that tables which are missing upstream are gone, however many. */
  @Column('boolean') readonly allow_vanished: boolean;
  /** Counts from 1. */
  @Column('integer') readonly attempt: number;
  /** When a job that failed for now is tried again. */
  @Column('timestamptz', { nullable: true }) readonly retry_at: Date | null;
  /** The lease under which a slice of work is under way, or was when its worker died. */
  @Column('bigint', { nullable: true }) readonly slice_epoch: string | null;
  /** When all tables of the source had been listed. */
  @Column('timestamptz', { nullable: true }) readonly listed_at: Date | null;
  @Column('integer', { nullable: true }) readonly tables_total: number | null;
  @Column('integer') readonly tables_scanned: number;
  @Column('integer') readonly tables_changed: number;
  @Column('integer') readonly errors: number;
  @Column('bigint') readonly snapshots_processed: string;
  @Column('bigint') readonly stats_processed: string;
  @Column('timestamptz', { nullable: true }) readonly started_at: Date | null;
  @Column('timestamptz', { nullable: true }) readonly finished_at: Date | null;
}

@Entity('catalog')
export class Catalog extends Resource<'active'> {
  @Column('text') readonly name: string;
  @Column('uuid', { nullable: true }) readonly connector_id: string | null;
}

@Entity('namespace')
export class Namespace extends Resource<'active'> {
  @Column('uuid') readonly catalog_id: string;
  /** Levels, outermost first. */
  @Column('text', { array: true }) readonly path: readonly string[];
}

@Entity('catalog_table')
export class CatalogTable extends Resource<TableStatus> {
  @Column('uuid') readonly namespace_id: string;
  @Column('text') readonly name: string;
  /** The connector that writes it; null once that is deleted. */
  @Column('uuid', { nullable: true }) readonly connector_id: string | null;
  @Column('text', { array: true }) readonly source_namespace: readonly string[];
  @Column('text') readonly source_name: string;
  @Column('text') readonly format: string;
  @Column('integer') readonly format_version: number;
  @Column('text', { nullable: true }) readonly table_uuid: string | null;
  @Column('text') readonly location: string;
  @Column('text', { nullable: true }) readonly metadata_location: string | null;
  @Column('bigint', { nullable: true }) readonly last_updated_ms: string | null;
  @Column('bigint', { nullable: true }) readonly current_snapshot_id: string | null;
  @Column('integer') readonly current_schema_id: number;
  @Column('json') readonly schemas: readonly object[];
  @Column('integer') readonly default_spec_id: number;
  @Column('json') readonly partition_specs: readonly object[];
  @Column('json') readonly properties: Readonly<Record<string, string>>;
  @Column('json') readonly refs: readonly object[];
  /** Digest of all that the source said of it. */
  @Column('text') readonly described: string;
  /** Complete listings in a row in which it was missing. */
  @Column('integer') readonly missed: number;
  @Column('timestamptz', { nullable: true }) readonly vanished_at: Date | null;
}
