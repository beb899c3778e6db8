import type { Lease, Outcome } from '../notebook';

/** A row of `reconcile_status`, times in milliseconds. */
export interface Row {
  readonly kind: string;
  readonly key: string;
  dueAt: number | null;
  rankAt: number | null;
  generation: number;
  failures: number;
  holder: string | null;
  epoch: number;
  until: number | null;
  paused: boolean;
  outcome: Outcome | null;
}

/** What `note_looks` is told about one row; `epoch` 0: only a wish for a look. */
export interface Note {
  readonly kind: string;
  readonly key: string;
  readonly epoch: number;
  readonly generation: number;
  readonly dueAt: number | null;
  readonly outcome: Outcome | null;
  readonly failures: number;
}

const resyncPenaltyMs = 30_000;
const fresh = { generation: 1, failures: 0, holder: null, until: null, paused: false };

/** The notebook's table with the meaning of the SQL functions in libs/shared/src/migrations/0001-house.ts. */
export class Rows {
  readonly pausedKinds = new Set<string>();
  private readonly rows = new Map<string, Row>();

  find(kind: string, key: string): Row | undefined {
    return this.rows.get(`${kind} ${key}`);
  }

  all(kind: string): Row[] {
    return [...this.rows.values()].filter((row) => row.kind === kind);
  }

  claimLooks(kind: string, atMost: number, holder: string, leaseMs: number, now: number): Lease[] {
    if (this.pausedKinds.has(kind)) return [];
    const due = this.all(kind).filter((row) => isDue(row, now) && row.rankAt! <= now + resyncPenaltyMs);
    due.sort((a, b) => a.rankAt! - b.rankAt!);
    return due.slice(0, atMost).map((row) => {
      Object.assign(row, { holder, epoch: row.epoch + 1, until: now + leaseMs });
      const { key, epoch, generation, failures } = row;
      const dates = { dueAt: new Date(row.dueAt!), now: new Date(now) };
      return { key, epoch: String(epoch), generation: String(generation), failures, traceparent: null, ...dates };
    });
  }

  /** The keys whose lease is lost; the transaction that holds such a note must write nothing. */
  lost(notes: readonly Note[]): string[] {
    const fenced = notes.filter(({ epoch, outcome }) => epoch > 0 && outcome !== 'gone');
    return fenced.filter((note) => this.find(note.kind, note.key)?.epoch !== note.epoch).map(({ key }) => key);
  }

  noteLooks(notes: readonly Note[]): void {
    for (const note of notes) {
      const row = this.find(note.kind, note.key);
      if (note.outcome === 'gone') {
        if (row?.epoch === note.epoch && row.generation === note.generation)
          this.rows.delete(`${note.kind} ${note.key}`);
      } else if (!row) {
        this.rows.set(`${note.kind} ${note.key}`, { ...fresh, ...note, rankAt: rankOf(note) });
      } else if (note.epoch > 0) {
        noteLook(row, note);
      } else {
        wish(row, note);
      }
    }
  }

  requestLook(kind: string, keys: readonly string[], now: number): void {
    const wishes = [...new Set(keys)].map((key) => ({
      kind,
      key,
      dueAt: now,
      epoch: 0,
      generation: 1,
      failures: 0,
      outcome: null,
    }));
    this.noteLooks(wishes);
  }

  /** As the owner's pause does: nothing is due, and wishes are only counted. */
  pause(kind: string, key: string): void {
    const row = this.find(kind, key);
    if (row) Object.assign(row, { paused: true, dueAt: null, rankAt: null });
  }

  resume(kind: string, key: string, now: number): void {
    const row = this.find(kind, key);
    if (row) Object.assign(row, { paused: false, dueAt: now, rankAt: now, generation: row.generation + 1 });
  }
}

/** Whether a claim may take the row. */
export function isDue(row: Row, now: number): boolean {
  return row.dueAt !== null && row.dueAt <= now && (row.until === null || row.until <= now);
}

function noteLook(row: Row, note: Note): void {
  const { outcome, failures } = note;
  const newest = row.generation === note.generation;
  const dueAt = newest ? note.dueAt : least(row.dueAt, note.dueAt);
  const rankAt = newest ? rankOf(note) : least(row.rankAt, rankOf(note));
  Object.assign(row, { dueAt: row.paused ? null : dueAt, rankAt, failures, outcome, holder: null, until: null });
}

function wish(row: Row, note: Note): void {
  const dueAt = note.outcome === 'settled' ? null : least(row.dueAt, note.dueAt);
  const outcome = note.outcome ?? row.outcome;
  const rankAt = least(row.rankAt, rankOf(note));
  Object.assign(row, { dueAt: row.paused ? null : dueAt, rankAt, outcome, generation: row.generation + 1 });
}

function rankOf({ outcome, dueAt }: Note): number | null {
  const resync = outcome === 'waiting' || outcome === 'failed';
  return dueAt !== null && resync ? dueAt + resyncPenaltyMs : dueAt;
}

function least(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : Math.min(a, b);
}
