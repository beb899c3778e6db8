import { z } from 'zod';
import { isRecordCid } from '../registry/cid';
import { registryAddress, repositoryName } from '../registry/names';
import { password, username } from './remote/remote-directory.port';

/** Of one sync that names them. */
const MOST_CIDS = 5_000;
const hosts = registryAddress.source.replace(/^\^|\$$/g, '');
/** Without a user, a query or a fragment. */
const directoryUrl = new RegExp(`^https?://${hosts}(?:/[\\w.~%-]+)*/?$`);

/** Whether there is such a host and port: not all that the patterns take for an address of IPv6 is one. */
const isUrl = (text: string): boolean => URL.canParse(text);
const NO_URL = 'is no http or https URL of a directory: write it like https://directory.example.com';
const NO_ADDRESS = 'is no address of a registry: write it like registry.example.com or 192.0.2.1:5000';

const auth = z.union(
  [
    z.strictObject({ token: z.string().regex(/^[\x21-\x7e]{1,8000}$/, 'has 1 to 8000 visible ASCII characters') }),
    z.strictObject({ username, password }),
  ],
  'is either a token, or a username and a password',
);

/** The body of a create (spec 0, "Directory"). */
export const newSync = z
  .strictObject({
    remote_directory_url: z
      .string()
      .max(1_000, 'is too long')
      .regex(directoryUrl, NO_URL)
      .refine((url) => !directoryUrl.test(url) || isUrl(url), NO_URL)
      .nullable()
      .default(null)
      .describe('Of a node that says where its registry is, and how to log in there'),
    remote_registry_address: z
      .string()
      .max(300, 'is too long')
      .regex(registryAddress, NO_ADDRESS)
      .refine((address) => !registryAddress.test(address) || isUrl(`https://${address}`), NO_ADDRESS)
      .nullable()
      .default(null)
      .describe('`host` or `host:port`; beside a directory: what that must name'),
    remote_repository_name: z
      .string()
      .max(255, 'is too long')
      .regex(repositoryName, 'is no name of a repository: write it like dir or team/dir')
      .nullable()
      .default(null),
    insecure: z.boolean().default(false).describe('Plain http to remote_registry_address; a directory says it itself'),
    cids: z
      .array(z.string().refine(isRecordCid, 'is no CID of a record'))
      .min(1, 'is empty: leave it out to have all records')
      .max(MOST_CIDS, `has more than ${MOST_CIDS}: leave it out to have all records, or make several syncs`)
      .transform((cids) => [...new Set(cids)])
      .nullable()
      .default(null)
      .describe('What is wanted; all records that the remote repository has where not given'),
    requires_regsync: z.boolean().nullable().default(null).describe('null: the registry is asked what it is'),
    auth: auth
      .nullable()
      .default(null)
      .describe(
        'A token for the directory, or a user of the registry. Sealed, never read back, and forgotten at the end',
      ),
  })
  .superRefine((wanted, context) => {
    const issue = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
    const { remote_directory_url: url, remote_registry_address: address, auth: given } = wanted;
    if (url === null && address === null)
      issue('remote_directory_url', 'is needed, unless there is remote_registry_address');
    if (url === null && address !== null && wanted.remote_repository_name === null)
      issue('remote_repository_name', 'is needed with remote_registry_address');
    if (url !== null && wanted.insecure) issue('insecure', 'is for the directory to say');
    if (given && 'token' in given && url === null)
      issue('auth', 'has a token, which is for a directory: name a user of the registry');
    if (given && 'username' in given && url !== null)
      issue('auth', 'has a user, whom the directory would name: give a token for it');
  });

export type NewSync = z.output<typeof newSync>;
