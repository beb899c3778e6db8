import { storable } from '../storable';
import type { Listed, Manifest } from '../registry/manifest';
import { MOST_REFERRERS, type Referrers, type RegistryClient } from '../registry/registry.client';
import { BadArtifact } from '../registry/registry.errors';
import type { FoundReferrer, ReferrerChanges } from './record.decide';

const SIGNATURE = 'application/vnd.agntcy.dir.sign.signature.v1+json';
const PUBLIC_KEY = 'application/vnd.agntcy.dir.sign.publickey.v1+pem';
/** Bytes of a signature or a key. */
const REFERRER_LIMIT = 256 * 1024;
/** Of those, by one look: it has a deadline. */
const READ_AT_ONCE = 50;

/** Which manifest, and which of its referrers are known already. */
export interface Wanted {
  readonly subject: string;
  readonly known: ReadonlySet<string>;
  /** Those of the known that were not there. */
  readonly awaited: ReadonlySet<string>;
}

/**
 * Reads the referrers of a manifest that are new, and those that are awaited; what is attached and cannot be read is noted
 * as `other`, and left.
 */
export async function readReferrers(
  registry: RegistryClient,
  { subject, known, awaited }: Wanted,
  signal: AbortSignal,
): Promise<ReferrerChanges> {
  const { listed, doubt } = await listing(registry, subject, signal);
  const present = new Set(listed.map(({ digest }) => digest));
  const fresh = listed.filter(({ digest }) => !known.has(digest)).slice(0, Math.max(0, MOST_REFERRERS - known.size));
  const again = turned(listed.filter(({ digest }) => awaited.has(digest)));
  const added: FoundReferrer[] = [];
  for (const one of [...fresh, ...again].slice(0, READ_AT_ONCE)) {
    const found = await readOne(registry, one, subject, signal);
    if (found.kind !== 'awaited' || !awaited.has(one.digest)) added.push(found);
  }
  const gone = doubt === null ? [...known].filter((digest) => !present.has(digest)) : [];
  return { added, gone, more: fresh.length > READ_AT_ONCE, doubt };
}

/** From anywhere on: of many that one look cannot read, each has its turn. */
function turned<T>(all: readonly T[]): T[] {
  const from = Math.floor(Math.random() * all.length);
  return [...all.slice(from), ...all.slice(0, from)];
}

/** A list that is none says nothing of the record: as if nothing had come. */
async function listing(
  registry: RegistryClient,
  subject: string,
  signal: AbortSignal,
): Promise<Pick<Referrers, 'listed'> & Pick<ReferrerChanges, 'doubt'>> {
  try {
    const found = (await registry.referrers(subject, signal)) ?? (await registry.tagged(subject, signal));
    return { listed: found.listed, doubt: found.complete ? null : 'the list of referrers goes on for too many pages' };
  } catch (error) {
    if (error instanceof BadArtifact) return { listed: [], doubt: error.message };
    throw error;
  }
}

async function readOne(
  registry: RegistryClient,
  one: Listed,
  subject: string,
  signal: AbortSignal,
): Promise<FoundReferrer> {
  try {
    const pulled = await registry.manifest(one.digest, signal);
    if (pulled === null) return { ...other(one), kind: 'awaited' };
    if (pulled.manifest.subject?.digest !== subject)
      throw new BadArtifact('NotARecord', 'it is attached to another one');
    return { ...other(one, pulled.manifest), ...(await contentOf(registry, pulled.manifest, signal)) };
  } catch (error) {
    if (error instanceof BadArtifact) return { ...other(one), fault: `${one.digest}: ${error.message}` };
    throw error;
  }
}

/** The signature or the key that a referrer is; nothing where it is neither. Throws BadArtifact where it should be, and is not. */
async function contentOf(
  registry: RegistryClient,
  { layers }: Manifest,
  signal: AbortSignal,
): Promise<Partial<FoundReferrer>> {
  const [layer] = layers;
  if (!layer || layers.length > 1 || (layer.mediaType !== SIGNATURE && layer.mediaType !== PUBLIC_KEY)) return {};
  const bytes = await registry.blob(layer, REFERRER_LIMIT, signal);
  if (bytes === null) return { kind: 'awaited' };
  const { signature, key } = dataOf(bytes);
  return layer.mediaType === SIGNATURE
    ? { kind: 'signature', signature: text(signature) }
    : { kind: 'public_key', public_key: text(key) };
}

function other({ digest, artifactType }: Listed, { layers, annotations }: Partial<Manifest> = {}): FoundReferrer {
  const nothing = { public_key: null, signature: null, fault: null };
  const media_type = layers?.[0]?.mediaType ?? artifactType ?? null;
  return { digest, kind: 'other', media_type, annotations: annotations ?? null, ...nothing };
}

/** The content is JSON, whatever the media type says (spec 2). */
function dataOf(bytes: Buffer): { readonly signature?: unknown; readonly key?: unknown } {
  try {
    const { data } = Object(JSON.parse(bytes.toString())) as { data?: unknown };
    return Object(data) as { signature?: unknown; key?: unknown };
  } catch {
    return {};
  }
}

function text(value: unknown): string {
  if (typeof value !== 'string') throw new BadArtifact('NotARecord', 'it holds neither a signature nor a key');
  if (value === storable(value)) return value;
  throw new BadArtifact('UnstorableText', 'it holds a NUL character or half a surrogate pair');
}
