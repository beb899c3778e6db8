import {
  type Asked,
  type Caller,
  Changes,
  Database,
  Route,
  SETTINGS,
  type Tx,
  idParams,
  instant,
  listOf,
  listQuery,
  name,
  page,
  readOne,
  resourceShape,
  waitFor,
  waitQuery,
} from '@homeostat/platform';
import { type Build, type BuildStatus, HouseError, buildStates } from '@homeostat/shared';
import { Controller, Inject } from '@nestjs/common';
import { z } from 'zod';
import type { DeploySettings } from '../deploy.config';
import { beat, cancelBuilds, fail, finish, openStates, start, take } from './build.writes';

const buildShape = z.object({
  ...resourceShape,
  status: z.enum(buildStates),
  deployment_id: z.uuid(),
  project_id: z.uuid(),
  commit: z.string().nullable(),
  builder: z.string().nullable(),
  image_id: z.uuid().nullable(),
  started_at: instant.nullable(),
  heartbeat_at: instant.nullable(),
  finished_at: instant.nullable(),
  paused: z.boolean(),
});
const builds = { from: 'build', kind: 'builds' } as const;
const filters = ['status', 'deployment_id', 'project_id', 'builder'] as const;
const query = listQuery(filters);
const wait = waitQuery(buildStates);
const builder = z.strictObject({ builder: name(255) });
const image = z.strictObject({
  image: z.strictObject({
    registry: name(255),
    repository: name(255),
    tag: name(128).nullable().default(null),
    digest: z
      .string()
      .regex(/^[a-z0-9]+:[0-9a-f]{32,128}$/, 'is no digest such as sha256:…')
      .nullable()
      .default(null),
  }),
});
const failure = z.strictObject({ message: z.string().min(1, 'is empty').max(4_000, 'is longer than 4000 characters') });
const report = (summary: string) => ({ summary, scope: 'build', params: idParams, answer: buildShape }) as const;

type Params = { params: typeof idParams };

/** Builds: an external builder takes queued ones and reports what became of them (spec 1, "Builds"). */
@Controller()
export class BuildController {
  constructor(
    readonly database: Database,
    private readonly changes: Changes,
    @Inject(SETTINGS) private readonly settings: DeploySettings,
  ) {}

  @Route('GET /v1/builds', { summary: 'List builds', scope: ['read', 'build'], query, answer: page(buildShape) })
  list({ caller, query: asked }: Asked<{ query: typeof query }>) {
    return listOf<Build>(this.database, { ...builds, caller, query: asked, filters });
  }

  @Route('GET /v1/builds/{id}', {
    ...report('Read a build, or wait for a status'),
    scope: ['read', 'build'],
    query: wait,
  })
  read({ caller, params, query: asked, signal }: Asked<Params & { query: typeof wait }>) {
    const read = () => readOne<Build>(this.database, builds, params.id, caller);
    const isFinal = ({ status }: Build) => !openStates.includes(status);
    return waitFor({ read, wanted: asked.wait, timeoutMs: asked.timeout, isFinal, signal, changes: this.changes });
  }

  @Route('POST /v1/builds/{id}/take', { ...report('Reserve a build for a builder that prepares it'), body: builder })
  take({ caller, params: { id }, body, once }: Asked<Params & { body: typeof builder }>) {
    return once((tx) => guarded(tx, id, caller, ['queued'], () => take(tx, id, body.builder)));
  }

  @Route('POST /v1/builds/{id}/start', { ...report('Report that a build started'), body: builder })
  start({ caller, params: { id }, body, once }: Asked<Params & { body: typeof builder }>) {
    const { RECONCILER_BUILD_TIMEOUT: timeoutMs } = this.settings;
    return once((tx) =>
      guarded(tx, id, caller, ['queued', 'initializing'], () => start(tx, id, body.builder, timeoutMs)),
    );
  }

  @Route('POST /v1/builds/{id}/heartbeat', report('Report that a build goes on'))
  heartbeat({ caller, params: { id }, once }: Asked<Params>) {
    return once((tx) => guarded(tx, id, caller, ['building'], () => beat(tx, id)));
  }

  @Route('POST /v1/builds/{id}/ready', { ...report('Report the image that a build made'), body: image })
  ready({ caller, params: { id }, body, once }: Asked<Params & { body: typeof image }>) {
    return once((tx) => guarded(tx, id, caller, openStates, () => finish(tx, [{ id, ...body.image }])));
  }

  @Route('POST /v1/builds/{id}/error', { ...report('Report that a build failed'), body: failure })
  error({ caller, params: { id }, body, once }: Asked<Params & { body: typeof failure }>) {
    return once((tx) =>
      guarded(tx, id, caller, openStates, () => fail(tx, id, openStates, 'BuildError', body.message)),
    );
  }

  @Route('POST /v1/builds/{id}/cancel', { ...report('Cancel a build'), scope: 'write' })
  cancel({ caller, params: { id }, once }: Asked<Params>) {
    return once((tx) =>
      guarded(tx, id, caller, openStates, () => cancelBuilds(tx, [id], 'it was cancelled on request')),
    );
  }
}

/**
 * Does a conditional write and returns the build after it. Throws a conflict that names both sides when it had no effect,
 * and not_found where the build is none of the caller's: whatever was written is rolled back then.
 */
async function guarded(
  tx: Tx,
  id: string,
  caller: Caller,
  from: readonly BuildStatus[],
  write: () => Promise<readonly unknown[]>,
): Promise<Build> {
  const written = await write();
  const build = await readOne<Build>(tx, builds, id, caller);
  if (written.length > 0) return build;
  const by = build.builder ? ` by ${build.builder}` : '';
  throw new HouseError('conflict', `build ${id} is ${build.status}${by}, and must be ${from.join(' or ')} for this`);
}
