import { StaleLeases } from '../errors';
import type { Due, Lease, LookResult, NextClaim, Notebook, Slice } from '../notebook';
import type { Note, Row, Rows } from './rows';
import { isDue } from './rows';
import { Contended, type Tables, Unit } from './unit';

/** Where the notebook and the toy world's tables live, and who hears of what is written there. */
export interface Database {
  readonly rows: Rows;
  readonly tables: Tables;
  nowMs(): number;
  claimed?(holder: string, kind: string, leases: readonly Lease[]): void;
  committed?(holder: string, unit: Unit): void;
}

/** The notebook in memory, as one process sees it through its `wire`. */
export class MemoryNotebook implements Notebook<Unit> {
  constructor(
    private readonly database: Database,
    private readonly holder: string,
    private readonly wire: { call<T>(carryOut: () => T): Promise<T> },
  ) {}

  claim(kind: string, limit: number, leaseMs: number): Promise<Lease[]> {
    return this.wire.call(() => this.claimed(kind, limit, leaseMs));
  }

  renew(kind: string, leases: readonly Lease[], leaseMs: number): Promise<ReadonlySet<string>> {
    return this.wire.call(() => {
      const mine = this.mine(kind, leases);
      for (const row of mine) row.until = this.database.nowMs() + leaseMs;
      return new Set(mine.map(({ key }) => key));
    });
  }

  release(kind: string, leases: readonly Lease[]): Promise<void> {
    return this.wire.call(() => {
      for (const row of this.mine(kind, leases)) Object.assign(row, { holder: null, until: null });
    });
  }

  async transaction<T>(work: (unit: Unit) => Promise<T>): Promise<T> {
    for (;;) {
      const unit = new Unit(this.database.tables, () => this.wire.call(() => undefined));
      const answer = await work(unit);
      const committed = await this.wire.call(() => this.commit(unit));
      if (!committed) continue;
      committed();
      return answer;
    }
  }

  record(unit: Unit, kind: string, results: readonly LookResult[], next: NextClaim | null): void {
    unit.notes.push(...results.map((result) => noteOf(kind, result)));
    unit.next = next && { kind, ...next };
  }

  request(kind: string, keys: readonly string[]): Promise<void> {
    return this.wire.call(() => this.database.rows.requestLook(kind, keys, this.database.nowMs()));
  }

  due(kinds: readonly string[]): Promise<Due[]> {
    const { rows } = this.database;
    return this.wire.call(() => {
      const firsts = kinds
        .filter((kind) => !rows.pausedKinds.has(kind))
        .map((kind) => ({ kind, inMs: this.firstIn(kind) }));
      return firsts.filter(({ inMs }) => inMs < Infinity);
    });
  }

  unattended(kind: string, after: string | null, limit: number): Promise<Slice> {
    return this.wire.call(() => {
      const keys = this.database.tables.keys(kind).filter((key) => after === null || key > after);
      const slice = keys.slice(0, limit);
      const last = slice.length === limit ? slice.at(-1)! : null;
      return { keys: slice.filter((key) => this.overlookable(this.database.rows.find(kind, key))), last };
    });
  }

  /** What is to be told once the process hears of the commit; null where the work must run again. */
  private commit(unit: Unit): (() => void) | null {
    const { rows } = this.database;
    const lost = rows.lost(unit.notes);
    if (lost.length > 0) throw new StaleLeases(lost);
    try {
      unit.commit();
    } catch (error) {
      if (error instanceof Contended) return null;
      throw error;
    }
    this.database.committed?.(this.holder, unit);
    rows.noteLooks(unit.notes);
    for (const { kind, key } of unit.wishes) rows.requestLook(kind, [key], this.database.nowMs());
    const { next } = unit;
    const isWorthIt = next?.always || unit.notes.some(({ kind, key }) => this.isDue(kind, key));
    const leases = next && isWorthIt ? this.claimed(next.kind, next.limit, next.leaseMs) : [];
    return () => next?.claimed(leases);
  }

  private claimed(kind: string, limit: number, leaseMs: number): Lease[] {
    const { database, holder } = this;
    const leases = database.rows.claimLooks(kind, limit, holder, leaseMs, database.nowMs());
    database.claimed?.(holder, kind, leases);
    return leases;
  }

  private mine(kind: string, leases: readonly Lease[]): Row[] {
    const found = leases.map(({ key, epoch }) => ({ epoch, row: this.database.rows.find(kind, key) }));
    return found.flatMap(({ epoch, row }) =>
      row && row.holder === this.holder && row.epoch === Number(epoch) ? [row] : [],
    );
  }

  /** PostgreSQL claims more often than that: it does not ask each of many. */
  private isDue(kind: string, key: string): boolean {
    const row = this.database.rows.find(kind, key);
    return row !== undefined && isDue(row, this.database.nowMs());
  }

  private firstIn(kind: string): number {
    const now = this.database.nowMs();
    const inMs = this.database.rows.all(kind).map((row) => (isDue(row, now) ? 0 : this.futureMs(row)));
    return Math.min(Infinity, ...inMs);
  }

  private futureMs(row: Row): number {
    return row.dueAt === null ? Infinity : Math.max(row.dueAt, row.until ?? 0) - this.database.nowMs();
  }

  private overlookable(row: Row | undefined): boolean {
    return !row || (row.dueAt === null && !row.paused);
  }
}

function noteOf(kind: string, { lease, outcome, failures, dueAt }: LookResult): Note {
  const { key, epoch, generation } = lease;
  return {
    kind,
    key,
    epoch: Number(epoch),
    generation: Number(generation),
    dueAt: dueAt?.getTime() ?? null,
    outcome,
    failures,
  };
}
