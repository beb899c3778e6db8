import { type ColumnStatistics } from './connector.port';
import { type Leaf } from './data-type';
import { type Bound, compare } from './value-text';

/** What a file says of one of its columns. */
export interface ColumnFacts {
  /** Nulls and NaN included. */
  readonly valueCount: bigint | null;
  readonly nullCount: bigint | null;
  readonly nanCount: bigint | null;
  readonly min: Bound | null;
  readonly max: Bound | null;
  readonly boundsTruncated: boolean;
}

/** A column of which a file says nothing. */
export const nothingKnown: ColumnFacts = {
  valueCount: null,
  nullCount: null,
  nanCount: null,
  min: null,
  max: null,
  boundsTruncated: false,
};

/**
 * Folds the facts of files into a column's statistics, one file at a time (spec 3, "Folding"): a count is unknown when one file lacks it,
 * a bound too, unless all values of that file are null or NaN. Without any file everything is unknown.
 */
export class ColumnFold {
  private files = 0;
  private readonly counts: Counts = { valueCount: 0n, nullCount: 0n, nanCount: 0n };
  private min: Bound | null = null;
  private max: Bound | null = null;
  private minComplete = true;
  private maxComplete = true;
  private truncated = false;

  constructor(private readonly leaf: Leaf) {}

  /** Adds one data file. */
  add(file: ColumnFacts): void {
    this.files++;
    for (const name of countNames) this.counts[name] = sum(this.counts[name], file[name]);
    if (file.min && (!this.min || compare(file.min.value, this.min.value) < 0)) this.min = file.min;
    if (file.max && (!this.max || compare(file.max.value, this.max.value) > 0)) this.max = file.max;
    if (!file.min || !file.max) this.addBoundless(file);
    this.truncated ||= file.boundsTruncated;
  }

  /** The statistics of all files that were added. */
  result(ndv: bigint | null): ColumnStatistics {
    const { leaf, files } = this;
    const hasNan = leaf.type.kind === 'float' || leaf.type.kind === 'double';
    const min = this.minComplete ? this.min : null;
    const max = this.maxComplete ? this.max : null;
    return {
      fieldId: leaf.fieldId,
      path: leaf.path,
      type: leaf.type.source,
      valueCount: files === 0 ? null : this.counts.valueCount,
      nullCount: files === 0 ? null : this.counts.nullCount,
      nanCount: files === 0 || !hasNan ? null : this.counts.nanCount,
      min: min?.text ?? null,
      max: max?.text ?? null,
      boundsComplete: files > 0 && this.minComplete && this.maxComplete,
      boundsTruncated: min || max ? this.truncated : null,
      ndv,
    };
  }

  private addBoundless(file: ColumnFacts): void {
    const { valueCount, nullCount, nanCount } = file;
    if (valueCount !== null && nullCount !== null && valueCount === nullCount + (nanCount ?? 0n)) return;
    this.minComplete &&= file.min !== null;
    this.maxComplete &&= file.max !== null;
  }
}

const countNames = ['valueCount', 'nullCount', 'nanCount'] as const;
type Counts = Record<(typeof countNames)[number], bigint | null>;

/** The sum; unknown when one of the two is. */
export function sum(a: bigint | null, b: bigint | null): bigint | null {
  return a === null || b === null ? null : a + b;
}
