import type { Descriptor, Manifest } from '../registry/manifest';
import type { RegistryClient } from '../registry/registry.client';
import { BadArtifact } from '../registry/registry.errors';
import type { FoundReferrer, ReferrerChanges } from './record.decide';

const SIGNATURE = 'application/vnd.agntcy.dir.sign.signature.v1+json';
const PUBLIC_KEY = 'application/vnd.agntcy.dir.sign.publickey.v1+pem';
/** Bytes of a signature or a key. */
const REFERRER_LIMIT = 256 * 1024;
/** Referrers of one record that are read: anybody may attach any number. */
const MOST_REFERRERS = 1_000;

/** Which manifest, and which of its referrers are known already. */
export interface Wanted {
  readonly subject: string;
  readonly known: ReadonlySet<string>;
}

/** Reads the referrers of a manifest that are new; what is attached and cannot be read is noted as `other`, and left. */
export async function readReferrers(
  registry: RegistryClient,
  { subject, known }: Wanted,
  signal: AbortSignal,
): Promise<ReferrerChanges> {
  const listed = (await registry.referrers(subject, signal)) ?? (await registry.tagged(subject, signal));
  const present = new Set(listed.map(({ digest }) => digest));
  const fresh = listed.filter(({ digest }) => !known.has(digest)).slice(0, Math.max(0, MOST_REFERRERS - known.size));
  const added: FoundReferrer[] = [];
  for (const one of fresh) added.push(await readOne(registry, one, subject, signal));
  return { added, gone: [...known].filter((digest) => !present.has(digest)) };
}

async function readOne(
  registry: RegistryClient,
  descriptor: Descriptor,
  subject: string,
  signal: AbortSignal,
): Promise<FoundReferrer> {
  try {
    const pulled = await registry.manifest(descriptor.digest, signal);
    if (pulled === null) throw new BadArtifact('NotARecord', 'it is listed, and not there');
    return await contentOf(registry, pulled.manifest, { ...descriptor, subject }, signal);
  } catch (error) {
    if (error instanceof BadArtifact) return other(descriptor);
    throw error;
  }
}

async function contentOf(
  registry: RegistryClient,
  { layers, subject, annotations }: Manifest,
  descriptor: Descriptor & { readonly subject: string },
  signal: AbortSignal,
): Promise<FoundReferrer> {
  const [layer] = layers;
  const nothing = other(descriptor, layer?.mediaType ?? descriptor.artifactType, annotations);
  if (!layer || layers.length > 1 || subject?.digest !== descriptor.subject) return nothing;
  if (layer.mediaType !== SIGNATURE && layer.mediaType !== PUBLIC_KEY) return nothing;
  const { signature, key } = dataOf(await registry.blob(layer, REFERRER_LIMIT, signal));
  if (layer.mediaType === SIGNATURE && signature !== null) return { ...nothing, kind: 'signature', signature };
  if (layer.mediaType === PUBLIC_KEY && key !== null) return { ...nothing, kind: 'public_key', public_key: key };
  return nothing;
}

function other(
  { digest }: Descriptor,
  mediaType: string | undefined = undefined,
  annotations: Manifest['annotations'] = null,
): FoundReferrer {
  const nothing = { public_key: null, signature: null };
  return { digest, kind: 'other', media_type: mediaType ?? null, annotations: annotations ?? null, ...nothing };
}

/** The content is JSON, whatever the media type says (spec 2). */
function dataOf(bytes: Buffer): { readonly signature: string | null; readonly key: string | null } {
  try {
    const { data } = Object(JSON.parse(bytes.toString())) as { data?: unknown };
    const { signature, key } = Object(data) as { signature?: unknown; key?: unknown };
    return { signature: text(signature), key: text(key) };
  } catch {
    return { signature: null, key: null };
  }
}

function text(value: unknown): string | null {
  return typeof value === 'string' && !/[\0\p{Cs}]/u.test(value) ? value : null;
}
