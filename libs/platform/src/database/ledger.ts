import type { LookResult } from '@homeostat/reconcile';
import type { HouseEvent, Kind } from '@homeostat/shared';
import { arrayLiteral } from './array-literal';
import type { StateChange } from './tx';

/** One line for the notebook, as the SQL function note_and_claim takes it: a result (epoch > 0) or a wish (epoch 0). */
export interface LookNote {
  readonly kind: Kind;
  readonly key: string;
  readonly epoch: string;
  readonly generation: string;
  readonly due_at: Date | null;
  /** null: a look is wanted at once, by the database's clock. */
  readonly outcome: string | null;
  readonly because: string | null;
  readonly fix: string | null;
  readonly failures: number;
  /** Of a result, the pass in words; of a wish, the W3C traceparent of what wishes it. */
  readonly pass: string | null;
}

/**
 * One note per resource, as the notebook wants it: a look that comes to an end takes the wish for another one with it.
 * They are in falling key order, in which rows are locked everywhere (migration 0001). The other wishes are given the
 * trace that `traceOf` knows for their key.
 */
export function merged(
  results: readonly LookNote[],
  wishes: ReadonlyMap<string, LookNote>,
  traceOf: (key: string) => string | null,
): LookNote[] {
  const rest = new Map(wishes);
  const ends = results.map((result) => {
    const wish = rest.get(nameOf(result));
    rest.delete(nameOf(result));
    return wish?.outcome === null ? { ...result, due_at: AT_ONCE } : result;
  });
  return [...ends, ...[...rest.values()].map((wish) => ({ ...wish, pass: traceOf(wish.key) }))].sort(byKey);
}

function byKey(one: LookNote, other: LookNote): number {
  if (one.key !== other.key) return one.key > other.key ? -1 : 1;
  return one.kind < other.kind ? -1 : 1;
}

/** A resource among all kinds. */
export function nameOf({ kind, key }: Pick<LookNote, 'kind' | 'key'>): string {
  return `${kind} ${key}`;
}

/** The epoch of a wish, which nobody needs a lease for. */
const NO_LEASE = '0';

/** Long due: the notebook ranks it by its own clock. */
const AT_ONCE = new Date(0);

export function requested(kind: Kind, key: string): LookNote {
  return wish(kind, key, null, null, null);
}

export function scheduled(kind: Kind, key: string, at: Date, because: string): LookNote {
  return wish(kind, key, at, 'waiting', because);
}

export function settled(kind: Kind, key: string, because: string): LookNote {
  return wish(kind, key, null, 'settled', because);
}

function wish(kind: Kind, key: string, due_at: Date | null, outcome: string | null, because: string | null): LookNote {
  return { kind, key, epoch: NO_LEASE, generation: '1', due_at, outcome, because, fix: null, failures: 0, pass: null };
}

/** A pass as `noted` wrote it: words in a row, because five of them are copied at every look. */
export function passOf(words: string): { at: string; took_ms: number; outcome: string; step: string | null } {
  const [at, tookMs, outcome, step] = words.split(' ') as [string, string, string, string];
  return { at: new Date(Number(at)).toISOString(), took_ms: Number(tookMs), outcome, step: step === '-' ? null : step };
}

export function noted(kind: Kind, { lease, dueAt, ...result }: LookResult): LookNote {
  const { outcome, step, because, fix, failures, tookMs } = result;
  const pass = `${lease.now.getTime()} ${Math.round(tookMs)} ${outcome} ${step ?? '-'}`;
  const { key, epoch, generation } = lease;
  return { kind, key, epoch, generation, due_at: dueAt, outcome, because: storable(because), fix, failures, pass };
}

/** PostgreSQL's texts hold every character but NUL, and an error's message may hold anything. */
function storable(text: string): string {
  return text.replaceAll('\0', '');
}

/** What is raised when leases were lost; its detail has their keys. */
export const STALE_LEASES = 'HS001';

