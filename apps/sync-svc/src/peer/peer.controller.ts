import { type Asked, Route, SETTINGS } from '@homeostat/platform';
import { HouseError } from '@homeostat/shared';
import { Controller, Inject, Logger } from '@nestjs/common';
import { z } from 'zod';
import type { SyncSettings } from '../sync.config';
import { type RegistryCredentials, registryCredentials } from '../sync/remote/remote-directory.port';

const asking = z.strictObject({
  requesting_node_id: z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, 'has 1 to 255 visible ASCII characters')
    .describe('Who asks, for our log'),
});

/** What peers ask our node: where its registry is, and how to log in there (spec 2, "Credential negotiation"). */
@Controller()
export class PeerController {
  constructor(@Inject(SETTINGS) private readonly settings: SyncSettings) {}

  @Route('POST /v1/registry-credentials', {
    summary: 'Tells a peer where the registry of this directory is, and how to log in there',
    scope: 'peer',
    body: asking,
    answer: registryCredentials,
  })
  credentials({ caller, body }: Asked<{ body: typeof asking }>): RegistryCredentials {
    const address = this.settings.RECONCILER_PEER_REGISTRY_ADDRESS ?? this.settings.RECONCILER_LOCAL_REGISTRY_ADDRESS;
    if (address === null) throw new HouseError('unavailable', 'this directory has no registry: none is configured');
    const { RECONCILER_PEER_REGISTRY_USERNAME: username, RECONCILER_PEER_REGISTRY_PASSWORD: password } = this.settings;
    // Ours may write, so it is nobody's but ours.
    if (username === null && this.settings.RECONCILER_LOCAL_REGISTRY_USERNAME !== null)
      throw new HouseError(
        'unavailable',
        'there is no user for peers: set RECONCILER_PEER_REGISTRY_USERNAME to one who may only read',
      );
    new Logger('peers').log(`${body.requesting_node_id} (${caller.subject}) was told the way to our registry`);
    return {
      registry_address: address,
      repository_name: this.settings.RECONCILER_LOCAL_REGISTRY_REPOSITORY,
      insecure: this.settings.RECONCILER_LOCAL_REGISTRY_INSECURE,
      ...(username !== null && { basic_auth: { username, password } }),
    };
  }
}
