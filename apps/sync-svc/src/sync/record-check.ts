import { RECORD_LIMIT } from '../record/validation/record.validation';
import { digestOf } from '../registry/cid';
import type { PulledManifest, RegistryClient } from '../registry/registry.client';
import { BadArtifact } from '../registry/registry.errors';
import type { RecordFault } from './sync.sight';

/** Referrers of one record that a sync sees to; anybody may attach any number. */
const MOST_REFERRERS = 1_000;

/** A record that our registry has. */
export interface Here {
  readonly cid: string;
  readonly is: 'here';
  /** Of its manifest, where the remote has the very same one. */
  readonly digest: string | null;
  /** Of what is attached to it there, how many are not here; not asked yet: 0. */
  readonly missing: number;
  /** Whether our registry lists what is attached to it under a tag. */
  readonly tagged: boolean;
}

/** What is known of a record, after both registries were asked. */
export type Checked =
  | Here
  /** The remote has it; `bad`: what ours has under its tag is something else. */
  | { readonly cid: string; readonly is: 'there'; readonly digest: string; readonly bad: boolean }
  | ({ readonly is: 'failed' | 'left' } & RecordFault);

/** The two registries that are compared. */
export interface Sides {
  readonly remote: RegistryClient;
  readonly local: RegistryClient;
  readonly signal: AbortSignal;
}

/** Asks both registries for a record, by its manifest alone. Throws what hinders it. */
export async function checkRecord(cid: string, { remote, local, signal }: Sides): Promise<Checked> {
  const [theirs, ours] = await Promise.all([pulled(remote, cid, signal), pulled(local, cid, signal)]);
  if (ours && 'manifest' in ours && fault(ours, cid) === null) {
    const same = theirs && 'manifest' in theirs && theirs.digest === ours.digest;
    return { cid, is: 'here', digest: same ? ours.digest : null, missing: 0, tagged: false };
  }
  if (theirs === null)
    return { cid, is: 'failed', reason: 'NotFound', message: 'the remote repository does not have it' };
  const why = 'manifest' in theirs ? fault(theirs, cid) : theirs;
  if (why) return { cid, is: 'failed', ...why };
  return { cid, is: 'there', digest: (theirs as PulledManifest).digest, bad: ours !== null };
}

/** Whether our registry has it by now, as it was checked. */
export async function hasRecord(cid: string, digest: string, { local, signal }: Sides): Promise<boolean> {
  const ours = await pulled(local, cid, signal);
  return ours !== null && 'manifest' in ours && ours.digest === digest && fault(ours, cid) === null;
}

/** Compares what is attached to a record in both registries; what the remote lists and does not have is passed over. */
export async function checkReferrers(one: Here, { remote, local, signal }: Sides): Promise<Here> {
  const { digest } = one;
  if (digest === null) return one;
  const [theirs, ours] = await Promise.all([referrers(remote, digest, signal), referrers(local, digest, signal)]);
  let missing = 0;
  for (const other of [...theirs.digests].slice(0, MOST_REFERRERS)) {
    if (ours.digests.has(other)) continue;
    const found = await pulled(remote, other, signal);
    if (found && 'manifest' in found && found.manifest.subject?.digest === digest) missing += 1;
  }
  return { ...one, missing, tagged: ours.tagged && ours.digests.size > 0 };
}

type Why = { readonly reason: string; readonly message: string };

async function pulled(
  registry: RegistryClient,
  reference: string,
  signal: AbortSignal,
): Promise<PulledManifest | Why | null> {
  try {
    return await registry.manifest(reference, signal);
  } catch (error) {
    if (error instanceof BadArtifact) return { reason: error.fault, message: error.message };
    throw error;
  }
}

/** Why a manifest is not that of a record with this CID; null where it is. */
function fault({ manifest: { layers } }: PulledManifest, cid: string): Why | null {
  const [layer] = layers;
  if (!layer || layers.length !== 1)
    return { reason: 'NotARecord', message: `it has ${layers.length} layers, not one` };
  if (layer.digest !== digestOf(cid))
    return { reason: 'DigestMismatch', message: `its layer is ${layer.digest}, which is not what the tag names` };
  if (layer.size <= RECORD_LIMIT) return null;
  return { reason: 'TooLarge', message: `${layer.size} bytes, and at most ${RECORD_LIMIT} are copied` };
}

/** A list that is none has nothing in it. */
async function referrers(
  registry: RegistryClient,
  digest: string,
  signal: AbortSignal,
): Promise<{ digests: ReadonlySet<string>; tagged: boolean }> {
  try {
    const api = await registry.referrers(digest, signal);
    const { listed } = api ?? (await registry.tagged(digest, signal));
    return { digests: new Set(listed.map((one) => one.digest)), tagged: api === null };
  } catch (error) {
    if (error instanceof BadArtifact) return { digests: new Set(), tagged: false };
    throw error;
  }
}
