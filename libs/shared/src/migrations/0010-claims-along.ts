import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The end of a pass claims what is due next, in the same statement, and a few notes cost no more than that many (decision 25). */
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
 * Does what note_looks does, and then what claim_due does, unless `at_most` is 0. A claim by itself is not waited for on
 * disk; here the transaction decides, by `unwaited`, because there may be more in it.
 *
 * Most transactions write down one to three looks. Those are written one by one, each by the plainest statement: to set up
 * the one for many costs more than all of that. They are given in falling key order, as rows are locked everywhere.
 */
const noteAndClaim = `
  CREATE FUNCTION note_and_claim(kinds text[], keys uuid[], epochs bigint[], generations bigint[], dues timestamptz[],
    outcomes text[], becauses text[], fixes text[], failed integer[], pass_texts text[],
    wanted_kind text, at_most integer, holder text, lease_ms float8, unwaited boolean)
  RETURNS TABLE (key uuid, epoch bigint, generation bigint, failures integer, due_at timestamptz, now timestamptz, traceparent text)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  DECLARE
    waited text := current_setting('synchronous_commit');
    noted_by text := current_setting('role');
    of_a_pass boolean := 0 < ANY (epochs);
    owned text;
    stale text;
    n_kind text; n_key uuid; n_epoch bigint; n_generation bigint; n_due timestamptz; n_rank timestamptz;
    n_outcome text; n_because text; n_fix text; n_failures integer; n_pass text;
  BEGIN
    IF cardinality(keys) > 3 OR 'gone' = ANY (outcomes) THEN
      PERFORM note_looks(kinds, keys, epochs, generations, dues, outcomes, becauses, fixes, failed, pass_texts);
    ELSE
      FOR i IN 1 .. cardinality(keys) LOOP
        n_kind := kinds[i]; n_key := keys[i]; n_epoch := epochs[i]; n_generation := generations[i]; n_outcome := outcomes[i];
        n_because := becauses[i]; n_fix := fixes[i]; n_failures := failed[i]; n_pass := pass_texts[i];
        n_due := CASE WHEN n_outcome IS NULL OR dues[i] < now() THEN now() ELSE dues[i] END;
        n_rank := CASE WHEN n_outcome IN ('waiting', 'failed') THEN n_due + interval '30 s' ELSE n_due END;
        IF noted_by <> 'none' AND n_outcome IS NOT NULL AND owned IS DISTINCT FROM n_kind THEN
          SELECT k.kind INTO owned FROM reconcile_kind k WHERE k.kind = n_kind AND k.role = noted_by;
          IF NOT FOUND THEN
            RAISE EXCEPTION 'role % may only ask for looks at kinds that it does not own', noted_by USING ERRCODE = '42501';
          END IF;
        END IF;
        IF n_epoch > 0 THEN
          UPDATE reconcile_status s SET
            due_at = CASE WHEN s.paused THEN NULL WHEN s.generation = n_generation THEN n_due ELSE least(s.due_at, n_due) END,
            rank_at = CASE WHEN s.generation = n_generation THEN n_rank ELSE least(s.rank_at, n_rank) END,
            failures = n_failures, lease_holder = NULL, lease_until = NULL, outcome = n_outcome, because = n_because, fix = n_fix,
            since = CASE WHEN s.because IS DISTINCT FROM n_because THEN now() ELSE s.since END,
            looked_at = now(), passes = (n_pass || s.passes)[1:5],
            traceparent = CASE WHEN n_due IS NULL AND s.generation = n_generation THEN NULL ELSE s.traceparent END
          WHERE s.kind = n_kind AND s.key = n_key AND s.lease_epoch = n_epoch;
          IF NOT FOUND THEN
            stale := concat_ws(' ', stale, n_key);
          END IF;
        ELSE
          INSERT INTO reconcile_status AS s (kind, key, due_at, rank_at, outcome, because, fix, traceparent)
          VALUES (n_kind, n_key, n_due, n_rank, n_outcome, n_because, n_fix, n_pass)
          ON CONFLICT ON CONSTRAINT reconcile_status_pkey DO UPDATE SET
            due_at = CASE WHEN s.paused OR n_outcome = 'settled' THEN NULL ELSE least(s.due_at, n_due) END,
            rank_at = least(s.rank_at, n_rank),
            generation = s.generation + 1,
            outcome = coalesce(n_outcome, s.outcome),
            because = coalesce(n_because, s.because),
            fix = CASE WHEN n_outcome IS NULL THEN s.fix ELSE n_fix END,
            since = CASE WHEN s.because IS DISTINCT FROM coalesce(n_because, s.because) THEN now() ELSE s.since END,
            traceparent = CASE WHEN of_a_pass AND s.due_at <= now() THEN coalesce(s.traceparent, n_pass)
              ELSE coalesce(n_pass, s.traceparent) END;
        END IF;
      END LOOP;
      IF stale IS NOT NULL THEN
        RAISE EXCEPTION 'leases were lost' USING ERRCODE = 'HS001', DETAIL = stale;
      END IF;
    END IF;
    IF at_most > 0 THEN
      RETURN QUERY SELECT * FROM claim_due(wanted_kind, at_most, holder, lease_ms);
    END IF;
    -- A claim has set it to off already, which is right where nothing is to be waited for.
    IF unwaited <> (at_most > 0) THEN
      PERFORM set_config('synchronous_commit', CASE WHEN unwaited THEN 'off' ELSE waited END, true);
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
