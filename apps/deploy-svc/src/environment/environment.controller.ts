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
  resourceId,
  resourceShape,
  tenantOf,
  unknownReference,
} from '@homeostat/platform';
import { type Environment, HouseError, type Project } from '@homeostat/shared';
import { Controller } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { z } from 'zod';

const newEnvironment = z.strictObject({ project_id: resourceId, name: name(100) });
const environmentShape = z.object({ ...resourceShape, project_id: z.uuid(), name: z.string() });
const filters = ['project_id', 'name'] as const;
const query = listQuery(filters);

/** Environments of a project, such as production and preview; deployments supersede each other within one. */
@Controller()
export class EnvironmentController {
  constructor(readonly database: Database) {}

  @Route('POST /v1/environments', {
    summary: 'Make an environment',
    scope: 'write',
    body: newEnvironment,
    answer: environmentShape,
    creates: true,
  })
  create({ caller, body, once }: Asked<{ body: typeof newEnvironment }>) {
    return once(async (tx) => {
      const [project] = await tx.query<Project>(
        'SELECT * FROM project WHERE id = $1 AND ($2::text IS NULL OR tenant_id = $2)',
        [body.project_id, tenantOf(caller)],
      );
      if (!project) throw unknownReference('project_id', body.project_id);
      const [environment] = await tx.query<Environment>(
        `INSERT INTO environment (id, tenant_id, project_id, name) VALUES ($1, $2, $3, $4)
         ON CONFLICT (project_id, name) DO NOTHING RETURNING *`,
        [uuidv7(), project.tenant_id, project.id, body.name],
      );
      if (!environment)
        throw new HouseError('already_exists', `project "${project.name}" has an environment "${body.name}" already`);
      return environment;
    });
  }

  @Route('GET /v1/environments', { summary: 'List environments', scope: 'read', query, answer: page(environmentShape) })
  list({ caller, query: asked }: Asked<{ query: typeof query }>) {
    return listOf<Environment>(this.database, { from: 'environment', caller, query: asked, filters });
  }

  @Route('GET /v1/environments/{id}', {
    summary: 'Read an environment',
    scope: 'read',
    params: idParams,
    answer: environmentShape,
  })
  read({ caller, params }: Asked<{ params: typeof idParams }>) {
    return readOne<Environment>(this.database, { from: 'environment' }, params.id, caller);
  }
}
