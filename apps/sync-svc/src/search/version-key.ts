import { type SemVer, parse } from 'semver';

/**
 * A text whose byte order is the order of semver (2.0.0, section 11); empty, and so below all others, for what is no
 * semver. A leading `v` and build metadata do not count.
 */
export function versionKey(version: string): string {
  const parsed = parse(version.trim().replace(/^[vV](?=\d)/, ''));
  return parsed === null ? '' : keyOf(parsed);
}

/** Numbers are led by the count of their digits; identifiers end in `!`, which is below everything that they may hold. */
export function keyOf({ major, minor, patch, prerelease }: SemVer): string {
  const release = [major, minor, patch].map(number).join('.');
  return release + (prerelease.length === 0 ? '~' : `-${prerelease.map(identifier).join('')}`);
}

function number(value: number): string {
  const digits = String(value);
  return String.fromCharCode('a'.charCodeAt(0) + digits.length) + digits;
}

function identifier(part: string | number): string {
  return typeof part === 'number' ? `0${number(part)}!` : `1${part}!`;
}
