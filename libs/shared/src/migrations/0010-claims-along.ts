import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The end of a pass claims what is due next, in the same statement (decision 25). */
export class ClaimsAlong1763700000010 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(noteAndClaim);
    await runner.query(grants);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only: restore a backup to go back');
  }
}

/**
 * note_looks, and then claim_due. A claim by itself is not waited for on disk; here the transaction decides, by `unwaited`,
 * because there may be more in it.
 */
const noteAndClaim = `
  CREATE FUNCTION note_and_claim(kinds text[], keys uuid[], epochs bigint[], generations bigint[], dues timestamptz[],
    outcomes text[], becauses text[], fixes text[], failed integer[], pass_texts text[],
    wanted_kind text, at_most integer, holder text, lease_ms float8, unwaited boolean)
  RETURNS TABLE (key uuid, epoch bigint, generation bigint, failures integer, due_at timestamptz, now timestamptz, traceparent text)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  DECLARE
    waited text := current_setting('synchronous_commit');
  BEGIN
    PERFORM note_looks(kinds, keys, epochs, generations, dues, outcomes, becauses, fixes, failed, pass_texts);
    RETURN QUERY SELECT * FROM claim_due(wanted_kind, at_most, holder, lease_ms);
    IF NOT unwaited THEN
      PERFORM set_config('synchronous_commit', waited, true);
    END IF;
  END $$;
`;

const grants = `
  REVOKE ALL ON FUNCTION note_and_claim FROM PUBLIC;
  DO $$
  DECLARE owner name;
  BEGIN
    FOR owner IN SELECT DISTINCT role FROM reconcile_kind LOOP
      EXECUTE format('GRANT EXECUTE ON FUNCTION note_and_claim TO %I', owner);
    END LOOP;
  END $$;
`;
