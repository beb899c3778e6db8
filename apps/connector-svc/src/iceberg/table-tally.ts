import { type PlanFile, type TableStatistics } from '../connector/connector.port';

const mostDeletesInState = 20_000;

/**
 * Adds up the files of a snapshot; delete files must come before data files. The live row count is known as long as every position delete
 * or vector names the one data file it is for, and no two name the same: then no row can be counted twice.
 */
export class TableTally {
  private records = 0n;
  private dataFiles = 0;
  private dataBytes = 0n;
  private positionDeleteFiles = 0;
  private equalityDeleteFiles = 0;
  private deleteRecords = 0n;
  private deleteBytes = 0n;
  private liveKnown = true;
  private removed = 0n;
  private readonly deletesOf = new Map<string, Pick<PlanFile, 'sequenceNumber' | 'recordCount'>>();

  /** Adds one file. */
  add(file: PlanFile): void {
    if (file.content === 'data') this.addData(file);
    else this.addDeletes(file);
  }

  /** What it came to so far, as plain data; null where that is too much to be written down. */
  state(): object | null {
    return this.deletesOf.size > mostDeletesInState ? null : { ...this };
  }

  /** Goes on from what another one came to. */
  resume(state: object): void {
    Object.assign(this, state);
  }

  /** The sums over all files that were added. */
  result(): TableStatistics {
    return {
      recordCount: this.records,
      liveRowCount: this.liveKnown ? this.records - this.removed : null,
      dataFileCount: this.dataFiles,
      dataBytes: this.dataBytes,
      positionDeleteFileCount: this.positionDeleteFiles,
      equalityDeleteFileCount: this.equalityDeleteFiles,
      deleteRecordCount: this.deleteRecords,
      deleteBytes: this.deleteBytes,
    };
  }

  private addData(file: PlanFile): void {
    this.dataFiles++;
    this.records += file.recordCount!;
    this.dataBytes += file.bytes;
    const deletes = this.deletesOf.get(file.path);
    // Deletes act on rows that were there before them, and on those of their own commit.
    if (deletes && deletes.sequenceNumber! >= file.sequenceNumber!) this.removed += deletes.recordCount!;
  }

  private addDeletes(file: PlanFile): void {
    this.deleteRecords += file.recordCount!;
    this.deleteBytes += file.contentBytes ?? file.bytes;
    if (file.content === 'equality_deletes') this.equalityDeleteFiles++;
    else this.positionDeleteFiles++;
    const target = file.content === 'equality_deletes' ? null : file.appliesTo;
    if (target === null || this.deletesOf.has(target)) this.liveKnown = false;
    else this.deletesOf.set(target, { sequenceNumber: file.sequenceNumber, recordCount: file.recordCount });
  }
}
