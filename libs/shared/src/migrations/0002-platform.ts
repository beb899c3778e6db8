import type { MigrationInterface, QueryRunner } from 'typeorm';
import { common, touched } from './columns';

/** The platform family (spec 1): projects … images of deploy-svc, the pool of vm-pool-svc, the domains of domain-svc. */
export class Platform1763700000002 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(deployTables);
    await runner.query(poolTables);
    await runner.query(domainTables);
    await runner.query(kinds);
    await runner.query(grants);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only: restore a backup to go back');
  }
}

const deployTables = `
  CREATE TABLE project (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    ${common("'active'", 'active')},
    UNIQUE (tenant_id, name)
  );
  CREATE TABLE environment (
    id uuid PRIMARY KEY,
    project_id uuid NOT NULL REFERENCES project,
    name text NOT NULL,
    ${common("'active'", 'active')},
    UNIQUE (project_id, name)
  );
  CREATE TABLE image (
    id uuid PRIMARY KEY,
    build_id uuid UNIQUE,
    registry text NOT NULL,
    repository text NOT NULL,
    tag text,
    digest text,
    ${common("'active'", 'active')}
  );
  CREATE TABLE build (
    id uuid PRIMARY KEY,
    deployment_id uuid NOT NULL UNIQUE,
    project_id uuid NOT NULL,
    commit text,
    builder text,
    image_id uuid,
    started_at timestamptz,
    heartbeat_at timestamptz,
    finished_at timestamptz,
    ${common("'queued', 'initializing', 'building', 'ready', 'canceled', 'error'", 'queued')}
  ) WITH (fillfactor = 70);
  CREATE INDEX build_queue ON build (status, id) WHERE status IN ('queued', 'initializing', 'building');
  CREATE TABLE deployment (
    id uuid PRIMARY KEY,
    number bigint GENERATED ALWAYS AS IDENTITY,
    project_id uuid NOT NULL,
    environment_id uuid NOT NULL REFERENCES environment,
    commit text,
    port integer NOT NULL DEFAULT 8080 CHECK (port BETWEEN 1 AND 65535),
    env jsonb NOT NULL DEFAULT '{}',
    phase text CHECK (phase IN ('waiting_for_build', 'waiting_for_vm')),
    build_id uuid,
    image_id uuid,
    vm_id uuid,
    pinned boolean NOT NULL DEFAULT false,
    rollback_of uuid,
    cancel_requested_at timestamptz,
    building_at timestamptz,
    image_at timestamptz,
    ready_at timestamptz,
    inactive_at timestamptz,
    failed_at timestamptz,
    ${common("'queued', 'building', 'ready', 'inactive', 'failed'", 'queued')},
    live boolean NOT NULL GENERATED ALWAYS AS (status IN ('queued', 'building', 'ready')) STORED,
    CHECK ((status = 'building') = (phase IS NOT NULL)),
    CHECK (status <> 'ready' OR image_id IS NOT NULL),
    CHECK (status NOT IN ('inactive', 'failed') OR vm_id IS NULL)
  ) WITH (fillfactor = 60);
  COMMENT ON COLUMN deployment.live IS 'indexed in place of status, which changes so often: its changes need no index entries';
  CREATE INDEX deployment_live ON deployment (environment_id, number) WHERE live;
  CREATE INDEX deployment_environment ON deployment (environment_id, id);
  CREATE TABLE vm_claim (
    id uuid PRIMARY KEY,
    number bigint GENERATED ALWAYS AS IDENTITY,
    deployment_id uuid NOT NULL,
    image_id uuid NOT NULL,
    port integer NOT NULL,
    env jsonb NOT NULL DEFAULT '{}',
    wanted text NOT NULL DEFAULT 'assigned' CHECK (wanted IN ('assigned', 'running')),
    released_at timestamptz,
    vm_id uuid,
    bound_at timestamptz,
    freed_at timestamptz,
    tenant_id text NOT NULL,
    generation bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    status text NOT NULL GENERATED ALWAYS AS
      (CASE WHEN released_at IS NOT NULL THEN 'released' WHEN vm_id IS NULL THEN 'waiting' ELSE 'bound' END) STORED
  ) WITH (fillfactor = 70);
  COMMENT ON COLUMN vm_claim.wanted IS 'written by deploy-svc: what it waits for, and wants to be told of';
  COMMENT ON COLUMN vm_claim.released_at IS 'written by deploy-svc: it wants the VM no longer';
  COMMENT ON COLUMN vm_claim.freed_at IS 'written by vm-pool-svc: the VM is scrubbed or gone, and may have another claim';
  CREATE UNIQUE INDEX vm_claim_one_per_vm ON vm_claim (vm_id) WHERE vm_id IS NOT NULL AND freed_at IS NULL;
  CREATE UNIQUE INDEX vm_claim_one_per_deployment ON vm_claim (deployment_id) WHERE released_at IS NULL;
  CREATE INDEX vm_claim_queue ON vm_claim (number) WHERE vm_id IS NULL AND released_at IS NULL;
  ${['project', 'environment', 'image', 'build', 'deployment', 'vm_claim'].map(touched).join('')}
`;

