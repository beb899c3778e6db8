/**
 * SQL that makes the no-login role of a service, with what every service may do to the tables of the house. Roles belong
 * to the whole cluster, so another database's migration may be making the same one at this very moment, or have made it.
 * The grant is needed although who makes a role is its member: from PostgreSQL 16 on, without the right to take it.
 */
export const serviceRole = (role: string): string => `
  DO $$
  BEGIN
    BEGIN
      IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${role}') THEN
        CREATE ROLE ${role} NOLOGIN;
      END IF;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
    END;
    BEGIN
      GRANT ${role} TO CURRENT_USER;
    EXCEPTION WHEN unique_violation OR insufficient_privilege THEN NULL;
    END;
  END $$;
  GRANT USAGE ON SCHEMA public TO ${role};
  GRANT EXECUTE ON FUNCTION claim_looks, note_looks, request_look TO ${role};
  DO $$
  BEGIN
    -- Came with migrations 0009 and 0010; the roles before them were given them there.
    IF to_regproc('claim_due') IS NOT NULL THEN
      GRANT EXECUTE ON FUNCTION claim_due TO ${role};
    END IF;
    IF to_regproc('note_and_claim') IS NOT NULL THEN
      GRANT EXECUTE ON FUNCTION note_and_claim TO ${role};
    END IF;
  END $$;
  GRANT SELECT ON schema_migration, reconcile_status, reconcile_kind, state_change TO ${role};
  GRANT INSERT ON state_change TO ${role};
  GRANT UPDATE (lease_holder, lease_until, due_at, rank_at, failures, paused, generation) ON reconcile_status TO ${role};
  GRANT UPDATE (paused_at) ON reconcile_kind TO ${role};
  GRANT SELECT, INSERT, DELETE, UPDATE (relay_at) ON outbox TO ${role};
  GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_key TO ${role};
`;
