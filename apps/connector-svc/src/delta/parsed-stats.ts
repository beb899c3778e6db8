import { type SchemaTree } from 'hyparquet';
import { dateText, decimalText, floatText, timestampText } from '../connector/value-text';
import { type ExactJson } from './exact-json';

/** A checkpoint's `stats_parsed` in the form its JSON would have: texts at the ends, null where nothing is known. */
export function parsedStats(tree: SchemaTree, value: unknown): ExactJson {
  if (value === null || value === undefined) return null;
  if (tree.children.length === 0) return leafText(tree.element, value);
  const entries = tree.children.map((child) => {
    const inner = (value as Record<string, unknown>)[child.element.name];
    return [child.element.name, parsedStats(child, inner)] as const;
  });
  return Object.fromEntries(entries);
}

type Element = SchemaTree['element'];

function leafText(element: Element, value: unknown): ExactJson {
  if (element.converted_type === 'DECIMAL' || element.logical_type?.type === 'DECIMAL') {
    return decimalText(unscaled(value), element.scale ?? 0);
  }
  if (element.converted_type === 'DATE' || element.logical_type?.type === 'DATE') return dateText(Number(value));
  const micros = microsOf(element, value);
  if (micros !== null) return shortTimestamp(micros, inUtc(element));
  if (typeof value === 'boolean') return value;
  if (value instanceof Uint8Array) return null;
  return typeof value === 'number' && isFloat(element) ? floatBound(value, element) : String(value);
}

function unscaled(value: unknown): bigint {
  if (!(value instanceof Uint8Array)) return BigInt(value as bigint | number);
  return BigInt.asIntN(value.length * 8, BigInt(`0x${Buffer.from(value).toString('hex') || '0'}`));
}

function microsOf({ type, converted_type: converted, logical_type: logical }: Element, value: unknown): bigint | null {
  if (type === 'INT96') return (value as bigint) / 1000n;
  const unit = logical?.type === 'TIMESTAMP' ? logical.unit : converted;
  if (unit === 'NANOS') return (value as bigint) / 1000n;
  if (unit === 'MICROS' || unit === 'TIMESTAMP_MICROS') return value as bigint;
  return unit === 'MILLIS' || unit === 'TIMESTAMP_MILLIS' ? (value as bigint) * 1000n : null;
}

function inUtc({ logical_type: logical }: Element): boolean {
  return logical?.type !== 'TIMESTAMP' || logical.isAdjustedToUTC;
}

/** With milliseconds, as statistics in JSON have it, unless there are microseconds. */
function shortTimestamp(micros: bigint, utc: boolean): string {
  const text = timestampText(micros, 'timestamp');
  return `${micros % 1000n === 0n ? text.slice(0, -3) : text}${utc ? 'Z' : ''}`;
}

function isFloat({ type }: Element): boolean {
  return type === 'FLOAT' || type === 'DOUBLE';
}

/** A float of 32 bits with no more digits than it needs. */
function floatBound(value: number, { type }: Element): string {
  if (type === 'DOUBLE' || !Number.isFinite(value)) return floatText(value);
  const digits = [6, 7, 8].find((count) => Math.fround(Number(value.toPrecision(count))) === value) ?? 9;
  return floatText(Number(value.toPrecision(digits)));
}
