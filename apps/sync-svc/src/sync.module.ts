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
import { PeerController } from './peer/peer.controller';
import { syncSettings } from './sync.config';
import { HttpRemoteDirectory } from './sync/remote/http.remote-directory';
import { REMOTE_DIRECTORY } from './sync/remote/remote-directory.port';
import { Regsync } from './sync/regsync/regsync';
import { RegsyncTool } from './sync/regsync/regsync.tool';
import { SyncController } from './sync/sync.controller';
import { SyncReconciler } from './sync/sync.reconciler';
import { SyncWorker } from './sync/sync.worker';

/** The directory: syncs from others, the registry's records, indexed and searched. */
export const syncService = defineService({
  name: 'sync-svc',
  role: 'homeostat_sync',
  port: 7084,
  settings: syncSettings,
  controllers: [ListingController, RecordController, ResolveController, SyncController, PeerController],
  reconcilers: [ListingReconciler, RecordReconciler, SyncReconciler],
  providers: [
    { provide: REGISTRY, useFactory: localRegistry, inject: [SETTINGS] },
    { provide: REMOTE_DIRECTORY, useClass: HttpRemoteDirectory },
    ...[SchemaServer, Contents, RecordPull, Search, RegsyncTool, Regsync, SyncWorker],
  ],
  lookAtStart: [{ kind: 'registry', key: REGISTRY_ID }],
});
