import { Inject, Injectable } from '@nestjs/common';
import { digestOf } from '../registry/cid';
import { type LocalRegistry, REGISTRY } from '../registry/local-registry';
import type { Descriptor, Manifest } from '../registry/manifest';
import type { RegistryClient } from '../registry/registry.client';
import { BadArtifact } from '../registry/registry.errors';
import { termsOf } from '../search/terms';
import { versionKey } from '../search/version-key';
import { Contents } from './record.contents';
import type { FoundRecord, RecordAnswer, RecordSight, ReferrerChanges } from './record.decide';
import { readReferrers } from './referrer.pull';
import { RECORD_LIMIT, type RecordBody, parseRecord } from './validation/record.validation';
import { SchemaServer } from './validation/schema-server';

/** Marks the manifest of a signature or a key, of which newer versions of the directory give a CID as tag (spec 2). */
const REFERRER_TYPE = 'agntcy.dir.referrer.type';

const noReferrers: ReferrerChanges = { added: [], gone: [], more: false, doubt: null };

/** Fetches records, checks them on every byte, and says what they are. */
@Injectable()
export class RecordPull {
  constructor(
    @Inject(REGISTRY) private readonly registry: LocalRegistry,
    private readonly schemas: SchemaServer,
    private readonly contents: Contents,
  ) {}

  /** What is under a tag. Throws where that cannot be found out now, which is worth another try. */
  async pull(key: string, sight: RecordSight, signal: AbortSignal): Promise<RecordAnswer> {
    const registry = this.registry!;
    const pulled = await registry.manifest(sight.cid, signal);
    if (pulled === null) throw new Error('the registry lists the tag, and answers 404 for its manifest');
    const { manifest, digest: manifest_digest } = pulled;
    const subject = subjectOf(manifest);
    if (subject !== null) return { found: 'referrer', subject };
    const layer = layerOf(manifest, sight.cid);
    const { text, body } = parseRecord(await registry.blob(layer, RECORD_LIMIT, signal));
    await this.schemas.check(body, text, signal);
    await this.contents.keep(key, text);
    const record = found(body, { manifest_digest, annotations: manifest.annotations ?? null, size: layer.size });
    // Where referrers are under a tag, the write finds out whether there is one; known ones may be another manifest's.
    if (sight.referrersApi === false && sight.referrers.length === 0) {
      return { found: 'record', record, referrers: noReferrers };
    }
    return { found: 'record', record, referrers: await this.referrersOf(registry, manifest_digest, sight, signal) };
  }

  /** What has come and gone since the referrers of an indexed record were read last. */
  async reread(key: string, sight: RecordSight, signal: AbortSignal): Promise<RecordAnswer> {
    const pulled = await this.registry!.manifest(sight.cid, signal);
    if (pulled === null) throw new Error('the registry lists the tag, and answers 404 for its manifest');
    if (pulled.digest !== sight.manifestDigest) return this.pull(key, sight, signal);
    return { found: 'referrers', referrers: await this.referrersOf(this.registry!, pulled.digest, sight, signal) };
  }

  private referrersOf(
    registry: RegistryClient,
    subject: string,
    { referrers: known }: RecordSight,
    signal: AbortSignal,
  ) {
    return readReferrers(registry, { subject, known: new Set(known) }, signal);
  }
}

function subjectOf({ subject, annotations }: Manifest): string | null {
  if (subject) return subject.digest;
  if (annotations?.[REFERRER_TYPE] === undefined) return null;
  throw new BadArtifact('NotARecord', 'it calls itself a referrer, and names no subject');
}

/** The one layer of a record. Throws BadArtifact where there are others, or it is not what the tag names. */
function layerOf({ layers }: Manifest, cid: string): Descriptor {
  const [layer] = layers;
  if (layers.length !== 1 || !layer) throw new BadArtifact('NotARecord', `it has ${layers.length} layers, not one`);
  if (layer.mediaType !== 'application/json') {
    throw new BadArtifact('NotARecord', `its layer is ${layer.mediaType.slice(0, 100)}, not application/json`);
  }
  if (layer.digest === digestOf(cid)) return layer;
  throw new BadArtifact('DigestMismatch', `its layer is ${layer.digest}, which is not what the tag names`);
}

function found(body: RecordBody, of: Pick<FoundRecord, 'manifest_digest' | 'annotations' | 'size'>): FoundRecord {
  const { name, version, schema_version, created_at } = body;
  const authored_at = new Date(created_at).toISOString();
  return { ...of, name, version, version_key: versionKey(version), schema_version, authored_at, terms: termsOf(body) };
}
