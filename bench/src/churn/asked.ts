import type { Database } from '../house/postgres';

interface Sizes {
  /** Per cent of all rows. */
  readonly dead: number;
  /** Bytes per live row. */
  readonly tables: number;
  readonly indexes: number;
}

/** Of all tables together: history and ended deployments stay, so the sizes are held against the rows that live. */
export async function sizes({ query }: Database): Promise<Sizes> {
  await query('SELECT pg_stat_clear_snapshot()');
  const [row] = await query<{ dead: number; live: number; tables: number; indexes: number }>(
    `SELECT sum(n_dead_tup)::float8 AS dead, sum(n_live_tup)::float8 AS live, sum(pg_table_size(relid))::float8 AS tables,
       sum(pg_indexes_size(relid))::float8 AS indexes FROM pg_stat_user_tables`,
  );
  const { dead, live, tables, indexes } = row!;
  return { dead: (100 * dead) / (dead + live), tables: tables / live, indexes: indexes / live };
}

/** The median of those that became ready lately, and how many they are. */
export async function latency(
  { query }: Database,
  ofLastS: number,
): Promise<{ readonly ms: number; readonly ready: number }> {
  const [row] = await query<{ ms: number | null; ready: number }>(
    `SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM ready_at - created_at)) * 1000 AS ms,
       count(*)::integer AS ready FROM deployment WHERE ready_at > now() - make_interval(secs => $1::float8)`,
    [ofLastS],
  );
  return { ms: row!.ms ?? NaN, ready: row!.ready };
}

/** From memory or from files, by everybody; what we have asked ourselves until now is in it. */
export async function blocksRead({ query }: Database): Promise<number> {
  await query('SELECT pg_stat_force_next_flush()');
  await query('SELECT pg_stat_clear_snapshot()');
  const [row] = await query<{ blocks: number }>(
    'SELECT (blks_hit + blks_read)::float8 AS blocks FROM pg_stat_database WHERE datname = current_database()',
  );
  return row!.blocks;
}

/** What ten commits and some arithmetic take, in ms, on the same server beside the load. */
export async function fixedWork({ query }: Database): Promise<() => Promise<number>> {
  await query('CREATE TABLE fixed_work (n integer)');
  return async () => {
    const startedMs = performance.now();
    for (let n = 0; n < 10; n += 1) {
      await query(
        'INSERT INTO fixed_work SELECT max(length(md5(i::text))) FROM generate_series($1::integer, $1 + 2000) AS i',
        [n],
      );
    }
    return performance.now() - startedMs;
  };
}
