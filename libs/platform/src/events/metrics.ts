import { Counter, Gauge, Histogram } from 'prom-client';
import { watchedNow } from '../telemetry/gauges';

/** Events sent off, by what the broker said: arrived, or refused, which is also what was not answered in time. */
export const published = new Counter({
  name: 'homeostat_events_published_total',
  help: 'Events sent to the broker: arrived, or refused (they stay in the outbox and are sent again)',
  labelNames: ['result'],
});

/** Most types of events are for subscribers outside, and often there is none. */
export const unrouted = new Counter({
  name: 'homeostat_events_unrouted_total',
  help: 'Events that arrived at the broker while no queue was bound to their type',
});

/** From the first byte of a batch to the broker's last confirmation. */
export const confirmSeconds = new Histogram({
  name: 'homeostat_events_confirm_seconds',
  help: 'From the sending of a batch of events to the last confirmation of the broker',
  buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
});

/** Messages taken from a service's queue, by what became of them. */
export const taken = new Counter({
  name: 'homeostat_events_received_total',
  help: 'Messages of a service’s queue: handled, failed (tried again), dead (given up), malformed, unknown, unwanted',
  labelNames: ['service', 'result'],
});

/** Counting stops here: what matters is that it is much. */
const MOST = 100_000;

new Gauge({
  name: 'homeostat_outbox_events',
  help: `Events that were committed and are not confirmed by the broker yet, up to ${MOST}; the same at every replica`,
  async collect() {
    const [row] = await ask<{ n: string }>(`SELECT count(*) AS n FROM (SELECT FROM outbox LIMIT ${MOST}) AS some`);
    if (row) this.set(Number(row.n));
  },
});

new Gauge({
  name: 'homeostat_outbox_oldest_seconds',
  help: 'Age of the oldest event in the outbox, 0 when it is empty; the same at every replica',
  async collect() {
    // Ids are UUIDv7: the oldest comes first.
    const [row] = await ask<{ age: number }>(
      `SELECT coalesce(extract(epoch FROM clock_timestamp() - (SELECT at FROM outbox ORDER BY id LIMIT 1)), 0)::float8 AS age`,
    );
    if (row) this.set(Math.max(0, row.age));
  },
});

/** Asked when somebody wants to know, never on a timer. A database that is away must not keep other metrics from being told. */
async function ask<Row>(sql: string): Promise<Row[]> {
  return (
    (await watchedNow()[0]
      ?.database.query<Row>(sql)
      .catch(() => [])) ?? []
  );
}
