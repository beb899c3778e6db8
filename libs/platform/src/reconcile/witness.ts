import { Unavailable, type Witness } from '@homeostat/reconcile';
import { type Kind, reconciledKinds } from '@homeostat/shared';
import { Counter, Histogram } from 'prom-client';
import type { Committed } from '../database/tx';
import type { Log } from '../logs';
import { traceFields } from '../telemetry/traceparent';

// controller-runtime's names, so that its dashboards and alerts fit.
const total = new Counter({
  name: 'controller_runtime_reconcile_total',
  help: 'Looks at resources, by what they came to',
  labelNames: ['controller', 'result'],
});
const errors = new Counter({
  name: 'controller_runtime_reconcile_errors_total',
  help: 'Looks that ended in an error',
  labelNames: ['controller'],
});
const seconds = new Histogram({
  name: 'controller_runtime_reconcile_time_seconds',
  help: 'From the claim of a resource to the commit of what was done',
  labelNames: ['controller'],
  buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
});
const queued = new Histogram({
  name: 'workqueue_queue_duration_seconds',
  help: 'How long the longest waiting resource of a batch was due before it was looked at',
  labelNames: ['name'],
  buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
});

const retries = new Counter({
  name: 'workqueue_retries_total',
  help: 'Looks that failed, or came too late for their row, and are tried again',
  labelNames: ['name'],
});
const adds = new Counter({
  name: 'workqueue_adds_total',
  help: 'Looks at once that were asked for by commits of this process, before those for the same resource are merged',
  labelNames: ['name'],
});
const age = new Histogram({
  name: 'homeostat_age_at_state_seconds',
  help: 'How old a resource was when it came to a state',
  labelNames: ['kind', 'state'],
  buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 7_200, 86_400],
});
const leasesLost = new Counter({
  name: 'homeostat_leases_lost_total',
  help: 'Leases that ran out or were taken over while this process was at work under them',
  labelNames: ['kind'],
});

/** Tells the logs and the metrics what the engine does. */
export function witness(log: Log): Witness {
  return {
    looked({ kind, key, outcome, step, because, tookMs, traceparent }) {
      total.inc({ controller: kind, result: outcome });
      seconds.observe({ controller: kind }, tookMs / 1000);
      if (outcome === 'failed' || outcome === 'conflict') retries.inc({ name: kind });
      if (!log.isLevelEnabled('debug')) return;
      const took = { took_ms: Math.round(tookMs), ...traceFields(traceparent) };
      log.debug({ ...subject(kind, key), outcome, step, because, ...took }, 'looked');
    },
    claimed(kind, _count, waitedMs) {
      queued.observe({ name: kind }, Math.max(0, waitedMs) / 1000);
    },
    lost: (kind) => leasesLost.inc({ kind }),
    failed({ kind, key, doing, error, traceparent }) {
      errors.inc({ controller: kind });
      const message = error instanceof Error ? error.message : String(error);
      const level = error instanceof Unavailable ? 'error' : 'warn';
      log[level](
        { ...subject(kind, key), doing, err: error, ...traceFields(traceparent) },
        `${doing} failed: ${message}`,
      );
    },
  };
}

/** Tells the metrics what a commit has changed and asked for. */
export function witnessCommit({ looks, changes }: Pick<Committed, 'looks' | 'changes'>): void {
  for (const [kind, count] of looks) adds.inc({ name: kind }, count);
  const nowMs = Date.now();
  for (const { kind, key, from, to } of changes) {
    if (from !== null) age.observe({ kind, state: to }, Math.max(0, nowMs - bornMs(key)) / 1000);
  }
}

/** Logs state changes in the seed's words: `deployment transitioned to ready`. */
export function logChanges(log: Log, { changes, traceOf }: Pick<Committed, 'changes' | 'traceOf'>): void {
  for (const { kind, key, from, to, because } of changes) {
    const level = to === 'failed' || to === 'error' ? 'warn' : 'info';
    if (!log.isLevelEnabled(level)) continue;
    const said = { ...subject(kind, key), from, because, ...traceFields(traceOf(key)) };
    log[level](said, `${reconciledKinds[kind].noun} transitioned to ${to}`);
  }
}

/** When an id was made: a UUIDv7 begins with the milliseconds since 1970 (RFC 9562, section 5.7). */
function bornMs(id: string): number {
  return parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

function subject(kind: string, key: string | null): Record<string, string> {
  const noun = kind in reconciledKinds ? reconciledKinds[kind as Kind].noun : kind;
  return key === null ? { kind } : { [`${noun}_id`]: key };
}
