import { z } from 'zod';
import { registryAddress, repositoryName } from '../../registry/names';

/** What a user of a registry may be called, and its password: RFC 7617 has no colon in a name, and no control characters. */
const control = '\\u0000-\\u001f\\u007f-\\u009f';
export const username = z
  .string()
  .regex(new RegExp(`^[^:${control}]{1,255}$`), 'has 1 to 255 characters, without colons and control characters');
export const password = z
  .string()
  .regex(new RegExp(`^[^${control}]{0,4000}$`), 'has at most 4000 characters, and no control characters');

/** Where the registry of a directory is, and how to log in there (spec 2, "Credential negotiation"). */
export const registryCredentials = z.object({
  registry_address: z.string().max(300).regex(registryAddress, 'is no address of a registry'),
  repository_name: z.string().max(255).regex(repositoryName, 'is no name of a repository'),
  basic_auth: z.object({ username, password }).nullish(),
  insecure: z.boolean().default(false).describe('Plain http'),
});
export type RegistryCredentials = z.infer<typeof registryCredentials>;

/** A directory elsewhere, which says where its registry is. */
export interface RemoteDirectory {
  /** Throws SyncFault. `token` proves to the directory who asks; null: nobody in particular. */
  credentials(url: string, token: string | null, signal: AbortSignal): Promise<RegistryCredentials>;
}

/** Token of the way to remote directories. */
export const REMOTE_DIRECTORY = Symbol('remote directory');
