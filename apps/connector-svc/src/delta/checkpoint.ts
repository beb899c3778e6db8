import type { SchemaTree } from 'hyparquet';
import { ConnectorFault } from '../connector/fault';
import { type ObjectStore } from '../storage/storage.port';
import {
  type AddedFile,
  addedFile,
  integerOf,
  type Metadata,
  metadataOf,
  type Protocol,
  protocolOf,
  textOf,
} from './actions';
import { type Action, actionsOf, inFile } from './commit-file';
import { member } from './exact-json';
import { urlDecoded } from './file-path';
import { type Checkpoint } from './log-listing';
import { type ColumnChoice } from './parquet-columns';
import { openParquet, type ParquetFile, type ParquetPlace, rowsOf, schemaOf } from './parquet-file';
import { parsedStats } from './parsed-stats';

/** A checkpoint whose top-level files were opened. */
export interface OpenCheckpoint {
  readonly protocol: Protocol;
  readonly metadata: Metadata;
  /** The files of the table at the checkpoint's version behind a position, some at a time; reads sidecars too. */
  files(from: CheckpointPosition, signal?: AbortSignal): AsyncIterable<CheckpointFiles>;
}

/** How far a checkpoint is read: all of its files before one, and so many rows of that one. */
export interface CheckpointPosition {
  readonly part: number;
  readonly rows: number;
}

/** Some files of a checkpoint, and where its reading stands after them. */
export interface CheckpointFiles {
  readonly files: AddedFile[];
  readonly position: CheckpointPosition;
}

const mostJsonBytes = 2 * 1024 ** 3;

/**
 * Opens a classic, multi-part or v2 checkpoint (protocol, "Checkpoints"). Throws ConnectorFault: `corrupt`, also without protocol or metadata;
 * `outside_root` for a sidecar that is not in the log's folder of sidecars.
 */
export async function openCheckpoint(
  store: ObjectStore,
  log: string,
  checkpoint: Checkpoint,
  signal?: AbortSignal,
): Promise<OpenCheckpoint> {
  const parts = await Promise.all(checkpoint.files.map((file) => openPart(store, file, signal)));
  let [protocol, metadata]: [Protocol | null, Metadata | null] = [null, null];
  const sidecars: ParquetPlace[] = [];
  for (const { uri, heads } of parts) {
    for await (const [name, body] of heads(signal)) {
      if (name === 'protocol') protocol = inFile(uri, () => protocolOf(body));
      if (name === 'metaData') metadata = inFile(uri, () => metadataOf(body));
      if (name === 'sidecar') sidecars.push(inFile(uri, () => sidecarPlace(log, body)));
    }
  }
  if (!protocol || !metadata)
    throw new ConnectorFault('corrupt', `${checkpoint.files[0]!.uri}: no protocol or no metadata`);
  return { protocol, metadata, files: (from, abort) => filesOf(store, parts, sidecars, from, abort) };
}

async function* filesOf(
  store: ObjectStore,
  parts: readonly Part[],
  sidecars: readonly ParquetPlace[],
  from: CheckpointPosition,
  signal?: AbortSignal,
): AsyncIterable<CheckpointFiles> {
  for (const [part, place] of [...parts, ...sidecars].entries()) {
    if (part < from.part) continue;
    const before = part === from.part ? from.rows : 0;
    const added = 'files' in place ? place.files : addedIn(await openParquet(store, place, signal));
    for await (const { files, rows } of added(before, signal)) yield { files, position: { part, rows } };
  }
}

/** One top-level file: its actions beside files, and its files. */
interface Part {
  readonly uri: string;
  readonly heads: (signal?: AbortSignal) => AsyncIterable<Action>;
  readonly files: FilesBehind;
}

/** Files behind so many rows, and at how many rows the reading then is. */
type FilesBehind = (
  before: number,
  signal?: AbortSignal,
) => AsyncIterable<{ readonly files: AddedFile[]; readonly rows: number }>;

async function openPart(store: ObjectStore, place: ParquetPlace, signal?: AbortSignal): Promise<Part> {
  const { uri } = place;
  if (uri.endsWith('.parquet')) {
    const file = await openParquet(store, place, signal);
    return { uri, heads: (abort) => headsIn(file, abort), files: addedIn(file) };
  }
  const actions = (abort?: AbortSignal) => actionsOf(uri, store.stream(uri, { limit: mostJsonBytes, signal: abort }));
  return { uri, heads: (abort) => flat(actions(abort)), files: addedOf(uri, actions) };
}

async function* flat(batches: AsyncIterable<Action[]>): AsyncIterable<Action> {
  for await (const batch of batches) yield* batch;
}

function addedOf(uri: string, actions: (signal?: AbortSignal) => AsyncIterable<Action[]>): FilesBehind {
  return async function* (before, signal) {
    let rows = 0;
    for await (const batch of actions(signal)) {
      const left = batch.slice(Math.max(0, before - rows));
      rows += batch.length;
      const files = inFile(uri, () => left.flatMap(([name, body]) => (name === 'add' ? [addedFile(body)] : [])));
      if (left.length > 0) yield { files, rows };
    }
  };
}

