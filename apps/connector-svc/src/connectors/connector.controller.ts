import {
  type Asked,
  Database,
  KindDesks,
  Route,
  SETTINGS,
  type Secrets,
  type Tx,
  checkIfMatch,
  idParams,
  listOf,
  listQuery,
  name,
  page,
  readOne,
} from '@homeostat/platform';
import { type Connector, HouseError, connectorStates } from '@homeostat/shared';
import { Controller, Inject } from '@nestjs/common';
import { NIL as nobody } from 'uuid';
import { z } from 'zod';
import { resolve } from '../catalog/destination';
import type { ConnectorSettings } from '../connector.config';
import type { ConnectorFactory } from '../connector/connector.port';
import { FACTORIES } from '../connector/registry';
import { jobAnswer, shown as shownJob } from '../jobs/job.answer';
import { enqueue } from '../jobs/job.intents';
import { type ConnectorRow, connectorAnswer, durationText, shown } from './connector.answer';
import { type ConnectorChange, type Policy, connectorChange, namespacePath, newConnector } from './connector.schema';
import { change, create, locked, remove } from './connector.writes';
import { Login, checkConfig, configFor } from './login';
import { probe } from './probe';

const listed = listQuery(['kind', 'display_name'], { status: z.enum(connectorStates).optional() });
const trigger = z.strictObject({
  full_rescan: z.boolean().default(false).describe('Read everything again, and replace what is known'),
  scope: z
    .strictObject({ namespace: namespacePath.optional(), table: name(255).optional() })
    .refine((scope) => scope.table === undefined || scope.namespace !== undefined, {
      path: ['namespace'],
      message: 'is needed to find the table',
    })
    .default({})
    .describe('A part of what the connector reads'),
  allow_vanished: z.boolean().default(false).describe('Tables that are missing upstream are gone, however many'),
});
const verdict = z.object({
  valid: z.boolean(),
  code: z.string().nullable().describe('What is wrong: a stable word'),
  message: z.string().nullable(),
  tables_seen: z.int().describe('Of the first namespace with tables, at most 100'),
});
const from = { from: 'connector', kind: 'connectors' } as const;

type OfOne = Asked<{ params: typeof idParams }>;

/** What tenants say about their connectors. */
@Controller()
export class ConnectorController {
  readonly secrets: Secrets;
  private readonly login: Login;

  constructor(
    readonly database: Database,
    @Inject(SETTINGS) private readonly settings: ConnectorSettings,
    @Inject(FACTORIES) factories: readonly ConnectorFactory[],
    desks: KindDesks,
  ) {
    this.login = new Login(settings, factories);
    this.secrets = this.login.secrets;
    // The row itself has the secrets, if encrypted.
    desks.showBy('connectors', (id, caller) => this.one(caller, id));
  }

  @Route('POST /v1/connectors', {
    summary: 'Make a connector; its secrets are written, and never read back',
    scope: 'write',
    body: newConnector,
    answer: connectorAnswer,
    creates: true,
  })
  async create({ caller, body, once }: Asked<{ body: typeof newConnector }>) {
    this.checkPolicy(body.policy);
    this.checkKind(body.kind);
    await checkConfig(this.login, body.kind, configFor(body.source, body.auth, body.auth.secrets));
    return once(async (tx) => shown({ ...(await create(tx, caller, body, this.secrets)), paused: false }));
  }

  @Route('POST /v1/connectors/validate', {
    summary: 'Try out a connector without making it: log in, and look for tables',
    scope: 'write',
    body: newConnector,
    answer: verdict,
  })
  async validate({ caller, body, signal }: Asked<{ body: typeof newConnector }>) {
    this.checkPolicy(body.policy);
    this.checkKind(body.kind);
    const unbound = { catalog_id: null, namespace_id: null, table_id: null };
    await resolve(this.database, { ...body, ...unbound, id: nobody, tenant_id: caller.tenant });
    const config = configFor(body.source, body.auth, body.auth.secrets);
    return probe(() => this.login.open(body.kind, config), body.source, Object.values(config.credentials), signal);
  }

  @Route('GET /v1/connectors', {
    summary: 'List connectors, newest first',
    scope: 'read',
    query: listed,
    answer: page(connectorAnswer),
  })
  async list({ caller, query }: Asked<{ query: typeof listed }>) {
    const list = { ...from, caller, query, filters: ['status', 'kind', 'display_name'] };
    const { items, next_cursor } = await listOf<ConnectorRow>(this.database, list);
    return { items: items.map(shown), next_cursor };
  }

