import { HouseError } from '@homeostat/shared';
import type { KindDesk } from './kind.desk';

/**
 * Looks now and forgets the backoff. Throws HouseError `conflict` where reconciling the resource, or its whole kind,
 * is paused.
 */
export async function retry(desk: KindDesk, id: string): Promise<void> {
  const { database, kind } = desk;
  const [paused] = await database.query<{ what: string }>(
    `SELECT 'kinds/' || kind AS what FROM reconcile_kind WHERE kind = $1 AND paused_at IS NOT NULL
     UNION ALL SELECT kind || '/' || key FROM reconcile_status WHERE kind = $1 AND key = $2 AND paused`,
    [kind, id],
  );
  if (paused) throw new HouseError('conflict', `reconciling it is paused: POST /v1/${paused.what}/resume first`);
  await database.transaction(async (tx) => {
    tx.look(kind, id);
    await tx.query(
      `UPDATE reconcile_status SET due_at = now(), rank_at = now(), failures = 0
       WHERE kind = $1 AND key = $2 AND NOT paused`,
      [kind, id],
    );
  });
  desk.nudge();
}

/** Stops reconciling a resource; a pass that runs at this moment comes to its end. Repeating it changes nothing. */
export async function pause({ database, kind }: KindDesk, id: string): Promise<void> {
  await database.transaction(async (tx) => {
    await tx.query('SELECT request_look($1, ARRAY[$2::uuid])', [kind, id]);
    await tx.query(
      'UPDATE reconcile_status SET paused = true, due_at = NULL, rank_at = NULL WHERE kind = $1 AND key = $2',
      [kind, id],
    );
  });
}

/** Goes on with a resource, at once. */
export async function resume(desk: KindDesk, id: string): Promise<void> {
  await desk.database.query(
    `UPDATE reconcile_status SET paused = false, due_at = now(), rank_at = now(), generation = generation + 1
     WHERE kind = $1 AND key = $2 AND paused`,
    [desk.kind, id],
  );
  desk.nudge();
}

/** Stops or goes on with every resource of a kind, in all processes; returns since when it is paused. */
export async function pauseKind(desk: KindDesk, paused: boolean): Promise<Date | null> {
  const [row] = await desk.database.query<{ paused_at: Date | null }>(
    `UPDATE reconcile_kind SET paused_at = CASE WHEN $2::boolean THEN coalesce(paused_at, now()) END
     WHERE kind = $1 RETURNING paused_at`,
    [desk.kind, paused],
  );
  desk.nudge();
  return row!.paused_at;
}
