import { CID } from 'multiformats/cid';
import * as Digest from 'multiformats/hashes/digest';

/** CIDv1, codec 0x01, sha2-256, in base32; the last characters carry unused bits that must be zero (spec 2). */
const recordCid = /^baearei[a-h][a-z2-7]{50}[aeimquy4]$/;
const CODEC = 0x01;
const SHA2_256 = 0x12;

/** Whether a tag may be the CID of a record. */
export function isRecordCid(tag: string): boolean {
  return recordCid.test(tag);
}

/** The OCI digest (`sha256:…`) of the blob that a record's CID names. */
export function digestOf(cid: string): string {
  return `sha256:${Buffer.from(CID.parse(cid).multihash.digest).toString('hex')}`;
}

/** The CID of the blob with an OCI digest. */
export function cidOf(digest: string): string {
  const bytes = Buffer.from(digest.slice('sha256:'.length), 'hex');
  return CID.createV1(CODEC, Digest.create(SHA2_256, bytes)).toString();
}
