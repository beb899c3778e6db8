import bs58 from 'bs58';

/** The name of the record that proves a claim: `{base58 of the UUID's 16 bytes}-{label}.{domain}` (spec 1, "Domains"). */
export function recordName(id: string, name: string, label: string): string {
  return `${bs58.encode(Buffer.from(id.replaceAll('-', ''), 'hex'))}-${label}.${name}`;
}
