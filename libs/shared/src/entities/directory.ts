import { Column, Entity, PrimaryColumn } from 'typeorm';
import { Resource } from './resource';

/**
 * What became of a tag that looks like a record's CID (spec 2, "Indexer"). `referrer`: it names a signature or a key of
 * a record, and is none itself.
 */
export const recordStates = ['pending', 'indexed', 'quarantined', 'referrer'] as const;
export type RecordStatus = (typeof recordStates)[number];

@Entity('record')
export class DirectoryRecord extends Resource<RecordStatus> {
  @Column('text') readonly cid: string;
  @Column('text', { nullable: true }) readonly manifest_digest: string | null;
  /** The manifest that a referrer belongs to. */
  @Column('text', { nullable: true }) readonly subject: string | null;
  @Column('integer', { nullable: true }) readonly size: number | null;
  @Column('text', { nullable: true }) readonly name: string | null;
  @Column('text', { nullable: true }) readonly version: string | null;
  /** Orders versions as text in byte order; empty for what is no semver. */
  @Column('text', { nullable: true }) readonly version_key: string | null;
  @Column('text', { nullable: true }) readonly schema_version: string | null;
  /** What the record says of its own creation. */
  @Column('timestamptz', { nullable: true }) readonly authored_at: Date | null;
  /** Those of the manifest. */
  @Column('jsonb', { nullable: true }) readonly annotations: Record<string, string> | null;
  /** What it is found by, as kind=value in lower case. */
  @Column('text', { array: true }) readonly terms: readonly string[];
  @Column('boolean') readonly signed: boolean;
  @Column('timestamptz', { nullable: true }) readonly indexed_at: Date | null;
  @Column('timestamptz', { nullable: true }) readonly referred_at: Date | null;
}

/** `awaited`: the registry lists it, and did not have its manifest or its content yet. */
export const referrerKinds = ['signature', 'public_key', 'other', 'awaited'] as const;

/** What is attached to a record: a signature, a public key, or something else. */
@Entity('referrer')
export class Referrer {
  @PrimaryColumn('uuid') readonly record_id: string;
  @PrimaryColumn('text') readonly digest: string;
  @Column('text') readonly kind: (typeof referrerKinds)[number];
  @Column('text', { nullable: true }) readonly media_type: string | null;
  @Column('jsonb', { nullable: true }) readonly annotations: Record<string, string> | null;
  /** PEM. */
  @Column('text', { nullable: true }) readonly public_key: string | null;
  /** Base64, over the ASCII bytes of the CID; not checked. */
  @Column('text', { nullable: true }) readonly signature: string | null;
  @Column('timestamptz') readonly found_at: Date;
}

/** The one registry that is mirrored into and indexed, and how far the listing of its tags is. */
@Entity('registry')
export class Registry {
  @PrimaryColumn('uuid') readonly id: string;
  /** Counts the listings; 64 bits as a string. */
  @Column('bigint') readonly listing: string;
  @Column('text') readonly phase: 'idle' | 'listing' | 'removing';
  @Column('integer') readonly page: number;
  @Column('text', { nullable: true }) readonly cursor: string | null;
  /** Tags that the listing under way has found so far. */
  @Column('integer') readonly listed: number;
  /** Tags of the last complete listing. */
  @Column('integer', { nullable: true }) readonly tags: number | null;
  @Column('boolean', { nullable: true }) readonly referrers_api: boolean | null;
  @Column('timestamptz', { nullable: true }) readonly started_at: Date | null;
  @Column('timestamptz', { nullable: true }) readonly finished_at: Date | null;
}

/** The states of a sync (spec 2, "Sync"), in order of life. */
export const syncStates = ['PENDING', 'IN_PROGRESS', 'COMPLETED', 'FAILED', 'DELETE_PENDING', 'DELETED'] as const;
export type SyncStatus = (typeof syncStates)[number];

/** What a registry turned out to be when it was asked; `unknown`: it did not say. */
export const remoteKinds = ['zot', 'other', 'unknown'] as const;

/** The registry that a sync copies from, as it was found. */
export interface RemoteRegistry {
  readonly address: string;
  readonly repository: string;
  readonly insecure: boolean;
  readonly kind: (typeof remoteKinds)[number];
}

/** The wish that records of a remote directory be in our registry, and how far that is. */
@Entity('sync')
export class Sync extends Resource<SyncStatus> {
  @Column('text', { nullable: true }) readonly remote_directory_url: string | null;
  @Column('text', { nullable: true }) readonly remote_registry_address: string | null;
  @Column('text', { nullable: true }) readonly remote_repository_name: string | null;
  /** Plain http to the registry that its maker named. */
  @Column('boolean') readonly insecure: boolean;
  /** null: all that the remote repository has. */
  @Column('text', { array: true, nullable: true }) readonly cids: readonly string[] | null;
  @Column('boolean', { nullable: true }) readonly requires_regsync: boolean | null;
  /** What was given in confidence: a token for the directory, or a user of the registry. */
  @Column('text', { nullable: true }) readonly auth: 'token' | 'basic' | null;
  /** Sealed; null also as soon as it has ended. */
  @Column('text', { nullable: true }) readonly secrets: string | null;
  /** Whom it burdens, as its maker named it. */
  @Column('text') readonly remote_host: string;
  @Column('jsonb', { nullable: true }) readonly remote: RemoteRegistry | null;
  /** Where the listing of the remote tags goes on. */
  @Column('text', { nullable: true }) readonly cursor: string | null;
  @Column('timestamptz', { nullable: true }) readonly listed_at: Date | null;
  @Column('integer') readonly total: number;
  @Column('integer') readonly done: number;
  @Column('integer') readonly failed: number;
  /** Failed ones in a row, without any progress. */
  @Column('integer') readonly attempts: number;
  @Column('timestamptz', { nullable: true }) readonly retry_at: Date | null;
  @Column('timestamptz', { nullable: true }) readonly started_at: Date | null;
  @Column('timestamptz') readonly progressed_at: Date;
  @Column('timestamptz', { nullable: true }) readonly finished_at: Date | null;
}

/** One record that a sync is to copy. */
@Entity('sync_record')
export class SyncRecord {
  @PrimaryColumn('uuid') readonly sync_id: string;
  @PrimaryColumn('text') readonly cid: string;
  @Column('text') readonly state: 'pending' | 'copying' | 'done' | 'failed';
  /** Times that it was tried and not copied. */
  @Column('integer') readonly tries: number;
  @Column('text', { nullable: true }) readonly reason: string | null;
  @Column('text', { nullable: true }) readonly message: string | null;
}
