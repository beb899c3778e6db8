import { digestOf } from '../registry/cid';
import type { Attached } from './attached';
import { type Why, manifestFault } from './manifest-fault';
import type { PulledManifest, RegistryClient } from '../registry/registry.client';
import { BadArtifact } from '../registry/registry.errors';
import type { RecordFault } from './sync.sight';

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
  /** To what the remote has. */
  readonly attached: Attached;
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

/** Compares what is attached to a record in both registries; what cannot be copied is passed over. */
export async function checkReferrers(one: Here, { local, signal, attached }: Sides): Promise<Here> {
  const { digest } = one;
  if (digest === null) return one;
  const [theirs, ours] = await Promise.all([attached.listed(digest), referrers(local, digest, signal)]);
  let missing = 0;
  for (const other of theirs) {
    if (ours.digests.has(other)) continue;
    if (!ours.complete && (await pulled(local, other, signal)) !== null) continue;
    if (await attached.one(digest, other)) missing += 1;
  }
  return { ...one, missing, tagged: ours.tagged && ours.digests.size > 0 };
}

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
function fault({ manifest: { layers }, body }: PulledManifest, cid: string): Why | null {
  const [layer] = layers;
  if (!layer || layers.length !== 1)
    return { reason: 'NotARecord', message: `it has ${layers.length} layers, not one` };
  if (layer.digest !== digestOf(cid))
    return { reason: 'DigestMismatch', message: `its layer is ${layer.digest}, which is not what the tag names` };
  return manifestFault(body);
}

/** A list that is none has nothing in it. */
async function referrers(
  registry: RegistryClient,
  digest: string,
  signal: AbortSignal,
): Promise<{ digests: ReadonlySet<string>; tagged: boolean; complete: boolean }> {
  try {
    const api = await registry.referrers(digest, signal);
    const { listed, complete } = api ?? (await registry.tagged(digest, signal));
    return { digests: new Set(listed.map((one) => one.digest)), tagged: api === null, complete };
  } catch (error) {
    if (error instanceof BadArtifact) return { digests: new Set(), tagged: false, complete: true };
    throw error;
  }
}
