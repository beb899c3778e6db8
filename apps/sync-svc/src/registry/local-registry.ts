import { type SyncSettings } from '../sync.config';
import { RegistryClient } from './registry.client';

/** Token of the registry that is indexed; null where none is configured. */
export const REGISTRY = Symbol('registry');
export type LocalRegistry = RegistryClient | null;

/** What somebody without a registry should do. */
export const REGISTRY_FIX =
  'Start one, such as `docker run -d -p 127.0.0.1:5000:5000 registry:3`, and set RECONCILER_LOCAL_REGISTRY_ADDRESS=127.0.0.1:5000 ' +
  'and RECONCILER_LOCAL_REGISTRY_INSECURE=true.';

/** The client of the registry that the settings name; null where they name none. */
export function localRegistry(settings: SyncSettings): LocalRegistry {
  const { RECONCILER_LOCAL_REGISTRY_ADDRESS: address, RECONCILER_LOCAL_REGISTRY_USERNAME: username } = settings;
  if (address === null) return null;
  return new RegistryClient({
    address,
    repository: settings.RECONCILER_LOCAL_REGISTRY_REPOSITORY,
    credentials: username === null ? null : { username, password: settings.RECONCILER_LOCAL_REGISTRY_PASSWORD },
    insecure: settings.RECONCILER_LOCAL_REGISTRY_INSECURE,
    caFile: settings.RECONCILER_LOCAL_REGISTRY_CA_FILE,
    allowPrivate: settings.RECONCILER_ALLOW_PRIVATE_ADDRESSES,
  });
}
