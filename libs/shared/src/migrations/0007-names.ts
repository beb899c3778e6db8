import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Names of records are verified by domain-svc. Processes of the version before do not, and go on. */
export class Names1763700000007 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(columns);
    await runner.query(candidates);
    await runner.query(grants);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only: restore a backup to go back');
  }
}

const columns = `
  ALTER TABLE name_verification
    ADD COLUMN check_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN check_asked_at timestamptz,
    ADD COLUMN failing_since timestamptz,
    ADD COLUMN record_seen timestamptz;
  COMMENT ON COLUMN name_verification.expires_at IS 'until when the result stands unless a check renews it';
  COMMENT ON COLUMN name_verification.failing_since IS 'when the first check failed of those that have failed in a row';
  COMMENT ON COLUMN name_verification.record_seen IS 'when the signatures and keys last changed that the last check saw';
  CREATE INDEX name_verification_status ON name_verification (status, id);
  CREATE INDEX name_verification_domain ON name_verification (domain, id);
`;

/**
 * Walked by the audit, so that a record is found whose signing nobody was told of, or that was signed before this version,
 * and a name whose record is no candidate any more.
 */
const candidates = `
  CREATE VIEW name_candidate AS
    SELECT r.id, r.tenant_id, coalesce(v.status, 'pending') AS status, v.reason, v.message, coalesce(v.generation, 0) AS generation
    FROM record r LEFT JOIN name_verification v ON v.id = r.id
    WHERE r.signed AND r.status = 'indexed' AND r.name ~* '^https?://'
    UNION ALL
    SELECT v.id, v.tenant_id, v.status, v.reason, v.message, v.generation FROM name_verification v
    WHERE NOT EXISTS (SELECT FROM record r WHERE r.id = v.id AND r.signed AND r.status = 'indexed' AND r.name ~* '^https?://');
  COMMENT ON VIEW name_candidate IS 'signed records with a name that a domain can vouch for, looked at or not';
`;

const grants = `
  INSERT INTO reconcile_kind (kind, role) VALUES ('name-verifications', 'homeostat_domain');
  GRANT SELECT ON name_candidate TO homeostat_domain;
`;
