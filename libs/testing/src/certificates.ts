import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import {
  BasicConstraintsExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';

const DAY_MS = 86_400_000;
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** A certificate and its private key, in PEM. */
export interface Identity {
  readonly certificate: string;
  readonly key: string;
}

/** An issuer of a test's own. */
export interface Authority extends Identity {
  /** A certificate for those names or addresses that this issuer has signed. */
  issue(...hosts: readonly string[]): Promise<Identity>;
}

/** A certificate for those names or addresses that has signed itself; it is good for a day. */
export async function selfSigned(...hosts: readonly string[]): Promise<Identity> {
  const keys = await newKeys();
  const { certificate } = await signed(hosts[0]!, hosts, keys, null);
  return { certificate, key: await pemOf(keys) };
}

/** A certificate authority; its certificates are good for a day. */
export async function newAuthority(name: string): Promise<Authority> {
  const keys = await newKeys();
  const own = await signed(name, [], keys, null);
  return {
    certificate: own.certificate,
    key: await pemOf(keys),
    async issue(...hosts) {
      const theirs = await newKeys();
      const { certificate } = await signed(hosts[0]!, hosts, theirs, { name, keys });
      return { certificate, key: await pemOf(theirs) };
    },
  };
}

async function signed(
  name: string,
  hosts: readonly string[],
  keys: webcrypto.CryptoKeyPair,
  issuer: { readonly name: string; readonly keys: webcrypto.CryptoKeyPair } | null,
): Promise<{ certificate: string }> {
  const names = hosts.map((value) => ({ type: isIP(value) > 0 ? ('ip' as const) : ('dns' as const), value }));
  const certificate = await X509CertificateGenerator.create({
    serialNumber: Buffer.from(webcrypto.getRandomValues(new Uint8Array(8))).toString('hex'),
    subject: `CN=${name}`,
    issuer: `CN=${issuer?.name ?? name}`,
    notBefore: new Date(Date.now() - DAY_MS),
    notAfter: new Date(Date.now() + DAY_MS),
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey,
    signingKey: (issuer?.keys ?? keys).privateKey,
    extensions: [
      new BasicConstraintsExtension(issuer === null, undefined, true),
      ...(names.length > 0 ? [new SubjectAlternativeNameExtension(names)] : []),
    ],
  });
  return { certificate: certificate.toString('pem') };
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
}

async function pemOf({ privateKey }: webcrypto.CryptoKeyPair): Promise<string> {
  return PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', privateKey), 'PRIVATE KEY');
}
