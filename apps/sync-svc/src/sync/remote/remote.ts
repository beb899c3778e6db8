import type { RemoteRegistry, Sync } from '@homeostat/shared';
import { RegistryClient } from '../../registry/registry.client';
import { RegistryRefused } from '../../registry/registry.errors';
import { SyncFault } from '../sync.fault';
import { type Probe, probePaths, registryKind } from './registry-kind';
import type { RegistryCredentials, RemoteDirectory } from './remote-directory.port';

/** What the maker of a sync has told in confidence. */
export interface SyncSecrets {
  readonly token?: string;
  readonly username?: string;
  readonly password?: string;
}

export type Wanted = Pick<
  Sync,
  'remote_directory_url' | 'remote_registry_address' | 'remote_repository_name' | 'insecure' | 'remote'
>;

const ANSWER_LIMIT = 64 * 1024;

/** The remote registry of a sync, open for reading. */
export interface Remote {
  readonly registry: RemoteRegistry;
  readonly client: RegistryClient;
}

/**
 * Finds the remote registry of a sync, logs in, and asks what it is. It is gone to at public addresses only, unless
 * `allowPrivate`. Throws SyncFault, RegistryRefused, RegistryBusy, or what hindered it; then nothing is left open.
 */
export async function openRemote(
  sync: Wanted,
  secrets: SyncSecrets,
  { directory, allowPrivate }: { readonly directory: RemoteDirectory; readonly allowPrivate: boolean },
  signal: AbortSignal,
): Promise<Remote> {
  const { registry_address, repository_name, basic_auth, insecure } = await placeOf(sync, secrets, directory, signal);
  const client = new RegistryClient({
    ...{ address: registry_address, repository: repository_name, insecure, allowPrivate, foreign: true },
    ...{ credentials: basic_auth ?? null, caFile: null },
  });
  try {
    const kind = await greet(client, sync.remote?.kind ?? null, signal);
    return { client, registry: { address: registry_address, repository: repository_name, insecure, kind } };
  } catch (error) {
    await client.close();
    throw error;
  }
}

/** By the word of the remote directory where there is one: its credentials go to no place but the one that it names. */
async function placeOf(
  sync: Wanted,
  secrets: SyncSecrets,
  directory: RemoteDirectory,
  signal: AbortSignal,
): Promise<RegistryCredentials> {
  const {
    remote_directory_url: url,
    remote_registry_address: address,
    remote_repository_name: repository,
    insecure,
  } = sync;
  const { username, password = '' } = secrets;
  if (url === null) {
    const basic_auth = username === undefined ? null : { username, password };
    return { registry_address: address!, repository_name: repository!, basic_auth, insecure };
  }
  const told = await directory.credentials(url, secrets.token ?? null, signal);
  const differs = (wanted: string | null, named: string): boolean => wanted !== null && wanted !== named;
  if (differs(address, told.registry_address) || differs(repository, told.repository_name)) {
    const named = `${told.registry_address}/${told.repository_name}`;
    throw new SyncFault('RemoteDiffers', `the directory names ${named}, and not what the sync does`, true);
  }
  return told;
}

/** Throws at once where nobody answers, or does not let us in; else asks what it is, unless that is known. */
async function greet(
  { http }: RegistryClient,
  known: RemoteRegistry['kind'] | null,
  signal: AbortSignal,
): Promise<RemoteRegistry['kind']> {
  const [base, management, discovery] = probePaths;
  const ask = (path: string) => http.get(path, { limit: ANSWER_LIMIT, signal });
  const answer = await ask(base);
  if (answer.status === 401 || answer.status === 403)
    throw new RegistryRefused(`${http.origin} refuses our credentials (${answer.status})`);
  if (answer.status >= 500) throw new Error(`${http.origin} answered ${answer.status}`);
  if (known !== null) return known;
  const probe = (path: string): Promise<Probe> => ask(path).catch(() => null);
  return registryKind(answer, await probe(management), await probe(discovery));
}
