import { type FileColumn } from '../connector/connector.port';
import { type Leaf } from '../connector/data-type';
import { type ColumnFacts } from '../connector/folding';
import { type Bound } from '../connector/value-text';
import { boundOf } from './bounds';
import { type Bytes, type ManifestFile } from './manifest';

/** A column to read of every file; `path` is null for one that the snapshot's schema has no more. */
export interface WantedColumn {
  readonly leaf: Leaf;
  readonly path: readonly string[] | null;
  /** Bounds of texts and bytes that are so long may have been cut by the writer. */
  readonly cutAt: number;
}

/** What the metadata of one data file says of one column; undefined where it says nothing at all. */
export function factsOf(file: ManifestFile, { leaf, cutAt }: WantedColumn): ColumnFacts | undefined {
  const id = leaf.fieldId!;
  const valueCount = file.value_counts?.get(id);
  const nullCount = file.null_value_counts?.get(id);
  const nanCount = file.nan_value_counts?.get(id);
  const min = decoded(file.lower_bounds, leaf);
  const max = decoded(file.upper_bounds, leaf);
  if (valueCount === undefined && nullCount === undefined && nanCount === undefined && !min && !max) return undefined;
  return {
    valueCount: valueCount ?? null,
    nullCount: nullCount ?? null,
    nanCount: nanCount ?? null,
    min,
    max,
    boundsTruncated: mayBeCut(min, leaf, cutAt) || mayBeCut(max, leaf, cutAt),
  };
}

/** The facts as they are shown. */
export function fileColumn(facts: ColumnFacts, { leaf, path }: WantedColumn): FileColumn {
  return {
    fieldId: leaf.fieldId,
    path,
    valueCount: facts.valueCount,
    nullCount: facts.nullCount,
    nanCount: facts.nanCount,
    min: facts.min?.text ?? null,
    max: facts.max?.text ?? null,
    boundsTruncated: facts.min || facts.max ? facts.boundsTruncated : null,
  };
}

const defaultCut = 16;

/** The length at which the writer cut the bounds of a column, as far as the table's present properties tell; at most the default. */
export function cutOf(properties: Readonly<Record<string, string>>, path: readonly string[]): number {
  const prefix = 'write.metadata.metrics.';
  const mode = properties[`${prefix}column.${path.join('.')}`] ?? properties[`${prefix}default`] ?? '';
  return Math.min(defaultCut, Number(/^truncate\((\d+)\)$/.exec(mode)?.[1] ?? defaultCut));
}

function decoded(bounds: Bytes | null | undefined, leaf: Leaf): Bound | null {
  const bytes = bounds?.get(leaf.fieldId!);
  return bytes === undefined ? null : boundOf(leaf.type, bytes);
}

function mayBeCut(bound: Bound | null, { type }: Leaf, cutAt: number): boolean {
  if (!bound || (type.kind !== 'string' && type.kind !== 'binary')) return false;
  return (bound.value as string | Buffer).length >= cutAt;
}