const poolTables = `
  CREATE TABLE region (
    id uuid PRIMARY KEY,
    number bigint GENERATED ALWAYS AS IDENTITY,
    name text NOT NULL UNIQUE,
    ${common("'active'", 'active')}
  );
  CREATE TABLE vm (
    id uuid PRIMARY KEY,
    region_id uuid NOT NULL REFERENCES region,
    number integer NOT NULL UNIQUE CHECK (number >= 0),
    private_ip inet NOT NULL UNIQUE,
    claim_id uuid UNIQUE,
    image_id uuid,
    ${common("'pooling', 'initializing', 'starting', 'running', 'stopping', 'deleting', 'off'", 'initializing')},
    status_at timestamptz NOT NULL DEFAULT now(),
    CHECK (status NOT IN ('pooling', 'initializing', 'off') OR claim_id IS NULL),
    CHECK (status NOT IN ('starting', 'running') OR claim_id IS NOT NULL)
  ) WITH (fillfactor = 60);
  CREATE INDEX vm_status ON vm (status, number);
  CREATE TABLE vm_address (
    number integer PRIMARY KEY,
    vm_id uuid UNIQUE,
    free_at timestamptz
  );
  COMMENT ON COLUMN vm_address.free_at IS 'when the quarantine of a number without a VM ends';
  CREATE INDEX vm_address_free ON vm_address (free_at, number) WHERE vm_id IS NULL;
  CREATE TABLE pool (
    id uuid PRIMARY KEY,
    turn integer NOT NULL DEFAULT 0,
    condition text,
    message text
  );
  COMMENT ON COLUMN pool.turn IS 'regions served so far: the next VM goes to region number turn modulo their count';
  CREATE TABLE simulated_machine (
    vm_id uuid PRIMARY KEY,
    state text NOT NULL CHECK (state IN ('up', 'running', 'stopped'))
  ) WITH (fillfactor = 70);
  COMMENT ON TABLE simulated_machine IS 'the outside world of the provider "simulated": no row of ours';
  ${['region', 'vm'].map(touched).join('')}
`;

const domainTables = `
  CREATE TABLE domain (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    project_id uuid,
    token text NOT NULL,
    window_ends_at timestamptz NOT NULL,
    check_at timestamptz NOT NULL DEFAULT now(),
    checks integer NOT NULL DEFAULT 0,
    last_check jsonb,
    check_asked_at timestamptz,
    verified_at timestamptz,
    absent_since timestamptz,
    ${common("'pending', 'verified', 'at_risk', 'lapsed', 'expired'", 'pending')},
    UNIQUE (tenant_id, name)
  );
  COMMENT ON COLUMN domain.absent_since IS 'since when the record of a verified domain is truly absent';
  CREATE UNIQUE INDEX domain_one_owner ON domain (name) WHERE status IN ('verified', 'at_risk');
  CREATE INDEX domain_name_taken ON domain (name) WHERE reason = 'NameTaken';
  ${touched('domain')}
`;

const kinds = `
  INSERT INTO reconcile_kind (kind, role) VALUES
    ('domains', 'homeostat_domain'), ('deployments', 'homeostat_deploy'), ('builds', 'homeostat_deploy'),
    ('pool', 'homeostat_vm_pool'), ('inventory', 'homeostat_vm_pool'), ('vms', 'homeostat_vm_pool');
  INSERT INTO pool (id) VALUES ('00000000-0000-7000-8000-000000000001');
`;

const grants = `
  GRANT SELECT ON project, environment, image, build, deployment, vm_claim, region, vm, vm_address, pool, domain
    TO homeostat_domain, homeostat_deploy, homeostat_vm_pool;
  GRANT INSERT, UPDATE, DELETE ON project, environment, image, build, deployment TO homeostat_deploy;
  GRANT INSERT (id, deployment_id, image_id, port, env, tenant_id, wanted), UPDATE (released_at) ON vm_claim TO homeostat_deploy;
  GRANT UPDATE (vm_id, bound_at, freed_at) ON vm_claim TO homeostat_vm_pool;
  GRANT INSERT, UPDATE, DELETE ON region, vm, vm_address, pool TO homeostat_vm_pool;
  GRANT SELECT, INSERT, UPDATE, DELETE ON simulated_machine TO homeostat_vm_pool;
  GRANT INSERT, UPDATE, DELETE ON domain TO homeostat_domain;
`;
