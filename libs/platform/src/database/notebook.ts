import type { Due, Lease, LookResult, NextClaim, Notebook, Slice } from '@homeostat/reconcile';
import { type Kind, reconciledKinds } from '@homeostat/shared';
import type { Database } from './database';
import type { LeaseRow } from './ledger';
import type { Tx } from './tx';

/** The notebook in table reconcile_status, as one service's role sees it (design.md, "The engine"). */
export class PostgresNotebook implements Notebook<Tx> {
  constructor(
    private readonly database: Database,
    /** Names this process in the leases that it takes. */
    private readonly holder: string,
  ) {}

  async claim(kind: string, limit: number, leaseMs: number): Promise<Lease[]> {
    const rows = await this.database.query<LeaseRow>('SELECT * FROM claim_due($1, $2, $3, $4)', [
      kind,
      limit,
      this.holder,
      leaseMs,
    ]);
    return rows.map(leaseOf);
  }

  async renew(kind: string, leases: readonly Lease[], leaseMs: number): Promise<ReadonlySet<string>> {
    const rows = await this.database.query<{ key: string }>(
      `${held} UPDATE reconcile_status SET lease_until = clock_timestamp() + make_interval(secs => $5::float8 / 1000)
       WHERE kind = $1 AND key = ANY (ARRAY(SELECT key FROM held)) RETURNING key`,
      [...this.named(kind, leases), leaseMs],
    );
    return new Set(rows.map(({ key }) => key));
  }

  async release(kind: string, leases: readonly Lease[]): Promise<void> {
    await this.database.query(
      `${held} UPDATE reconcile_status SET lease_holder = NULL, lease_until = NULL
       WHERE kind = $1 AND key = ANY (ARRAY(SELECT key FROM held))`,
      this.named(kind, leases),
    );
  }

  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    return this.database.transaction(work);
  }

  record(tx: Tx, kind: string, results: readonly LookResult[], next: NextClaim | null): void {
    tx.record(kind as Kind, results);
    if (!next) return;
    const { claimed, ...what } = next;
    tx.claimNext({ kind: kind as Kind, holder: this.holder, ...what }, (rows) => claimed(rows.map(leaseOf)));
  }

  async request(kind: string, keys: readonly string[]): Promise<void> {
    await this.database.query('SELECT request_look($1, $2)', [kind, keys]);
  }

  due(kinds: readonly string[]): Promise<Due[]> {
    return dueOf(this.database, kinds);
  }

  async unattended(kind: string, after: string | null, limit: number): Promise<Slice> {
    const { table } = reconciledKinds[kind as Kind];
    const [row] = await this.database.query<{ keys: string[]; last: string | null; rows: number }>(
      `WITH slice AS MATERIALIZED (
         SELECT id FROM ${table} WHERE id > coalesce($2::uuid, '00000000-0000-0000-0000-000000000000') ORDER BY id LIMIT $3)
       SELECT coalesce(array_agg(slice.id ORDER BY slice.id) FILTER (
           WHERE s.due_at IS NULL AND s.paused IS NOT TRUE AND s.outcome IS DISTINCT FROM 'stalled'), '{}') AS keys,
         (array_agg(slice.id ORDER BY slice.id DESC))[1] AS last, count(*)::integer AS rows
       FROM slice LEFT JOIN LATERAL (
         SELECT due_at, paused, outcome FROM reconcile_status WHERE kind = $1 AND key = slice.id LIMIT 1) AS s ON true`,
      [kind, after, limit],
    );
    const { keys, last, rows } = row!;
    return { keys, last: rows === limit ? last : null };
  }

  private named(kind: string, leases: readonly Lease[]): unknown[] {
    const sorted = leases.toSorted((one, other) => (one.key > other.key ? -1 : 1));
    return [kind, sorted.map(({ key }) => key), sorted.map(({ epoch }) => epoch), this.holder];
  }
}

function leaseOf({ due_at: dueAt, ...lease }: LeaseRow): Lease {
  return { ...lease, dueAt };
}

/**
 * The leases of kind `$1` that `$4` still has, locked in falling key order as everywhere (migration 0001). They are not
 * joined to what is updated: there may be thousands, and a join that is planned while the table is small costs their square.
 */
const held = `
  WITH held AS MATERIALIZED (
    SELECT mine.key FROM unnest($2::uuid[], $3::bigint[]) AS mine (key, epoch) CROSS JOIN LATERAL (
      SELECT s.lease_epoch, s.lease_holder FROM reconcile_status s WHERE s.kind = $1 AND s.key = mine.key FOR UPDATE) AS now
    WHERE now.lease_epoch = mine.epoch AND now.lease_holder = $4)`;

/**
 * The first due look per kind. It reads at most 1 000 rows per kind, in the order in which looks are claimed, and a
 * lease that runs out counts as due then.
 */
export async function dueOf(database: Database, kinds: readonly string[]): Promise<Due[]> {
  const rows = await database.query<{ kind: string; in_ms: number }>(
    `SELECT k.kind, extract(epoch FROM first.at - clock_timestamp())::float8 * 1000 AS in_ms
     FROM reconcile_kind k CROSS JOIN LATERAL (
       SELECT min(greatest(soon.due_at, soon.lease_until)) AS at FROM (
         SELECT due_at, lease_until FROM reconcile_status s
         WHERE s.kind = k.kind AND s.due_at IS NOT NULL AND s.rank_at <= statement_timestamp() + interval '40 s'
         ORDER BY s.rank_at LIMIT 1000) AS soon) AS first
     WHERE k.kind = ANY ($1) AND k.paused_at IS NULL AND first.at IS NOT NULL`,
    [kinds],
  );
  return rows.map(({ kind, in_ms: inMs }) => ({ kind, inMs }));
}