const headColumns = new Set(['protocol', 'metaData', 'sidecar']);

async function* headsIn(file: ParquetFile, signal?: AbortSignal): AsyncIterable<Action> {
  const choice: ColumnChoice = ([top]) => headColumns.has(top!);
  for await (const rows of rowsOf(file, choice, 0, signal)) {
    for (const row of rows) yield* Object.entries(row).filter(([, body]) => body) as unknown as Action[];
  }
}

const fileMembers = ['path', 'size', 'modificationTime', 'partitionValues'];

/**
 * Statistics are most of a checkpoint and come a few hundred rows at a time, the rest thousands at a time: read together, the pages of
 * the rest would be unpacked anew for each of those few hundred.
 */
function addedIn(file: ParquetFile): FilesBehind {
  const statsTree = lacksStats(file) ? statsTreeOf(file) : undefined;
  const isStats = (name: string) => name === 'stats' || (name === 'stats_parsed' && statsTree !== undefined);
  const members = new Set(lacksVectors(file) ? fileMembers : [...fileMembers, 'deletionVector']);
  return async function* (before, signal) {
    const rest = rowsOf(file, ([top, name]) => top === 'add' && members.has(name!), before, signal);
    const stats = rowsOf(file, ([top, name]) => top === 'add' && isStats(name!), before, signal);
    let rows = before;
    for await (const some of side(rest, stats)) {
      rows += some.length;
      const files = inFile(file.uri, () => some.flatMap((row) => addedOrNone(row, statsTree)));
      yield { files, rows };
    }
  };
}

function addedOrNone([{ add }, more]: readonly [Row, Row | undefined], statsTree?: SchemaTree): AddedFile[] {
  if (!add || member(add, 'path') === null) return [];
  const added = addedFile({ ...add, ...(more?.['add'] as object | null | undefined) });
  const parsed = statsTree && added.stats !== null && typeof added.stats !== 'string';
  return [parsed ? { ...added, stats: parsedStats(statsTree, added.stats) } : added];
}

type Row = Readonly<Record<string, unknown>>;

/** Rows of two readings of one file, side by side; the right one may have no columns, and so no rows. */
async function* side(
  left: AsyncIterable<Row[]>,
  right: AsyncIterable<Row[]>,
): AsyncIterable<(readonly [Row, Row | undefined])[]> {
  const more = right[Symbol.asyncIterator]();
  let waiting: Row[] = [];
  for await (const rows of left) {
    for (let at = 0; at < rows.length;) {
      if (waiting.length === 0) waiting = (await more.next()).value ?? [];
      const count = waiting.length === 0 ? rows.length : Math.min(waiting.length, rows.length - at);
      const beside = waiting.splice(0, count);
      yield rows.slice(at, at + count).map((row, index) => [row, beside[index]] as const);
      at += count;
    }
  }
}

/** Whether no file has a deletion vector, as the footer says: five columns of nulls are most of the garbage then. */
function lacksVectors({ metadata }: ParquetFile): boolean {
  const chunks = metadata.row_groups.flatMap(({ columns }) => columns.flatMap(({ meta_data: meta }) => meta ?? []));
  const vectors = chunks.filter(({ path_in_schema: [top, name] }) => top === 'add' && name === 'deletionVector');
  return vectors.every(({ statistics, num_values: values }) => statistics?.null_count === values);
}

/** Whether a file of the checkpoint may have its statistics as columns only (`delta.checkpoint.writeStatsAsJson` off). */
function lacksStats({ metadata }: ParquetFile): boolean {
  return metadata.row_groups.some(({ columns }) => {
    const nulls = (name: string) =>
      columns.find(({ meta_data: meta }) => meta?.path_in_schema.join('.') === `add.${name}`)?.meta_data?.statistics
        ?.null_count;
    return nulls('stats') === undefined || nulls('stats') !== nulls('path');
  });
}

function statsTreeOf(file: ParquetFile) {
  const add = schemaOf(file).children.find(({ element }) => element.name === 'add');
  return add?.children.find(({ element }) => element.name === 'stats_parsed');
}

/** Sidecars lie in a folder of their own; writers may give the bare name or a longer path to it (protocol, "Sidecar File Information"). */
function sidecarPlace(log: string, body: unknown): ParquetPlace {
  const folder = `${log}_sidecars/`;
  const path = urlDecoded(textOf(body, 'path'));
  const name = path.startsWith(folder) ? path.slice(folder.length) : path;
  if (!/^[^/\\]+$/.test(name) || name === '..')
    throw new ConnectorFault('outside_root', `the sidecar ${path} is not in ${folder}`);
  return { uri: `${folder}${name}`, size: Number(integerOf(body, 'sizeInBytes')) };
}
