import { type KeyObject, createSign, generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { keysIn } from './domain-keys';
import { type Attached, type Proof, proofOf } from './record-proof';

const folder = join(__dirname, '../../../../test/fixtures/directory');
const read = (file: string): string => readFileSync(join(folder, file), 'utf8');

interface Case {
  readonly id: string;
  readonly cid: string;
  readonly jwks: string;
  readonly referrers: readonly string[];
  readonly expect: { readonly result: string; readonly key_id?: string; readonly reason?: string };
}
const { cases } = JSON.parse(read('names.json')) as { cases: readonly Case[] };

const { signal } = new AbortController();

async function proof(attached: Attached, jwks: string): Promise<Proof | 'no keys'> {
  const found = await keysIn(jwks);
  if ('fault' in found) throw new Error(found.fault);
  return found.keys.length === 0 ? 'no keys' : proofOf(attached, found.keys, signal);
}

function attachedOf({ cid, referrers }: Pick<Case, 'cid' | 'referrers'>): Attached {
  const found = referrers.map((file) => JSON.parse(read(`referrers/${file}`)) as { data: Record<string, string> });
  const all = (name: string): string[] => found.flatMap(({ data }) => data[name] ?? []);
  return { cid, publicKeys: all('key'), signatures: all('signature') };
}

const missing: Readonly<Record<string, unknown>> = {
  no_signature_by_domain_key: { keyId: null, missing: 'NoSignatureByDomainKey' },
  no_domain_key_attached: { keyId: null, missing: 'NoDomainKeyAttached' },
  no_keys_at_domain: 'no keys',
  unsigned: { keyId: null, missing: 'NoSignatureByDomainKey' },
};

test.each(cases)('the fixture $id', async (one) => {
  const { key_id: keyId, reason } = one.expect;
  expect(await proof(attachedOf(one), read(one.jwks))).toEqual(keyId ? { keyId } : missing[reason!]);
});

const cid = 'baeareig77vqcdozl2wyk6z3cscaj5q5fggi53aoh64fewkdiri3cdauyn4';

interface Pair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}
const ec = (namedCurve: string): Pair => generateKeyPairSync('ec', { namedCurve });
const rsa = (modulusLength: number): Pair => generateKeyPairSync('rsa', { modulusLength });
const ed25519: Pair = generateKeyPairSync('ed25519');
const p256 = ec('P-256');
const pem = ({ publicKey }: Pair): string => publicKey.export({ type: 'spki', format: 'pem' }).toString();
const jwks = (...members: object[]): string => JSON.stringify({ keys: members });
const jwk = ({ publicKey }: Pair, more: object = {}): object => ({
  ...publicKey.export({ format: 'jwk' }),
  kid: 'one',
  ...more,
});
const signature = ({ privateKey }: Pair, text = cid): string =>
  sign(privateKey.asymmetricKeyType === 'ed25519' ? null : 'sha256', Buffer.from(text), privateKey).toString('base64');
const signed = (by: Pair): Attached => ({ cid, publicKeys: [pem(by)], signatures: [signature(by)] });

