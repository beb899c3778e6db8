import type { MigrationInterface, QueryRunner } from 'typeorm';
import { common, touched } from './columns';
import { serviceRole } from './service-role';

/** The lakehouse family (spec 3): connectors and their jobs, the catalog with its snapshots, statistics and plans. */
export class Lakehouse1763700000004 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(jobTables);
    await runner.query(catalogTables);
    await runner.query(planTables);
    await runner.query(serviceRole('homeostat_connector'));
    await runner.query(grants);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only: restore a backup to go back');
  }
}

const jobTables = `
  CREATE TABLE connector (
    id uuid PRIMARY KEY,
    display_name text NOT NULL,
    kind text NOT NULL,
    source jsonb NOT NULL,
    destination jsonb NOT NULL,
    auth jsonb NOT NULL,
    secrets text,
    catalog_id uuid,
    namespace_id uuid,
    table_id uuid,
    interval_ms bigint CHECK (interval_ms > 0),
    policy_enabled boolean NOT NULL DEFAULT true,
    not_before timestamptz,
    max_parallel integer NOT NULL CHECK (max_parallel BETWEEN 1 AND 64),
    next_run_at timestamptz,
    last_job_id uuid,
    last_run_status text,
    last_run_at timestamptz,
    ${common("'active', 'conflict'", 'active')},
    UNIQUE (tenant_id, display_name)
  );
  COMMENT ON COLUMN connector.secrets IS 'encrypted (AES-256-GCM), bound to the connector and its tenant';
  CREATE INDEX connector_tenant ON connector (tenant_id, id);
  CREATE TABLE reconcile_job (
    id uuid PRIMARY KEY,
    connector_id uuid NOT NULL,
    full_rescan boolean NOT NULL,
    scope jsonb NOT NULL DEFAULT '{}',
    allow_vanished boolean NOT NULL DEFAULT false,
    attempt integer NOT NULL DEFAULT 1,
    retry_at timestamptz,
    slice_epoch bigint,
    listed_at timestamptz,
    tables_total integer,
    tables_scanned integer NOT NULL DEFAULT 0,
    tables_changed integer NOT NULL DEFAULT 0,
    errors integer NOT NULL DEFAULT 0,
    snapshots_processed bigint NOT NULL DEFAULT 0,
    stats_processed bigint NOT NULL DEFAULT 0,
    started_at timestamptz,
    finished_at timestamptz,
    ${common("'JS_QUEUED', 'JS_RUNNING', 'JS_CANCELLING', 'JS_SUCCEEDED', 'JS_FAILED', 'JS_CANCELLED'", 'JS_QUEUED')},
    CHECK ((status IN ('JS_SUCCEEDED', 'JS_FAILED', 'JS_CANCELLED')) = (finished_at IS NOT NULL))
  ) WITH (fillfactor = 70);
  COMMENT ON COLUMN reconcile_job.slice_epoch IS 'the lease under which a slice of work is under way, or was when its worker died';
  CREATE UNIQUE INDEX reconcile_job_unfinished ON reconcile_job (connector_id, full_rescan, scope)
    WHERE status IN ('JS_QUEUED', 'JS_RUNNING');
  CREATE UNIQUE INDEX reconcile_job_one_runs ON reconcile_job (connector_id) WHERE status IN ('JS_RUNNING', 'JS_CANCELLING');
  CREATE INDEX reconcile_job_connector ON reconcile_job (connector_id, id);
  CREATE INDEX reconcile_job_tenant ON reconcile_job (tenant_id, id);
  CREATE TABLE job_table (
    job_id uuid NOT NULL REFERENCES reconcile_job ON DELETE CASCADE,
    n integer NOT NULL,
    namespace text[] NOT NULL,
    name text NOT NULL,
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done', 'failed')),
    attempt integer NOT NULL DEFAULT 1,
    retry_at timestamptz,
    table_id uuid,
    changed boolean NOT NULL DEFAULT false,
    snapshots_total integer,
    snapshots_done integer NOT NULL DEFAULT 0,
    snapshots_failed integer NOT NULL DEFAULT 0,
    stats_done bigint NOT NULL DEFAULT 0,
    code text,
    message text,
    finished_at timestamptz,
    PRIMARY KEY (job_id, n)
  ) WITH (fillfactor = 70);
  COMMENT ON TABLE job_table IS 'the tables that a job found in its source, and how far it is with each';
  CREATE INDEX job_table_pending ON job_table (job_id, n) WHERE state = 'pending';
  CREATE INDEX job_table_failed ON job_table (job_id, n) WHERE state = 'failed';
  ${['connector', 'reconcile_job'].map(touched).join('')}
`;

