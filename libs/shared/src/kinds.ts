/** Every reconciled kind: its table, the word for one of them, and the role of the service that owns it (spec 0, "Where"). */
export const reconciledKinds = {
  domains: { table: 'domain', noun: 'domain', role: 'homeostat_domain' },
  'name-verifications': { table: 'name_candidate', noun: 'name', role: 'homeostat_domain' },
  deployments: { table: 'deployment', noun: 'deployment', role: 'homeostat_deploy' },
  builds: { table: 'build', noun: 'build', role: 'homeostat_deploy' },
  pool: { table: 'pool', noun: 'pool', role: 'homeostat_vm_pool' },
  inventory: { table: 'pool', noun: 'inventory', role: 'homeostat_vm_pool' },
  vms: { table: 'vm', noun: 'vm', role: 'homeostat_vm_pool' },
  registry: { table: 'registry', noun: 'registry', role: 'homeostat_sync' },
  records: { table: 'record', noun: 'record', role: 'homeostat_sync' },
  syncs: { table: 'sync', noun: 'sync', role: 'homeostat_sync' },
  connectors: { table: 'connector', noun: 'connector', role: 'homeostat_connector' },
  'reconcile-jobs': { table: 'reconcile_job', noun: 'job', role: 'homeostat_connector' },
} as const;

export type Kind = keyof typeof reconciledKinds;
export type ServiceRole = (typeof reconciledKinds)[Kind]['role'];

/** The one pool there is, as key of its looks. */
export const POOL_ID = '00000000-0000-7000-8000-000000000001';

/** The one registry that is indexed, as key of its looks. */
export const REGISTRY_ID = '00000000-0000-7000-8000-000000000002';
