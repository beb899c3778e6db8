import { type FileColumn } from '../connector/connector.port';
import { type Leaf, type LeafType } from '../connector/data-type';
import { type ColumnFacts } from '../connector/folding';
import { type Bound, boundOfText } from '../connector/value-text';
import { type DeltaLeaf } from './delta-schema';
import { type ExactJson, exactJson, member, objectOf } from './exact-json';

/** The statistics of a data file, as far as its `add` has them (protocol, "Per-file Statistics"). */
export interface FileStatistics {
  readonly recordCount: bigint | null;
  /** In the order of the leaves. */
  readonly columns: readonly ColumnFacts[];
}

const cutAt = 32;

/** Reads statistics for the leaves; what cannot be read is unknown. */
export function fileStatistics(stats: string | ExactJson, leaves: readonly DeltaLeaf[]): FileStatistics {
  const parsed = typeof stats === 'string' ? parsedOrNull(stats) : stats;
  const [least, greatest, nulls] = ['minValues', 'maxValues', 'nullCount'].map((name) => member(parsed, name));
  const recordCount = count(member(parsed, 'numRecords'));
  // Loose bounds enclose rows that a vector has marked, too.
  const loose = member(parsed, 'tightBounds') === false;
  const columns = leaves.map(({ leaf, physicalPath }): ColumnFacts => {
    const min = boundOf(leaf.type, dig(least!, physicalPath));
    const max = boundOf(leaf.type, dig(greatest!, physicalPath));
    return {
      valueCount: recordCount,
      nullCount: count(dig(nulls!, physicalPath)),
      nanCount: null,
      min,
      max,
      boundsTruncated: (min !== null || max !== null) && (loose || isCut(leaf.type, min) || isCut(leaf.type, max)),
    };
  });
  return { recordCount, columns };
}

/** The facts of a column in the form of a plan. */
export function fileColumn({ fieldId, path }: Leaf, facts: ColumnFacts): FileColumn {
  const { valueCount, nullCount, nanCount, min, max, boundsTruncated } = facts;
  const bounded = min !== null || max !== null;
  return {
    fieldId,
    path,
    valueCount,
    nullCount,
    nanCount,
    min: min?.text ?? null,
    max: max?.text ?? null,
    boundsTruncated: bounded ? boundsTruncated : null,
  };
}

function parsedOrNull(stats: string): ExactJson {
  try {
    return exactJson(stats);
  } catch {
    return null;
  }
}

function dig(value: ExactJson, path: readonly string[]): ExactJson {
  let inner = value;
  for (const name of path) inner = member(inner, name);
  return inner;
}

function count(value: ExactJson): bigint | null {
  return typeof value === 'string' && /^\d{1,19}$/.test(value) ? BigInt(value) : null;
}

function boundOf(type: LeafType, value: ExactJson): Bound | null {
  if (value === null || objectOf(value) || Array.isArray(value)) return null;
  const text = String(value);
  if (text === 'NaN' && (type.kind === 'float' || type.kind === 'double')) return { value: Infinity, text };
  return type.kind === 'timestamp' || type.kind === 'timestamptz' ? instantBound(text) : boundOfText(type, text);
}

const inUtc = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z?$/;
const instant = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d:\d\d)(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?$/;
const toSeconds = 19;

/** Writers differ in zones and in digits, so a bound is compared by its instant, in UTC and with nine digits. */
function instantBound(text: string): Bound | null {
  if (inUtc.test(text))
    return { value: `${text.slice(0, toSeconds)}${nineDigits(text.slice(toSeconds).replace('Z', ''))}`, text };
  const [, date, clock = '00:00:00', fraction = '', zone = 'Z'] = instant.exec(text) ?? [];
  const ms = date === undefined ? NaN : Date.parse(`${date}T${clock}${zone}`);
  if (Number.isNaN(ms)) return null;
  return { value: `${new Date(ms).toISOString().slice(0, toSeconds)}${nineDigits(fraction)}`, text };
}

function nineDigits(fraction: string): string {
  return (fraction || '.').padEnd(10, '0');
}

/** Strings are cut at 32 characters, timestamps at milliseconds; what is just so long may be cut (spec 3, fixtures' README). */
function isCut(type: LeafType, bound: Bound | null): boolean {
  if (bound === null) return false;
  if (type.kind === 'string') return bound.text.length >= cutAt && [...bound.text].length >= cutAt;
  return (type.kind === 'timestamp' || type.kind === 'timestamptz') && /:\d\d\.\d{3}(\D|$)/.test(bound.text);
}
