import { Inject, Injectable } from '@nestjs/common';
import { type LocalRegistry, REGISTRY } from '../registry/local-registry';
import type { RegistryClient } from '../registry/registry.client';
import { termsOf } from '../search/terms';
import { versionKey } from '../search/version-key';
import { Contents } from './record.contents';
import type { FoundRecord, RecordAnswer, RecordSight, ReferrerChanges } from './record.decide';
import { layerOf, subjectOf } from './record.manifest';
import { readReferrers } from './referrer.pull';
import { RECORD_LIMIT, type RecordBody, parseRecord } from './validation/record.validation';
import { SchemaServer } from './validation/schema-server';

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
    const bytes = await registry.blob(layer, RECORD_LIMIT, signal);
    if (bytes === null) throw new Error(`the registry has the manifest, and answers 404 for its blob ${layer.digest}`);
    const { text, body } = parseRecord(bytes);
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
    { referrers: known, awaited }: RecordSight,
    signal: AbortSignal,
  ) {
    return readReferrers(registry, { subject, known: new Set(known), awaited: new Set(awaited) }, signal);
  }
}

function found(body: RecordBody, of: Pick<FoundRecord, 'manifest_digest' | 'annotations' | 'size'>): FoundRecord {
  const { name, version, schema_version, created_at } = body;
  const authored_at = new Date(created_at).toISOString();
  return { ...of, name, version, version_key: versionKey(version), schema_version, authored_at, terms: termsOf(body) };
}
