import { Database, SETTINGS, defineService } from '@homeostat/platform';
import { POOL_ID } from '@homeostat/shared';
import { ClaimController } from './claim/claim.controller';
import { InventoryReconciler } from './inventory/inventory.reconciler';
import { DockerMachines } from './machines/docker.machines';
import { MACHINES, type Machines } from './machines/machines.port';
import { SimulatedMachines } from './machines/simulated.machines';
import { PoolController } from './pool/pool.controller';
import { PoolReconciler } from './pool/pool.reconciler';
import { RegionController } from './region/region.controller';
import { textOf } from './vm/address';
import { VmController } from './vm/vm.controller';
import { VmReconciler } from './vm/vm.reconciler';
import { type VmPoolSettings, vmPoolSettings } from './vm-pool.config';
import { VmPoolEvents } from './vm-pool.events';

/** Regions, VMs, addresses and claims; the reference of how a service is laid out. */
export const vmPoolService = defineService({
  name: 'vm-pool-svc',
  role: 'homeostat_vm_pool',
  port: 7083,
  settings: vmPoolSettings,
  controllers: [RegionController, VmController, ClaimController, PoolController, VmPoolEvents],
  reconcilers: [PoolReconciler, VmReconciler, InventoryReconciler],
  providers: [{ provide: MACHINES, useFactory: machines, inject: [SETTINGS, Database] }],
  lookAtStart: [
    { kind: 'pool', key: POOL_ID },
    { kind: 'inventory', key: POOL_ID },
  ],
});

function machines(settings: VmPoolSettings, database: Database): Machines {
  switch (settings.RECONCILER_VM_PROVIDER) {
    case 'simulated':
      return new SimulatedMachines(
        database,
        settings.RECONCILER_SIMULATED_LATENCY_MS,
        settings.RECONCILER_SIMULATED_FAILURE_PERCENT,
      );
    case 'docker':
      return new DockerMachines(database, {
        socket: settings.RECONCILER_DOCKER_SOCKET,
        network: settings.RECONCILER_DOCKER_NETWORK,
        subnet: textOf(settings.RECONCILER_VM_NETWORK),
        image: settings.RECONCILER_DOCKER_IMAGE,
      });
  }
}
