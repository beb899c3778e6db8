/** The right to work on one resource until the lease runs out. `epoch` fences every write made under it. */
export interface Lease {
  readonly key: string;
  readonly epoch: string;
  /** Counts the wishes to look; a newer one at the commit means one more look. */
  readonly generation: string;
  readonly failures: number;
  /** When the look became due, and the database's clock at the claim. */
  readonly dueAt: Date;
  readonly now: Date;
  /** The W3C trace in which the look was wished for; the engine only hands it on. null: nobody's. */
  readonly traceparent: string | null;
}

/** `gone`: the resource exists no more. `conflict`: its row had changed by the time of the write. */
export type Outcome = 'acted' | 'waiting' | 'settled' | 'stalled' | 'failed' | 'conflict' | 'gone';

/** What is written down about one look. `dueAt` null: not before something asks for it. */
export interface LookResult {
  readonly lease: Lease;
  readonly outcome: Outcome;
  readonly step: string | null;
  readonly because: string;
  readonly fix: string | null;
  readonly dueAt: Date | null;
  readonly failures: number;
  readonly tookMs: number;
}

/** When the first look of a kind is due, by the notebook's clock. */
export interface Due {
  readonly kind: string;
  readonly inMs: number;
}

/** What an audit looks at in one go; `last` is the key to go on after, null at the end of the kind. */
export interface Slice {
  readonly keys: readonly string[];
  readonly last: string | null;
}

/** A claim that goes along with the end of a pass, in the same transaction. */
export interface NextClaim {
  readonly limit: number;
  readonly leaseMs: number;
  /** Otherwise it may be left out where nothing that the pass writes down is due at once. */
  readonly always: boolean;
  /** Told after the commit what was leased. */
  claimed(leases: readonly Lease[]): void;
}

/** The durable, de-duplicated queue of looks: one row per resource. `Tx` is the store's unit of work. */
export interface Notebook<Tx> {
  /** Leases up to `limit` due resources of a kind, those due longest first. */
  claim(kind: string, limit: number, leaseMs: number): Promise<Lease[]>;
  /** Prolongs leases; returns the keys that are still ours. */
  renew(kind: string, leases: readonly Lease[], leaseMs: number): Promise<ReadonlySet<string>>;
  /** Hands leases back, due at once for whoever comes next. */
  release(kind: string, leases: readonly Lease[]): Promise<void>;
  /** Runs `work` and commits, or leaves nothing. Throws StaleLeases, Unavailable, or what `work` threw. */
  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  /** Writes results down in the transaction, fenced by their leases; after everything else in it comes the `next` claim. */
  record(tx: Tx, kind: string, results: readonly LookResult[], next: NextClaim | null): void;
  /** Asks for a look at each key, at once. */
  request(kind: string, keys: readonly string[]): Promise<void>;
  /** The first due look per kind; kinds with none are left out, paused ones too. */
  due(kinds: readonly string[]): Promise<Due[]>;
  /** Of the next `limit` resources in key order after `after`: those for which no look is due. */
  unattended(kind: string, after: string | null, limit: number): Promise<Slice>;
}
