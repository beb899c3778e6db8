import type { Database, Tx } from '@homeostat/platform';
import type { Connector as ConnectorRow, ReconcileJob } from '@homeostat/shared';
import type { ColumnSelection, Connector } from '../connector/connector.port';
import type { Fence } from './fence';

/** What everything that is done in one slice of a job shares. */
export interface SliceScope {
  readonly database: Database;
  readonly fence: Fence;
  readonly job: ReconcileJob;
  /** The connector's row, bound to its destination. */
  readonly target: ConnectorRow;
  /** Its open source. */
  readonly connector: Connector;
  readonly columns: ColumnSelection;
  /** What no message may hold. */
  readonly secrets: readonly string[];
  /** Aborted when the work must stop: the lease is lost, the job is called off, the process goes down. */
  readonly signal: AbortSignal;
  /** When the slice began, by `performance.now()`. */
  readonly startedMs: number;
  /** True once the slice has had its time. */
  readonly isOver: () => boolean;
  /** The id of the namespace of the catalog where tables of a namespace of the source belong. */
  readonly namespaceOf: (tx: Tx, from: readonly string[]) => Promise<string>;
  readonly tellDone: (tx: Tx, tableId: string | null, outcome: 'done' | 'failed') => void;
}
