import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Looks know the trace in which they were wished for. Processes of the version before may go on: signatures stay. */
export class Traces1763700000005 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(column);
    await runner.query(noteLooks);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only: restore a backup to go back');
  }
}

const column = `
  ALTER TABLE reconcile_status ADD COLUMN traceparent text;
  COMMENT ON COLUMN reconcile_status.traceparent IS 'W3C trace context of what wished for the look; null once none is due';
`;

/**
 * As in migration 0001, and in `pass_texts` a wish has the traceparent of what wishes it. A request's wish begins a new
 * trace for a resource. That of another resource's pass does not while a look is due already: the pool serves many at once,
 * and each of them goes on with the trace that it came with.
 */
const noteLooks = `
  CREATE OR REPLACE FUNCTION note_looks(kinds text[], keys uuid[], epochs bigint[], generations bigint[], dues timestamptz[],
    outcomes text[], becauses text[], fixes text[], failed integer[], pass_texts text[])
  RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
  SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
  DECLARE
    stale text;
    of_a_pass boolean := (SELECT bool_or(epoch > 0) FROM unnest(epochs) AS e (epoch));
  BEGIN
    IF current_setting('role') <> 'none' AND EXISTS (
      SELECT FROM unnest(kinds, outcomes) AS n (kind, outcome) JOIN reconcile_kind k USING (kind)
      WHERE n.outcome IS NOT NULL AND k.role <> current_setting('role')) THEN
      RAISE EXCEPTION 'role % may only ask for looks at kinds that it does not own', current_setting('role') USING ERRCODE = '42501';
    END IF;
    IF 'gone' = ANY (outcomes) THEN
      DELETE FROM reconcile_status s USING unnest(kinds, keys, epochs, generations, outcomes) AS n (kind, key, epoch, generation, outcome)
      WHERE n.outcome = 'gone' AND s.kind = n.kind AND s.key = n.key AND s.lease_epoch = n.epoch AND s.generation = n.generation;
    END IF;
    WITH note AS MATERIALIZED (
      SELECT kind, key, epoch, generation, CASE WHEN outcome IS NULL OR due_at < now() THEN now() ELSE due_at END AS due_at,
        outcome, because, fix, failures, pass
      FROM unnest(kinds, keys, epochs, generations, dues, outcomes, becauses, fixes, failed, pass_texts)
        AS n (kind, key, epoch, generation, due_at, outcome, because, fix, failures, pass)
      WHERE outcome IS DISTINCT FROM 'gone' ORDER BY key DESC, kind
    ), ranked AS (
      SELECT *, CASE WHEN outcome IN ('waiting', 'failed') THEN due_at + interval '30 s' ELSE due_at END AS rank_at FROM note
    ), written AS (
      UPDATE reconcile_status s SET
        due_at = CASE
          WHEN s.paused THEN NULL
          WHEN n.epoch > 0 AND s.generation = n.generation THEN n.due_at
          WHEN n.epoch = 0 AND n.outcome = 'settled' THEN NULL
          ELSE least(s.due_at, n.due_at) END,
        rank_at = CASE WHEN n.epoch > 0 AND s.generation = n.generation THEN n.rank_at ELSE least(s.rank_at, n.rank_at) END,
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
      FROM ranked n WHERE s.kind = n.kind AND s.key = n.key AND (n.epoch = 0 OR s.lease_epoch = n.epoch)
      RETURNING s.kind, s.key
    ), missing AS MATERIALIZED (
      SELECT * FROM ranked WHERE (ranked.kind, ranked.key) NOT IN (SELECT w.kind, w.key FROM written w)
    ), added AS (
      INSERT INTO reconcile_status AS s (kind, key, due_at, rank_at, outcome, because, fix, traceparent)
      SELECT m.kind, m.key, m.due_at, m.rank_at, m.outcome, m.because, m.fix, m.pass FROM missing m WHERE m.epoch = 0
      ON CONFLICT (kind, key) DO UPDATE SET
        due_at = CASE WHEN s.paused THEN NULL ELSE least(s.due_at, excluded.due_at) END,
        rank_at = least(s.rank_at, excluded.rank_at),
        generation = s.generation + 1,
        traceparent = coalesce(s.traceparent, excluded.traceparent)
    )
    SELECT string_agg(m.key::text, ' ') INTO stale FROM missing m WHERE m.epoch > 0;
    IF stale IS NOT NULL THEN
      RAISE EXCEPTION 'leases were lost' USING ERRCODE = 'HS001', DETAIL = stale;
    END IF;
  END $$;
`;
