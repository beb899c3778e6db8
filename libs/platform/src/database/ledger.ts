import type { LookResult } from '@homeostat/reconcile';
import type { HouseEvent, Kind } from '@homeostat/shared';
import { arrayLiteral } from './array-literal';
import type { StateChange } from './tx';

/** One line for the notebook, as the SQL function note_looks takes it: a result (epoch > 0) or a wish (epoch 0). */
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
 * The other wishes are given the trace that `traceOf` knows for their key.
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
  return [...ends, ...[...rest.values()].map((wish) => ({ ...wish, pass: traceOf(wish.key) }))];
}

/** A resource among all kinds. */
export function nameOf({ kind, key }: Pick<LookNote, 'kind' | 'key'>): string {
  return `${kind} ${key}`;
}

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
  return { kind, key, epoch: '0', generation: '1', due_at, outcome, because, fix: null, failures: 0, pass: null };
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

const sql = `
  WITH changes AS (
    INSERT INTO state_change (tenant_id, kind, key, from_state, to_state, because, by)
    SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[])
  ), events AS (
    INSERT INTO outbox (id, type, source, tenant_id, subject, version, data, at, traceparent)
    SELECT id, type, $8::text, tenant_id, subject, version, data, at, traceparent
    FROM unnest($9::uuid[], $10::text[], $11::text[], $12::uuid[], $13::bigint[], $14::json[], $15::timestamptz[], $16::text[])
      AS e (id, type, tenant_id, subject, version, data, at, traceparent)
  )
  SELECT note_looks($17, $18, $19, $20, $21, $22, $23, $24, $25, $26)`;

/** What note_looks raises when leases were lost; its detail has their keys. */
export const STALE_LEASES = 'HS001';

/** The one statement that writes history, events and looks. */
export function ledgerEntry(
  { source, by }: { readonly source: string; readonly by: string },
  changes: readonly StateChange[],
  events: readonly HouseEvent[],
  notes: readonly LookNote[],
): { sql: string; values: unknown[] } {
  const values: (unknown[] | string)[] = [
    ...columns(changes, ['tenant_id', 'kind', 'key', 'from', 'to', 'because']),
    changes.map(() => by),
    `/homeostat/${source}`,
    ...columns(events, ['id', 'type', 'tenantid', 'subject', 'version', 'data', 'time', 'traceparent']),
    ...columns(notes, [
      'kind',
      'key',
      'epoch',
      'generation',
      'due_at',
      'outcome',
      'because',
      'fix',
      'failures',
      'pass',
    ]),
  ];
  return { sql, values: values.map((value) => (typeof value === 'string' ? value : arrayLiteral(value))) };
}

function columns<Row>(rows: readonly Row[], names: readonly (keyof Row)[]): unknown[][] {
  return names.map((name) => rows.map((row) => row[name]));
}
