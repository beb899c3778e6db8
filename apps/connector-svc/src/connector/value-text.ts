import { type LeafType } from './data-type';

/** A value in the order of its type: numbers by value, texts by code point, bytes unsigned. */
export type Comparable = bigint | number | boolean | string | Buffer;

/** The least or greatest value of a column in a file, and its typed text. */
export interface Bound {
  readonly value: Comparable;
  readonly text: string;
}

/** `YYYY-MM-DD` of a day since 1970; years outside 0…9999 have a sign and six digits (ISO 8601). */
export function dateText(day: number): string {
  // Howard Hinnant's civil_from_days: Date ends at ±271 821, a date of 32 bits at ±5.8 million years.
  const shifted = day + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  return `${yearText(year)}-${two(month)}-${two(dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1)}`;
}

/** `HH:MM:SS.ffffff` of microseconds since midnight. */
export function timeText(micros: bigint | number): string {
  return clockText(...split(micros, 1_000_000), 6);
}

/** `YYYY-MM-DDTHH:MM:SS.ffffff` of microseconds since 1970, nine digits of nanoseconds; `Z` where the type is in UTC. */
export function timestampText(
  units: bigint | number,
  kind: 'timestamp' | 'timestamptz' | 'timestamp_ns' | 'timestamptz_ns',
): string {
  const digits = isNanos(kind) ? 9 : 6;
  const [seconds, fraction] = split(units, digits === 9 ? 1_000_000_000 : 1_000_000);
  const day = Math.floor(seconds / 86_400);
  const zone = kind === 'timestamptz' || kind === 'timestamptz_ns' ? 'Z' : '';
  return `${textOfDay(day)}T${clockText(seconds - day * 86_400, fraction, digits)}${zone}`;
}

/** Whether values of a type are in nanoseconds, and not in microseconds. */
export function isNanos(kind: LeafType['kind']): boolean {
  return kind === 'timestamp_ns' || kind === 'timestamptz_ns';
}

let lastDay = { day: 0, text: '1970-01-01' };

/** The bounds of files that were written together are often of one day. */
function textOfDay(day: number): string {
  if (lastDay.day !== day) lastDay = { day, text: dateText(day) };
  return lastDay.text;
}

/** Whole seconds, rounded down, and what is left; by numbers where they are exact, which is six times as fast. */
function split(units: bigint | number, perSecond: number): [number, number] {
  const number = Number(units);
  if (Number.isSafeInteger(number)) {
    const seconds = Math.floor(number / perSecond);
    return [seconds, number - seconds * perSecond];
  }
  const [whole, per] = [BigInt(units), BigInt(perSecond)];
  const fraction = ((whole % per) + per) % per;
  return [Number((whole - fraction) / per), Number(fraction)];
}

/** A decimal without exponent, with all digits of its scale. */
export function decimalText(unscaled: bigint, scale: number): string {
  if (scale <= 0) return String(unscaled * 10n ** BigInt(-scale));
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0');
  return `${unscaled < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

/** A float with a point or an exponent, as most languages write one; `NaN`, `Infinity`; -0 is `0.0`. */
export function floatText(value: number): string {
  const text = String(value === 0 ? 0 : value);
  return Number.isInteger(value) && !text.includes('e') ? `${text}.0` : text;
}

/** A UUID of 16 bytes, in lower case with dashes. */
export function uuidText(bytes: Buffer): string {
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** A bound from its text as a log has it, which is kept as it stands; null where the text is not of that type. */
export function boundOfText(type: LeafType, text: string): Bound | null {
  switch (type.kind) {
    case 'byte':
    case 'short':
    case 'int':
    case 'long':
      return /^[+-]?\d+$/.test(text) ? { value: BigInt(text), text } : null;
    case 'decimal':
      return decimalBound(text, type.scale);
    case 'float':
    case 'double':
      return Number.isNaN(Number(text)) || text.trim() === '' ? null : { value: Number(text), text };
    case 'boolean':
      return text === 'true' || text === 'false' ? { value: text === 'true', text } : null;
    case 'binary':
    case 'fixed':
      return { value: Buffer.from(text, 'base64'), text };
    case 'other':
      return null;
    case 'date':
    case 'time':
    case 'timestamp':
    case 'timestamptz':
    case 'timestamp_ns':
    case 'timestamptz_ns':
    case 'string':
    case 'uuid':
      return { value: text, text };
  }
}

/** Negative where `a` comes before `b`; both of one type. */
export function compare(a: Comparable, b: Comparable): number {
  if (typeof a === 'string') return compareTexts(a, b as string);
  if (typeof a === 'object') return Buffer.compare(a, b as Buffer);
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Order by code point: that of JavaScript puts U+E000 … U+FFFF behind the characters beyond them. */
function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  let at = 0;
  while (at < a.length && a.charCodeAt(at) === b.charCodeAt(at)) at++;
  const [left, right] = [a.charCodeAt(at), b.charCodeAt(at)];
  if (Number.isNaN(left)) return -1;
  if (Number.isNaN(right)) return 1;
  const astral = isSurrogate(left) === isSurrogate(right) ? left - right : isSurrogate(left) ? 1 : -1;
  return left >= 0xd800 && right >= 0xd800 ? astral : left - right;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}

function decimalBound(text: string, scale: number): Bound | null {
  const parts = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?$/.exec(text);
  if (!parts || !/\d/.test(text)) return null;
  const [, sign, whole = '', fraction = '', exponent = '0'] = parts;
  const shift = scale + 40 + Number(exponent) - fraction.length;
  if (shift < 0) return null;
  const value = BigInt(`${whole}${fraction}`) * 10n ** BigInt(shift);
  return { value: sign === '-' ? -value : value, text };
}

function clockText(seconds: number, fraction: number, digits: number): string {
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  // One digit more than there are, and then without it: faster than padding.
  const decimals = String((digits === 9 ? 1_000_000_000 : 1_000_000) + fraction).slice(1);
  return `${two(hours)}:${two(minutes)}:${two(seconds % 60)}.${decimals}`;
}

function yearText(year: number): string {
  if (year >= 0 && year <= 9999) return String(year).padStart(4, '0');
  return `${year < 0 ? '-' : '+'}${String(Math.abs(year)).padStart(6, '0')}`;
}

function two(value: number): string {
  return value < 10 ? `0${value}` : String(value);
}
