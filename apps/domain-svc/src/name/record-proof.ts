import { type KeyObject, verify } from 'node:crypto';
import { promisify } from 'node:util';
import { type DomainKey, thumbprintOf } from './domain-keys';

const check = promisify(verify);

/** What is attached to a record. Anybody may attach anything: neither keys nor signatures prove a thing by themselves. */
export interface Attached {
  readonly cid: string;
  /** PEM. */
  readonly publicKeys: readonly string[];
  /** Base64. */
  readonly signatures: readonly string[];
}

/** The id of the key that proves a name; or what is missing for a proof. */
export type Proof =
  | { readonly keyId: string }
  | { readonly keyId: null; readonly missing: 'NoDomainKeyAttached' | 'NoSignatureByDomainKey' };

/**
 * Looks for a signature over the record's CID by a key that its domain names and that is attached to the record
 * (spec 2, "Names"). Keys and signatures are checked one after the other, off the main thread.
 */
export async function proofOf(
  { cid, publicKeys, signatures }: Attached,
  domainKeys: readonly DomainKey[],
  signal: AbortSignal,
): Promise<Proof> {
  const attached = new Set<string | null>();
  for (const pem of publicKeys) {
    signal.throwIfAborted();
    attached.add(await thumbprintOf(pem));
  }
  const keys = domainKeys.filter(({ thumbprint }) => attached.has(thumbprint));
  if (keys.length === 0) return { keyId: null, missing: 'NoDomainKeyAttached' };
  for (const { id, key } of keys) {
    for (const signature of signatures) {
      signal.throwIfAborted();
      if (await isBy(key, cid, Buffer.from(signature, 'base64'))) return { keyId: id };
    }
  }
  return { keyId: null, missing: 'NoSignatureByDomainKey' };
}

/** Over the ASCII bytes of the CID. EC: DER over SHA-256, whatever the curve; Ed25519 plain; RSA: PKCS#1 v1.5 over SHA-256. */
async function isBy(key: KeyObject, cid: string, signature: Buffer): Promise<boolean> {
  if (!isPlausible(key, signature)) return false;
  return check(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', Buffer.from(cid, 'ascii'), key, signature);
}

/** Spares most of the work where others' signatures are attached by the thousand. */
function isPlausible({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject, { length, 0: first }: Buffer): boolean {
  if (asymmetricKeyType === 'ed25519') return length === 64;
  if (asymmetricKeyType === 'rsa') return length === Math.ceil((asymmetricKeyDetails?.modulusLength ?? 0) / 8);
  return first === 0x30 && length <= 144;
}
