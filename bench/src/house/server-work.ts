import type { Database } from './postgres';

/** What a server has done since its start, for the services: `BEGIN` and `COMMIT` are no statements. */
export interface ServerWork {
  readonly statements: number;
  readonly transactions: number;
  readonly walMb: number;
}

export async function workOf({ query }: Database): Promise<ServerWork> {
  await query('SELECT pg_stat_clear_snapshot()');
  const [row] = await query<ServerWork>(
    `SELECT (SELECT coalesce(sum(calls), 0)::float8 FROM pg_stat_statements
         WHERE userid <> 'homeostat'::regrole AND query !~ '^(BEGIN|COMMIT)') AS statements,
       (SELECT (xact_commit + xact_rollback)::float8 FROM pg_stat_database WHERE datname = current_database()) AS transactions,
       pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8 / 2 ^ 20 AS "walMb"`,
  );
  return row!;
}

/** The statements that took the most time in all, as lines of text. */
export async function costliest({ query }: Database): Promise<string[]> {
  const rows = await query<{ ms: number; calls: string; rows: string; sql: string }>(
    `SELECT total_exec_time AS ms, calls, rows, left(regexp_replace(query, '\\s+', ' ', 'g'), 150) AS sql FROM pg_stat_statements
     ORDER BY total_exec_time DESC LIMIT 20`,
  );
  return rows.map(
    ({ ms, calls, rows: n, sql }) =>
      `${ms.toFixed(0).padStart(7)} ms ${calls.padStart(6)} calls ${n.padStart(7)} rows  ${sql}`,
  );
}
