import { selected } from '../connector/column-selection';
import {
  type CallOptions,
  type ColumnSelection,
  type PlanFile,
  type ReadingOptions,
  type Snapshot,
  type SourceTable,
  type StatisticsItem,
  type TableDescription,
} from '../connector/connector.port';
import { type ConnectorFault } from '../connector/fault';
import { ColumnFold, type FoldState } from '../connector/folding';
import { markOf, stateOf } from '../connector/mark';
import { type Metadata, type VectorDescriptor } from './actions';
import { checkVector } from './deletion-vector';
import { type DeltaLog, type LiveFile, type VersionPosition } from './delta-log';
import { type DeltaLeaf, type DeltaSchema, deltaSchema } from './delta-schema';
import { type PlannedFile, plannedFile } from './plan-file';
import { type TablePlace } from './table-place';
import { TableTally } from './table-tally';
import { requestsAtOnce, versionsOf } from './versions';

/** What a table is known to be without its log at hand. */
export interface Described {
  readonly description: TableDescription;
  /** Versions that can be read, in order. */
  readonly versions: readonly bigint[];
  /** Why the newest version cannot be read, which is then none of `versions`; null where it can. */
  readonly fault: ConnectorFault | null;
}

/** Where a reading of a version stopped. */
interface Begun {
  readonly position: VersionPosition;
  readonly tally: object;
  readonly folds: readonly FoldState[];
}

/** A Delta table as it was when it was described. Its log is opened when more than the description is asked for. */
export class DeltaTable implements SourceTable {
  readonly description: TableDescription;
  readonly snapshotIds: readonly bigint[];
  private readonly schemas = new WeakMap<Metadata, DeltaSchema>();

  constructor(
    private readonly described: Described,
    private readonly place: TablePlace,
    private readonly openLog: (signal?: AbortSignal) => Promise<DeltaLog>,
  ) {
    this.description = described.description;
    this.snapshotIds = described.versions;
  }

  async *listSnapshots(known: ReadonlySet<bigint>, { signal }: CallOptions = {}): AsyncIterable<Snapshot> {
    const { versions, fault } = this.described;
    const wanted = versions.filter((version) => !known.has(version));
    if (wanted.length > 0) {
      const current = this.description.currentSnapshotId;
      const log = await this.openLog(signal);
      yield* versionsOf(log, wanted, (metadata) => this.schemaOf(metadata).schema, current, signal);
    }
    if (fault !== null) throw fault;
  }

  async *statistics(
    snapshot: Snapshot,
    columns: ColumnSelection,
    { signal, from, mayStop }: ReadingOptions = {},
  ): AsyncIterable<StatisticsItem> {
    const log = await this.openLog(signal);
    const schema = this.schemaOf((await log.stateAt(snapshot.id, signal)).metadata);
    const leaves = chosenLeaves(schema, columns);
    const folds = leaves.map(({ leaf }) => new ColumnFold(leaf));
    const tally = new TableTally();
    const newVectors: VectorDescriptor[] = [];
    const of = `${this.description.uuid} ${snapshot.id}`;
    const begun = from ? stateOf<Begun>(from, of) : null;
    if (begun) tally.resume(begun.tally);
    begun?.folds.forEach((state, at) => folds[at]!.resume(state));
    for await (const { live, position } of log.filesAt(snapshot.id, begun?.position ?? null, signal)) {
      for (const { file, facts, newVector } of this.planned(live, schema, leaves, signal)) {
        tally.add(file);
        folds.forEach((fold, at) => fold.add(facts[at]!));
        if (newVector) newVectors.push(newVector);
        yield { item: 'file', key: `file:${file.path}`, file };
      }
      if (position === null || !mayStop?.()) continue;
      await this.checkVectors(newVectors, signal);
      const state: Begun = { position, tally: tally.state(), folds: folds.map((fold) => fold.state()) };
      return yield { item: 'mark', key: 'mark', mark: markOf(of, state) };
    }
    await this.checkVectors(newVectors, signal);
    for (const fold of folds) {
      const column = fold.result(null);
      yield { item: 'column', key: `column:${JSON.stringify(column.path)}`, column };
    }
    yield { item: 'table', key: 'table', table: tally.result() };
  }

  async *plan(snapshot: Snapshot, { signal }: CallOptions = {}): AsyncIterable<PlanFile> {
    const log = await this.openLog(signal);
    const schema = this.schemaOf((await log.stateAt(snapshot.id, signal)).metadata);
    for await (const { live } of log.filesAt(snapshot.id, null, signal)) {
      for (const { file } of this.planned(live, schema, schema.leaves, signal)) yield file;
    }
  }

  private *planned(
    files: readonly LiveFile[],
    schema: DeltaSchema,
    leaves: readonly DeltaLeaf[],
    signal?: AbortSignal,
  ): Iterable<PlannedFile & { readonly newVector: VectorDescriptor | null }> {
    signal?.throwIfAborted();
    for (const { added, fresh } of files) {
      yield { ...plannedFile(added, schema, leaves, this.place.roots), newVector: fresh ? added.vector : null };
    }
  }

  /** Each vector is looked at once, in the version that brought it: the cost follows the changes, not the table. */
  private async checkVectors(vectors: readonly VectorDescriptor[], signal?: AbortSignal): Promise<void> {
    const { store, roots } = this.place;
    for (let at = 0; at < vectors.length; at += requestsAtOnce) {
      const some = vectors.slice(at, at + requestsAtOnce);
      await Promise.all(some.map((vector) => checkVector(store, roots, vector, signal)));
    }
  }

  private schemaOf(metadata: Metadata): DeltaSchema {
    const known = this.schemas.get(metadata);
    if (known) return known;
    const schema = deltaSchema(metadata);
    this.schemas.set(metadata, schema);
    return schema;
  }
}

function chosenLeaves({ leaves }: DeltaSchema, columns: ColumnSelection): DeltaLeaf[] {
  const plain = leaves.map(({ leaf }) => leaf);
  const chosen = new Set(selected(plain, columns));
  return leaves.filter(({ leaf }) => chosen.has(leaf));
}
