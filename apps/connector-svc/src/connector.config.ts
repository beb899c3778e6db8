import { isAbsolute } from 'node:path';
import { duration, oneOf, secretsKey, whole } from '@homeostat/platform';
import { z } from 'zod';

/** What connector-svc is told (spec 3). */
export const connectorSettings = {
  /** Keys for the secrets of connectors, 32 bytes in base64 each, with commas between them: the first encrypts, all decrypt. */
  RECONCILER_SECRETS_KEY: secretsKey,
  /** Folders whose files connectors may read, with commas between them; `/lake=/srv/lake` where tables know a folder by another name. */
  RECONCILER_FILE_ROOTS: z
    .string()
    .default('')
    .transform((text, context): readonly string[] => {
      const folders = text.split(',').map((one) => one.trim());
      const named = folders.filter((one) => one !== '');
      if (named.every((one) => one.split('=').every(isAbsolute))) return named;
      context.addIssue(`"${text}" is no list of folders: write each from the root, like /srv/lake or /lake=/srv/lake`);
      return z.NEVER;
    }),
  /** Whether catalogs and storage may have addresses that are not public: `true` where those are your own. */
  RECONCILER_ALLOW_PRIVATE_ADDRESSES: oneOf(['true', 'false'], 'false').transform((word) => word === 'true'),
  /** The least that a policy may ask for between two jobs. */
  RECONCILER_CONNECTOR_MIN_INTERVAL: duration('10s'),
  /** Jobs that one process works on at the same time. */
  RECONCILER_JOBS_AT_ONCE: whole(4, 1, 100),
  /** How long a job works before it makes way for others; a large snapshot is read on in the next slice. */
  RECONCILER_JOB_SLICE: duration('5s'),
  /** How often a job, or one of its tables, is tried when it fails for now. */
  RECONCILER_JOB_ATTEMPTS: whole(8, 1, 100),
  /** From a job's making to its end, whatever it waits for. */
  RECONCILER_JOB_TIMEOUT: duration('24h'),
  /** How long a finished job can be read. */
  RECONCILER_JOB_RETENTION: duration('24h'),
};

export type ConnectorSettings = z.infer<z.ZodObject<typeof connectorSettings>>;