const catalogTables = `
  CREATE TABLE catalog (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    connector_id uuid,
    ${common("'active'", 'active')},
    UNIQUE (tenant_id, name)
  );
  COMMENT ON COLUMN catalog.connector_id IS 'the connector that made it';
  CREATE INDEX catalog_tenant ON catalog (tenant_id, id);
  CREATE TABLE namespace (
    id uuid PRIMARY KEY,
    catalog_id uuid NOT NULL REFERENCES catalog,
    path text[] NOT NULL CHECK (cardinality(path) > 0),
    ${common("'active'", 'active')},
    UNIQUE (catalog_id, path)
  );
  CREATE INDEX namespace_list ON namespace (catalog_id, id);
  CREATE INDEX namespace_tenant ON namespace (tenant_id, id);
  CREATE TABLE catalog_table (
    id uuid PRIMARY KEY,
    namespace_id uuid NOT NULL REFERENCES namespace,
    name text NOT NULL,
    connector_id uuid,
    source_namespace text[] NOT NULL,
    source_name text NOT NULL,
    format text NOT NULL,
    format_version integer NOT NULL,
    table_uuid text,
    location text NOT NULL,
    metadata_location text,
    last_updated_ms bigint,
    current_snapshot_id bigint,
    current_schema_id integer NOT NULL,
    schemas json NOT NULL,
    default_spec_id integer NOT NULL,
    partition_specs json NOT NULL,
    properties json NOT NULL,
    refs json NOT NULL DEFAULT '[]',
    described text NOT NULL,
    missed integer NOT NULL DEFAULT 0,
    vanished_at timestamptz,
    ${common("'active', 'vanished'", 'active')},
    UNIQUE (namespace_id, name)
  );
  COMMENT ON COLUMN catalog_table.current_snapshot_id IS 'as the source says: after a rollback it is not the newest';
  COMMENT ON COLUMN catalog_table.described IS 'a digest of all that the source said of the table';
  COMMENT ON COLUMN catalog_table.missed IS 'complete listings in a row in which it was missing';
  CREATE INDEX catalog_table_list ON catalog_table (namespace_id, id);
  CREATE INDEX catalog_table_connector ON catalog_table (connector_id, id);
  CREATE INDEX catalog_table_tenant ON catalog_table (tenant_id, id);
  CREATE TABLE table_snapshot (
    table_id uuid NOT NULL REFERENCES catalog_table ON DELETE CASCADE,
    snapshot_id bigint NOT NULL,
    number bigint GENERATED ALWAYS AS IDENTITY,
    tenant_id text NOT NULL,
    parent_id bigint,
    parent_present boolean NOT NULL,
    sequence_number bigint,
    committed_at_ms bigint,
    time_source text NOT NULL,
    operation text,
    schema_id integer NOT NULL,
    schema json,
    manifest_list text,
    summary json NOT NULL,
    in_current_lineage boolean NOT NULL,
    load_id bigint,
    code text,
    message text,
    spoiled_by uuid,
    PRIMARY KEY (table_id, snapshot_id)
  ) WITH (fillfactor = 80);
  COMMENT ON COLUMN table_snapshot.schema IS 'only where the table does not list it';
  COMMENT ON COLUMN table_snapshot.load_id IS 'its complete statistics; null: not read yet, or not readable, and then code and message say why';
  COMMENT ON COLUMN table_snapshot.spoiled_by IS 'the job that found that it cannot be read, and does not try again';
  CREATE INDEX table_snapshot_list ON table_snapshot (table_id, number);
  ${['catalog', 'namespace', 'catalog_table'].map(touched).join('')}
`;

const planTables = `
  CREATE TABLE snapshot_load (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    table_id uuid NOT NULL REFERENCES catalog_table ON DELETE CASCADE,
    snapshot_id bigint NOT NULL,
    job_id uuid NOT NULL,
    columns jsonb NOT NULL,
    files integer NOT NULL DEFAULT 0,
    record_count bigint,
    live_row_count bigint,
    data_file_count integer,
    data_bytes bigint,
    position_delete_file_count integer,
    equality_delete_file_count integer,
    delete_record_count bigint,
    delete_bytes bigint
  );
  COMMENT ON TABLE snapshot_load IS 'one reading of a snapshot; it counts once table_snapshot.load_id names it';
  CREATE INDEX snapshot_load_snapshot ON snapshot_load (table_id, snapshot_id);
  CREATE TABLE snapshot_column (
    load_id bigint NOT NULL REFERENCES snapshot_load ON DELETE CASCADE,
    n integer NOT NULL,
    body text NOT NULL,
    PRIMARY KEY (load_id, n)
  );
  COMMENT ON COLUMN snapshot_column.body IS 'JSON, as text: bounds may hold characters that jsonb does not take';
  CREATE TABLE plan_file (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    table_id uuid NOT NULL,
    digest uuid NOT NULL,
    content text NOT NULL,
    body text NOT NULL,
    UNIQUE (table_id, digest)
  );
  DO $$
  BEGIN
    ALTER TABLE plan_file ALTER body SET COMPRESSION lz4;
  EXCEPTION WHEN feature_not_supported THEN NULL;
  END $$;
  COMMENT ON TABLE plan_file IS 'what metadata says of a file, once for all snapshots that say the same of it';
  CREATE TABLE plan_entry (
    load_id bigint NOT NULL,
    n integer NOT NULL,
    file_id bigint NOT NULL,
    PRIMARY KEY (load_id, n)
  );
  CREATE INDEX plan_entry_file ON plan_entry (file_id);
`;

const tables = [
  ...['connector', 'reconcile_job', 'job_table', 'catalog', 'namespace', 'catalog_table', 'table_snapshot'],
  ...['snapshot_load', 'snapshot_column', 'plan_file', 'plan_entry'],
].join(', ');

const grants = `
  INSERT INTO reconcile_kind (kind, role) VALUES ('connectors', 'homeostat_connector'), ('reconcile-jobs', 'homeostat_connector');
  GRANT SELECT, INSERT, UPDATE, DELETE ON ${tables} TO homeostat_connector;
`;
