import type { RemoteRegistry } from '@homeostat/shared';
import type { Answer } from '../../registry/registry.http';

/** What a registry answered to a question; null: it could not be asked. */
export type Probe = Pick<Answer, 'status' | 'header' | 'body'> | null;

/** Asked for in this order. */
export const probePaths = ['/v2/', '/v2/_zot/ext/mgmt', '/v2/_oci/ext/discover'] as const;

/**
 * What a registry is by its own answers to `probePaths` (spec 2, "Sync"): Zot names a header of its own among those that
 * it allows, and has its own extensions. `unknown` where it says nothing that only one of them would.
 */
export function registryKind(base: Probe, management: Probe, discovery: Probe): RemoteRegistry['kind'] {
  const allowed = base?.header('access-control-allow-headers') ?? '';
  if (base?.status === 200 && /\bX-ZOT-API-CLIENT\b/i.test(allowed)) return 'zot';
  if (typeof json(management)['binaryType'] === 'string') return 'zot';
  if (Array.isArray(json(discovery)['extensions'])) return 'zot';
  return base?.header('docker-distribution-api-version') ? 'other' : 'unknown';
}

function json(probe: Probe): Readonly<Record<string, unknown>> {
  try {
    return probe?.status === 200 ? (Object(JSON.parse(probe.body.toString())) as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
