import type { NameVerification } from '@homeostat/shared';

/** What a name's `reason` says. */
export type NameReason =
  'Verified' | 'NoKeysAtDomain' | 'KeysUnusable' | 'NoDomainKeyAttached' | 'NoSignatureByDomainKey' | 'CouldNotAsk';

type Missing = Exclude<NameReason, 'Verified' | 'CouldNotAsk'>;

/** What a check came to. `busy`: another name's look is fetching the domain's keys. */
export type NameAnswer =
  | { readonly found: 'proof'; readonly keyId: string }
  | { readonly found: 'no_proof'; readonly missing: Missing; readonly why: string | null }
  | { readonly found: 'unasked'; readonly why: string }
  | { readonly found: 'busy'; readonly busyMs: number };

/** A check without a proof. */
export type Unproven = Extract<NameAnswer, { found: 'no_proof' | 'unasked' }>;

/** The stable word for it. */
export function reasonOf(answer: Unproven): NameReason {
  return answer.found === 'unasked' ? 'CouldNotAsk' : answer.missing;
}

/** What a check found instead of a proof, as a sentence. */
export function told(answer: Unproven, domain: string): string {
  if (answer.found === 'unasked') return `The keys of ${domain} could not be fetched: ${answer.why}.`;
  switch (answer.missing) {
    case 'NoKeysAtDomain':
      return `${domain} names no key that may sign records.`;
    case 'KeysUnusable':
      return `What ${domain} answers is of no use: ${answer.why}.`;
    case 'NoDomainKeyAttached':
      return `None of the keys of ${domain} is attached to the record.`;
    case 'NoSignatureByDomainKey':
      return `No signature of the record is by a key of ${domain} that is attached to it.`;
  }
}

/** What a person should do about a name, null where there is nothing to do. */
export function fixOf({ reason, domain }: NameVerification, origin: string): string | null {
  const url = `${origin}/.well-known/jwks.json`;
  switch (reason as NameReason | null) {
    case null:
    case 'Verified':
      return null;
    case 'CouldNotAsk':
      return `See that ${url} can be fetched from here.`;
    case 'NoKeysAtDomain':
      return `Have ${domain} name the public key that signed the record at ${url}, as a JSON Web Key Set.`;
    case 'KeysUnusable':
      return `Have ${url} itself answer 200 with a JSON Web Key Set of at most 100 keys and 1 MiB, at a public address.`;
    case 'NoDomainKeyAttached':
      return `Attach the public key to the record, and have ${domain} name it at ${url}.`;
    case 'NoSignatureByDomainKey':
      return `Sign the record's CID with a key that ${url} names, and attach the signature and that key.`;
  }
}
