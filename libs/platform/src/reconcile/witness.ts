import { Unavailable, type Witness } from '@homeostat/reconcile';
import { type Kind, reconciledKinds } from '@homeostat/shared';
import { Counter, Histogram } from 'prom-client';
import type { StateChange } from '../database/tx';
import type { Log } from '../logs';

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

/** Tells the logs and the metrics what the engine does. */
export function witness(log: Log): Witness {
  return {
    looked({ kind, key, outcome, step, because, tookMs }) {
      total.inc({ controller: kind, result: outcome });
      seconds.observe({ controller: kind }, tookMs / 1000);
      if (!log.isLevelEnabled('debug')) return;
      log.debug({ ...subject(kind, key), outcome, step, because, took_ms: Math.round(tookMs) }, 'looked');
    },
    claimed(kind, _count, waitedMs) {
      queued.observe({ name: kind }, Math.max(0, waitedMs) / 1000);
    },
    failed({ kind, key, doing, error }) {
      errors.inc({ controller: kind });
      const message = error instanceof Error ? error.message : String(error);
      const level = error instanceof Unavailable ? 'error' : 'warn';
      log[level]({ ...subject(kind, key), doing, err: error }, `${doing} failed: ${message}`);
    },
  };
}

/** Logs state changes in the seed's words: `deployment transitioned to ready`. */
export function logChanges(log: Log, changes: readonly StateChange[]): void {
  if (!log.isLevelEnabled('warn')) return;
  for (const { kind, key, from, to, because } of changes) {
    const level = to === 'failed' || to === 'error' ? 'warn' : 'info';
    log[level]({ ...subject(kind, key), from, because }, `${reconciledKinds[kind].noun} transitioned to ${to}`);
  }
}

function subject(kind: string, key: string | null): Record<string, string> {
  const noun = kind in reconciledKinds ? reconciledKinds[kind as Kind].noun : kind;
  return key === null ? { kind } : { [`${noun}_id`]: key };
}
