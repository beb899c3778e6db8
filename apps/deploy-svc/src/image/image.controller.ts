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
import type { Image } from '@homeostat/shared';
import { Controller } from '@nestjs/common';
import { z } from 'zod';

const imageShape = z.object({
  ...resourceShape,
  build_id: z.uuid().nullable(),
  registry: z.string(),
  repository: z.string(),
  tag: z.string().nullable(),
  digest: z.string().nullable(),
});
const filters = ['build_id', 'repository', 'digest'] as const;
const query = listQuery(filters);

/** Images: what builds made. */
@Controller()
export class ImageController {
  constructor(private readonly database: Database) {}

  @Route('GET /v1/images', { summary: 'List images', scope: 'read', query, answer: page(imageShape) })
  list({ caller, query: asked }: Asked<{ query: typeof query }>) {
    return listOf<Image>(this.database, { from: 'image', caller, query: asked, filters });
  }

  @Route('GET /v1/images/{id}', { summary: 'Read an image', scope: 'read', params: idParams, answer: imageShape })
  read({ caller, params }: Asked<{ params: typeof idParams }>) {
    return readOne<Image>(this.database, { from: 'image' }, params.id, caller);
  }
}
