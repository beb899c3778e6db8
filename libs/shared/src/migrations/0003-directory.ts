import type { MigrationInterface, QueryRunner } from 'typeorm';
import { common, touched } from './columns';
import { serviceRole } from './service-role';

/** The directory family (spec 2): syncs, the listing of the registry and the index of its records, of sync-svc; names, of domain-svc. */
export class Directory1763700000003 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // What `*` and `?` in a search are found by; every PostgreSQL that is packaged has it.
    await runner.query('CREATE EXTENSION IF NOT EXISTS pg_trgm');
    await runner.query(syncTables);
    await runner.query(listingTables);
    await runner.query(recordTables);
    await runner.query(searchIndexes);
    await runner.query(nameTables);
    await runner.query(serviceRole('homeostat_sync'));
    await runner.query(grants);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only: restore a backup to go back');
  }
}

const syncTables = `
  CREATE TABLE sync (
    id uuid PRIMARY KEY,
    remote_directory_url text,
    remote_registry_address text,
    remote_repository_name text,
    insecure boolean NOT NULL DEFAULT false,
    cids text[],
    requires_regsync boolean,
    auth text CHECK (auth IN ('token', 'basic')),
    secrets text,
    remote_host text COLLATE "C" NOT NULL,
    remote jsonb,
    cursor text,
    listed_at timestamptz,
    total integer NOT NULL DEFAULT 0,
    done integer NOT NULL DEFAULT 0,
    failed integer NOT NULL DEFAULT 0,
    attempts integer NOT NULL DEFAULT 0,
    retry_at timestamptz,
    started_at timestamptz,
    progressed_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    ${common("'PENDING', 'IN_PROGRESS', 'COMPLETED', 'FAILED', 'DELETE_PENDING', 'DELETED'", 'PENDING')},
    CHECK (remote_directory_url IS NOT NULL OR (remote_registry_address IS NOT NULL AND remote_repository_name IS NOT NULL)),
    CHECK ((finished_at IS NOT NULL) = (status IN ('COMPLETED', 'FAILED', 'DELETED'))),
    CHECK (finished_at IS NULL OR secrets IS NULL),
    CHECK (done + failed <= total)
  ) WITH (fillfactor = 80);
  COMMENT ON COLUMN sync.cids IS 'the records that are wanted; null: all that the remote repository has';
  COMMENT ON COLUMN sync.secrets IS 'sealed; gone as soon as it has ended';
  COMMENT ON COLUMN sync.remote_host IS 'whom it burdens, as its maker named it';
  COMMENT ON COLUMN sync.remote IS 'the registry as it was found: address, repository, insecure, kind';
  COMMENT ON COLUMN sync.cursor IS 'where the listing of the remote tags goes on; null: at its start';
  COMMENT ON COLUMN sync.attempts IS 'failed ones in a row, without any progress';
  CREATE INDEX sync_tenant ON sync (tenant_id, id);
  CREATE INDEX sync_status ON sync (status, id);
  CREATE INDEX sync_host ON sync (remote_host, status, id);
  CREATE TABLE sync_record (
    sync_id uuid NOT NULL REFERENCES sync ON DELETE CASCADE,
    cid text COLLATE "C" NOT NULL,
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'copying', 'done', 'failed')),
    tries integer NOT NULL DEFAULT 0,
    reason text,
    message text,
    PRIMARY KEY (sync_id, cid)
  );
  CREATE INDEX sync_record_open ON sync_record (sync_id, tries, cid) WHERE state IN ('pending', 'copying');
  CREATE INDEX sync_record_state ON sync_record (sync_id, state, cid);
  ${touched('sync')}
`;

const listingTables = `
  CREATE TABLE registry (
    id uuid PRIMARY KEY,
    listing bigint NOT NULL DEFAULT 0,
    phase text NOT NULL DEFAULT 'idle' CHECK (phase IN ('idle', 'listing', 'removing')),
    page integer NOT NULL DEFAULT 0,
    cursor text,
    listed integer NOT NULL DEFAULT 0,
    tags integer,
    referrers_api boolean,
    started_at timestamptz,
    finished_at timestamptz,
    CHECK (cursor IS NULL OR phase = 'listing')
  );
  COMMENT ON COLUMN registry.listing IS 'counts the listings of all tags';
  COMMENT ON COLUMN registry.cursor IS 'where a listing under way goes on; null: at its start';
  COMMENT ON COLUMN registry.tags IS 'how many tags the last complete listing had';
  COMMENT ON COLUMN registry.referrers_api IS 'whether the registry has the referrers API; null: not asked yet';
  CREATE TABLE registry_page (
    listing bigint NOT NULL,
    page integer NOT NULL,
    cids text[] NOT NULL,
    fallbacks text[] NOT NULL,
    PRIMARY KEY (listing, page)
  );
  COMMENT ON TABLE registry_page IS 'what the listing under way has found so far: what it lacks in the end is gone';
  CREATE TABLE fallback_tag (
    digest text COLLATE "C" PRIMARY KEY
  );
  COMMENT ON TABLE fallback_tag IS 'manifests whose referrers are listed under a tag, for want of the referrers API';
  INSERT INTO registry (id) VALUES ('00000000-0000-7000-8000-000000000002');
`;

