import {
  type Asked,
  Database,
  Route,
  idParams,
  listOf,
  listQuery,
  name,
  page,
  readOne,
  resourceShape,
} from '@homeostat/platform';
import { HouseError, POOL_ID, type Region } from '@homeostat/shared';
import { Controller } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { z } from 'zod';

const newRegion = z.strictObject({ name: name(63) });
const regionShape = z.object({ ...resourceShape, name: z.string() });
const regions = {
  from: 'region',
  columns: ['id', 'tenant_id', 'name', 'status', 'reason', 'message', 'generation', 'created_at', 'updated_at'],
};
const query = listQuery(['name']);

/** Regions: where VMs are made, in turn. They belong to nobody, and everybody may read them. */
@Controller()
export class RegionController {
  constructor(readonly database: Database) {}

  @Route('POST /v1/regions', {
    summary: 'Make a region',
    scope: 'admin',
    body: newRegion,
    answer: regionShape,
    creates: true,
  })
  async create({ body, once }: Asked<{ body: typeof newRegion }>) {
    return once(async (tx) => {
      const [region] = await tx.query<Region>(
        `INSERT INTO region (id, tenant_id, name) VALUES ($1, 'system', $2) ON CONFLICT (name) DO NOTHING
         RETURNING ${regions.columns.join(', ')}`,
        [uuidv7(), body.name],
      );
      if (!region) throw new HouseError('already_exists', `there is a region "${body.name}" already`);
      tx.look('pool', POOL_ID);
      return region;
    });
  }

  @Route('GET /v1/regions', { summary: 'List regions', scope: 'read', query, answer: page(regionShape) })
  list({ query: asked }: Asked<{ query: typeof query }>) {
    return listOf<Region>(this.database, { ...regions, caller: null, query: asked, filters: ['name'] });
  }

  @Route('GET /v1/regions/{id}', { summary: 'Read a region', scope: 'read', params: idParams, answer: regionShape })
  read({ params }: Asked<{ params: typeof idParams }>) {
    return readOne<Region>(this.database, regions, params.id, null);
  }
}
