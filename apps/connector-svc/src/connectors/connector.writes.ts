import { type Caller, type Secrets, type Tx, tenantOf, notFound } from '@homeostat/platform';
import { type Connector, HouseError } from '@homeostat/shared';
import { v7 as uuidv7 } from 'uuid';
import { resolve } from '../catalog/destination';
import { cancelOpenJobs } from '../jobs/job.intents';
import type { ConnectorChange, Login, NewConnector, Policy } from './connector.schema';

/** Who wants something done to which connector. */
export interface Wish {
  readonly caller: Caller;
  readonly id: string;
  /** As the caller has read it; null: whatever has become of it. */
  readonly generation: string | null;
}

/** Makes a connector. Throws HouseError where its name is taken, its destination is not to be had, or secrets are refused. */
export async function create(tx: Tx, { tenant }: Caller, wanted: NewConnector, secrets: Secrets): Promise<Connector> {
  const id = uuidv7();
  const owner = { id, tenant_id: tenant };
  const { display_name, kind, source, destination, auth, policy } = wanted;
  await resolve(tx, {
    ...owner,
    display_name,
    source,
    destination,
    catalog_id: null,
    namespace_id: null,
    table_id: null,
  });
  const [made] = await tx.query<Connector>(
    `INSERT INTO connector (id, tenant_id, display_name, kind, source, destination, auth, secrets,
       interval_ms, policy_enabled, not_before, max_parallel, next_run_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, CASE WHEN $9::bigint IS NOT NULL THEN greatest(now(), $11::timestamptz) END)
     ON CONFLICT (tenant_id, display_name) DO NOTHING RETURNING *`,
    [
      id,
      tenant,
      display_name,
      kind,
      source,
      destination,
      ...loginColumns(auth, secrets, owner),
      ...policyColumns(policy),
    ],
  );
  if (!made) throw await taken(tx, tenant, display_name);
  tx.changed({ tenant_id: tenant, kind: 'connectors', key: id, from: null, to: 'active', because: 'It was made.' });
  const data = { connector_id: id, display_name };
  tx.emit('connector.created', { tenant_id: tenant, subject: id, version: made.generation, data });
  tx.look('connectors', id);
  return made;
}

/** Changes what is given of a connector, as a whole each. A new source or destination is bound anew, and cancels the jobs for the old one. */
export async function change(tx: Tx, wish: Wish, wanted: ConnectorChange, secrets: Secrets): Promise<void> {
  const old = await locked(tx, wish);
  const moves = wanted.destination !== undefined || wanted.source !== undefined;
  if (moves) await cancelOpenJobs(tx, old.id, 'Its connector was changed.');
  const { tenant_id } = old;
  const { display_name = old.display_name, source = old.source } = wanted;
  const destination = wanted.destination ?? old.destination;
  checkSecretsStayHome(old, wanted);
  const bound = moves ? { catalog_id: null, namespace_id: null, table_id: null } : old;
  const { catalog_id, namespace_id, table_id } = bound;
  const target = { id: old.id, tenant_id, display_name, source, destination, catalog_id, namespace_id, table_id };
  await resolve(tx, target);
  if (display_name !== old.display_name) await checkName(tx, old, display_name);
  const login = wanted.auth ? loginColumns(wanted.auth, secrets, old) : [old.auth, old.secrets];
  const policy = wanted.policy === undefined ? policyOf(old) : policyColumns(wanted.policy);
  await tx.query(
    `UPDATE connector SET display_name = $2, source = $3, destination = $4, catalog_id = $5, namespace_id = $6, table_id = $7,
       auth = $8, secrets = $9, interval_ms = $10, policy_enabled = $11, not_before = $12, max_parallel = $13,
       next_run_at = CASE WHEN $10::bigint IS NULL THEN NULL WHEN $14 THEN greatest(now(), $12::timestamptz) ELSE next_run_at END,
       status = 'active', reason = NULL, message = NULL
     WHERE id = $1`,
    [
      ...[old.id, display_name, source, destination, catalog_id, namespace_id, table_id],
      ...[...login, ...policy, wanted.policy !== undefined],
    ],
  );
  if (wanted.destination)
    await tx.query('UPDATE catalog_table SET connector_id = NULL WHERE connector_id = $1', [old.id]);
  if (old.status === 'conflict') moved(tx, old, 'active', 'It was changed.');
  tx.look('connectors', old.id);
}

