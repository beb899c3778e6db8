import { HouseError, type Kind, reconciledKinds } from '@homeostat/shared';
import { Injectable } from '@nestjs/common';
import type { Database } from '../database/database';
import type { AnyHouseReconciler } from '../reconcile/house.reconciler';
import type { Looks } from '../reconcile/looks';
import { type Caller, tenantOf } from './caller';
import { notFound, readOne } from './list';

/** Reads one resource as its own GET shows it. Throws HouseError `not_found`. */
export type Show = (id: string, caller: Caller) => Promise<object>;

/** Where people ask about the resources of one kind, and steer how they are reconciled. */
export interface KindDesk {
  readonly kind: Kind;
  readonly table: string;
  readonly database: Database;
  readonly reconciler: AnyHouseReconciler;
  readonly nudge: () => void;
}

/** The resource that a question is about. */
export interface Subject {
  readonly id: string;
  /** null where the resource has no state of its own, as the pool. */
  readonly status: string | null;
  readonly reason: string | null;
  readonly generation: string | null;
}

/** Tables whose rows every tenant may read: the pool, and the directory, which is one for all. */
const everybodys: readonly string[] = ['pool', 'registry', 'record', 'name_candidate'];

/** The desks of every kind that is reconciled in this process. */
@Injectable()
export class KindDesks {
  private readonly desks = new Map<string, KindDesk>();
  private readonly shows = new Map<string, Show>();

  /** Opens the desks of a service's reconcilers. */
  open(looks: Pick<Looks, 'reconcilers' | 'database' | 'nudge'>): void {
    for (const reconciler of looks.reconcilers) {
      const { kind } = reconciler;
      const { table } = reconciledKinds[kind];
      this.desks.set(kind, { kind, table, database: looks.database, reconciler, nudge: () => looks.nudge(kind) });
    }
  }

  /** Tells how resources of a kind are shown after an action; without it, their row is. */
  showBy(kind: Kind, show: Show): void {
    this.shows.set(kind, show);
  }

  /** Throws HouseError `not_found` for a kind that is not reconciled in this process. */
  of(kind: string): KindDesk {
    const desk = this.desks.get(kind);
    if (!desk) throw new HouseError('not_found', `there is no kind ${kind} here`);
    return desk;
  }

  async show({ kind, table, database }: KindDesk, id: string, caller: Caller): Promise<object> {
    const show = this.shows.get(kind);
    if (show) return show(id, caller);
    return readOne(database, { from: table, kind }, id, everybodys.includes(table) ? null : caller);
  }
}

/** The tenant whose rows of a kind a caller may read; null: all of them. */
export function readableTenant({ table }: Pick<KindDesk, 'table'>, caller: Caller): string | null {
  return everybodys.includes(table) ? null : tenantOf(caller);
}

/** What there is one of, for all tenants. */
const sole = ['pool', 'registry'];

/** True for what serves all tenants as one. */
export function isSole({ table }: KindDesk): boolean {
  return sole.includes(table);
}

/** Throws HouseError `forbidden` unless the caller may see, and change, what serves all tenants: the pool, its stock, VMs, the directory. */
export function mayTouchAll(desk: KindDesk, caller: Caller): void {
  if (caller.allTenants || !(isSole(desk) || ['vm', 'record', 'name_candidate'].includes(desk.table))) return;
  throw new HouseError('forbidden', 'this serves all tenants: the scope "admin" is needed');
}

/** Returns the resource. Throws HouseError `not_found`; a table without tenants, the pool, is everybody's to ask about. */
export async function subjectOf({ table, database }: KindDesk, id: string, caller: Caller): Promise<Subject> {
  const [subject] = await database.query<Subject>(
    `SELECT id, of ->> 'status' AS status, of ->> 'reason' AS reason, of ->> 'generation' AS generation
     FROM (SELECT r.id, to_jsonb(r) AS of FROM ${table} r WHERE r.id = $1) AS found
     WHERE $2::text IS NULL OR coalesce(of ->> 'tenant_id', $2) = $2`,
    [id, readableTenant({ table }, caller)],
  );
  if (!subject) throw notFound(table, id);
  return subject;
}
