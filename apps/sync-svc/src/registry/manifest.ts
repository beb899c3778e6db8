import { unstorables } from '@homeostat/platform';
import { z } from 'zod';
import { storable } from '../storable';
import { BadArtifact } from './registry.errors';

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, 'is no sha256 digest');
const annotations = z.record(z.string(), z.string());

/** What points to a blob or a manifest (OCI image specification, descriptor). */
const descriptor = z.object({
  mediaType: z.string(),
  digest,
  size: z.int().min(0),
  artifactType: z.string().optional(),
  annotations: annotations.nullish(),
});
export type Descriptor = z.infer<typeof descriptor>;

const manifest = z.object({
  mediaType: z.string().optional(),
  artifactType: z.string().optional(),
  layers: z.array(descriptor),
  subject: descriptor.nullish(),
  annotations: annotations.nullish(),
});
export type Manifest = z.infer<typeof manifest>;

const index = z.object({ manifests: z.array(z.unknown()).nullable() });
const listed = z.object({
  digest,
  artifactType: z
    .string()
    .refine((text) => text === storable(text))
    .optional()
    .catch(undefined),
});
/** What a list says of a referrer. */
export type Listed = z.infer<typeof listed>;

/** The media type of a manifest that names none (OCI image specification). */
export const imageManifest = 'application/vnd.oci.image.manifest.v1+json';
/** Media types of manifests and of lists of them: some registries answer 404 unless all are named (spec 2, "Indexer"). */
export const acceptManifests = [
  imageManifest,
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
].join(', ');

/** Reads a manifest. Throws BadArtifact: `NotARecord` for an index, or anything else. */
export function parseManifest(body: Buffer): Manifest {
  const found = parsed(manifest, body, 'the manifest');
  const [fault] = unstorables(found, (path) => path.join('.'));
  if (!fault) return found;
  throw new BadArtifact('UnstorableText', `the manifest: ${fault.pointer.slice(0, 200)} ${fault.message}`);
}

/** Reads what an index lists; what has no digest of ours is passed over. Throws BadArtifact where it is none. */
export function parseIndex(body: Buffer): Listed[] {
  const { manifests } = parsed(index, body, 'the list of referrers');
  return (manifests ?? []).flatMap((one) => listed.safeParse(one).data ?? []);
}

function parsed<T extends z.ZodType>(schema: T, body: Buffer, what: string): z.output<T> {
  let json: unknown;
  try {
    json = JSON.parse(body.toString());
  } catch {
    throw new BadArtifact('NotARecord', `${what} is not JSON`);
  }
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0]!;
  throw new BadArtifact('NotARecord', `${what} is of another kind: ${path.join('.') || 'it'}: ${message}`);
}
