import type { FileColumn } from '../connector/connector.port';

/** What is the same of all columns is said once. */
type Each<T> = T | readonly T[];

/** The columns of a file as they are stored: a list for each kind of fact, half the text of a list for each column. */
export interface StoredFacts {
  readonly ids: readonly (number | null)[];
  /** Null where every column has an id, by which the schema has its path. */
  readonly paths: readonly (readonly string[] | null)[] | null;
  readonly values: Each<StoredCount>;
  readonly nulls: Each<StoredCount>;
  readonly nans: Each<StoredCount>;
  readonly min: Each<string | null>;
  readonly max: Each<string | null>;
  readonly truncated: Each<boolean | null>;
}

/** A text beyond 2^53. */
type StoredCount = number | string | null;

/** The form before: one row for each column. */
export type ColumnRow = readonly [
  number | null,
  readonly string[] | null,
  string | null,
  string | null,
  string | null,
  string | null,
  string | null,
  boolean | null,
];

/** A file's columns in the form in which they are stored. */
export function storedFacts(columns: readonly FileColumn[]): StoredFacts {
  const named = columns.some(({ fieldId }) => fieldId === null);
  return {
    ids: columns.map(({ fieldId }) => fieldId),
    paths: named ? columns.map(({ fieldId, path }) => (fieldId === null ? path : null)) : null,
    values: counts(columns, 'valueCount'),
    nulls: counts(columns, 'nullCount'),
    nans: counts(columns, 'nanCount'),
    min: once(columns.map(({ min }) => min)),
    max: once(columns.map(({ max }) => max)),
    truncated: once(columns.map(({ boundsTruncated }) => boundsTruncated)),
  };
}

/** The columns of a stored file as rows, 64-bit numbers as texts. */
export function columnRows({ ids, paths, values, nulls, nans, min, max, truncated }: StoredFacts): ColumnRow[] {
  return ids.map((id, at) => [
    ...([id, paths?.[at] ?? null, shown(of(values, at)), shown(of(nulls, at)), shown(of(nans, at))] as const),
    ...([of(min, at), of(max, at), of(truncated, at)] as const),
  ]);
}

function counts(columns: readonly FileColumn[], name: 'valueCount' | 'nullCount' | 'nanCount'): Each<StoredCount> {
  return once(
    columns.map(({ [name]: count }) => {
      const number = Number(count);
      return count === null ? null : Number.isSafeInteger(number) ? number : String(count);
    }),
  );
}

function once<T>(each: readonly T[]): Each<T> {
  const [first] = each;
  return first !== undefined && each.every((one) => one === first) ? first : each;
}

function of<T extends string | number | boolean | null>(each: Each<T>, at: number): T {
  return (Array.isArray(each) ? each[at] : each) as T;
}

function shown(count: StoredCount): string | null {
  return count === null ? null : String(count);
}
