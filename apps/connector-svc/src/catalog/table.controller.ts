import {
  type Asked,
  Database,
  Route,
  idParams,
  listOf,
  listQuery,
  page,
  readOne,
  resourceShape,
  instant,
} from '@homeostat/platform';
import { type CatalogTable, HouseError, tableStates } from '@homeostat/shared';
import { Controller } from '@nestjs/common';
import { z } from 'zod';
import { columnsOfFields } from './stored-schema';

const tableSummary = z.object({
  ...resourceShape,
  status: z.enum(tableStates),
  namespace_id: z.uuid(),
  name: z.string(),
  connector_id: z.uuid().nullable().describe('The connector that writes it; null once that is deleted'),
  source: z.object({ namespace: z.array(z.string()), table: z.string() }),
  format: z.string(),
  format_version: z.int(),
  table_uuid: z.string().nullable(),
  location: z.string(),
  metadata_location: z.string().nullable(),
  last_updated_ms: z.string().nullable(),
  current_snapshot_id: z.string().nullable().describe('As the source says: after a rollback it is not the newest'),
  vanished_at: instant.nullable(),
});
const anything = z.array(z.looseObject({}));
const tableAnswer = tableSummary.extend({
  current_schema_id: z.int(),
  schema: z.looseObject({ schema_id: z.int() }).nullable().describe('The current one'),
  schemas: anything.describe('`fields` as they are nested, `columns` as a list of those that hold values'),
  default_spec_id: z.int(),
  partition_spec: z.looseObject({ spec_id: z.int() }).nullable().describe('The default one'),
  partition_specs: anything,
  properties: z.record(z.string(), z.string()),
  refs: anything,
});
const listed = listQuery(['namespace_id', 'connector_id', 'name'], { status: z.enum(tableStates).optional() });
const filters = ['namespace_id', 'connector_id', 'name', 'status'];

type OfOne = Asked<{ params: typeof idParams }>;

/** Tables of the catalog, as their sources say they are. */
@Controller()
export class TableController {
  constructor(readonly database: Database) {}

  @Route('GET /v1/tables', {
    summary: 'List tables, newest first',
    scope: 'read',
    query: listed,
    answer: page(tableSummary),
  })
  async list({ caller, query }: Asked<{ query: typeof listed }>) {
    const list = { from: 'catalog_table', columns: summaryColumns, caller, query, filters };
    const found = await listOf<CatalogTable>(this.database, list);
    return { ...found, items: found.items.map(summary) };
  }

  @Route('GET /v1/tables/{id}', {
    summary: 'Read a table: schema, partition spec, current snapshot',
    scope: 'read',
    params: idParams,
    answer: tableAnswer,
  })
  read({ caller, params }: OfOne) {
    return this.one(caller, params.id);
  }

  @Route('POST /v1/tables/{id}/restore', {
    summary: 'Take back that a table vanished',
    scope: 'write',
    params: idParams,
    answer: tableAnswer,
  })
  async restore({ caller, params: { id } }: OfOne) {
    const { status } = await readOne<CatalogTable>(this.database, { from: 'catalog_table' }, id, caller);
    if (status !== 'vanished')
      throw new HouseError('conflict', `table ${id} is ${status}: only a vanished one is restored`);
    await this.database.query(
      `UPDATE catalog_table SET status = 'active', vanished_at = NULL, missed = 0, reason = NULL, message = NULL
       WHERE id = $1 AND status = 'vanished'`,
      [id],
    );
    return this.one(caller, id);
  }

  private async one(caller: Asked['caller'], id: string) {
    return shown(await readOne<CatalogTable>(this.database, { from: 'catalog_table' }, id, caller));
  }
}

const summaryColumns = [
  ...[
    'id',
    'tenant_id',
    'status',
    'reason',
    'message',
    'generation',
    'created_at',
    'updated_at',
    'namespace_id',
    'name',
  ],
  ...[
    'connector_id',
    'source_namespace',
    'source_name',
    'format',
    'format_version',
    'table_uuid',
    'location',
    'metadata_location',
  ],
  ...['last_updated_ms', 'current_snapshot_id', 'vanished_at'],
];

function summary(row: CatalogTable) {
  const { source_namespace: namespace, source_name: table, ...rest } = row;
  return { ...rest, source: { namespace, table } };
}

function shown(row: CatalogTable) {
  const { described: _digest, missed: _missed, ...rest } = row;
  const schemas = (row.schemas as readonly Parameters<typeof columnsOfFields>[0][]).map(columnsOfFields);
  const specs = row.partition_specs as readonly { readonly spec_id: number }[];
  return {
    ...summary(rest as CatalogTable),
    schemas,
    schema: schemas.find(({ schema_id }) => schema_id === row.current_schema_id) ?? null,
    partition_spec: specs.find(({ spec_id }) => spec_id === row.default_spec_id) ?? null,
  };
}
