import type { ByteCache } from '@homeostat/platform';
import { eachOf } from './each-of';
import { manifestFault } from './manifest-fault';
import { imageManifest } from '../registry/manifest';
import type { RegistryClient } from '../registry/registry.client';
import { BadArtifact } from '../registry/registry.errors';

/** Manifests that are read at the same time for one list. */
const AT_ONCE = 4;

/** A referrer as a list names it. */
export interface Attachment {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/**
 * What is attached to manifests of a remote registry, as far as regsync can copy it. Asks for each once: the gate and
 * the check of what was copied see the same, so one lives no longer than a slice.
 */
export class Attached {
  private readonly lists = new Map<string, Promise<readonly string[]>>();
  private readonly read = new Map<string, Promise<(Attachment & { readonly subject: string | null }) | null>>();

  private hasApi = true;

  constructor(
    private readonly remote: RegistryClient,
    private readonly manifests: ByteCache<string>,
    private readonly signal: AbortSignal,
  ) {}

  /** The digests that the remote lists, good or not; a list that is none has nothing in it. */
  listed(subject: string): Promise<readonly string[]> {
    return kept(this.lists, subject, async () => {
      const { listed } = (await orNull(this.list(subject))) ?? { listed: [] };
      return listed.map(({ digest }) => digest);
    });
  }

  /** One that is listed; null: it is not there, is attached to another, or is not for regsync. */
  async one(subject: string, digest: string): Promise<Attachment | null> {
    const found = await kept(this.read, digest, () => orNull(this.pull(digest)));
    return found?.subject === subject ? { mediaType: found.mediaType, digest, size: found.size } : null;
  }

  /** All that regsync can copy. */
  async all(subject: string): Promise<Attachment[]> {
    const found = await eachOf(await this.listed(subject), AT_ONCE, (digest) => this.one(subject, digest));
    return found.filter((one) => one !== null);
  }

  private async list(subject: string) {
    const api = this.hasApi ? await this.remote.referrers(subject, this.signal) : null;
    this.hasApi = api !== null;
    return api ?? this.remote.tagged(subject, this.signal);
  }

  private async pull(digest: string) {
    const found = await this.remote.manifest(digest, this.signal);
    if (found === null || manifestFault(found.body) !== null) return null;
    this.manifests.set(digest, found.body);
    const { mediaType = imageManifest, subject } = found.manifest;
    return { mediaType, digest, size: found.body.length, subject: subject?.digest ?? null };
  }
}

/** What is known, or being asked for; what went wrong is asked for again. */
function kept<T>(known: Map<string, Promise<T>>, key: string, ask: () => Promise<T>): Promise<T> {
  const found = known.get(key) ?? ask();
  known.set(key, found);
  found.catch(() => known.delete(key));
  return found;
}

async function orNull<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof BadArtifact) return null;
    throw error;
  }
}
