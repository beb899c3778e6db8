import { RECORD_LIMIT } from '../record/validation/record.validation';
import { parseStrictly } from '../record/validation/json-text';
import { imageManifest } from '../registry/manifest';
import { BadArtifact } from '../registry/registry.errors';

/** Why something is not copied: a stable CamelCase word, and words for people. */
export interface Why {
  readonly reason: string;
  readonly message: string;
}

const known: readonly unknown[] = [imageManifest, 'application/vnd.docker.distribution.manifest.v2+json', undefined];

/**
 * Why a manifest is not for regsync, as no index is; null where it is. Regsync would go to any place that a descriptor
 * names in `urls`, and give up the record for a blob that is too large for the gate.
 */
export function manifestFault(body: Buffer): Why | null {
  try {
    const { value } = parseStrictly(body);
    const { mediaType } = Object(value) as { mediaType?: unknown };
    if (known.includes(mediaType)) return faultIn(value);
    throw new BadArtifact('NotARecord', `its media type is ${JSON.stringify(mediaType).slice(0, 100)}`);
  } catch (error) {
    if (error instanceof BadArtifact) return { reason: error.fault, message: `the manifest: ${error.message}` };
    throw error;
  }
}

/** Looks everywhere, not only where a descriptor should be: what Go takes for one is more than the specification names. */
function faultIn(value: unknown): Why | null {
  if (typeof value !== 'object' || value === null) return null;
  for (const [name, inner] of Object.entries(value)) {
    if (name === 'annotations') continue;
    if (folded(name) === 'urls')
      return { reason: 'ForeignContent', message: 'its manifest names content outside the registry (urls)' };
    if (name === 'size' && Number(inner) > RECORD_LIMIT)
      return {
        reason: 'TooLarge',
        message: `a part of it has ${Number(inner)} bytes, and at most ${RECORD_LIMIT} are copied`,
      };
    const fault = faultIn(inner);
    if (fault) return fault;
  }
  return null;
}

/** As encoding/json of Go compares names: without regard to case, and `ſ` is an s. */
function folded(name: string): string {
  return name.toUpperCase().toLowerCase();
}
