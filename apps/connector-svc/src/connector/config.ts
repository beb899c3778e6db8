import { type z } from 'zod';
import { type ConnectorConfig } from './connector.port';
import { ConnectorFault } from './fault';

/** A connector's properties and credentials as its schemas have them. Throws ConnectorFault `invalid_config` that names every wrong member, never a value. */
export function parsedConfig<P extends z.ZodType, C extends z.ZodType>(
  config: ConnectorConfig,
  schemas: { readonly properties: P; readonly credentials: C },
): { readonly properties: z.infer<P>; readonly credentials: z.infer<C> } {
  const properties = schemas.properties.safeParse(config.properties);
  const credentials = schemas.credentials.safeParse(config.credentials);
  if (properties.success && credentials.success) return { properties: properties.data, credentials: credentials.data };
  const issues = [...said(properties.error, 'properties'), ...said(credentials.error, 'credentials')];
  throw new ConnectorFault('invalid_config', issues.join('; '));
}

function said(error: z.ZodError | undefined, where: string): string[] {
  return (error?.issues ?? []).map(({ path, message }) => `${[where, ...path.map(String)].join('.')}: ${message}`);
}
