import { type PlanFile, type TableStatistics } from '../connector/connector.port';
import { sum } from '../connector/folding';

/** Adds up the data files of a version (fixtures' README): rows are unknown when one file does not say how many it has. */
export class TableTally {
  private records: bigint | null = 0n;
  private files = 0;
  private bytes = 0n;
  private vectors = 0;
  private marked = 0n;
  private vectorBytes = 0n;

  add({ recordCount, bytes, deletionVector }: PlanFile): void {
    this.files++;
    this.bytes += bytes;
    this.records = sum(this.records, recordCount);
    if (!deletionVector) return;
    this.vectors++;
    this.marked += deletionVector.cardinality;
    this.vectorBytes += deletionVector.bytes;
  }

  /** What it came to so far, as plain data. */
  state(): object {
    return { ...this };
  }

  /** Goes on from what another one came to. */
  resume(state: object): void {
    Object.assign(this, state);
  }

  result(): TableStatistics {
    return {
      recordCount: this.records,
      liveRowCount: this.records === null ? null : this.records - this.marked,
      dataFileCount: this.files,
      dataBytes: this.bytes,
      positionDeleteFileCount: this.vectors,
      equalityDeleteFileCount: 0,
      deleteRecordCount: this.marked,
      deleteBytes: this.vectorBytes,
    };
  }
}
