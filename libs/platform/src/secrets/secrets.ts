import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from 'node:crypto';
import { HouseError } from '@homeostat/shared';
import { z } from 'zod';

/** AES-256. */
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Whose secrets they are; what was sealed for one cannot be opened for another. */
export interface Owner {
  readonly id: string;
  readonly tenant_id: string;
}

/** The setting RECONCILER_SECRETS_KEY: keys of 32 bytes in base64 each, with commas between them; the first encrypts, all decrypt. */
export const secretsKey = z
  .string()
  .optional()
  .transform((text, context): readonly Buffer[] => {
    const keys = text?.split(',').map((one) => Buffer.from(one.trim(), 'base64')) ?? [];
    if (keys.every(({ length }) => length === KEY_BYTES)) return keys;
    context.addIssue('holds a key that is not 32 bytes in base64: make one with `openssl rand -base64 32`');
    return z.NEVER;
  });

/** Encrypts the secrets of resources for the database (AES-256-GCM, a new nonce each time), and decrypts them again. */
export class Secrets {
  /** The first encrypts, all decrypt. */
  constructor(private readonly keys: readonly Buffer[]) {}

  /** Returns `<key's name>.<nonce, tag and cipher text in base64>`. Throws HouseError `secrets_refused` without a key. */
  seal(secrets: Readonly<Record<string, string>>, owner: Owner): string {
    const [key] = this.keys;
    if (!key) {
      const detail = 'this service has no key to encrypt secrets with: set RECONCILER_SECRETS_KEY, or give none';
      throw new HouseError('secrets_refused', detail);
    }
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(bindingOf(owner));
    const text = Buffer.concat([cipher.update(JSON.stringify(secrets), 'utf8'), cipher.final()]);
    return `${nameOf(key)}.${Buffer.concat([nonce, cipher.getAuthTag(), text]).toString('base64')}`;
  }

  /** Returns what was sealed for this owner; throws Unopenable when no key fits, or the text is not what was sealed. */
  open(sealed: string, owner: Owner): Record<string, string> {
    const [name, text = ''] = sealed.split('.');
    const key = this.keys.find((one) => nameOf(one) === name);
    if (!key) throw new Unopenable('the key that encrypted its secrets is not among RECONCILER_SECRETS_KEY');
    const bytes = Buffer.from(text, 'base64');
    try {
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES), {
        authTagLength: TAG_BYTES,
      })
        .setAAD(bindingOf(owner))
        .setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
      const clear = [decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()];
      return JSON.parse(Buffer.concat(clear).toString('utf8')) as Record<string, string>;
    } catch {
      // The reason of the cipher says nothing more, and must not be told.
      throw new Unopenable('its secrets are not what was encrypted for it');
    }
  }

  /**
   * What tells a text from others and, where it may hold secrets, lets nobody without a key try out which: by each key,
   * the first one first. Without a key no secret is taken, and a plain digest does.
   */
  marksOf(text: string): readonly [string, ...string[]] {
    const hash = this.keys.map((key) => createHmac('sha256', key).update('homeostat mark'));
    const marks = [...hash, ...(hash.length === 0 ? [createHash('sha256')] : [])].map((one) =>
      one.update(text).digest('base64url'),
    );
    return marks as [string, ...string[]];
  }

  /** True where another key than the first encrypted: that one may be on its way out. */
  isOutdated(sealed: string): boolean {
    return this.keys[0] !== undefined && !sealed.startsWith(`${nameOf(this.keys[0])}.`);
  }
}

/** Secrets that cannot be read; a retry does not help. */
export class Unopenable extends Error {
  override readonly name = 'Unopenable';
}

function bindingOf({ id, tenant_id }: Owner): Buffer {
  return Buffer.from(JSON.stringify([tenant_id, id]));
}

/** Tells keys apart, and tells nothing about them. */
function nameOf(key: Buffer): string {
  return createHash('sha256').update('homeostat secrets key').update(key).digest('hex').slice(0, 8);
}
