import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Gauge, collectDefaultMetrics, register } from 'prom-client';
import type { Wing } from '../house.module';

/** What is measured of a service at work in this process. */
export type Watched = Pick<Wing, 'service' | 'database' | 'looks'>;

const watched = new Set<Watched>();

/** The timer behind the event loop's lag: at Node's usual 10 ms it would be half of what an idle process costs. */
const LAG_PRECISION_MS = 100;
let isAsked = false;

/** Lets a service be part of the metrics until the returned function is called. */
export function watch(wing: Watched): () => void {
  watched.add(wing);
  return () => watched.delete(wing);
}

/** All metrics as Prometheus reads them. The process' own begin with the first question, and cost nothing before. */
export function metrics(): Promise<string> {
  if (!isAsked) collectDefaultMetrics({ eventLoopMonitoringPrecision: LAG_PRECISION_MS });
  isAsked = true;
  return register.metrics();
}

/** The services that metrics tell of, now. */
export function watchedNow(): readonly Watched[] {
  return [...watched];
}

/** This package's, which is the house's. */
const { version } = JSON.parse(readFileSync(join(__dirname, '../../package.json'), 'utf8')) as { version: string };

const works = () => [...watched].flatMap(({ looks }) => looks().loop.work);

/** A gauge of this process alone: add those of all replicas up. It is read when metrics are asked for. */
function gauge<Label extends string>(name: string, help: string, labels: readonly Label[], read: Read<Label>): void {
  new Gauge({
    name,
    help,
    labelNames: labels,
    collect() {
      this.reset();
      read((label, value) => this.set(label as never, value));
    },
  });
}

type Read<Label extends string> = (set: (labels: Record<Label, string>, value: number) => void) => void;

gauge(
  'controller_runtime_active_workers',
  'Resources that this process is looking at; each is under a lease',
  ['controller'],
  (set) => works().forEach(({ kind, heldMs }) => set({ controller: kind }, heldMs.length)),
);
gauge(
  'controller_runtime_max_concurrent_reconciles',
  'Resources that this process may look at at once',
  ['controller'],
  (set) => works().forEach(({ kind, most }) => set({ controller: kind }, most)),
);
gauge(
  'workqueue_unfinished_work_seconds',
  'For how long the resources that are being looked at have been so, all together',
  ['name'],
  (set) => works().forEach(({ kind, heldMs }) => set({ name: kind }, heldMs.reduce((sum, ms) => sum + ms, 0) / 1_000)),
);
gauge(
  'workqueue_longest_running_processor_seconds',
  'For how long the longest look has been going on',
  ['name'],
  (set) => works().forEach(({ kind, heldMs }) => set({ name: kind }, Math.max(0, ...heldMs) / 1_000)),
);
gauge('homeostat_database_connections', 'Connections to PostgreSQL, by what they do', ['service', 'state'], (set) =>
  watched.forEach(({ service, database }) => {
    const { idle, inUse } = database.connections;
    set({ service: service.name, state: 'idle' }, idle);
    set({ service: service.name, state: 'in_use' }, inUse);
  }),
);
gauge('homeostat_database_connections_max', 'Connections to PostgreSQL that there may be', ['service'], (set) =>
  watched.forEach(({ service, database }) => set({ service: service.name }, database.connections.most)),
);
gauge('homeostat_database_waiting', 'Pieces of work that wait for a connection', ['service'], (set) =>
  watched.forEach(({ service, database }) => set({ service: service.name }, database.connections.waiting)),
);
gauge('homeostat_build_info', 'What runs here; always 1', ['service', 'version', 'node'], (set) =>
  watched.forEach(({ service }) => set({ service: service.name, version, node: process.version }, 1)),
);
