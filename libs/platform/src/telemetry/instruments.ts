/** What a service measures of its own work: it is told with the house's metrics, under /metrics. */
export { Counter, Gauge } from 'prom-client';
