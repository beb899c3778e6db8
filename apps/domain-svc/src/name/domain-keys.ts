import { type JsonWebKey, type KeyObject, createPublicKey } from 'node:crypto';
import { calculateJwkThumbprint } from 'jose';

/** A domain that names more keys than this names everybody's. */
const MOST_KEYS = 100;
/** Bits of an RSA modulus: below, it can be factored; above, a check takes milliseconds. */
const RSA_BITS = { least: 2_048, most: 8_192 };
/** A PEM of the largest RSA key takes 1 500. */
const LONGEST_PEM = 4_096;

/** A key that signatures can be checked with. */
export interface DomainKey {
  /** `kid`, or the thumbprint where there is none that could be shown. */
  readonly id: string;
  /** The same for the same key, however it is written (RFC 7638). */
  readonly thumbprint: string;
  readonly key: KeyObject;
}

/** What `alg` may say of a key, where it says anything; "none" and the algorithms of secrets are in no list. */
const algorithms: Readonly<Record<string, readonly string[]>> = {
  prime256v1: ['ES256'],
  secp384r1: ['ES384'],
  secp521r1: ['ES512'],
  secp256k1: ['ES256K'],
  ed25519: ['EdDSA', 'Ed25519'],
  rsa: ['RS256'],
};

/**
 * The keys in a JWKS (RFC 7517) that may sign records; others are left out, as the RFC wants it. Returns what is wrong
 * with the set where it is none.
 */
export async function keysIn(
  text: string,
): Promise<{ readonly keys: readonly DomainKey[] } | { readonly fault: string }> {
  const members = membersOf(text);
  if (members === null) return { fault: 'is no JSON Web Key Set' };
  if (members.length > MOST_KEYS) return { fault: `has ${members.length} keys, more than ${MOST_KEYS}` };
  const keys = await Promise.all(members.map(keyOf));
  return { keys: keys.filter((key) => key !== null) };
}

/** The thumbprint of a public key in PEM, null where it is none that may sign records. */
export async function thumbprintOf(pem: string): Promise<string | null> {
  if (pem.length > LONGEST_PEM || !/^\s*-----BEGIN (RSA )?PUBLIC KEY-----/.test(pem)) return null;
  try {
    return await thumbprint(createPublicKey(pem));
  } catch {
    return null;
  }
}

function membersOf(text: string): readonly unknown[] | null {
  try {
    const { keys } = Object(JSON.parse(text)) as { keys?: unknown };
    return Array.isArray(keys) ? keys : null;
  } catch {
    return null;
  }
}

async function keyOf(member: unknown): Promise<DomainKey | null> {
  const jwk = Object(member) as JsonWebKey;
  if (!maySign(jwk)) return null;
  try {
    const key = createPublicKey({ key: jwk, format: 'jwk' });
    if (jwk.alg !== undefined && !algorithms[nameOf(key)]?.includes(jwk.alg as string)) return null;
    const print = await thumbprint(key);
    return print === null ? null : { id: shownId(jwk.kid) ?? print, thumbprint: print, key };
  } catch {
    return null;
  }
}

/** A key whose private part is published is everybody's. */
function maySign({ use, key_ops, d, k }: JsonWebKey): boolean {
  if (d !== undefined || k !== undefined) return false;
  if (key_ops !== undefined && !(Array.isArray(key_ops) && key_ops.includes('verify'))) return false;
  return use === undefined || use === 'sig';
}

async function thumbprint(key: KeyObject): Promise<string | null> {
  const { modulusLength: bits = RSA_BITS.least, publicExponent = 65_537n } = key.asymmetricKeyDetails ?? {};
  if (!(nameOf(key) in algorithms) || bits < RSA_BITS.least || bits > RSA_BITS.most || publicExponent < 3n) return null;
  return calculateJwkThumbprint(key.export({ format: 'jwk' }));
}

function nameOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): string {
  return asymmetricKeyDetails?.namedCurve ?? asymmetricKeyType ?? '';
}

function shownId(kid: unknown): string | null {
  return typeof kid === 'string' && /^[^\p{Cc}\p{Cs}]{1,255}$/u.test(kid) ? kid : null;
}
