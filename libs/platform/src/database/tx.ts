import { type LookResult, StaleLeases, Unavailable } from '@homeostat/reconcile';
import type { EventData, EventType, HouseEvent, Kind } from '@homeostat/shared';
import type { PoolClient } from 'pg';
import { v7 as uuidv7 } from 'uuid';
import { Trail } from '../telemetry/trail';
import { control, rowsOf, sqlState } from './database';
import {
  type ClaimNote,
  type LeaseRow,
  type LookNote,
  STALE_LEASES,
  ledgerEntry,
  merged,
  nameOf,
  noted,
  requested,
  scheduled,
  settled,
} from './ledger';

/** A change of a resource's state, as its history tells it. */
export interface StateChange {
  readonly tenant_id: string;
  readonly kind: Kind;
  readonly key: string;
  readonly from: string | null;
  readonly to: string;
  readonly because: string;
}

/** A fact for others; `version` is the generation of the subject's row after the change. */
export interface Fact<T extends EventType> {
  readonly tenant_id: string;
  readonly subject: string;
  readonly version: string;
  readonly data: EventData<T>;
}

/** What a commit brought forth, for those who make haste: changes to tell of, events to publish, kinds to look at. */
export interface Committed {
  readonly changes: readonly StateChange[];
  readonly events: readonly HouseEvent[];
  /** How many looks at once were asked for, by kind. */
  readonly looks: ReadonlyMap<Kind, number>;
  /** The W3C traceparent of what changed the resource with that key. */
  traceOf(key: string): string | null;
}

/**
 * One unit of work. Changes, their history, their events and the next looks are one transaction (design.md,
 * invariant 5): all that is noted here is written by one statement just before the commit.
 */
export class Tx {
  private client: PoolClient | null = null;
  private readonly changes: StateChange[] = [];
  private readonly events: (HouseEvent & { traceparent?: string })[] = [];
  private readonly looks = new Map<string, LookNote>();
  private readonly results: LookNote[] = [];
  private next: { readonly claim: ClaimNote; claimed(rows: readonly LeaseRow[]): void } | null = null;
  private readonly trail = new Trail();

  constructor(
    private readonly connect: () => Promise<PoolClient>,
    readonly source: string,
    /** Whose doing it is, for the history: a caller, or the service itself. */
    readonly by: string,
  ) {}

  async query<Row>(sql: string, values: readonly unknown[] = []): Promise<Row[]> {
    return rowsOf<Row>(await this.begun(), sql, values);
  }

  /** Notes a change of state for the history. */
  changed(change: StateChange): void {
    this.changes.push(change);
  }

  /** Notes an event; it is published after the commit. */
  emit<T extends EventType>(type: T, { tenant_id, subject, version, data }: Fact<T>): void {
    this.events.push({
      specversion: '1.0',
      id: uuidv7(),
      source: `/homeostat/${this.source}`,
      type,
      subject,
      time: new Date().toISOString(),
      datacontenttype: 'application/json',
      tenantid: tenant_id,
      version,
      data,
    });
  }

  /** Asks for a look at a resource, at once. */
  look(kind: Kind, key: string): void {
    this.note(requested(kind, key));
  }

  /** Asks for a look at a resource at a time, unless one is due before; `because` says what it waits for. */
  schedule(kind: Kind, key: string, at: Date, because: string): void {
    this.note(scheduled(kind, key, at, because));
  }

  /** Nothing is left to be done for a resource. */
  settle(kind: Kind, key: string, because: string): void {
    this.note(settled(kind, key, because));
  }

  /** Writes down what looks came to, fenced by their leases. */
  record(kind: Kind, results: readonly LookResult[]): void {
    for (const result of results) {
      this.results.push(noted(kind, result));
      this.trail.looked(kind, result);
    }
  }

  /** Claims what is due after all that; `claimed` is told of it after the commit. */
  claimNext(claim: ClaimNote, claimed: (rows: readonly LeaseRow[]) => void): void {
    this.next = { claim, claimed };
  }

  /** Throws StaleLeases when another process has taken over; then nothing is written. */
  async commit(): Promise<Committed> {
    const { changes, events, trail } = this;
    // Events come first: they tell which other resources belong to a trace.
    for (const event of events) event.traceparent = trail.ofEvent(event) ?? undefined;
    for (const { key } of changes) trail.of(key);
    const notes = merged(this.results, this.looks, (key) => trail.of(key));
    const claim = this.next?.claim ?? null;
    const isAlone = this.client === null;
    const unwritten = changes.length + events.length + notes.length > 0;
    // Made before anything is sent: what cannot be written down must not be committed.
    const entry = unwritten ? ledgerEntry(this, { changes, events, notes, claim }, isAlone) : null;
    const client = entry ? (this.client ??= await this.connect()) : this.client;
    if (client) {
      const written = entry ? this.write(client, entry) : Promise.resolve([]);
      // A statement by itself is a transaction. Otherwise both are sent at once: after a statement that failed, COMMIT rolls back.
      await (isAlone ? written : Promise.all([written, control(client, 'COMMIT')]));
      this.client = null;
      client.release();
      this.next?.claimed(await written);
    }
    trail.end();
    return { changes, events, looks: this.wanted(), traceOf: (key) => trail.of(key) };
  }

  /** After a lost connection there is nothing to roll back, and the client is of no use any more. */
  async rollback(why: unknown): Promise<void> {
    const { client } = this;
    this.trail.end(why);
    if (!client) return;
    this.client = null;
    if (why instanceof Unavailable) return client.release(true);
    await control(client, 'ROLLBACK').then(
      () => client.release(),
      () => client.release(true),
    );
  }

  /** BEGIN is on its way when the first statement is sent; nobody waits for its answer. */
  private async begun(): Promise<PoolClient> {
    if (this.client) return this.client;
    this.client = await this.connect();
    void control(this.client, 'BEGIN').catch(() => undefined);
    return this.client;
  }

  private async write(client: PoolClient, { sql, values }: ReturnType<typeof ledgerEntry>): Promise<LeaseRow[]> {
    try {
      return await rowsOf<LeaseRow>(client, sql, values);
    } catch (error) {
      throw sqlState(error) === STALE_LEASES ? new StaleLeases((error as { detail: string }).detail.split(' ')) : error;
    }
  }

  private wanted(): Map<Kind, number> {
    const counts = new Map<Kind, number>();
    for (const { kind, outcome } of this.looks.values())
      if (outcome === null) counts.set(kind, (counts.get(kind) ?? 0) + 1);
    return counts;
  }

  /** The latest word on a resource counts, except that a wish to look at once is never taken back. */
  private note(note: LookNote): void {
    const name = nameOf(note);
    if (this.looks.get(name)?.outcome !== null) this.looks.set(name, note);
  }
}
