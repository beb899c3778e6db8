import type { Decision, Outcome } from '@homeostat/reconcile';
import { passOf } from '../database/ledger';
import type { KindDesk, Subject } from './kind.desk';

interface Noted {
  readonly now: Date;
  readonly kind_paused_at: Date | null;
  readonly due_at: Date | null;
  readonly failures: number | null;
  readonly lease_holder: string | null;
  readonly lease_epoch: string | null;
  readonly lease_until: Date | null;
  readonly paused: boolean | null;
  readonly outcome: Outcome | null;
  readonly because: string | null;
  readonly fix: string | null;
  readonly since: Date | null;
  readonly looked_at: Date | null;
  readonly passes: readonly string[] | null;
}

/** Why a resource is as it is, and what comes next (spec 0, "Common to every reconciled kind"). */
export async function explain(desk: KindDesk, subject: Subject): Promise<object> {
  const [noted, observed] = await Promise.all([notedOf(desk, subject.id), desk.reconciler.observe([subject.id])]);
  const seen: unknown = observed.get(subject.id);
  const described = seen === undefined ? { desired: null, observed: null } : desk.reconciler.describe(seen);
  const paused = pauseOf(desk, subject, noted);
  const { because, fix } = wordOn(desk, seen, noted);
  return {
    id: subject.id,
    kind: desk.kind,
    desired: described.desired,
    observed: described.observed,
    status: paused ? 'paused' : (subject.status ?? noted.outcome),
    state: subject.status,
    reason: paused ? 'Paused' : subject.reason,
    paused: paused !== null,
    because: paused?.because ?? because,
    waiting_for: paused ? 'somebody to resume it' : isAtRest(noted) ? null : because,
    fix: paused ? paused.fix : fix,
    since: noted.since,
    looked_at: noted.looked_at,
    next_look_at: noted.due_at,
    lease: leaseOf(noted),
    failures: noted.failures ?? 0,
    generation: subject.generation,
    passes: (noted.passes ?? []).map(passOf),
  };
}

/** What the next pass would do now, and why; nothing is changed by asking. */
export async function plan(desk: KindDesk, subject: Subject): Promise<object> {
  const [noted, observed] = await Promise.all([notedOf(desk, subject.id), desk.reconciler.observe([subject.id])]);
  const seen: unknown = observed.get(subject.id);
  const paused = pauseOf(desk, subject, noted);
  const base = { paused: paused !== null, step: null, reach: null, next_look_at: null, fix: paused?.fix ?? null };
  if (seen === undefined) return { ...base, verdict: 'gone', because: 'there is nothing left to look at' };
  return { ...base, ...told(desk.reconciler.decide(seen, noted.now), noted.now) };
}

function told(decision: Decision<object, object>, now: Date): object {
  switch (decision.verdict) {
    case 'act': {
      const { verdict, step, because, next } = decision;
      return { verdict, step, because, next_look_at: next === 'now' ? now : next === 'settled' ? null : next };
    }
    case 'wait': {
      const { until, ...rest } = decision;
      return { ...rest, next_look_at: until };
    }
    case 'reach':
    case 'settle':
    case 'stall':
      return decision;
  }
}

/**
 * The last look's word; for a resource that waits and does not fail, that of a look now: who is ahead in a queue, say,
 * changes without anybody looking.
 */
function wordOn({ reconciler }: KindDesk, seen: unknown, noted: Noted): { because: string; fix: string | null } {
  const last = { because: noted.because ?? 'not looked at yet', fix: noted.fix };
  if (seen === undefined || noted.because === null || (noted.failures ?? 0) > 0) return last;
  const decision: Decision<object, object> = reconciler.decide(seen, noted.now);
  if (decision.verdict !== 'wait' && decision.verdict !== 'stall') return last;
  return { because: decision.because, fix: decision.fix };
}

async function notedOf({ database, kind }: KindDesk, id: string): Promise<Noted> {
  const [row] = await database.query<Noted>(
    `SELECT clock_timestamp() AS now, k.paused_at AS kind_paused_at, s.* FROM reconcile_kind k
     LEFT JOIN reconcile_status s ON s.kind = k.kind AND s.key = $2 WHERE k.kind = $1`,
    [kind, id],
  );
  return row!;
}

/** Nothing is due and nobody is needed. A stalled resource is not due either, but waits for a person. */
function isAtRest({ due_at: dueAt, outcome }: Noted): boolean {
  return dueAt === null && outcome !== null && outcome !== 'stalled';
}

function pauseOf({ kind }: KindDesk, { id }: Subject, noted: Noted): { because: string; fix: string } | null {
  if (noted.paused) return { because: 'reconciling it is paused', fix: `POST /v1/${kind}/${id}/resume` };
  if (!noted.kind_paused_at) return null;
  const since = noted.kind_paused_at.toISOString();
  return { because: `reconciling all ${kind} is paused since ${since}`, fix: `POST /v1/kinds/${kind}/resume` };
}

function leaseOf({ now, lease_holder: holder, lease_until: until, lease_epoch: epoch }: Noted): object | null {
  return holder !== null && until !== null && until > now ? { holder, until, epoch } : null;
}
