import type { MigrationInterface, QueryRunner } from 'typeorm';
import { serviceRole } from './service-role';

/** What every service uses: the notebook, history, outbox, idempotency keys, roles. */
export class House1763700000001 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(tables);
    await runner.query(touch);
    await runner.query(claimLooks);
    await runner.query(noteLooks);
    await runner.query(requestLook);
    await runner.query(policies);
    for (const role of ['homeostat_domain', 'homeostat_deploy', 'homeostat_vm_pool'])
      await runner.query(serviceRole(role));
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only: restore a backup to go back');
  }
}

const tables = `
  CREATE TABLE reconcile_status (
    kind text NOT NULL,
    key uuid NOT NULL,
    due_at timestamptz,
    rank_at timestamptz,
    generation bigint NOT NULL DEFAULT 1,
    failures integer NOT NULL DEFAULT 0,
    lease_holder text,
    lease_epoch bigint NOT NULL DEFAULT 0,
    lease_until timestamptz,
    paused boolean NOT NULL DEFAULT false,
    outcome text,
    because text,
    fix text,
    since timestamptz NOT NULL DEFAULT now(),
    looked_at timestamptz,
    passes text[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (kind, key)
  ) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05);
  COMMENT ON COLUMN reconcile_status.due_at IS 'when the next look is due; null: settled';
  COMMENT ON COLUMN reconcile_status.rank_at IS 'the order of looks: due_at for changes, 30 s later for everything else';
  CREATE INDEX reconcile_status_due ON reconcile_status (kind, rank_at) WHERE due_at IS NOT NULL;

  CREATE TABLE reconcile_kind (
    kind text PRIMARY KEY,
    role name NOT NULL,
    paused_at timestamptz
  );

  CREATE TABLE state_change (
    id bigint GENERATED ALWAYS AS IDENTITY,
    tenant_id text NOT NULL,
    kind text NOT NULL,
    key uuid NOT NULL,
    from_state text,
    to_state text NOT NULL,
    because text NOT NULL,
    by text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (key, id)
  );

  CREATE TABLE outbox (
    id uuid PRIMARY KEY,
    type text NOT NULL,
    source text NOT NULL,
    tenant_id text NOT NULL,
    subject uuid NOT NULL,
    version bigint NOT NULL,
    data json NOT NULL,
    traceparent text,
    at timestamptz NOT NULL DEFAULT now(),
    relay_at timestamptz NOT NULL DEFAULT now() + interval '5 s'
  ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
  COMMENT ON COLUMN outbox.relay_at IS 'when any replica may publish it, because the writer seems to be dead';

  CREATE TABLE idempotency_key (
    tenant_id text NOT NULL,
    key text NOT NULL,
    request_hash text NOT NULL,
    status integer,
    location text,
    answer jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, key)
  );
  CREATE INDEX idempotency_key_age ON idempotency_key (created_at);
`;

/** Every change of a row is counted, so that ETags and event versions need nobody to remember them. */
const touch = `
  CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    NEW.generation := OLD.generation + 1;
    NEW.updated_at := now();
    RETURN NEW;
  END $$;
`;

/**
 * Leases the longest due resources of a kind. Rows that another process is claiming at this moment are skipped. The
 * lease needs no fsync: were it lost in a crash of the server, the look would simply be due again. The bound of the rank
 * is the statement's time, because an index cannot be entered by a clock that goes on: all that waits would be read.
 */
const claimLooks = `
  CREATE FUNCTION claim_looks(wanted_kind text, at_most integer, holder text, lease interval)
  RETURNS TABLE (key uuid, epoch bigint, generation bigint, failures integer, due_at timestamptz, now timestamptz)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
  SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
  BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    IF current_setting('role') NOT IN ('none', (SELECT k.role FROM reconcile_kind k WHERE k.kind = wanted_kind)) THEN
      RAISE EXCEPTION 'role % does not own the kind %', current_setting('role'), wanted_kind USING ERRCODE = '42501';
    END IF;
    RETURN QUERY
    WITH due AS MATERIALIZED (
      SELECT s.ctid FROM reconcile_status s
      WHERE s.kind = wanted_kind AND s.due_at IS NOT NULL AND s.rank_at <= statement_timestamp() + interval '30 s'
        AND s.due_at <= clock_timestamp() AND (s.lease_until IS NULL OR s.lease_until <= clock_timestamp())
        AND NOT EXISTS (SELECT FROM reconcile_kind k WHERE k.kind = wanted_kind AND k.paused_at IS NOT NULL)
      ORDER BY s.rank_at LIMIT at_most FOR UPDATE SKIP LOCKED)
    UPDATE reconcile_status s
    SET lease_holder = holder, lease_epoch = s.lease_epoch + 1, lease_until = clock_timestamp() + lease
    FROM due WHERE s.ctid = due.ctid
    RETURNING s.key, s.lease_epoch, s.generation, s.failures, s.due_at, clock_timestamp();
  END $$;
`;

