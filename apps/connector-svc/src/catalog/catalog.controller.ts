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
} from '@homeostat/platform';
import type { Catalog, Namespace } from '@homeostat/shared';
import { Controller } from '@nestjs/common';
import { z } from 'zod';

const catalogAnswer = z.object({
  ...resourceShape,
  name: z.string(),
  connector_id: z.uuid().nullable().describe('The connector that made it'),
});
const namespaceAnswer = z.object({
  ...resourceShape,
  catalog_id: z.uuid(),
  name: z.string().describe('Its levels with dots between them'),
  path: z.array(z.string()),
});
const catalogs = listQuery(['name', 'connector_id']);
const namespaces = listQuery(['catalog_id']);

type OfOne = Asked<{ params: typeof idParams }>;

/** Catalogs and their namespaces: what connectors made, to be read. */
@Controller()
export class CatalogController {
  constructor(private readonly database: Database) {}

  @Route('GET /v1/catalogs', {
    summary: 'List catalogs, newest first',
    scope: 'read',
    query: catalogs,
    answer: page(catalogAnswer),
  })
  catalogs({ caller, query }: Asked<{ query: typeof catalogs }>) {
    return listOf<Catalog>(this.database, { from: 'catalog', caller, query, filters: ['name', 'connector_id'] });
  }

  @Route('GET /v1/catalogs/{id}', { summary: 'Read a catalog', scope: 'read', params: idParams, answer: catalogAnswer })
  catalog({ caller, params }: OfOne) {
    return readOne<Catalog>(this.database, { from: 'catalog' }, params.id, caller);
  }

  @Route('GET /v1/namespaces', {
    summary: 'List namespaces, newest first',
    scope: 'read',
    query: namespaces,
    answer: page(namespaceAnswer),
  })
  async namespaces({ caller, query }: Asked<{ query: typeof namespaces }>) {
    const found = await listOf<Namespace>(this.database, { from: 'namespace', caller, query, filters: ['catalog_id'] });
    return { ...found, items: found.items.map(named) };
  }

  @Route('GET /v1/namespaces/{id}', {
    summary: 'Read a namespace',
    scope: 'read',
    params: idParams,
    answer: namespaceAnswer,
  })
  async namespace({ caller, params }: OfOne) {
    return named(await readOne<Namespace>(this.database, { from: 'namespace' }, params.id, caller));
  }
}

function named(row: Namespace) {
  return { ...row, name: row.path.join('.') };
}
