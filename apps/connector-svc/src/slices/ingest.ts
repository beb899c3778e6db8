import { ConnectorFault } from '../connector/fault';
import type {
  ColumnSelection,
  ColumnStatistics,
  Snapshot,
  SourceTable,
  TableStatistics,
} from '../connector/connector.port';
import { type StoredFile, storedFile, writeFiles } from '../catalog/plan.writes';
import { beginLoad, completeLoad } from '../catalog/snapshot.writes';
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
  readonly signal: AbortSignal;
}

/**
 * Reads a snapshot's statistics and files into the catalog, batch by batch; they count from the last write on, all at
 * once. Throws what the source throws, or Stopped.
 */
export async function ingest(source: SourceTable, snapshot: Snapshot, reading: Reading): Promise<void> {
  const { fence, tableId, n, columns: asked, signal, tenant } = reading;
  const load = await fence.write((tx) => beginLoad(tx, tableId, snapshot.id, fence.jobId, JSON.stringify(asked)));
  const columns: ColumnStatistics[] = [];
  let table: TableStatistics | null = null;
  const files = new FileBatches((first, batch) => fence.write((tx) => writeFiles(tx, tableId, load, first, batch)));
  try {
    for await (const item of source.statistics(snapshot, asked, { signal })) {
      signal.throwIfAborted();
      if (item.item === 'file') await files.add(storedFile(item.file), item.file.columns.length);
      else if (item.item === 'column') columns.push(item.column);
      else table = item.table;
    }
  } finally {
    await files.settled();
  }
  const count = await files.flush();
  if (!table) throw new ConnectorFault('incomplete_answer', `snapshot ${snapshot.id}: its statistics ended too early`);
  const complete = { id: load, files: count, columns, table };
  await fence.write(async (tx) => {
    await completeLoad(tx, tableId, snapshot.id, complete);
    await tx.query(
      `UPDATE job_table SET snapshots_done = snapshots_done + 1, stats_done = stats_done + $3, changed = true WHERE job_id = $1 AND n = $2`,
      [fence.jobId, n, 1 + columns.length + count],
    );
    const [row] = await tx.query<{ generation: string }>('SELECT generation FROM catalog_table WHERE id = $1', [
      tableId,
    ]);
    const data = { table_id: tableId, snapshot_id: String(snapshot.id) };
    tx.emit('snapshot.ingested', { tenant_id: tenant, subject: tableId, version: row!.generation, data });
  });
  snapshotsRead.inc();
  filesRead.inc(count);
}

/** Collects files into batches; while one is being written, the next is read. */
class FileBatches {
  private batch: StoredFile[] = [];
  private columns = 0;
  private count = 0;
  private writing: Promise<void> = Promise.resolve();

  constructor(private readonly write: (first: number, batch: readonly StoredFile[]) => Promise<void>) {}

  async add(file: StoredFile, columns: number): Promise<void> {
    this.batch.push(file);
    this.columns += columns;
    if (this.columns >= COLUMNS_AT_ONCE || this.batch.length >= FILES_AT_ONCE) await this.send();
  }

  /** Writes what is left; returns how many files there were. */
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
