import { type Tx, byStep } from '@homeostat/platform';
import type { Plan } from '@homeostat/reconcile';
import { HouseError, type NameStatus, type NameVerification } from '@homeostat/shared';
import type { NameSight, NameStep } from './name.decide';

/** Between two checks of one name that people ask for. */
const ASK_AGAIN_MS = 10_000;

type Plans = readonly Plan<NameSight, NameStep>[];
type PlanOf<Name extends NameStep['do']> = Plan<NameSight, Extract<NameStep, { do: Name }>>;

/** A name after a write, and the state that it was in before. */
type Written = Pick<NameVerification, 'id' | 'tenant_id' | 'name' | 'domain' | 'generation' | 'status'> &
  Pick<NameVerification, 'reason' | 'message' | 'key_id'> & { readonly from: NameStatus };

/** Writes what was found about names that nobody has touched since they were observed; returns the ids of those. */
export async function write(tx: Tx, plans: Plans): Promise<ReadonlySet<string>> {
  const done: string[] = [];
  for (const [name, some] of byStep(plans)) done.push(...(await apply(tx, name, some)));
  return new Set(done);
}

async function apply(tx: Tx, name: NameStep['do'], plans: Plans): Promise<string[]> {
  switch (name) {
    case 'enrol':
      return enrol(tx, plans as readonly PlanOf<'enrol'>[]);
    case 'record':
    case 'verify':
    case 'fail':
    case 'lapse':
      return check(tx, plans as readonly PlanOf<'record' | 'verify' | 'fail' | 'lapse'>[]);
    case 'withdraw':
      return withdraw(tx, plans as readonly PlanOf<'withdraw'>[]);
  }
}

/** Has the proof of a name looked for at once. Throws HouseError where there is no such name, or that was asked for just now. */
export async function askFor(tx: Tx, id: string): Promise<void> {
  const [asked] = await tx.query<{ ms: number | null }>(
    `UPDATE name_verification v SET check_at = least(v.check_at, now()), check_asked_at = now() FROM name_verification old
     WHERE v.id = $1 AND old.id = v.id
     RETURNING extract(epoch FROM now() - old.check_asked_at)::float8 * 1000 AS ms`,
    [id],
  );
  if (!asked) throw new HouseError('not_found', `there is no name verification ${id}`);
  const leftMs = ASK_AGAIN_MS - (asked.ms ?? ASK_AGAIN_MS);
  if (leftMs > 0) {
    const retryAfterSeconds = Math.ceil(leftMs / 1_000);
    throw new HouseError('too_many_requests', `name ${id} was checked on request just now`, { retryAfterSeconds });
  }
  tx.look('name-verifications', id);
}

async function enrol(tx: Tx, plans: readonly PlanOf<'enrol'>[]): Promise<string[]> {
  const names = plans.map(({ key: id, step: { candidate, domain } }) => {
    const { tenant_id, name } = candidate;
    return { id, tenant_id, name, domain };
  });
  const enrolled = await tx.query<Pick<NameVerification, 'id' | 'tenant_id'>>(
    `INSERT INTO name_verification (id, tenant_id, name, domain)
     SELECT * FROM jsonb_to_recordset($1::jsonb) AS n (id uuid, tenant_id text, name text, domain text)
     ON CONFLICT (id) DO NOTHING RETURNING id, tenant_id`,
    [JSON.stringify(names)],
  );
  for (const { id, tenant_id } of enrolled) {
    const because = 'The record is signed, and a domain can vouch for its name.';
    tx.changed({ tenant_id, kind: 'name-verifications', key: id, from: null, to: 'pending', because });
  }
  return enrolled.map(({ id }) => id);
}

async function check(tx: Tx, plans: readonly PlanOf<'record' | 'verify' | 'fail' | 'lapse'>[]): Promise<string[]> {
  const changes = plans.map(({ key, observed, step: { facts, seen } }) => ({
    ...asSeen(key, observed),
    ...facts,
    seen,
  }));
  const written = await tx.query<Written>(update, [JSON.stringify(changes)]);
  for (const name of written) if (name.from !== name.status) note(tx, name);
  return written.map(({ id }) => id);
}

async function withdraw(tx: Tx, plans: readonly PlanOf<'withdraw'>[]): Promise<string[]> {
  const because = new Map(plans.map((plan) => [plan.key, plan.because]));
  const gone = await tx.query<Written>(
    `${locked} DELETE FROM name_verification v USING c WHERE v.id = c.id RETURNING v.*, c."from"`,
    [JSON.stringify(plans.map(({ key, observed }) => asSeen(key, observed)))],
  );
  for (const name of gone) {
    const { id, tenant_id, from } = name;
    tx.changed({ tenant_id, kind: 'name-verifications', key: id, from, to: 'deleted', because: because.get(id)! });
    if (from === 'verified') tell(tx, name, 'Withdrawn');
  }
  return gone.map(({ id }) => id);
}

function note(tx: Tx, name: Written): void {
  const { id, tenant_id, from, status: to, message, reason, key_id, generation: version } = name;
  tx.changed({ tenant_id, kind: 'name-verifications', key: id, from, to, because: message ?? '' });
  if (to !== 'verified') return tell(tx, name, reason ?? '');
  const data = { record_id: id, name: name.name, domain: name.domain, key_id: key_id ?? '' };
  tx.emit('name.verified', { tenant_id, subject: id, version, data });
}

function tell(tx: Tx, { id, tenant_id, name, domain, generation: version }: Written, reason: string): void {
  tx.emit('name.failed', { tenant_id, subject: id, version, data: { record_id: id, name, domain, reason } });
}

function asSeen(id: string, { verification }: NameSight) {
  return { id, generation: verification!.generation, from: verification!.status };
}

/** The changes of `$1`, as JSON, to rows that are as they were seen; locked in the order of their ids. */
const locked = `
  WITH c AS MATERIALIZED (
    SELECT n.* FROM jsonb_to_recordset($1::jsonb) AS n (id uuid, generation bigint, "from" text, status text, reason text,
      message text, method text, key_id text, verified_at timestamptz, expires_at timestamptz, check_at timestamptz,
      failing_since timestamptz, seen timestamptz)
    JOIN name_verification v ON v.id = n.id AND v.generation = n.generation AND v.status = n."from" ORDER BY v.id FOR UPDATE OF v)`;

const update = `${locked}
  UPDATE name_verification v SET status = c.status, reason = c.reason, message = c.message, method = c.method,
    key_id = c.key_id, verified_at = c.verified_at, expires_at = c.expires_at, check_at = c.check_at,
    failing_since = c.failing_since, record_seen = c.seen, checked_at = now()
  FROM c WHERE v.id = c.id
  RETURNING v.id, v.tenant_id, v.name, v.domain, v.generation, v.status, v.reason, v.message, v.key_id, c."from"`;