const recordTables = `
  CREATE TABLE record (
    id uuid PRIMARY KEY,
    cid text COLLATE "C" NOT NULL UNIQUE,
    manifest_digest text COLLATE "C",
    subject text COLLATE "C",
    size integer,
    name text,
    version text,
    version_key text COLLATE "C",
    schema_version text,
    authored_at timestamptz,
    annotations jsonb,
    terms text[] NOT NULL DEFAULT '{}',
    signed boolean NOT NULL DEFAULT false,
    indexed_at timestamptz,
    referred_at timestamptz,
    ${common("'pending', 'indexed', 'quarantined', 'referrer'", 'pending')},
    CHECK (status <> 'indexed' OR (manifest_digest IS NOT NULL AND name IS NOT NULL AND version_key IS NOT NULL)),
    CHECK (status <> 'referrer' OR subject IS NOT NULL)
  ) WITH (fillfactor = 80);
  COMMENT ON COLUMN record.subject IS 'the manifest that a referrer belongs to which is tagged as records are';
  COMMENT ON COLUMN record.version_key IS 'orders versions by semver, as text in byte order; empty for what is no semver';
  COMMENT ON COLUMN record.authored_at IS 'what the record says of its own creation';
  COMMENT ON COLUMN record.annotations IS 'those of the manifest';
  COMMENT ON COLUMN record.terms IS 'what it is found by, as kind=value in lower case';
  COMMENT ON COLUMN record.referred_at IS 'when its signatures or keys last changed';
  CREATE TABLE record_content (
    id uuid PRIMARY KEY REFERENCES record ON DELETE CASCADE,
    content json NOT NULL
  );
  CREATE TABLE record_word (
    kind text COLLATE "C" NOT NULL,
    value text COLLATE "C" NOT NULL,
    PRIMARY KEY (kind, value)
  );
  COMMENT ON TABLE record_word IS 'every value that some record is found by, once: what wildcards are looked up in';
  CREATE TABLE referrer (
    record_id uuid NOT NULL REFERENCES record ON DELETE CASCADE,
    digest text COLLATE "C" NOT NULL,
    kind text NOT NULL CHECK (kind IN ('signature', 'public_key', 'other')),
    media_type text,
    annotations jsonb,
    public_key text,
    signature text,
    found_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (record_id, digest)
  );
  COMMENT ON COLUMN referrer.public_key IS 'PEM, as it was attached: anybody can attach a key';
  COMMENT ON COLUMN referrer.signature IS 'base64, not checked here: over the ASCII bytes of the CID';
  ${touched('record')}
`;

/**
 * Indexes do not take texts beyond 2 700 bytes: names are found by their first 512 characters, and compared. What waits in
 * the pending list of a GIN index is read at every search: three times as long for a pattern of 1 000 values.
 */
const searchIndexes = `
  CREATE INDEX record_status ON record (status, id);
  CREATE INDEX record_manifest ON record (manifest_digest) WHERE manifest_digest IS NOT NULL;
  CREATE INDEX record_name ON record (left(lower(name), 512), version_key) WHERE status = 'indexed';
  CREATE INDEX record_version ON record (version_key);
  CREATE INDEX record_authored ON record (authored_at);
  CREATE INDEX record_terms ON record USING gin (terms) WITH (fastupdate = off);
  CREATE INDEX record_signed ON record (id) WHERE signed;
  CREATE INDEX record_word_value ON record_word USING gin (value gin_trgm_ops) WITH (gin_pending_list_limit = 256);
`;

const nameTables = `
  CREATE TABLE name_verification (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    domain text NOT NULL,
    method text,
    key_id text,
    verified_at timestamptz,
    checked_at timestamptz,
    expires_at timestamptz,
    ${common("'pending', 'verified', 'failed'", 'pending')}
  );
  COMMENT ON COLUMN name_verification.id IS 'the record''s';
  CREATE INDEX name_verification_verified ON name_verification (id) WHERE status = 'verified';
  ${touched('name_verification')}
`;

const grants = `
  INSERT INTO reconcile_kind (kind, role) VALUES ('registry', 'homeostat_sync'), ('records', 'homeostat_sync'),
    ('syncs', 'homeostat_sync');
  GRANT SELECT, INSERT, UPDATE, DELETE ON
    sync, sync_record, registry, registry_page, fallback_tag, record, record_content, record_word, referrer TO homeostat_sync;
  GRANT SELECT ON name_verification TO homeostat_sync;
  GRANT SELECT ON record, referrer TO homeostat_domain;
  GRANT SELECT, INSERT, UPDATE, DELETE ON name_verification TO homeostat_domain;
`;
