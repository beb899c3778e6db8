import { z } from 'zod';

const id = z.uuid();
const counts = { tables_scanned: z.int(), tables_changed: z.int(), errors: z.int() };

/** What each event carries beside its envelope: ids and facts, never orders (spec 1, "Events"). */
export const eventCatalogue = {
  'domain.created': z.object({ domain_id: id, name: z.string() }),
  'domain.verified': z.object({ domain_id: id, name: z.string() }),
  'domain.at_risk': z.object({ domain_id: id, name: z.string() }),
  'domain.lapsed': z.object({ domain_id: id, name: z.string() }),
  'domain.expired': z.object({ domain_id: id, name: z.string() }),
  'build.requested': z.object({ build_id: id, deployment_id: id, commit: z.string().nullable() }),
  'build.started': z.object({ build_id: id, deployment_id: id, builder: z.string() }),
  'build.ready': z.object({ build_id: id, deployment_id: id, image_id: id }),
  'build.failed': z.object({ build_id: id, deployment_id: id, reason: z.string() }),
  'deployment.created': z.object({ deployment_id: id, environment_id: id }),
  'deployment.building': z.object({ deployment_id: id, environment_id: id }),
  'deployment.ready': z.object({ deployment_id: id, environment_id: id, vm_id: id }),
  'deployment.inactive': z.object({ deployment_id: id, environment_id: id, reason: z.string() }),
  'deployment.failed': z.object({ deployment_id: id, environment_id: id, reason: z.string() }),
  'vm.claimed': z.object({ claim_id: id, deployment_id: id }),
  'vm.assigned': z.object({ claim_id: id, deployment_id: id, vm_id: id }),
  'vm.released': z.object({ claim_id: id, deployment_id: id, vm_id: id.nullable() }),
  'vm.lost': z.object({ claim_id: id, deployment_id: id, vm_id: id }),
  'vm.running': z.object({ vm_id: id, claim_id: id, deployment_id: id }),
  'vm.pooled': z.object({ vm_id: id, region_id: id }),
  'vm.deleted': z.object({ vm_id: id }),
  'pool.exhausted': z.object({ reason: z.string() }),
  'sync.created': z.object({ sync_id: id, remote_host: z.string() }),
  'sync.started': z.object({ sync_id: id, remote_host: z.string() }),
  'sync.completed': z.object({ sync_id: id, remote_host: z.string(), records: z.int() }),
  'sync.failed': z.object({ sync_id: id, remote_host: z.string(), records: z.int(), reason: z.string() }),
  'record.indexed': z.object({ record_id: id, cid: z.string(), name: z.string(), version: z.string() }),
  'record.removed': z.object({ record_id: id, cid: z.string() }),
  'record.quarantined': z.object({ record_id: id, cid: z.string(), reason: z.string() }),
  'record.signed': z.object({ record_id: id, cid: z.string() }),
  'name.verified': z.object({ record_id: id, name: z.string(), domain: z.string(), key_id: z.string() }),
  'name.failed': z.object({ record_id: id, name: z.string(), domain: z.string(), reason: z.string() }),
  'connector.created': z.object({ connector_id: id, display_name: z.string() }),
  'connector.triggered': z.object({ connector_id: id, job_id: id, full_rescan: z.boolean() }),
  'job.started': z.object({ job_id: id, connector_id: id, attempt: z.int() }),
  'job.table_done': z.object({
    job_id: id,
    connector_id: id,
    table_id: id.nullable(),
    outcome: z.enum(['done', 'failed']),
  }),
  'job.succeeded': z.object({ job_id: id, connector_id: id, ...counts }),
  'job.failed': z.object({ job_id: id, connector_id: id, ...counts, reason: z.string() }),
  'job.cancelled': z.object({ job_id: id, connector_id: id, ...counts }),
  'table.created': z.object({ table_id: id, connector_id: id, name: z.string() }),
  'table.changed': z.object({ table_id: id, connector_id: id, name: z.string() }),
  'table.vanished': z.object({ table_id: id, connector_id: id, name: z.string() }),
  'snapshot.ingested': z.object({ table_id: id, snapshot_id: z.string() }),
} as const;

export type EventType = keyof typeof eventCatalogue;
export type EventData<T extends EventType> = z.infer<(typeof eventCatalogue)[T]>;

/** A CloudEvents 1.0 envelope in JSON form, with our extensions `tenantid`, `version` and W3C `traceparent`. */
export interface HouseEvent<T extends EventType = EventType> {
  readonly specversion: '1.0';
  readonly id: string;
  readonly source: string;
  readonly type: T;
  readonly subject: string;
  readonly time: string;
  readonly datacontenttype: 'application/json';
  readonly tenantid: string;
  /** The generation that the subject's row had after the change: for subscribers outside, to order by. */
  readonly version: string;
  readonly traceparent?: string;
  readonly data: EventData<T>;
}
