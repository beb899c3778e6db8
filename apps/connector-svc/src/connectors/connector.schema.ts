import { durationMs, name, resourceId } from '@homeostat/platform';
import type { ConnectorDestination, ConnectorSource } from '@homeostat/shared';
import { z } from 'zod';

const text = (most: number) => z.string().min(1, 'is empty').max(most, `is longer than ${most} characters`);

/** `corp.emea`, or its levels as a list where a level has dots of its own. */
export const namespacePath = z
  .union([
    text(1_000).transform((path) => path.split('.')),
    z.array(text(255)).min(1, 'is empty').max(32, 'is too deep'),
  ])
  .refine((levels) => levels.every((level) => level !== ''), 'has an empty level');

const confidential = /secret|passw|token|credential|private.?key|access.?key|api.?key/i;

const source = z
  .strictObject({
    uri: text(2_000).refine((uri) => !/^\w+:\/\/[^/]*@/.test(uri), 'has a user or a password: those belong into auth'),
    namespace: namespacePath.nullable().default(null),
    table: name(255).nullable().default(null),
    columns: z.array(text(1_000)).min(1, 'is empty').max(10_000, 'is too long').nullable().default(null),
    properties: z
      .record(text(255), z.string().max(8_000, 'is longer than 8000 characters'))
      .default({})
      .superRefine((properties, context) => {
        for (const key of Object.keys(properties).filter((one) => confidential.test(one) && !/uri|url/i.test(one)))
          context.addIssue({
            code: 'custom',
            path: [key],
            message: 'looks like a secret, and would be shown: it belongs into auth',
          });
      }),
  })
  .refine(({ namespace, table }) => table === null || namespace !== null, {
    path: ['namespace'],
    message: 'is needed to find the table',
  }) satisfies z.ZodType<ConnectorSource>;

const destination = z.strictObject({
  catalog: name(255).nullable().default(null),
  catalog_id: resourceId.nullable().default(null),
  namespace: namespacePath.nullable().default(null),
  namespace_id: resourceId.nullable().default(null),
  table: name(255).nullable().default(null),
  table_id: resourceId.nullable().default(null),
}) satisfies z.ZodType<ConnectorDestination>;

/** What of a login may be shown; every other member is a secret. */
const shownOfAuth = ['region', 'service', 'scope', 'audience', 'resource', 'oauth2_server_uri', 'role_arn'];

const auth = z
  .object({ scheme: name(63) })
  .catchall(text(16_000))
  .transform(({ scheme, ...members }) => {
    const entries = Object.entries(members);
    const isShown = ([key]: [string, string]): boolean => shownOfAuth.includes(key);
    return {
      scheme,
      settings: Object.fromEntries(entries.filter(isShown)),
      secrets: Object.fromEntries(entries.filter((entry) => !isShown(entry))),
    };
  })
  .meta({ description: 'The scheme, and what it needs. Secrets are written, and never read back' });

const policy = z.strictObject({
  interval: z
    .string()
    .transform((value, context) => {
      const ms = durationMs(value);
      if (ms !== null && ms >= 1 && ms <= 366 * 86_400_000) return Math.round(ms);
      context.addIssue('is no positive duration up to 8784h: write it like 30s, 5m or 24h');
      return z.NEVER;
    })
    .describe('Between two jobs'),
  enabled: z.boolean().default(true),
  not_before: z.iso.datetime({ offset: true }).nullable().default(null),
  max_parallel: z.int().min(1).max(64).default(4).describe('Tables of a job at the same time'),
});

/** The body of a create, and of a validation. */
export const newConnector = z.strictObject({
  display_name: name(255),
  kind: name(63),
  source,
  destination: destination.prefault({}),
  auth: auth.prefault({ scheme: 'none' }),
  policy: policy.nullable().default(null),
});

/** Each member that is given replaces the present one as a whole. */
export const connectorChange = z.strictObject({
  display_name: name(255).optional(),
  source: source.optional(),
  destination: destination.optional(),
  auth: auth.optional(),
  policy: policy.nullable().optional(),
});

export type NewConnector = z.output<typeof newConnector>;
export type ConnectorChange = z.output<typeof connectorChange>;
export type Login = z.output<typeof auth>;
export type Policy = z.output<typeof policy>;