/** Deletes a connector and cancels its jobs. What it brought into the catalog stays, and may be another's from now on. */
export async function remove(tx: Tx, wish: Wish): Promise<void> {
  const connector = await locked(tx, wish);
  await cancelOpenJobs(tx, connector.id, 'Its connector was deleted.');
  await tx.query('UPDATE catalog_table SET connector_id = NULL WHERE connector_id = $1', [connector.id]);
  await tx.query('DELETE FROM connector WHERE id = $1', [connector.id]);
  moved(tx, connector, 'deleted', 'It was deleted.');
  tx.look('connectors', connector.id);
}

/** Reads a connector and holds it until the commit. Throws HouseError `not_found`, or `precondition_failed`. */
export async function locked(tx: Tx, { caller, id, generation }: Wish): Promise<Connector> {
  const [connector] = await tx.query<Connector>(
    'SELECT * FROM connector WHERE id = $1 AND ($2::text IS NULL OR tenant_id = $2) FOR UPDATE',
    [id, tenantOf(caller)],
  );
  if (!connector) throw notFound('connector', id);
  if (generation === null || connector.generation === generation) return connector;
  throw new HouseError('precondition_failed', `connector ${id} was changed at this very moment: read it again`);
}

function moved(tx: Tx, { id: key, tenant_id, status: from }: Connector, to: string, because: string): void {
  tx.changed({ tenant_id, kind: 'connectors', key, from, to, because });
}

/** Who may write but not read secrets must not have them sent to a place of their own choice. */
function checkSecretsStayHome(old: Connector, { source, auth }: ConnectorChange): void {
  if (old.secrets === null || source === undefined || auth !== undefined) return;
  const place = ({ uri, properties }: Connector['source']): string =>
    JSON.stringify([uri, Object.entries(properties).sort(([a], [b]) => (a < b ? -1 : 1))]);
  if (place(source) === place(old.source)) return;
  throw new HouseError(
    'unprocessable',
    '/source: with another uri or other properties the secrets must be given again',
    {
      errors: [{ pointer: '/auth', message: 'is needed: the secrets were given for another source' }],
    },
  );
}

function loginColumns(
  { scheme, settings, secrets: clear }: Login,
  box: Secrets,
  owner: { id: string; tenant_id: string },
) {
  const names = Object.keys(clear).sort();
  return [{ scheme, settings, secrets: names }, names.length > 0 ? box.seal(clear, owner) : null] as const;
}

function policyColumns(policy: Policy | null): unknown[] {
  return [policy?.interval ?? null, policy?.enabled ?? true, policy?.not_before ?? null, policy?.max_parallel ?? 4];
}

function policyOf({ interval_ms, policy_enabled, not_before, max_parallel }: Connector): unknown[] {
  return [interval_ms, policy_enabled, not_before, max_parallel];
}

async function checkName(tx: Tx, { tenant_id, id }: Connector, display_name: string): Promise<void> {
  const [other] = await tx.query('SELECT id FROM connector WHERE tenant_id = $1 AND display_name = $2 AND id <> $3', [
    tenant_id,
    display_name,
    id,
  ]);
  if (other) throw await taken(tx, tenant_id, display_name);
}

async function taken(tx: Tx, tenant: string, display_name: string): Promise<HouseError> {
  const find = 'SELECT id FROM connector WHERE tenant_id = $1 AND display_name = $2';
  const [other] = await tx.query<{ id: string }>(find, [tenant, display_name]);
  const which = other ? `connector ${other.id}` : 'a connector that is being made at this very moment';
  return new HouseError('already_exists', `${display_name} is the name of ${which}`);
}
