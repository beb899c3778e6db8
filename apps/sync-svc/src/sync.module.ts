import { SETTINGS, defineService } from '@homeostat/platform';
import { REGISTRY_ID } from '@homeostat/shared';
import { ListingController } from './listing/listing.controller';
import { ListingReconciler } from './listing/listing.reconciler';
import { Contents } from './record/record.contents';
import { RecordController } from './record/record.controller';
import { RecordPull } from './record/record.pull';
import { RecordReconciler } from './record/record.reconciler';
import { ResolveController } from './record/resolve.controller';
import { SchemaServer } from './record/validation/schema-server';
import { REGISTRY, localRegistry } from './registry/local-registry';
import { Search } from './search/search';
import { syncSettings } from './sync.config';

/** The directory: the registry's records, indexed and searched. */
export const syncService = defineService({
  name: 'sync-svc',
  role: 'homeostat_sync',
  port: 7084,
  settings: syncSettings,
  controllers: [ListingController, RecordController, ResolveController],
  reconcilers: [ListingReconciler, RecordReconciler],
  providers: [
    { provide: REGISTRY, useFactory: localRegistry, inject: [SETTINGS] },
    ...[SchemaServer, Contents, RecordPull, Search],
  ],
  lookAtStart: [{ kind: 'registry', key: REGISTRY_ID }],
});
