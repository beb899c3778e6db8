import { ConnectorFault } from '../connector/fault';
import { StaleMark } from '../connector/mark';
import type {
  ColumnSelection,
  ColumnStatistics,
  Snapshot,
  SourceTable,
  TableStatistics,
} from '../connector/connector.port';
import { type StoredFile, storedFile, writeFiles } from '../catalog/plan.writes';
import { type BegunLoad, type Load, beginLoad, completeLoad, stopLoad } from '../catalog/snapshot.writes';
import { filesRead, snapshotsRead } from '../jobs/job.metrics';
import type { Fence } from './fence';

/** Files are written in batches of so many columns' statistics, or so many files: some megabytes at a time, whatever the table. */
const COLUMNS_AT_ONCE = 20_000;
const FILES_AT_ONCE = 1_000;

/** Whose snapshots are read, and what is asked of them. */
export interface Reading {
  readonly fence: Fence;
  readonly tableId: string;
  readonly tenant: string;
  /** The table's number in the job. */
  readonly n: number;
  readonly columns: ColumnSelection;
  /** Asked after each file: whether to stop, and go on in another slice. */
  readonly mayStop: () => boolean;
  readonly signal: AbortSignal;
}

/**
 * Reads a snapshot's statistics and files into the catalog, batch by batch; they count from the last write on, all at once. Goes on where an
 * earlier slice stopped; returns false where this one stopped, too. Throws what the source throws, or Stopped.
 */
export async function ingest(source: SourceTable, snapshot: Snapshot, reading: Reading): Promise<boolean> {
  try {
    return await readOn(source, snapshot, reading, await begin(snapshot, reading, false));
  } catch (error) {
    if (!(error instanceof StaleMark)) throw error;
    return readOn(source, snapshot, reading, await begin(snapshot, reading, true));
  }
}

function begin({ id }: Snapshot, { fence, tableId, columns }: Reading, anew: boolean): Promise<BegunLoad> {
  const asked = { jobId: fence.jobId, columns: JSON.stringify(columns), anew };
  return fence.write((tx) => beginLoad(tx, tableId, id, asked));
}

async function readOn(source: SourceTable, snapshot: Snapshot, reading: Reading, load: BegunLoad): Promise<boolean> {
  const { fence, tableId, columns: asked, signal, mayStop } = reading;
  const columns: ColumnStatistics[] = [];
  let [table, mark]: [TableStatistics | null, Buffer | null] = [null, null];
  const write: Write = (first, batch) => fence.write((tx) => writeFiles(tx, tableId, load.id, first, batch));
  const files = new FileBatches(load.files, write);
  try {
    for await (const item of source.statistics(snapshot, asked, { signal, from: load.mark, mayStop })) {
      signal.throwIfAborted();
      if (item.item === 'file') await files.add(storedFile(item.file), item.file.columns.length);
      else if (item.item === 'column') columns.push(item.column);
      else if (item.item === 'table') table = item.table;
      else mark = item.mark;
    }
  } finally {
    await files.settled();
  }
  const count = await files.flush();
  if (mark) await fence.write((tx) => stopLoad(tx, { id: load.id, files: count, mark }));
  else await complete(snapshot, reading, { id: load.id, files: count, columns, table });
  filesRead.inc(count - load.files);
  return mark === null;
}

async function complete(
  { id }: Snapshot,
  { fence, tableId, tenant, n }: Reading,
  { table, ...load }: Omit<Load, 'table'> & { readonly table: TableStatistics | null },
): Promise<void> {
  if (!table) throw new ConnectorFault('incomplete_answer', `snapshot ${id}: its statistics ended too early`);
  await fence.write(async (tx) => {
    await completeLoad(tx, tableId, id, { ...load, table });
    await tx.query(
      `UPDATE job_table SET snapshots_done = snapshots_done + 1, stats_done = stats_done + $3, changed = true WHERE job_id = $1 AND n = $2`,
      [fence.jobId, n, 1 + load.columns.length + load.files],
    );
    const [row] = await tx.query<{ generation: string }>('SELECT generation FROM catalog_table WHERE id = $1', [
      tableId,
    ]);
    const data = { table_id: tableId, snapshot_id: String(id) };
    tx.emit('snapshot.ingested', { tenant_id: tenant, subject: tableId, version: row!.generation, data });
  });
  snapshotsRead.inc();
}

type Write = (first: number, batch: readonly StoredFile[]) => Promise<void>;

/** Collects files into batches; while one is being written, the next is read. */
class FileBatches {
  private batch: StoredFile[] = [];
  private columns = 0;
  private writing: Promise<void> = Promise.resolve();

  constructor(
    private count: number,
    private readonly write: Write,
  ) {}

  async add(file: StoredFile, columns: number): Promise<void> {
    this.batch.push(file);
    this.columns += columns;
    if (this.columns >= COLUMNS_AT_ONCE || this.batch.length >= FILES_AT_ONCE) await this.send();
  }

  /** Writes what is left; returns how many files there are. */
  async flush(): Promise<number> {
    if (this.batch.length > 0) await this.send();
    await this.writing;
    return this.count;
  }

  /** Nothing is under way any more, well or not. */
  async settled(): Promise<void> {
    await this.writing.catch(() => undefined);
  }

  private async send(): Promise<void> {
    await this.writing;
    const { batch, count: first } = this;
    this.batch = [];
    this.columns = 0;
    this.count += batch.length;
    this.writing = this.write(first, batch);
    // Whoever sends next, or flushes, learns of a failure; until then it must not count as unheard.
    this.writing.catch(() => undefined);
  }
}