/** A lease, as claim_due and note_and_claim tell it. */
export interface LeaseRow {
  readonly key: string;
  readonly epoch: string;
  readonly generation: string;
  readonly failures: number;
  readonly due_at: Date;
  readonly now: Date;
  readonly traceparent: string | null;
}

/** What is claimed at the end of a transaction, after its notes. */
export interface ClaimNote {
  readonly kind: Kind;
  readonly limit: number;
  readonly holder: string;
  readonly leaseMs: number;
  /** Otherwise only where one of up to three notes is due at once; after more of them, or one that is `gone`, in any case. */
  readonly always: boolean;
}

/** What is written down at the end of a transaction. */
export interface Ledger {
  readonly changes: readonly StateChange[];
  readonly events: readonly HouseEvent[];
  readonly notes: readonly LookNote[];
  readonly claim: ClaimNote | null;
}

/**
 * The one statement that writes history, events and looks, and that returns the rows of what it claims. What there is none
 * of is left out of it: an INSERT of no rows is planned and set up all the same, and most looks change nothing. `isAlone`:
 * the transaction did nothing else.
 */
export function ledgerEntry(
  { source, by }: { readonly source: string; readonly by: string },
  { changes, events, notes, claim }: Ledger,
  isAlone: boolean,
): { sql: string; values: unknown[] } {
  const values: unknown[] = [];
  const parameter = (value: unknown): string => `$${values.push(Array.isArray(value) ? arrayLiteral(value) : value)}`;
  const arrays = <Row>(rows: readonly Row[], typeOf: Partial<Record<keyof Row & string, string>>): string =>
    Object.entries(typeOf)
      .map(([name, type]) => `${parameter(rows.map((row) => row[name as keyof Row]))}::${String(type)}[]`)
      .join(', ');
  const inserts: string[] = [];
  if (changes.length > 0)
    inserts.push(`changes AS (
      INSERT INTO state_change (tenant_id, kind, key, from_state, to_state, because, by)
      SELECT *, ${parameter(by)}::text FROM unnest(${arrays(changes, changeTypes)}))`);
  if (events.length > 0)
    inserts.push(`events AS (
      INSERT INTO outbox (id, type, tenant_id, subject, version, data, at, traceparent, source)
      SELECT *, ${parameter(`/homeostat/${source}`)}::text FROM unnest(${arrays(events, eventTypes)}))`);
  // Looks that changed nothing: were they lost in a crash of the server, their leases would run out, and they be due again.
  const isForgettable = isAlone && inserts.length === 0 && notes.every(({ epoch }) => epoch !== NO_LEASE);
  const written = inserts.length > 0 ? `WITH ${inserts.join(', ')} ` : '';
  if (notes.length === 0) return { sql: `${written}SELECT`, values };
  const { kind = null, limit = 0, holder = null, leaseMs = 0, always = true } = claim ?? {};
  const noted = arrays(notes, noteTypes);
  const claimed = [kind, always ? limit : -limit, holder, leaseMs, isForgettable].map(parameter).join(', ');
  return { sql: `${written}SELECT * FROM note_and_claim(${noted}, ${claimed})`, values };
}

const changeTypes = { tenant_id: 'text', kind: 'text', key: 'uuid', from: 'text', to: 'text', because: 'text' };
const eventTypes = {
  id: 'uuid',
  type: 'text',
  tenantid: 'text',
  subject: 'uuid',
  version: 'bigint',
  data: 'json',
  time: 'timestamptz',
  traceparent: 'text',
};
/** In the order of the parameters of note_and_claim. */
const noteTypes = {
  kind: 'text',
  key: 'uuid',
  epoch: 'bigint',
  generation: 'bigint',
  due_at: 'timestamptz',
  outcome: 'text',
  because: 'text',
  fix: 'text',
  failures: 'integer',
  pass: 'text',
};
