import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What every look pays: claims and notes in fewer statements (decision 23). Processes of the version before go on with the same functions. */
export class LeanLooks1763700000009 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(claimDue);
    await runner.query(claimLooks);
    await runner.query(noteLooks);
    await runner.query(grants);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only: restore a backup to go back');
  }
}

/**
 * Leases the longest due resources of a kind, as in migration 0001, and tells the trace in which each look was wished for.
 * The lease is not waited for on disk, so a crash of the server may forget it. An epoch that was given out must not come
 * again then: it is the time in microseconds, unless the one before was as high already.
 */
const claimDue = `
  CREATE FUNCTION claim_due(wanted_kind text, at_most integer, holder text, lease_ms float8)
  RETURNS TABLE (key uuid, epoch bigint, generation bigint, failures integer, due_at timestamptz, now timestamptz, traceparent text)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
  SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
  DECLARE
    unwaited text := set_config('synchronous_commit', 'off', true);
    taken_as text := current_setting('role');
    kind reconcile_kind;
  BEGIN
    SELECT * INTO kind FROM reconcile_kind k WHERE k.kind = wanted_kind;
    IF taken_as NOT IN ('none', kind.role) THEN
      RAISE EXCEPTION 'role % does not own the kind %', taken_as, wanted_kind USING ERRCODE = '42501';
    END IF;
    IF kind.paused_at IS NOT NULL THEN
      RETURN;
    END IF;
    RETURN QUERY
    WITH due AS MATERIALIZED (
      SELECT s.ctid FROM reconcile_status s
      WHERE s.kind = wanted_kind AND s.due_at IS NOT NULL AND s.rank_at <= statement_timestamp() + interval '30 s'
        AND s.due_at <= clock_timestamp() AND (s.lease_until IS NULL OR s.lease_until <= clock_timestamp())
      ORDER BY s.rank_at LIMIT at_most FOR UPDATE SKIP LOCKED)
    UPDATE reconcile_status s
    SET lease_holder = holder, lease_until = clock_timestamp() + lease_ms * interval '1 ms',
      lease_epoch = greatest(s.lease_epoch + 1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
    FROM due WHERE s.ctid = due.ctid
    RETURNING s.key, s.lease_epoch, s.generation, s.failures, s.due_at, clock_timestamp(), s.traceparent;
  END $$;
`;

const claimLooks = `
  CREATE OR REPLACE FUNCTION claim_looks(wanted_kind text, at_most integer, holder text, lease interval)
  RETURNS TABLE (key uuid, epoch bigint, generation bigint, failures integer, due_at timestamptz, now timestamptz)
  LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT c.key, c.epoch, c.generation, c.failures, c.due_at, c.now
    FROM claim_due(wanted_kind, at_most, holder, extract(epoch FROM lease)::float8 * 1000) c
  $$;
`;

/**
 * As in migration 0005, but most notes are of rows that are there, so those are written first, by the plainest statement.
 * Only when fewer were written than noted is it asked why. The wishes are then inserted as a whole: which of their rows
 * were missing cannot be looked up, since another may add one meanwhile. One that was updated already is wished for twice.
 */
