import type { Changes } from './changes';

/** What `waitFor` needs to know of a resource. */
export interface Awaited {
  readonly id: string;
  readonly status: string;
}

export interface Wait<Row extends Awaited> {
  readonly read: () => Promise<Row>;
  /** undefined: nothing is waited for. */
  readonly wanted: string | undefined;
  /** True for states that are never left by themselves: waiting on would be in vain. */
  readonly isFinal: (row: Row) => boolean;
  /** 30 s where not given. */
  readonly timeoutMs?: number;
  /** Aborted when the client has gone. */
  readonly signal: AbortSignal;
  readonly changes: Changes;
}

/** Another process may have made the change, of which this one is not told. */
const rereadMs = 1_000;

/** Returns the resource as soon as it has the wanted status or a final one, else as it is at the timeout (spec 0). */
export async function waitFor<Row extends Awaited>(wait: Wait<Row>): Promise<Row> {
  const row = await wait.read();
  return isDone(row, wait) ? row : wait.changes.seated(() => awaited(row, wait));
}

async function awaited<Row extends Awaited>(first: Row, wait: Wait<Row>): Promise<Row> {
  const { read, changes, timeoutMs = 30_000 } = wait;
  const end = performance.now() + timeoutMs;
  const over = new AbortController();
  const signal = AbortSignal.any([wait.signal, over.signal]);
  try {
    for (let row = first; ;) {
      const leftMs = end - performance.now();
      if (leftMs <= 0 || signal.aborted || changes.closed) return row;
      // Listening starts before reading: a change between the two would be missed otherwise.
      const change = changes.next(row.id, Math.min(leftMs, rereadMs), signal);
      row = await read();
      if (isDone(row, wait)) return row;
      await change;
    }
  } finally {
    over.abort();
  }
}

function isDone<Row extends Awaited>(row: Row, { wanted, isFinal }: Wait<Row>): boolean {
  return wanted === undefined || row.status === wanted || isFinal(row);
}
