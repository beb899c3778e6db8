import { Counter, Gauge, Histogram } from 'prom-client';
import type { Database } from '../database/database';
import { watchedNow } from '../telemetry/gauges';
import { Latest, inTime } from '../telemetry/latest';

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

/** What is in the outbox: how many events, and the age of the oldest in seconds. */
interface Left {
  readonly events: number;
  readonly oldest: number;
}

outboxGauge(
  'homeostat_outbox_events',
  `Events that were committed and are not confirmed by the broker yet, up to ${MOST}; the same at every replica`,
  ({ events }) => events,
);
outboxGauge(
  'homeostat_outbox_oldest_seconds',
  'Age of the oldest event in the outbox, 0 when it is empty; the same at every replica',
  ({ oldest }) => oldest,
);

/** Read when somebody wants to know, never on a timer; what is not known is not told. */
function outboxGauge(name: string, help: string, valueOf: (left: Left) => number): void {
  new Gauge({
    name,
    help,
    async collect() {
      const [left] = await outboxNow();
      if (left) this.set(valueOf(left));
      else this.remove();
    },
  });
}

const answers = new WeakMap<Database, Latest<Left[]>>();

/** All services share one outbox, so the first of them is asked. */
async function outboxNow(): Promise<Left[]> {
  const [wing] = watchedNow();
  if (!wing) return [];
  const { database } = wing;
  const answer = answers.get(database) ?? new Latest(() => leftIn(database), 2_500);
  answers.set(database, answer);
  return inTime(answer.get());
}

function leftIn(database: Database): Promise<Left[]> {
  // Ids are UUIDv7: the oldest comes first.
  return database.query<Left>(
    `SELECT (SELECT count(*)::integer FROM (SELECT FROM outbox LIMIT ${MOST}) AS first) AS events,
       greatest(0, coalesce(extract(epoch FROM clock_timestamp() - (SELECT at FROM outbox ORDER BY id LIMIT 1)), 0))::float8
         AS oldest`,
  );
}