const noteLooks = `
  CREATE OR REPLACE FUNCTION note_looks(kinds text[], keys uuid[], epochs bigint[], generations bigint[], dues timestamptz[],
    outcomes text[], becauses text[], fixes text[], failed integer[], pass_texts text[])
  RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
  SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
  DECLARE
    of_a_pass boolean := 0 < ANY (epochs);
    written integer;
    stale text;
  BEGIN
    IF current_setting('role') <> 'none' THEN
      IF EXISTS (
        SELECT FROM unnest(kinds, outcomes) AS n (kind, outcome) JOIN reconcile_kind k USING (kind)
        WHERE n.outcome IS NOT NULL AND k.role <> current_setting('role')) THEN
        RAISE EXCEPTION 'role % may only ask for looks at kinds that it does not own', current_setting('role') USING ERRCODE = '42501';
      END IF;
    END IF;
    IF 'gone' = ANY (outcomes) THEN
      DELETE FROM reconcile_status s USING unnest(kinds, keys, epochs, generations, outcomes) AS n (kind, key, epoch, generation, outcome)
      WHERE n.outcome = 'gone' AND s.kind = n.kind AND s.key = n.key AND s.lease_epoch = n.epoch AND s.generation = n.generation;
    END IF;
    UPDATE reconcile_status s SET
      due_at = CASE
        WHEN s.paused THEN NULL
        WHEN n.epoch > 0 AND s.generation = n.generation THEN n.due_at
        WHEN n.epoch = 0 AND n.outcome = 'settled' THEN NULL
        ELSE least(s.due_at, n.due_at) END,
      rank_at = CASE WHEN n.epoch > 0 AND s.generation = n.generation THEN n.due_at + n.behind ELSE least(s.rank_at, n.due_at + n.behind) END,
      generation = CASE WHEN n.epoch > 0 THEN s.generation ELSE s.generation + 1 END,
      failures = CASE WHEN n.epoch > 0 THEN n.failures ELSE s.failures END,
      lease_holder = CASE WHEN n.epoch > 0 THEN NULL ELSE s.lease_holder END,
      lease_until = CASE WHEN n.epoch > 0 THEN NULL ELSE s.lease_until END,
      outcome = coalesce(n.outcome, s.outcome),
      because = coalesce(n.because, s.because),
      fix = CASE WHEN n.outcome IS NULL THEN s.fix ELSE n.fix END,
      since = CASE WHEN s.because IS DISTINCT FROM coalesce(n.because, s.because) THEN now() ELSE s.since END,
      looked_at = CASE WHEN n.epoch > 0 THEN now() ELSE s.looked_at END,
      passes = CASE WHEN n.epoch > 0 THEN (n.pass || s.passes)[1:5] ELSE s.passes END,
      traceparent = CASE
        WHEN n.epoch = 0 AND of_a_pass AND s.due_at <= now() THEN coalesce(s.traceparent, n.pass)
        WHEN n.epoch = 0 THEN coalesce(n.pass, s.traceparent)
        WHEN n.due_at IS NULL AND s.generation = n.generation THEN NULL
        ELSE s.traceparent END
    FROM (${notes()}) n WHERE s.kind = n.kind AND s.key = n.key AND (n.epoch = 0 OR s.lease_epoch = n.epoch);
    GET DIAGNOSTICS written = ROW_COUNT;
    IF written = cardinality(keys) THEN
      RETURN;
    END IF;
    INSERT INTO reconcile_status AS s (kind, key, due_at, rank_at, outcome, because, fix, traceparent)
    SELECT n.kind, n.key, n.due_at, n.due_at + n.behind, n.outcome, n.because, n.fix, n.pass FROM (${notes()}) n WHERE n.epoch = 0
    ON CONFLICT (kind, key) DO UPDATE SET
      due_at = CASE WHEN s.paused THEN NULL ELSE least(s.due_at, excluded.due_at) END,
      rank_at = least(s.rank_at, excluded.rank_at),
      generation = s.generation + 1,
      traceparent = coalesce(s.traceparent, excluded.traceparent);
    SELECT string_agg(n.key::text, ' ') INTO stale FROM (${notes()}) n WHERE n.epoch > 0 AND NOT EXISTS (
      SELECT FROM reconcile_status s WHERE s.kind = n.kind AND s.key = n.key AND s.lease_epoch = n.epoch);
    IF stale IS NOT NULL THEN
      RAISE EXCEPTION 'leases were lost' USING ERRCODE = 'HS001', DETAIL = stale;
    END IF;
  END $$;
`;

/** The notes in the order in which rows are locked; a wish is due now by this clock, and no note before that. */
function notes(): string {
  return `
      SELECT kind, key, epoch, generation, outcome, because, fix, failures, pass,
        CASE WHEN outcome IS NULL OR due_at < now() THEN now() ELSE due_at END AS due_at,
        CASE WHEN outcome IN ('waiting', 'failed') THEN interval '30 s' ELSE interval '0' END AS behind
      FROM unnest(kinds, keys, epochs, generations, dues, outcomes, becauses, fixes, failed, pass_texts)
        AS n (kind, key, epoch, generation, due_at, outcome, because, fix, failures, pass)
      WHERE outcome IS DISTINCT FROM 'gone' ORDER BY key DESC, kind`;
}

const grants = `
  REVOKE ALL ON FUNCTION claim_due FROM PUBLIC;
  DO $$
  DECLARE owner name;
  BEGIN
    FOR owner IN SELECT DISTINCT role FROM reconcile_kind LOOP
      EXECUTE format('GRANT EXECUTE ON FUNCTION claim_due TO %I', owner);
    END LOOP;
  END $$;
`;