describe('a signature over the CID proves the name', () => {
  test.each([
    ['P-256', p256, 'ES256'],
    ['P-384', ec('P-384'), 'ES384'],
    ['P-521', ec('P-521'), 'ES512'],
    ['secp256k1', ec('secp256k1'), 'ES256K'],
    ['Ed25519', ed25519, 'EdDSA'],
    ['Ed25519 by its newer name', ed25519, 'Ed25519'],
    ['RSA of 2 048 bits', rsa(2_048), 'RS256'],
    ['RSA of 3 072 bits', rsa(3_072), 'RS256'],
  ])('by a key of %s, with and without its algorithm', async (_, pair, alg) => {
    expect(await proof(signed(pair), jwks(jwk(pair)))).toEqual({ keyId: 'one' });
    expect(await proof(signed(pair), jwks(jwk(pair, { alg, use: 'sig', key_ops: ['verify'] })))).toEqual({
      keyId: 'one',
    });
  });

  test('by an RSA key that is attached in its older form', async () => {
    const pair = rsa(2_048);
    const pkcs1 = pair.publicKey.export({ type: 'pkcs1', format: 'pem' }).toString();
    expect(await proof({ ...signed(pair), publicKeys: [pkcs1] }, jwks(jwk(pair)))).toEqual({ keyId: 'one' });
  });

  test('by a key without a name, which is called by its thumbprint', async () => {
    const members = [undefined, 7, 'a\0b', '\ud800', '', 'k'.repeat(256)].map((kid) => jwk(p256, { kid }));
    for (const member of members) {
      expect(await proof(signed(p256), jwks(member))).toEqual({ keyId: expect.stringMatching(/^[\w-]{43}$/) });
    }
  });

  test('among keys and signatures that are of no use', async () => {
    const rubbish = [null, 7, 'key', [], {}, { kty: 'EC' }, { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' }];
    const set = jwks(
      ...(rubbish as object[]),
      { kty: 'oct', k: 'c2VjcmV0' },
      jwk(ec('P-256'), { kid: 'other' }),
      jwk(p256),
    );
    const signatures = ['', '%%%', 'AAAA', signature(ed25519), signature(ec('P-256')), signature(p256)];
    const publicKeys = ['', 'rubbish', '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----', pem(p256)];
    expect(await proof({ cid, publicKeys, signatures }, set)).toEqual({ keyId: 'one' });
  });
});

describe('nothing is proven', () => {
  const unsigned = { keyId: null, missing: 'NoSignatureByDomainKey' };
  const unattached = { keyId: null, missing: 'NoDomainKeyAttached' };

  test('by a signature over another CID', async () => {
    const signatures = [signature(p256, `${cid.slice(0, -1)}5`)];
    expect(await proof({ ...signed(p256), signatures }, jwks(jwk(p256)))).toEqual(unsigned);
  });

  test('by a signature over the bytes of the digest, or the text in another case', async () => {
    const signatures = [signature(p256, cid.toUpperCase()), signature(p256, `${cid}\n`), signature(p256, '')];
    expect(await proof({ ...signed(p256), signatures }, jwks(jwk(p256)))).toEqual(unsigned);
  });

  test('by a key that the domain does not name', async () => {
    expect(await proof(signed(ed25519), jwks(jwk(p256)))).toEqual(unattached);
  });

  test('by a key of that name that is another one', async () => {
    expect(await proof(signed(ec('P-256')), jwks(jwk(p256)))).toEqual(unattached);
  });

  test('by a key that is not attached to the record', async () => {
    expect(await proof({ ...signed(p256), publicKeys: [] }, jwks(jwk(p256)))).toEqual(unattached);
  });

  test('by the domain’s key that a stranger attached, beside a signature of their own', async () => {
    const stranger = ec('P-256');
    const attached = { cid, publicKeys: [pem(p256), pem(stranger)], signatures: [signature(stranger)] };
    expect(await proof(attached, jwks(jwk(p256)))).toEqual(unsigned);
  });

  test('by a signature that is empty, or none', async () => {
    const none = Buffer.from('none').toString('base64');
    for (const signatures of [[''], ['none'], [none], []])
      expect(await proof({ ...signed(p256), signatures }, jwks(jwk(p256)))).toEqual(unsigned);
  });

  test('by a signature in another form, or with another digest', async () => {
    const inBytes = sign('sha256', Buffer.from(cid), { key: p256.privateKey, dsaEncoding: 'ieee-p1363' });
    const bySha512 = createSign('sha512').update(cid).sign(p256.privateKey);
    const signatures = [inBytes, bySha512].map((one) => one.toString('base64'));
    expect(await proof({ ...signed(p256), signatures }, jwks(jwk(p256)))).toEqual(unsigned);
  });

  test('by a private key that is attached', async () => {
    const publicKeys = [p256.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()];
    expect(await proof({ ...signed(p256), publicKeys }, jwks(jwk(p256)))).toEqual(unattached);
  });

  test.each([
    ['the algorithm none', p256, { alg: 'none' }],
    ['an algorithm of another curve', p256, { alg: 'ES384' }],
    ['an algorithm of another kind', ed25519, { alg: 'ES256' }],
    ['an algorithm of secrets', rsa(2_048), { alg: 'HS256' }],
    ['another padding', rsa(2_048), { alg: 'PS256' }],
    ['an algorithm that is no text', p256, { alg: ['ES256'] }],
    ['encryption as its use', p256, { use: 'enc' }],
    ['operations without verify', p256, { key_ops: ['encrypt'] }],
    ['its private part published', p256, { d: 'AAAA' }],
  ])('by a key with %s', async (_, pair, more) => {
    expect(await proof(signed(pair), jwks(jwk(pair, more)))).toBe('no keys');
  });

  test('by an RSA key that is short enough to be factored', async () => {
    const short = rsa(1_024);
    expect(await proof(signed(short), jwks(jwk(short)))).toBe('no keys');
  });

  test('by an RSA key with the exponent 1, which any text is signed by', async () => {
    const pair = rsa(2_048);
    expect(await proof(signed(pair), jwks(jwk(pair, { e: 'AQ' })))).toBe('no keys');
  });

  test('by a key for the exchange of keys', async () => {
    expect(await proof(signed(p256), jwks(jwk(generateKeyPairSync('x25519'))))).toBe('no keys');
  });
});

describe('a key set', () => {
  test.each(['', 'null', '[]', '{}', '{"keys":{}}', '{"keys":', '<html>', '{"keys":"none"}'])(
    'is not %j',
    async (text) => {
      expect(await keysIn(text)).toEqual({ fault: 'is no JSON Web Key Set' });
    },
  );

  test('has at most 100 keys', async () => {
    const keys = (count: number): string => jwks(...Array.from({ length: count }, () => jwk(ed25519)));
    expect(await keysIn(keys(100))).toHaveProperty('keys');
    expect(await keysIn(keys(10_000))).toEqual({ fault: 'has 10000 keys, more than 100' });
  });
});

test('a search among 1 000 keys and signatures ends when it is called off', async () => {
  const many = Array.from({ length: 1_000 }, () => signature(ed25519, 'something else'));
  const found = await keysIn(jwks(jwk(ed25519)));
  const search = proofOf(
    { cid, publicKeys: [pem(ed25519)], signatures: many },
    'keys' in found ? found.keys : [],
    AbortSignal.abort(new Error('called off')),
  );
  await expect(search).rejects.toThrow('called off');
});
