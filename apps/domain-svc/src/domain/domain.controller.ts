import {
  type Asked,
  Changes,
  Database,
  KindDesks,
  Route,
  SETTINGS,
  checkIfMatch,
  idParams,
  invalid,
  listOf,
  listQuery,
  page,
  readOne,
  resourceId,
  waitFor,
  waitQuery,
} from '@homeostat/platform';
import { domainStates } from '@homeostat/shared';
import { Controller, Inject } from '@nestjs/common';
import { z } from 'zod';
import type { DomainServiceSettings } from '../domain.config';
import { check, claim, remove, restart } from './claim.writes';
import { type DomainRow, domainAnswer, shown } from './domain.answer';
import { parseDomainName } from './domain-name';

const newDomain = z.strictObject({
  name: z
    .string()
    .max(1_000, 'is longer than any name')
    .superRefine((text, context) => {
      const parsed = parseDomainName(text, '');
      if ('fault' in parsed) context.addIssue(parsed.fault);
    })
    .describe('In any letter case and script'),
  project_id: resourceId.nullable().optional(),
});
const listed = listQuery(['project_id'], {
  status: z.enum(domainStates).optional(),
  name: z.string().max(1_000, 'is longer than any name').transform(asStored).optional(),
});
const waiting = waitQuery(domainStates);

type OfOne = Asked<{ params: typeof idParams }>;

const from = { from: 'domain', kind: 'domains' } as const;

/** What tenants say about their domains. */
@Controller()
export class DomainController {
  constructor(
    readonly database: Database,
    private readonly changes: Changes,
    @Inject(SETTINGS) private readonly settings: DomainServiceSettings,
    desks: KindDesks,
  ) {
    // The row itself would be shown after an action on it otherwise, and its token with it.
    desks.showBy('domains', (id, caller) => this.one(caller, id));
  }

  @Route('POST /v1/domains', {
    summary: 'Claims a domain; the answer says which record proves the claim',
    scope: 'write',
    body: newDomain,
    answer: domainAnswer,
    creates: true,
  })
  create({ caller, body, once }: Asked<{ body: typeof newDomain }>) {
    const { RECONCILER_DOMAIN_LABEL: label, RECONCILER_DOMAIN_WINDOW: windowMs } = this.settings;
    const parsed = parseDomainName(body.name, label);
    if ('fault' in parsed) throw invalid([{ pointer: '/name', message: parsed.fault }]);
    const wanted = { name: parsed.name, projectId: body.project_id ?? null, windowMs };
    return once(async (tx) => shown({ ...(await claim(tx, caller, wanted)), paused: false }, label));
  }

  @Route('GET /v1/domains', {
    summary: 'Lists domains, newest first',
    scope: 'read',
    query: listed,
    answer: page(domainAnswer),
  })
  async list({ caller, query }: Asked<{ query: typeof listed }>) {
    const list = { ...from, caller, query, filters: ['status', 'name', 'project_id'] };
    const { items, next_cursor } = await listOf<DomainRow>(this.database, list);
    return { items: items.map((row) => shown(row, this.settings.RECONCILER_DOMAIN_LABEL)), next_cursor };
  }

  @Route('GET /v1/domains/{id}', {
    summary: 'Reads a domain; `wait` answers once it has that status, or none that it leaves by itself',
    scope: 'read',
    params: idParams,
    query: waiting,
    answer: domainAnswer,
  })
  read({ caller, params, query, signal }: Asked<{ params: typeof idParams; query: typeof waiting }>) {
    return waitFor({
      read: () => this.one(caller, params.id),
      wanted: query.wait,
      isFinal: ({ status }) => status === 'expired' || status === 'lapsed',
      timeoutMs: query.timeout,
      signal,
      changes: this.changes,
    });
  }

  @Route('POST /v1/domains/{id}/check', {
    summary: 'Has DNS asked at once, at most every 10 seconds',
    scope: 'write',
    params: idParams,
    answer: domainAnswer,
    accepted: true,
  })
  async check({ caller, params: { id } }: OfOne) {
    await this.database.transaction((tx) => check(tx, { caller, id }), caller.subject);
    return this.one(caller, id);
  }

  @Route('POST /v1/domains/{id}/restart', {
    summary: 'Opens a new window for a claim that is not proven; its record stays the same',
    scope: 'write',
    params: idParams,
    answer: domainAnswer,
  })
  async restart({ caller, params: { id } }: OfOne) {
    await this.database.transaction(
      (tx) => restart(tx, { caller, id }, this.settings.RECONCILER_DOMAIN_WINDOW),
      caller.subject,
    );
    return this.one(caller, id);
  }

  @Route('DELETE /v1/domains/{id}', {
    summary: 'Gives a domain up',
    scope: 'write',
    params: idParams,
    answer: z.undefined(),
  })
  async delete({ caller, params: { id }, ifMatch }: OfOne) {
    const domain = await this.one(caller, id);
    checkIfMatch(ifMatch, domain);
    const generation = ifMatch === null ? null : domain.generation;
    await this.database.transaction((tx) => remove(tx, { caller, id }, generation), caller.subject);
  }

  private async one(caller: Asked['caller'], id: string) {
    const row = await readOne<DomainRow>(this.database, from, id, caller);
    return shown(row, this.settings.RECONCILER_DOMAIN_LABEL);
  }
}

function asStored(text: string): string {
  const parsed = parseDomainName(text, '');
  return 'name' in parsed ? parsed.name : text;
}