/**
 * Writes results of looks (epoch > 0, fenced by it) and wishes for looks (epoch 0) in one statement and in falling key
 * order: two services that wake each other's resources would deadlock otherwise. Singletons such as the pool have the
 * lowest keys, so what everybody wants to wake is locked last, and for the time of a commit only. Raises HS001 with the
 * keys whose lease was lost.
 */
const noteLooks = `
  CREATE FUNCTION note_looks(kinds text[], keys uuid[], epochs bigint[], generations bigint[], dues timestamptz[],
    outcomes text[], becauses text[], fixes text[], failed integer[], pass_texts text[])
  RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
  SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
  DECLARE stale text;
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
        passes = CASE WHEN n.epoch > 0 THEN (n.pass || s.passes)[1:5] ELSE s.passes END
      FROM ranked n WHERE s.kind = n.kind AND s.key = n.key AND (n.epoch = 0 OR s.lease_epoch = n.epoch)
      RETURNING s.kind, s.key
    ), missing AS MATERIALIZED (
      SELECT * FROM ranked WHERE (ranked.kind, ranked.key) NOT IN (SELECT w.kind, w.key FROM written w)
    ), added AS (
      INSERT INTO reconcile_status AS s (kind, key, due_at, rank_at, outcome, because, fix)
      SELECT m.kind, m.key, m.due_at, m.rank_at, m.outcome, m.because, m.fix FROM missing m WHERE m.epoch = 0
      ON CONFLICT (kind, key) DO UPDATE SET
        due_at = CASE WHEN s.paused THEN NULL ELSE least(s.due_at, excluded.due_at) END,
        rank_at = least(s.rank_at, excluded.rank_at),
        generation = s.generation + 1
    )
    SELECT string_agg(m.key::text, ' ') INTO stale FROM missing m WHERE m.epoch > 0;
    IF stale IS NOT NULL THEN
      RAISE EXCEPTION 'leases were lost' USING ERRCODE = 'HS001', DETAIL = stale;
    END IF;
  END $$;
`;

/** The one write to the notebook that every role may make for every kind. */
const requestLook = `
  CREATE FUNCTION request_look(wanted_kind text, wanted_keys uuid[]) RETURNS void
  LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO reconcile_status AS s (kind, key, due_at, rank_at)
    SELECT DISTINCT wanted_kind, wanted.key, now(), now() FROM unnest(wanted_keys) AS wanted (key) ORDER BY wanted.key DESC
    ON CONFLICT (kind, key) DO UPDATE SET
      generation = s.generation + 1,
      due_at = CASE WHEN s.paused THEN NULL ELSE least(s.due_at, excluded.due_at) END,
      rank_at = least(s.rank_at, excluded.rank_at);
  $$;
`;

/** A service steers the looks of its own kinds only; the functions above check the same. */
const policies = `
  REVOKE ALL ON FUNCTION claim_looks, note_looks, request_look FROM PUBLIC;
  ALTER TABLE reconcile_status ENABLE ROW LEVEL SECURITY;
  CREATE POLICY everyone_reads ON reconcile_status FOR SELECT USING (true);
  CREATE POLICY owner_steers ON reconcile_status FOR UPDATE
    USING (kind IN (SELECT k.kind FROM reconcile_kind k WHERE k.role = current_user));
  ALTER TABLE reconcile_kind ENABLE ROW LEVEL SECURITY;
  CREATE POLICY everyone_reads ON reconcile_kind FOR SELECT USING (true);
  CREATE POLICY owner_pauses ON reconcile_kind FOR UPDATE USING (role = current_user);
`;
