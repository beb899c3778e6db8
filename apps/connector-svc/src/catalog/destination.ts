import type { Tx } from '@homeostat/platform';
import { type Connector, HouseError } from '@homeostat/shared';
import { v7 as uuidv7 } from 'uuid';

/** Where a connector's tables belong: the ids of what exists, null for what is yet to be made. */
export interface Destination {
  readonly catalog_id: string | null;
  readonly namespace_id: string | null;
  readonly table_id: string | null;
}

type Target = Pick<
  Connector,
  'id' | 'tenant_id' | 'display_name' | 'source' | 'destination' | 'catalog_id' | 'namespace_id' | 'table_id'
>;

/**
 * Finds a connector's destination, by the ids that it names or was bound to before, and by its names. Throws HouseError
 * `destination_conflict`, with both ids, where those are not the same, or the table is another connector's.
 */
export async function resolve(tx: Pick<Tx, 'query'>, target: Target): Promise<Destination> {
  const { tenant_id: tenant, destination, source } = target;
  const name = catalogName(target);
  const catalog_id = await agreed(tx, {
    what: `catalog ${name}`,
    ids: [destination.catalog_id, target.catalog_id],
    byId: 'SELECT id FROM catalog WHERE id = $1 AND tenant_id = $2',
    tenant,
    byName:
      destination.catalog_id === null || destination.catalog !== null
        ? ['SELECT id FROM catalog WHERE tenant_id = $1 AND name = $2', [tenant, name]]
        : null,
  });
  checkReach(target);
  const path = source.namespace && (destination.namespace ?? source.namespace);
  const namespace_id = await agreed(tx, {
    what: `namespace ${path?.join('.') ?? ''}`,
    ids: [destination.namespace_id, target.namespace_id],
    byId: 'SELECT id FROM namespace WHERE id = $1 AND tenant_id = $2',
    tenant,
    byName:
      path && catalog_id ? ['SELECT id FROM namespace WHERE catalog_id = $1 AND path = $2', [catalog_id, path]] : null,
  });
  const table = destination.table ?? source.table;
  const table_id = await agreed(tx, {
    what: `table ${table ?? ''}`,
    ids: [destination.table_id, target.table_id],
    byId: 'SELECT id FROM catalog_table WHERE id = $1 AND tenant_id = $2',
    tenant,
    byName:
      table && namespace_id
        ? ['SELECT id FROM catalog_table WHERE namespace_id = $1 AND name = $2', [namespace_id, table]]
        : null,
  });
  await checkOwner(tx, target, table_id);
  return { catalog_id, namespace_id, table_id };
}

/** The catalog that a connector writes to: its own, unless it names another. */
export function catalogName({ destination, display_name }: Pick<Connector, 'destination' | 'display_name'>): string {
  return destination.catalog ?? display_name;
}

/** Ids and tables can only be named where there is one source for them. */
function checkReach({ destination, source }: Target): void {
  const one = (what: string, of: string): HouseError =>
    new HouseError('unprocessable', `/destination/${what}: there is more than one source for it: name /source/${of}`);
  if (destination.namespace_id !== null && source.namespace === null) throw one('namespace_id', 'namespace');
  if (destination.table_id !== null && source.table === null) throw one('table_id', 'table');
  if (destination.table !== null && source.table === null) throw one('table', 'table');
}

/** Where in the catalog a namespace of the source goes. A table without any namespace is found in `default`. */
export function pathOf(
  { source, destination }: Pick<Target, 'source' | 'destination'>,
  from: readonly string[],
): readonly string[] {
  const path = source.namespace ? (destination.namespace ?? from) : [...(destination.namespace ?? []), ...from];
  return path.length > 0 ? path : ['default'];
}

interface Question {
  readonly what: string;
  /** Named by the tenant; bound before. */
  readonly ids: readonly (string | null)[];
  readonly byId: string;
  readonly tenant: string;
  readonly byName: readonly [string, readonly unknown[]] | null;
}

async function agreed(tx: Pick<Tx, 'query'>, { what, ids, byId, tenant, byName }: Question): Promise<string | null> {
  const [known, other] = [...new Set(ids.filter((id) => id !== null))];
  if (other) throw conflict(`the ${what} is named as ${known}, and the connector is bound to ${other}`);
  const [actual] = byName ? await tx.query<{ id: string }>(byName[0], byName[1]) : [];
  if (known === undefined) return actual?.id ?? null;
  if (actual && actual.id !== known)
    throw conflict(`the ${what} is ${actual.id}, and not ${known} as the connector has it`);
  const [found] = await tx.query(byId, [known, tenant]);
  if (!found) throw conflict(`the ${what} should be ${known}, which does not exist`);
  return known;
}

async function checkOwner(tx: Pick<Tx, 'query'>, { id }: Target, table: string | null): Promise<void> {
  if (table === null) return;
  const [owned] = await tx.query<{ connector_id: string }>(
    'SELECT connector_id FROM catalog_table WHERE id = $1 AND connector_id <> $2',
    [table, id],
  );
  if (owned) throw conflict(`table ${table} belongs to connector ${owned.connector_id}, and not to ${id}`);
}

function conflict(detail: string): HouseError {
  return new HouseError('destination_conflict', detail);
}

/**
 * Makes the catalog where there is none, and binds the connector to what its names were resolved to. Throws HouseError as
 * `resolve` does.
 */
export async function bindDestination(tx: Tx, target: Target): Promise<Destination & { readonly catalog_id: string }> {
  const found = await resolve(tx, target);
  const catalog_id = found.catalog_id ?? (await makeCatalog(tx, target));
  await tx.query(
    `UPDATE connector SET catalog_id = $2, namespace_id = coalesce($3, namespace_id), table_id = coalesce($4, table_id)
     WHERE id = $1 AND (catalog_id, namespace_id, table_id) IS DISTINCT FROM ($2::uuid, coalesce($3, namespace_id), coalesce($4, table_id))`,
    [target.id, catalog_id, found.namespace_id, found.table_id],
  );
  return { ...found, catalog_id };
}

async function makeCatalog(tx: Tx, target: Target): Promise<string> {
  const name = catalogName(target);
  await tx.query(
    'INSERT INTO catalog (id, tenant_id, name, connector_id) VALUES ($1, $2, $3, $4) ON CONFLICT (tenant_id, name) DO NOTHING',
    [uuidv7(), target.tenant_id, name, target.id],
  );
  const find = 'SELECT id FROM catalog WHERE tenant_id = $1 AND name = $2';
  const [made] = await tx.query<{ id: string }>(find, [target.tenant_id, name]);
  return made!.id;
}

/** Returns the id of a namespace of the catalog; it is made where there is none. */
export async function ensureNamespace(
  tx: Tx,
  tenant: string,
  catalogId: string,
  path: readonly string[],
): Promise<string> {
  const find = 'SELECT id FROM namespace WHERE catalog_id = $1 AND path = $2';
  const [found] = await tx.query<{ id: string }>(find, [catalogId, path]);
  if (found) return found.id;
  await tx.query(
    'INSERT INTO namespace (id, tenant_id, catalog_id, path) VALUES ($1, $2, $3, $4) ON CONFLICT (catalog_id, path) DO NOTHING',
    [uuidv7(), tenant, catalogId, path],
  );
  const [made] = await tx.query<{ id: string }>(find, [catalogId, path]);
  return made!.id;
}
