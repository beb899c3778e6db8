import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';

const longestName = 253;
const longestLabel = 63;
/** The most characters that 16 bytes take in base58. */
const longestId = 22;

/**
 * The name as it is stored and asked for: lower case, IDNA-encoded (UTS 46), without the root's dot; or what to mend,
 * as a sentence. The record's name, which carries `recordLabel`, must fit before the domain (RFC 1035, 2.3.4).
 */
export function parseDomainName(input: string, recordLabel: string): { name: string } | { fault: string } {
  const typed = faultAsTyped(input);
  if (typed) return { fault: typed };
  const lower = input.toLowerCase();
  const ascii = isAscii(lower) && !lower.includes('xn--') ? lower : domainToASCII(lower);
  if (ascii === '')
    return { fault: 'Check the special characters and "xn--" labels: IDNA cannot encode them for DNS.' };
  const name = ascii.endsWith('.') ? ascii.slice(0, -1) : ascii;
  const fault = faultOfName(name, recordLabel);
  return fault ? { fault } : { name };
}

/** What people paste besides a name. Anything ASCII that is left over falls to the labels' own rule. */
function faultAsTyped(input: string): string | null {
  if (input === '') return 'Give a domain name, such as "example.com".';
  if (/\s/u.test(input)) return 'Remove the white space: a domain name has none.';
  if (invisible.test(input)) return 'Remove the invisible characters: type the name instead of pasting it.';
  if (isIP(input.replace(/^\[|\]$/g, '')) > 0) return 'Give a domain name: an IP address cannot be claimed.';
  if (input.includes('://')) return 'Give the bare domain name, without a scheme such as "https://".';
  if (input.includes('@')) return 'Give the bare domain name, without the part before the "@" and the "@".';
  if (/[/\\?#]/.test(input)) return 'Give the bare domain name, without a path or query.';
  if (input.includes(':')) return 'Give the bare domain name, without a port.';
  if (input.includes('*')) return 'Wildcards cannot be claimed: give the domain below the "*.".';
  if (input.includes('%')) return 'Write the name as it reads, without "%" escapes.';
  if (input.includes('_')) return 'Remove the underscores: the name of a domain has none.';
  return null;
}

// The zero-width joiners are left to IDNA, as some scripts are written with them; it drops all others without a word.
const invisible = /(?![\u200c\u200d])[\p{Default_Ignorable_Code_Point}\p{Cc}]/u;

function faultOfName(name: string, recordLabel: string): string | null {
  const labels = name.split('.');
  const fault = labels.map(faultOfLabel).find((one) => one !== null);
  if (fault) return fault;
  if (labels.length < 2) return 'Give a name of at least two labels, such as "example.com".';
  if (/^(\d+|0x[\da-f]*)$/.test(labels.at(-1)!)) return 'Give a domain name: this is read as an IP address.';
  const longest = longestName - `.${'1'.repeat(longestId)}-${recordLabel}`.length;
  if (name.length > longest) {
    return `Give a name of at most ${longest} characters, encoded: with ${name.length} its record would not fit.`;
  }
  // IDNA may map what it has mapped before; a name must be the same however often it is entered.
  return domainToASCII(name) === name ? null : 'Write the name in its plain form: IDNA encodes this one twice.';
}

function faultOfLabel(label: string): string | null {
  if (label === '') return 'Remove the empty label: dots stand between labels, and at most one at the end.';
  if (label.length > longestLabel)
    return `Shorten the label "${label.slice(0, 20)}…" to ${longestLabel} characters, encoded.`;
  if (!/^[a-z\d-]+$/.test(label)) return 'Use letters, digits, hyphens and dots only.';
  if (label.startsWith('-') || label.endsWith('-'))
    return `The label "${label}" must neither start nor end with a hyphen.`;
  return null;
}

function isAscii(text: string): boolean {
  return /^[ -~]*$/.test(text);
}
