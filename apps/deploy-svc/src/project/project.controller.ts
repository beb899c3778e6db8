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
import { HouseError, type Project } from '@homeostat/shared';
import { Controller } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { z } from 'zod';

const newProject = z.strictObject({ name: name(100) });
const projectShape = z.object({ ...resourceShape, name: z.string() });
const query = listQuery(['name']);

/** Projects: the code that deployments run. */
@Controller()
export class ProjectController {
  constructor(readonly database: Database) {}

  @Route('POST /v1/projects', {
    summary: 'Make a project',
    scope: 'write',
    body: newProject,
    answer: projectShape,
    creates: true,
  })
  create({ caller, body, once }: Asked<{ body: typeof newProject }>) {
    return once(async (tx) => {
      const [project] = await tx.query<Project>(
        `INSERT INTO project (id, tenant_id, name) VALUES ($1, $2, $3) ON CONFLICT (tenant_id, name) DO NOTHING RETURNING *`,
        [uuidv7(), caller.tenant, body.name],
      );
      if (!project) throw new HouseError('already_exists', `there is a project "${body.name}" already`);
      return project;
    });
  }

  @Route('GET /v1/projects', { summary: 'List projects', scope: 'read', query, answer: page(projectShape) })
  list({ caller, query: asked }: Asked<{ query: typeof query }>) {
    return listOf<Project>(this.database, { from: 'project', caller, query: asked, filters: ['name'] });
  }

  @Route('GET /v1/projects/{id}', { summary: 'Read a project', scope: 'read', params: idParams, answer: projectShape })
  read({ caller, params }: Asked<{ params: typeof idParams }>) {
    return readOne<Project>(this.database, { from: 'project' }, params.id, caller);
  }
}
