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
  private readonly values = new Total();
  private readonly nulls = new Total();
  private readonly nans = new Total();
  private min: Bound | null = null;
  private max: Bound | null = null;
  private minComplete = true;
  private maxComplete = true;
  private truncated = false;

  constructor(private readonly leaf: Leaf) {}

  /** Adds one data file. */
  add(file: ColumnFacts): void {
    this.files++;
    this.values.add(file.valueCount);
    this.nulls.add(file.nullCount);
    this.nans.add(file.nanCount);
    if (file.min && (!this.min || compare(file.min.value, this.min.value) < 0)) this.min = file.min;
    if (file.max && (!this.max || compare(file.max.value, this.max.value) > 0)) this.max = file.max;
    if (!file.min || !file.max) this.addBoundless(file);
    this.truncated ||= file.boundsTruncated;
  }

  /** What it came to so far, as plain data. */
  state(): FoldState {
    const { files, min, max, minComplete, maxComplete, truncated } = this;
    const counts = [this.values.result(), this.nulls.result(), this.nans.result()] as const;
    return { counts, rest: { files, min, max, minComplete, maxComplete, truncated } };
  }

  /** Goes on from what another one came to. */
  resume({ counts: [values, nulls, nans], rest }: FoldState): void {
    this.values.add(values);
    this.nulls.add(nulls);
    this.nans.add(nans);
    Object.assign(this, rest);
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
      valueCount: files === 0 ? null : this.values.result(),
      nullCount: files === 0 ? null : this.nulls.result(),
      nanCount: files === 0 || !hasNan ? null : this.nans.result(),
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

/** All that a fold knows. */
export interface FoldState {
  readonly counts: readonly [bigint | null, bigint | null, bigint | null];
  readonly rest: object;
}

/** A sum of counts, in numbers as long as those are exact: one of bigint makes an object for every file. */
class Total {
  private whole = 0n;
  private rest = 0;
  private known = true;

  add(count: bigint | null): void {
    if (count === null) this.known = false;
    else if (count < mostInRest) this.rest += Number(count);
    else this.whole += count;
    if (this.rest >= mostInRest) this.carry();
  }

  result(): bigint | null {
    this.carry();
    return this.known ? this.whole : null;
  }

  private carry(): void {
    this.whole += BigInt(this.rest);
    this.rest = 0;
  }
}

/** Twice as much is still exact. */
const mostInRest = 2 ** 51;

/** The sum; unknown when one of the two is. */
export function sum(a: bigint | null, b: bigint | null): bigint | null {
  return a === null || b === null ? null : a + b;
}
