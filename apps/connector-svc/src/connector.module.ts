import { SETTINGS, defineService } from '@homeostat/platform';
import { CatalogController } from './catalog/catalog.controller';
import { SnapshotController } from './catalog/snapshot.controller';
import { TableController } from './catalog/table.controller';
import { connectorSettings } from './connector.config';
import { FACTORIES, connectorFactories } from './connector/registry';
import { ConnectorController } from './connectors/connector.controller';
import { ConnectorReconciler } from './connectors/connector.reconciler';
import { JobController } from './jobs/job.controller';
import { JobMetrics } from './jobs/job.metrics';
import { JobReconciler } from './jobs/job.reconciler';
import { JobWorker } from './slices/job.worker';

/** Connectors to lakehouses, the jobs that read them, and the catalog that they fill (spec 3). */
export const connectorService = defineService({
  name: 'connector-svc',
  role: 'homeostat_connector',
  port: 7085,
  settings: connectorSettings,
  controllers: [ConnectorController, JobController, CatalogController, TableController, SnapshotController],
  reconcilers: [ConnectorReconciler, JobReconciler],
  providers: [JobWorker, JobMetrics, { provide: FACTORIES, useFactory: connectorFactories, inject: [SETTINGS] }],
});
