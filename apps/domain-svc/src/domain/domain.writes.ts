import type { Tx } from '@homeostat/platform';
import type { Plan } from '@homeostat/reconcile';
import type { Domain, DomainStatus, EventType } from '@homeostat/shared';
import type { DomainSight, DomainStep } from './domain.decide';

/** A domain after a write, and the state that it was in before. */
interface Written extends Pick<Domain, 'id' | 'tenant_id' | 'name' | 'generation' | 'status' | 'message'> {
  readonly from: DomainStatus;
}

const eventOf = {
  pending: null,
  verified: 'domain.verified',
  at_risk: 'domain.at_risk',
  lapsed: 'domain.lapsed',
  expired: 'domain.expired',
} as const satisfies Record<DomainStatus, EventType | null>;

/**
 * Writes what was found about domains that nobody has touched since they were observed; returns the ids of those. Of
 * several that would be verified under one name the first does, and the others look again.
 */
export async function write(tx: Tx, plans: readonly Plan<DomainSight, DomainStep>[]): Promise<ReadonlySet<string>> {
  await lockNames(tx, plans);
  const written = await tx.query<Written>(update, [JSON.stringify(plans.map(change))]);
  const moved = written.filter(({ from, status }) => from !== status);
  for (const domain of moved) note(tx, domain);
  await wakeClaims(
    tx,
    moved.filter(({ status }) => status === 'lapsed').map(({ name }) => name),
  );
  return new Set(written.map(({ id }) => id));
}

/** Wakes the claims that had the right record, but not the name, because another tenant held it. */
export async function wakeClaims(tx: Tx, names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  const woken = await tx.query<Pick<Domain, 'id'>>(
    `UPDATE domain SET check_at = now() WHERE name = ANY ($1) AND status = 'pending' AND reason = 'NameTaken' RETURNING id`,
    [names],
  );
  for (const { id } of woken) tx.look('domains', id);
}

/**
 * One process at a time verifies a name. A statement of its own: the next one takes its snapshot after the wait, and
 * so sees who was first.
 */
async function lockNames(tx: Tx, plans: readonly Plan<DomainSight, DomainStep>[]): Promise<void> {
  const names = plans.filter(({ step }) => step.do === 'verify').map(({ observed }) => observed.domain.name);
  if (names.length === 0) return;
  await tx.query(
    `SELECT pg_advisory_xact_lock(lock) FROM (
       SELECT DISTINCT hashtextextended('domain ' || name, 0) AS lock FROM unnest($1::text[]) AS n (name) ORDER BY lock) AS locks`,
    [names],
  );
}

function change({ key, observed, step }: Plan<DomainSight, DomainStep>): object {
  const { generation, status: from } = observed.domain;
  return { id: key, generation, from, step: step.do, ...step.facts };
}

function note(tx: Tx, { id, tenant_id, name, generation, status, message, from }: Written): void {
  tx.changed({ tenant_id, kind: 'domains', key: id, from, to: status, because: message ?? '' });
  const type = eventOf[status];
  if (type) tx.emit(type, { tenant_id, subject: id, version: generation, data: { domain_id: id, name } });
}

/** Parameter: the changes as JSON. Rows are locked in the order of their ids. */
const update = `
  WITH change AS MATERIALIZED (
    SELECT w.*, d.name FROM jsonb_to_recordset($1::jsonb) AS w (id uuid, generation bigint, "from" text, step text,
      status text, reason text, message text, check_at timestamptz, checks integer, last_check jsonb,
      verified_at timestamptz, absent_since timestamptz)
    JOIN domain d ON d.id = w.id AND d.generation = w.generation AND d.status = w."from" ORDER BY d.id FOR UPDATE OF d
  ), first AS (
    SELECT DISTINCT ON (c.name) c.id FROM change c WHERE c.step = 'verify' AND NOT EXISTS (
      SELECT FROM domain o WHERE o.name = c.name AND o.status IN ('verified', 'at_risk'))
    ORDER BY c.name, c.id
  )
  UPDATE domain d SET status = c.status, reason = c.reason, message = c.message, check_at = c.check_at, checks = c.checks,
    last_check = c.last_check, verified_at = c.verified_at, absent_since = c.absent_since
  FROM change c WHERE d.id = c.id AND (c.step <> 'verify' OR c.id IN (SELECT id FROM first))
  RETURNING d.id, d.tenant_id, d.name, d.generation, d.status, d.message, c."from"`;
