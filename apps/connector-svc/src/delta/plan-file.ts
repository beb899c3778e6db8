import { type PlanFile } from '../connector/connector.port';
import { type ColumnFacts } from '../connector/folding';
import { type AddedFile } from './actions';
import { type DeltaLeaf, type DeltaSchema } from './delta-schema';
import { placedVector } from './deletion-vector';
import { fileColumn, fileStatistics } from './file-statistics';
import { insideRoots, type Roots, urlDecoded } from './file-path';

/** A file of a plan, and its facts of the leaves, in their order. */
export interface PlannedFile {
  readonly file: PlanFile;
  readonly facts: readonly ColumnFacts[];
}

/**
 * A data file as a plan shows it. Who added it is not said: a checkpoint has forgotten, and the same version must always look the same.
 * Throws ConnectorFault: `corrupt`, `outside_root`.
 */
export function plannedFile(
  added: AddedFile,
  schema: DeltaSchema,
  leaves: readonly DeltaLeaf[],
  roots: Roots,
): PlannedFile {
  const { path, size, modifiedAtMs, vector, stats } = added;
  insideRoots(roots, urlDecoded(path));
  const { recordCount, columns } = fileStatistics(stats, leaves);
  const file: PlanFile = {
    path,
    content: 'data',
    format: 'PARQUET',
    recordCount,
    bytes: size,
    specId: schema.spec.id,
    partition: partitionOf(added, schema),
    sequenceNumber: null,
    addedSnapshotId: null,
    equalityIds: null,
    appliesTo: null,
    contentOffset: null,
    contentBytes: null,
    deletionVector: vector && placedVector(roots, vector),
    modifiedAtMs,
    columns: columns.map((facts, at) => fileColumn(leaves[at]!.leaf, facts)),
  };
  return { file, facts: columns };
}

/** By logical name; the empty text stands for null in every type (protocol, "Partition Value Serialization"). */
function partitionOf({ partitionValues }: AddedFile, { partitionNames }: DeltaSchema): Record<string, string | null> {
  const entries = [...partitionNames].map(([physical, name]) => {
    const value = Object.hasOwn(partitionValues, physical) ? partitionValues[physical] : null;
    return [name, value || null] as const;
  });
  return Object.fromEntries(entries);
}