  @Route('GET /v1/connectors/{id}', {
    summary: 'Read a connector',
    scope: 'read',
    params: idParams,
    answer: connectorAnswer,
  })
  read({ caller, params }: OfOne) {
    return this.one(caller, params.id);
  }

  @Route('PATCH /v1/connectors/{id}', {
    summary: 'Change a connector; each member that is given replaces the present one as a whole',
    scope: 'write',
    params: idParams,
    body: connectorChange,
    answer: connectorAnswer,
  })
  async change({
    caller,
    params: { id },
    body,
    ifMatch,
  }: Asked<{ params: typeof idParams; body: typeof connectorChange }>) {
    this.checkPolicy(body.policy ?? null);
    const connector = await this.one(caller, id);
    checkIfMatch(ifMatch, connector);
    const generation = ifMatch === null ? null : connector.generation;
    if (body.source ?? body.auth) await this.checkChange(caller, id, body);
    const { secrets } = this;
    await this.database.transaction((tx) => change(tx, { caller, id, generation }, body, secrets), caller.subject);
    return this.one(caller, id);
  }

  @Route('DELETE /v1/connectors/{id}', {
    summary: 'Delete a connector and cancel its jobs; what it brought into the catalog stays',
    scope: 'write',
    params: idParams,
    answer: z.undefined(),
  })
  async delete({ caller, params: { id }, ifMatch }: OfOne) {
    const connector = await this.one(caller, id);
    checkIfMatch(ifMatch, connector);
    const generation = ifMatch === null ? null : connector.generation;
    await this.database.transaction((tx) => remove(tx, { caller, id, generation }), caller.subject);
  }

  @Route('POST /v1/connectors/{id}/trigger', {
    summary: 'Have the catalog brought to what the source says; answers with the unfinished job, if one does just that',
    scope: 'write',
    params: idParams,
    body: trigger,
    answer: jobAnswer,
    accepted: true,
  })
  trigger({ caller, params: { id }, body, once }: Asked<{ params: typeof idParams; body: typeof trigger }>) {
    return once(async (tx) => {
      const connector = await locked(tx, { caller, id, generation: null });
      await checkActive(tx, connector);
      await resolve(tx, connector);
      return shownJob({ ...(await enqueue(tx, connector, body, 'It was triggered.')), paused: false });
    });
  }

  private async one(caller: Asked['caller'], id: string) {
    return shown(await readOne<ConnectorRow>(this.database, from, id, caller));
  }

  private async checkChange(caller: Asked['caller'], id: string, { source, auth }: ConnectorChange): Promise<void> {
    const row = await readOne<Connector>(this.database, from, id, caller);
    const login = auth ?? row.auth;
    const config = configFor(source ?? row.source, login, auth ? auth.secrets : this.login.credentialsOf(row));
    await checkConfig(this.login, row.kind, config);
  }

  private checkKind(kind: string): void {
    if (this.login.kinds.includes(kind)) return;
    const message = `there is no kind ${kind}: take ${this.login.kinds.join(' or ')}`;
    throw new HouseError('unprocessable', `/kind: ${message}`, { errors: [{ pointer: '/kind', message }] });
  }

  private checkPolicy(policy: Policy | null): void {
    const leastMs = this.settings.RECONCILER_CONNECTOR_MIN_INTERVAL;
    if (policy === null || policy.interval >= leastMs) return;
    const message = `is shorter than ${durationText(leastMs)}, the least that this service allows`;
    throw new HouseError('unprocessable', `/policy/interval ${message}`, {
      errors: [{ pointer: '/policy/interval', message }],
    });
  }
}

async function checkActive(tx: Tx, { id, status, message }: Connector): Promise<void> {
  if (status === 'conflict') throw new HouseError('destination_conflict', message ?? `connector ${id} is in conflict`);
  const [paused] = await tx.query(`SELECT FROM reconcile_status WHERE kind = 'connectors' AND key = $1 AND paused`, [
    id,
  ]);
  if (paused) throw new HouseError('conflict', `connector ${id} is paused: POST /v1/connectors/${id}/resume first`);
}
