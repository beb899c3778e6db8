/** Every reconciled kind: its table, and the PostgreSQL role of the service that owns it (spec 0, "Where"). */
export const reconciledKinds = {
  domains: { table: 'domain', role: 'homeostat_domain' },
  deployments: { table: 'deployment', role: 'homeostat_deploy' },
  builds: { table: 'build', role: 'homeostat_deploy' },
  pool: { table: 'pool', role: 'homeostat_vm_pool' },
  inventory: { table: 'pool', role: 'homeostat_vm_pool' },
  vms: { table: 'vm', role: 'homeostat_vm_pool' },
} as const;

export type Kind = keyof typeof reconciledKinds;
export type ServiceRole = (typeof reconciledKinds)[Kind]['role'];

/** The one pool there is, as key of its looks. */
export const POOL_ID = '00000000-0000-7000-8000-000000000001';
