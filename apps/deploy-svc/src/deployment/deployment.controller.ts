import {
  type Asked,
  Changes,
  Database,
  KindDesks,
  Route,
  type Tx,
  idParams,
  listOf,
  listQuery,
  name,
  page,
  readOne,
  resourceId,
  waitFor,
  waitQuery,
} from '@homeostat/platform';
import { type Deployment, HouseError, deploymentStates } from '@homeostat/shared';
import { Controller } from '@nestjs/common';
import { z } from 'zod';
import { deploymentShape, deployments } from './deployment.answer';
import { create, requestCancel, setPinned } from './deployment.intents';

const variable = z.string().regex(/^[A-Za-z_]\w{0,254}$/, 'is no name of an environment variable');
const newDeployment = z.strictObject({
  project_id: resourceId,
  environment_id: resourceId,
  commit: name(255).nullable().default(null),
  image_id: resourceId.nullable().default(null).describe('Skips the build'),
  port: z.int().min(1).max(65_535).default(8080),
  env: z
    .record(variable, z.string().max(32_768, 'is longer than 32768 characters'))
    .refine((env) => Object.keys(env).length <= 200, 'has more than 200 variables')
    .default({}),
});
const target = z.strictObject({ to_deployment_id: resourceId });
const filters = ['status', 'phase', 'project_id', 'environment_id', 'commit', 'build_id', 'image_id', 'vm_id'] as const;
const query = listQuery(filters);
const wait = waitQuery(deploymentStates);
const action = (summary: string) => ({ summary, scope: 'write', params: idParams, answer: deploymentShape }) as const;

type Params = { params: typeof idParams };

/** Deployments: a commit, or an image, that should run in an environment (spec 1, "Deployments"). */
@Controller()
export class DeploymentController {
  constructor(
    readonly database: Database,
    private readonly changes: Changes,
    desks: KindDesks,
  ) {
    desks.showBy('deployments', (id, caller) => readOne(database, deployments, id, caller));
  }

  @Route('POST /v1/deployments', {
    summary: 'Deploy a commit or an image',
    scope: 'write',
    body: newDeployment,
    answer: deploymentShape,
    creates: true,
  })
  create({ caller, body, once }: Asked<{ body: typeof newDeployment }>) {
    return once((tx) => create(tx, caller, body));
  }

  @Route('GET /v1/deployments', { summary: 'List deployments', scope: 'read', query, answer: page(deploymentShape) })
  list({ caller, query: asked }: Asked<{ query: typeof query }>) {
    return listOf<Deployment>(this.database, { ...deployments, caller, query: asked, filters });
  }

  @Route('GET /v1/deployments/{id}', {
    ...action('Read a deployment, or wait for a status'),
    scope: 'read',
    query: wait,
  })
  read({ caller, params, query: asked, signal }: Asked<Params & { query: typeof wait }>) {
    const read = () => readOne<Deployment>(this.database, deployments, params.id, caller);
    const isFinal = ({ status }: Deployment) => status === 'inactive' || status === 'failed';
    return waitFor({ read, wanted: asked.wait, timeoutMs: asked.timeout, isFinal, signal, changes: this.changes });
  }

  @Route('POST /v1/deployments/{id}/cancel', {
    ...action('Give up a deployment that is not ready yet'),
    accepted: true,
  })
  cancel({ caller, params: { id }, once }: Asked<Params>) {
    return once(async (tx) => {
      const before = await readOne<Deployment>(tx, deployments, id, caller);
      if (!(await requestCancel(tx, id))) throw conflict(before, 'queued or building to be cancelled');
      return this.reread(tx, id);
    });
  }

  @Route('POST /v1/deployments/{id}/redeploy', { ...action('Deploy the same wish once more'), creates: true })
  redeploy({ caller, params: { id }, once }: Asked<Params>) {
    return once(async (tx) => {
      const { build_id, ...wish } = await readOne<Deployment>(tx, deployments, id, caller);
      return create(tx, caller, { ...wish, image_id: build_id ? null : wish.image_id });
    });
  }

  @Route('POST /v1/deployments/{id}/rollback', {
    ...action('Run the image of an earlier deployment of the environment again'),
    body: target,
    creates: true,
  })
  rollback({ caller, params: { id }, body, once }: Asked<Params & { body: typeof target }>) {
    return once(async (tx) => {
      const present = await readOne<Deployment>(tx, deployments, id, caller);
      const earlier = await readOne<Deployment>(tx, deployments, body.to_deployment_id, caller);
      if (earlier.environment_id !== present.environment_id) throw unsuitable('is of another environment');
      if (BigInt(earlier.number) >= BigInt(present.number)) throw unsuitable('is not earlier than this one');
      if (!earlier.image_id) throw unsuitable('has no image, because it never was built');
      return create(tx, caller, { ...earlier, rollback_of: earlier.id });
    });
  }

  @Route('POST /v1/deployments/{id}/pin', action('Protect a deployment against supersession'))
  pin({ caller, params: { id }, once }: Asked<Params>) {
    return once(async (tx) => {
      const before = await readOne<Deployment>(tx, deployments, id, caller);
      if (!(await setPinned(tx, id, true))) throw conflict(before, 'queued, building or ready to be pinned');
      return this.reread(tx, id);
    });
  }

  @Route('POST /v1/deployments/{id}/unpin', action('Let a deployment be superseded again'))
  unpin({ caller, params: { id }, once }: Asked<Params>) {
    return once(async (tx) => {
      await readOne<Deployment>(tx, deployments, id, caller);
      await setPinned(tx, id, false);
      return this.reread(tx, id);
    });
  }

  private reread(tx: Tx, id: string): Promise<Deployment> {
    return readOne<Deployment>(tx, deployments, id, null);
  }
}

function conflict({ id, status }: Deployment, wanted: string): HouseError {
  return new HouseError('conflict', `deployment ${id} is ${status}, and must be ${wanted}`);
}

function unsuitable(why: string): HouseError {
  const pointer = '/to_deployment_id';
  return new HouseError('unprocessable', `${pointer} ${why}`, { errors: [{ pointer, message: why }] });
}
