import { reconciledKinds } from '@homeostat/shared';
import { Gauge } from 'prom-client';
import type { Database } from '../database/database';
import { type Watched, watchedNow } from './gauges';
import { Latest, inTime } from './latest';

interface Queued {
  readonly kind: string;
  readonly depth: number;
  readonly oldest: number;
}

interface Counted {
  readonly kind: string;
  readonly state: string;
  readonly count: number;
}

/** Due looks are counted up to here; beyond, it is enough to know that there are many. */
const MOST = 10_000;

const depth: Gauge<'name'> = new Gauge({
  name: 'workqueue_depth',
  help: `Resources that are due to be looked at, ${MOST} at most; every replica tells the same, so take their max`,
  labelNames: ['name'],
  collect: () =>
    tell(
      (wing) => wing.queue,
      depth,
      ({ kind, depth: value }) => [{ name: kind }, value],
    ),
});
const oldest: Gauge<'name'> = new Gauge({
  name: 'homeostat_oldest_due_seconds',
  help: 'For how long the longest waiting look has been due, 0 for kinds that are paused; take the max of replicas',
  labelNames: ['name'],
  collect: () =>
    tell(
      (wing) => wing.queue,
      oldest,
      ({ kind, oldest: value }) => [{ name: kind }, value],
    ),
});
const resources: Gauge<'kind' | 'state'> = new Gauge({
  name: 'homeostat_resources',
  help: 'Resources by state; every replica counts the same, so take their max',
  labelNames: ['kind', 'state'],
  collect: () =>
    tell(
      (wing) => wing.states,
      resources,
      ({ kind, state, count }) => [{ kind, state }, count],
    ),
});

interface Counts {
  readonly queue: Latest<Queued[]>;
  readonly states: Latest<Counted[]>;
}

const counts = new WeakMap<Watched, Counts>();

function countsOf(wing: Watched): Counts {
  let of = counts.get(wing);
  if (!of) {
    const { kinds } = wing.looks().loop;
    const queue = new Latest(() => queuedOf(wing.database, kinds), 2_500);
    const states = new Latest(() => statesOf(wing.database, kinds), 10_000);
    counts.set(wing, (of = { queue, states }));
  }
  return of;
}

/** Sets a gauge to what the services' databases answer in time; what is not known is not told. */
async function tell<Row, Label extends string>(
  which: (counts: Counts) => Latest<Row[]>,
  gauge: Gauge<Label>,
  valueOf: (row: Row) => [Record<Label, string>, number],
): Promise<void> {
  const rows = await Promise.all(watchedNow().map((wing) => inTime(which(countsOf(wing)).get())));
  gauge.reset();
  for (const row of rows.flat()) gauge.set(...(valueOf(row) as [never, number]));
}

/** By the index of due looks. */
function queuedOf(database: Database, kinds: readonly string[]): Promise<Queued[]> {
  return database.query<Queued>(
    `SELECT k.kind, count(first.due_at)::integer AS depth,
       CASE WHEN k.paused_at IS NULL THEN coalesce(extract(epoch FROM now() - min(first.due_at)), 0) ELSE 0 END::float8 AS oldest
     FROM reconcile_kind k LEFT JOIN LATERAL (
       SELECT due_at FROM (
         SELECT due_at, lease_until FROM reconcile_status s
         WHERE s.kind = k.kind AND s.due_at IS NOT NULL AND s.rank_at <= statement_timestamp() + interval '30 s'
         ORDER BY s.rank_at LIMIT ${MOST}) AS soon
       WHERE due_at <= now() AND (lease_until IS NULL OR lease_until <= now())) AS first ON true
     WHERE k.kind = ANY ($1) GROUP BY k.kind`,
    [kinds],
  );
}

/** Reads whole tables, as a session otherwise may not (database.ts): no index has the states, which change too often. */
function statesOf(database: Database, kinds: readonly string[]): Promise<Counted[]> {
  const tables = Object.entries(reconciledKinds).filter(
    ([kind, { table }]) => kinds.includes(kind) && table !== 'pool',
  );
  if (tables.length === 0) return Promise.resolve([]);
  const each = tables.map(
    ([kind, { table }]) => `SELECT '${kind}' AS kind, status AS state, count(*)::integer FROM ${table} GROUP BY status`,
  );
  return database.transaction(async (tx) => {
    await tx.query(
      `SELECT set_config('enable_seqscan', 'on', true), set_config('max_parallel_workers_per_gather', '0', true)`,
    );
    return tx.query<Counted>(each.join(' UNION ALL '));
  });
}
