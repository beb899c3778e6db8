import { setTimeout as sleep } from 'node:timers/promises';

const ids = {
  catalogs: '01993f5e-0000-7000-8000-0000000000c1',
  namespaces: '01993f5e-0000-7000-8000-0000000000c2',
  tables: '01993f5e-0000-7000-8000-0000000000c3',
};
/** The one of the table. */
export const SNAPSHOT = '42';

/**
 * Has the tenant `acme` own one of each kind there is; resolves to their ids by kind, as the paths name it. `ask('POST
 * /v1/…', body)` sends a request as that tenant, and throws unless it is granted; `sql` writes what only a source of
 * data could bring.
 */
export async function settle(ask, sql) {
  const sync = await ask('POST /v1/syncs', { remote_directory_url: 'https://directory.example' });
  return { ...(await platform(ask)), ...(await lakehouse(ask, sql)), syncs: sync.id };
}

async function platform(ask) {
  const project = await ask('POST /v1/projects', { name: 'shop' });
  const environment = await ask('POST /v1/environments', { project_id: project.id, name: 'production' });
  const domain = await ask('POST /v1/domains', { name: 'shop.example' });
  const wish = { project_id: project.id, environment_id: environment.id };
  const deployment = await ask('POST /v1/deployments', { ...wish, commit: 'c0ffee' });
  const build = await first(ask, `/v1/builds?deployment_id=${deployment.id}`);
  await ask(`POST /v1/builds/${build.id}/start`, { builder: 'me' });
  await ask(`POST /v1/builds/${build.id}/ready`, { image: { registry: 'registry.example', repository: 'shop' } });
  const ready = await ask(`GET /v1/deployments/${deployment.id}?wait=ready&timeout=20s`);
  const claim = await first(ask, `/v1/claims?deployment_id=${deployment.id}`);
  return {
    projects: project.id,
    environments: environment.id,
    domains: domain.id,
    deployments: deployment.id,
    builds: build.id,
    images: ready.image_id,
    claims: claim.id,
    vms: ready.vm_id,
  };
}

async function lakehouse(ask, sql) {
  const source = { uri: 'https://catalog.example/', properties: {} };
  const wish = { display_name: 'shop', kind: 'iceberg', source, destination: {}, auth: { scheme: 'none' } };
  const connector = await ask('POST /v1/connectors', wish);
  const job = await ask(`POST /v1/connectors/${connector.id}/trigger`, {});
  const { catalogs, namespaces, tables } = ids;
  await sql(`INSERT INTO catalog (id, tenant_id, name) VALUES ($1, 'acme', 'archive')`, [catalogs]);
  await sql(`INSERT INTO namespace (id, tenant_id, catalog_id, path) VALUES ($1, 'acme', $2, '{sales}')`, [
    namespaces,
    catalogs,
  ]);
  await sql(
    `INSERT INTO catalog_table (id, tenant_id, namespace_id, name, source_namespace, source_name, format, format_version, location,
       current_schema_id, schemas, default_spec_id, partition_specs, properties, described)
     VALUES ($1, 'acme', $2, 'orders', '{sales}', 'orders', 'iceberg', 2, 's3://shop/orders', 0, '[{"schema_id": 0, "identifier_field_ids": [], "fields": []}]', 0, '[]', '{}', '')`,
    [tables, namespaces],
  );
  const [load] = await sql(
    `INSERT INTO snapshot_load (table_id, snapshot_id, job_id, columns, record_count, live_row_count, data_file_count, data_bytes,
       position_delete_file_count, equality_delete_file_count, delete_record_count, delete_bytes)
     VALUES ($1, $2, $3, '[]', 0, 0, 0, 0, 0, 0, 0, 0) RETURNING id`,
    [tables, SNAPSHOT, job.id],
  );
  await sql(
    `INSERT INTO table_snapshot (table_id, snapshot_id, tenant_id, parent_present, time_source, schema_id, summary, in_current_lineage, load_id)
     VALUES ($1, $2, 'acme', false, 'snapshot', 0, '{}', true, $3)`,
    [tables, SNAPSHOT, load.id],
  );
  return { connectors: connector.id, 'reconcile-jobs': job.id, ...ids };
}

/** The first of a list, as soon as there is one. */
async function first(ask, path) {
  for (;;) {
    const [found] = (await ask(`GET ${path}`)).items;
    if (found) return found;
    await sleep(20);
  }
}
