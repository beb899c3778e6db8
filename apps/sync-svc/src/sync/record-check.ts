import type { ByteCache } from '@homeostat/platform';
import { layerOf, subjectOf } from '../record/record.manifest';
import { RECORD_LIMIT } from '../record/validation/record.validation';
import type { PulledManifest, RegistryClient } from '../registry/registry.client';
import { BadArtifact } from '../registry/registry.errors';
import type { Attached } from './attached';
import { type Why, manifestFault } from './manifest-fault';
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
  /** Where it is whole, and the remote has it under another manifest: what that means. */
  readonly apart?: Why;
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
  /** Manifests of the remote that were read, by the digests that they were checked to have. */
  readonly manifests: ByteCache<string>;
}

/** Asks both registries for a record, by its manifest alone. Throws what hinders it. */
export async function checkRecord(cid: string, { remote, local, signal, manifests }: Sides): Promise<Checked> {
  const [theirs, ours] = await Promise.all([pulled(remote, cid, signal), pulled(local, cid, signal)]);
  const good = isGood(theirs, cid) ? theirs : null;
  if (good) manifests.set(good.digest, good.body);
  if (isGood(ours, cid)) {
    const here = { cid, is: 'here', digest: ours.digest, missing: 0, tagged: false } as const;
    if (good?.digest === ours.digest) return here;
    // Whoever pushed another manifest need not have pushed what belongs to it.
    if (await isWhole(ours, cid, local, signal)) return { ...here, digest: null, ...(good && apart(ours, good)) };
  }
  if (good) return { cid, is: 'there', digest: good.digest, bad: ours !== null };
  if (theirs === null)
    return { cid, is: 'failed', reason: 'NotFound', message: 'the remote repository does not have it' };
  return { cid, is: 'failed', ...('manifest' in theirs ? fault(theirs, cid)! : theirs) };
}

/** Whether our registry has it by now, as it was checked. */
export async function hasRecord(cid: string, digest: string, { local, signal }: Sides): Promise<boolean> {
  const ours = await pulled(local, cid, signal);
  return isGood(ours, cid) && ours.digest === digest;
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
    return whyOf(error);
  }
}

/** Why a manifest is not that of a record with this CID, as the index sees it; null where it is. */
function fault({ manifest, body }: PulledManifest, cid: string): Why | null {
  try {
    const subject = subjectOf(manifest);
    if (subject !== null) throw new BadArtifact('NotARecord', `it is attached to ${subject}, and no record itself`);
    layerOf(manifest, cid);
    return manifestFault(body);
  } catch (error) {
    return whyOf(error);
  }
}

function isGood(found: PulledManifest | Why | null, cid: string): found is PulledManifest {
  return found !== null && 'manifest' in found && fault(found, cid) === null;
}

/** Whether the registry has the content, too. */
async function isWhole(
  { manifest }: PulledManifest,
  cid: string,
  registry: RegistryClient,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    return (await registry.blob(layerOf(manifest, cid), RECORD_LIMIT, signal)) !== null;
  } catch (error) {
    whyOf(error);
    return false;
  }
}

function apart(ours: PulledManifest, theirs: PulledManifest): { readonly apart: Why } {
  const message = `ours is ${ours.digest}, theirs ${theirs.digest}: ours is kept, and what is attached to theirs is not copied`;
  return { apart: { reason: 'AnotherManifest', message } };
}

/** What is wrong with the artifact. Throws an error that is about something else. */
function whyOf(error: unknown): Why {
  if (error instanceof BadArtifact) return { reason: error.fault, message: error.message };
  throw error;
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
