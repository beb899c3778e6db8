import { type Tx, byStep } from '@homeostat/platform';
import type { Plan } from '@homeostat/reconcile';
import type { DirectoryRecord, RecordStatus } from '@homeostat/shared';
import { lookAtManifests } from '../listing/listing.writes';
import { noteWords } from '../search/words';
import type { RecordSight, RecordStep } from './record.decide';
import { type Attached, writeReferrers } from './referrer.writes';

type PlanOf<Name extends RecordStep['do']> = Plan<RecordSight, Extract<RecordStep, { do: Name }>>;

interface Written extends Pick<DirectoryRecord, 'id' | 'cid' | 'generation' | 'name' | 'version' | 'signed'> {
  readonly from: RecordStatus;
  readonly has_fallback: boolean;
}

/** Writes what was found about tags that nobody has touched since they were observed; returns the ids of those. */
export async function write(tx: Tx, plans: readonly Plan<RecordSight, RecordStep>[]): Promise<ReadonlySet<string>> {
  const done: Written[] = [];
  for (const [name, some] of byStep(plans)) done.push(...(await apply(tx, name, some)));
  return new Set(done.map(({ id }) => id));
}

async function apply(
  tx: Tx,
  name: RecordStep['do'],
  plans: readonly Plan<RecordSight, RecordStep>[],
): Promise<Written[]> {
  switch (name) {
    case 'index':
      return index(tx, plans as readonly PlanOf<'index'>[]);
    case 'note_referrers':
      return noteReferrers(tx, plans as readonly PlanOf<'note_referrers'>[]);
    case 'set_aside':
      return setAside(tx, plans as readonly PlanOf<'set_aside'>[]);
    case 'quarantine':
      return quarantine(tx, plans as readonly PlanOf<'quarantine'>[]);
  }
}

async function index(tx: Tx, plans: readonly PlanOf<'index'>[]): Promise<Written[]> {
  const changes = plans.map(({ key, observed, step }) => ({ ...seen(key, observed), ...step.record }));
  const written = await tx.query<Written>(
    `${asSeen}
     UPDATE record r SET status = 'indexed', reason = NULL, message = NULL, subject = NULL, indexed_at = now(),
       manifest_digest = c.manifest_digest, annotations = c.annotations, size = c.size, name = c.name, version = c.version,
       version_key = c.version_key, schema_version = c.schema_version, authored_at = c.authored_at, terms = c.terms,
       signed = EXISTS (SELECT FROM referrer f WHERE f.record_id = r.id AND f.kind = 'signature')
     FROM c WHERE r.id = c.id ${returned}`,
    [JSON.stringify(changes)],
  );
  const ids = new Set(written.map(({ id }) => id));
  const indexed = plans.filter(({ key }) => ids.has(key));
  await noteWords(
    tx,
    indexed.flatMap(({ step }) => step.record.terms),
  );
  await attach(tx, indexed);
  for (const one of written) {
    moved(tx, one, 'indexed', 'Its record was pulled, and is valid.');
    const data = { record_id: one.id, cid: one.cid, name: one.name!, version: one.version! };
    tx.emit('record.indexed', { tenant_id: 'system', subject: one.id, version: one.generation, data });
    if (one.has_fallback) tx.look('records', one.id);
    if (one.signed) tx.look('name-verifications', one.id);
  }
  return written;
}

async function noteReferrers(tx: Tx, plans: readonly PlanOf<'note_referrers'>[]): Promise<Written[]> {
  const changes = plans.map(({ key, observed }) => seen(key, observed));
  const written = await tx.query<Written>(
    `${asSeen} UPDATE record r SET referred_at = now() FROM c WHERE r.id = c.id ${returned}`,
    [JSON.stringify(changes)],
  );
  const ids = new Set(written.map(({ id }) => id));
  await attach(
    tx,
    plans.filter(({ key }) => ids.has(key)),
  );
  return written;
}

async function setAside(tx: Tx, plans: readonly PlanOf<'set_aside'>[]): Promise<Written[]> {
  const changes = plans.map(({ key, observed, step }) => ({ ...seen(key, observed), subject: step.subject }));
  const written = await tx.query<Written>(
    `${asSeen}
     UPDATE record r SET status = 'referrer', reason = NULL, message = 'It refers to ' || c.subject, subject = c.subject,
       ${nothing}
     FROM c WHERE r.id = c.id ${returned}`,
    [JSON.stringify(changes)],
  );
  for (const one of written) {
    moved(tx, one, 'referrer', 'It is attached to a record.');
    if (one.from !== 'indexed') continue;
    const data = { record_id: one.id, cid: one.cid };
    tx.emit('record.removed', { tenant_id: 'system', subject: one.id, version: one.generation, data });
    tx.look('name-verifications', one.id);
  }
  const ids = new Set(written.map(({ id }) => id));
  await lookAtManifests(
    tx,
    changes.filter(({ id }) => ids.has(id)).map(({ subject }) => subject),
  );
  return written;
}

async function quarantine(tx: Tx, plans: readonly PlanOf<'quarantine'>[]): Promise<Written[]> {
  const changes = plans.map(({ key, observed, step }) => ({
    ...seen(key, observed),
    reason: step.fault,
    message: step.message,
  }));
  const written = await tx.query<Written & { reason: string; message: string }>(
    `${asSeen}
     UPDATE record r SET status = 'quarantined', reason = c.reason, message = c.message, ${nothing}
     FROM c WHERE r.id = c.id ${returned}, r.reason, r.message`,
    [JSON.stringify(changes)],
  );
  for (const one of written) {
    moved(tx, one, 'quarantined', one.message);
    const data = { record_id: one.id, cid: one.cid, reason: one.reason };
    tx.emit('record.quarantined', { tenant_id: 'system', subject: one.id, version: one.generation, data });
    if (one.from === 'indexed') tx.look('name-verifications', one.id);
  }
  return written;
}

async function attach(tx: Tx, plans: readonly (PlanOf<'index'> | PlanOf<'note_referrers'>)[]): Promise<void> {
  const changes = plans.map(({ key, step }): Attached => ({ id: key, ...step.referrers }));
  for (const { id, cid, generation } of await writeReferrers(tx, changes)) {
    const data = { record_id: id, cid };
    tx.emit('record.signed', { tenant_id: 'system', subject: id, version: generation, data });
    tx.look('name-verifications', id);
  }
}

function seen(id: string, { generation, status }: RecordSight) {
  return { id, generation, from: status };
}

function moved(tx: Tx, { id, from }: Written, to: RecordStatus, because: string): void {
  if (from !== to) tx.changed({ tenant_id: 'system', kind: 'records', key: id, from, to, because });
}

/** The changes of `$1`, as JSON, to rows that are as they were seen; locked in the order of their ids. */
const asSeen = `
  WITH c AS MATERIALIZED (
    SELECT n.*, r.cid FROM jsonb_to_recordset($1::jsonb) AS n (id uuid, generation bigint, "from" text, manifest_digest text,
      annotations jsonb, size integer, name text, version text, version_key text, schema_version text, authored_at timestamptz,
      terms text[], subject text, reason text, message text)
    JOIN record r ON r.id = n.id AND r.generation = n.generation ORDER BY r.id FOR UPDATE OF r)`;

/** Of what is not in the index: it is found by nothing. */
const nothing = `terms = '{}', manifest_digest = NULL, version_key = NULL, authored_at = NULL, signed = false`;

const returned = `
  RETURNING r.id, r.cid, r.generation, r.name, r.version, r.signed, c."from",
    EXISTS (SELECT FROM fallback_tag f WHERE f.digest = r.manifest_digest) AS has_fallback`;
