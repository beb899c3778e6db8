import { type ClientRequest, request as httpRequest } from 'node:http';
import { type TestDatabase, testDatabase } from '@homeostat/testing';
import { HouseError } from '@homeostat/shared';
import { Unavailable, settle, wait } from '@homeostat/reconcile';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { pino } from 'pino';
import { v7 as uuidv7 } from 'uuid';
import { z } from 'zod';
import { Database } from '../database/database';
import type { HouseReconciler } from '../reconcile/house.reconciler';
import { checkIfMatch } from './answer';
import type { Asked } from './asked';
import { Changes } from './changes';
import { HttpModule } from './http.module';
import type { HttpSettings } from './http.settings';
import { listOf, readOne } from './list';
import { ReadinessChecks } from './probes.controller';
import { Route } from './route';
import { idParams, listQuery, name, page, resourceShape, waitQuery } from './schemas';
import { setUpHttp } from './set-up';
import { issueToken } from './tokens';
import { waitFor } from './wait';

const states = ['pending', 'verified', 'at_risk', 'lapsed', 'expired'] as const;
const shape = z.object({ ...resourceShape, name: z.string() });
const newDomain = z.strictObject({ name: name(20), project_id: z.uuid('is no UUID').optional() });
const changedDomain = z.strictObject({ message: z.string().max(50).nullable() });
const domains = listQuery([], { status: z.enum(states).optional() });
const waiting = waitQuery(states);
const source = {
  from: 'domain',
  kind: 'domains',
  columns: ['id', 'tenant_id', 'name', 'status', 'reason', 'message', 'generation', 'created_at', 'updated_at'],
} as const;

interface DomainRow {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly created_at: Date;
}

/** A service's controller in small. */
@Controller()
class DomainsController {
  constructor(
    readonly database: Database,
    private readonly changes: Changes,
  ) {}

  @Route('POST /v1/domains', {
    summary: 'Claim a domain',
    scope: 'write',
    body: newDomain,
    answer: shape,
    creates: true,
  })
  async create({ caller, body, once }: Asked<{ body: typeof newDomain }>) {
    return once(async (tx) => {
      const [row] = await tx.query<DomainRow>(
        `INSERT INTO domain (id, tenant_id, name, token, window_ends_at) VALUES ($1, $2, $3, 'secret', now())
         RETURNING ${source.columns.join(', ')}`,
        [uuidv7(), caller.tenant, body.name],
      );
      tx.look('domains', row!.id);
      tx.changed({
        tenant_id: caller.tenant,
        kind: 'domains',
        key: row!.id,
        from: null,
        to: 'pending',
        because: 'claimed',
      });
      return row!;
    });
  }

  @Route('GET /v1/domains', { summary: 'Domains', scope: 'read', query: domains, answer: page(shape) })
  async list({ caller, query }: Asked<{ query: typeof domains }>) {
    return listOf<DomainRow>(this.database, { ...source, caller, query, filters: ['status'] });
  }

  @Route('GET /v1/domains/{id}', {
    summary: 'A domain',
    scope: 'read',
    params: idParams,
    query: waiting,
    answer: shape,
  })
  async get({ caller, params, query, signal }: Asked<{ params: typeof idParams; query: typeof waiting }>) {
    const read = () => readOne<DomainRow>(this.database, source, params.id, caller);
    const isFinal = ({ status }: DomainRow) => status === 'expired';
    return waitFor({ read, wanted: query.wait, isFinal, timeoutMs: query.timeout, signal, changes: this.changes });
  }

  @Route('PATCH /v1/domains/{id}', {
    summary: 'Change it',
    scope: 'write',
    params: idParams,
    body: changedDomain,
    answer: shape,
  })
  async change({ caller, params, body, ifMatch }: Asked<{ params: typeof idParams; body: typeof changedDomain }>) {
    checkIfMatch(ifMatch, await readOne<DomainRow>(this.database, source, params.id, caller));
    await this.database.query('UPDATE domain SET message = $2 WHERE id = $1', [params.id, body.message]);
    return readOne<DomainRow>(this.database, source, params.id, caller);
  }

  @Route('POST /v1/domains/{id}/check', {
    summary: 'Ask now',
    scope: 'write',
    params: idParams,
    answer: shape,
    accepted: true,
  })
  async check({ caller, params }: Asked<{ params: typeof idParams }>) {
    throw new HouseError('too_many_requests', `asked just now by ${caller.subject}: ${params.id}`, {
      retryAfterSeconds: 7,
    });
  }

  @Route('DELETE /v1/domains/{id}', { summary: 'Break it', scope: 'admin', params: idParams, answer: shape })
  async break() {
    return this.database.query('SELECT nonsense FROM domain');
  }
}

const reconciler: HouseReconciler<DomainRow, never> = {
  kind: 'domains',
  observe: async (keys) => {
    const rows = await domain!.query<DomainRow>('SELECT * FROM domain WHERE id = ANY ($1)', [keys]);
    return new Map(rows.map((row) => [row.id, row]));
  },
  decide: ({ status }, now) =>
    status === 'pending'
      ? wait('the record is not there yet', new Date(now.getTime() + 60_000), 'create the record')
      : settle('verified'),
  act: async () => new Set(),
  describe: ({ name: wished, status }) => ({ desired: { name: wished }, observed: { status } }),
};

let test: TestDatabase;
let domain: Database | null = null;
const lines: string[] = [];
const nudged: string[] = [];
const log = pino({}, { write: (line: string) => void lines.push(line) });
const secret = 'not a secret at all, for it is in a test';
const own: HttpSettings = {
  RECONCILER_HTTP_HOST: '127.0.0.1',
  RECONCILER_HTTP_PORT: 0,
  RECONCILER_AUTH_AUDIENCE: 'homeostat',
  RECONCILER_RATE_LIMIT: 0,
  RECONCILER_HTTP_CONNECTIONS: 1_000,
};

interface Served {
  readonly url: string;
  readonly app: NestExpressApplication;
  readonly changes: Changes;
}

async function serving(settings: HttpSettings): Promise<Served> {
  const changes = new Changes(2);
  const looks = { reconcilers: [reconciler], database: domain!, nudge: (kind: string) => void nudged.push(kind) };
  @Module({
    controllers: [DomainsController],
    providers: [
      { provide: Database, useValue: domain },
      { provide: Changes, useValue: changes },
    ],
  })
  class DomainModule {}
  @Module({ imports: [DomainModule, HttpModule] })
  class RootModule {}
  const app = await NestFactory.create<NestExpressApplication>(RootModule, { logger: false, bodyParser: false });
  const wing = { service: { name: 'domain-svc' }, database: domain!, looks: () => looks };
  setUpHttp(app, { settings, changes, log, wings: [wing as never] });
  await app.listen(0, '127.0.0.1');
  return { url: await app.getUrl(), app, changes };
}

let served: Served;
let guarded: Served;

beforeAll(async () => {
  test = await testDatabase();
  domain = new Database({ url: test.url, role: 'homeostat_domain', application: 'domain-svc', connections: 5 });
  served = await serving(own);
  guarded = await serving({ ...own, RECONCILER_AUTH_SECRET: secret });
});

afterAll(async () => {
  await served?.app.close();
  await guarded?.app.close();
  await domain?.close();
  await test?.close();
});

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- answers of every shape
  readonly json: any;
}

async function call(
  what: string,
  body?: unknown,
  headers: Record<string, string> = {},
  at: Served = served,
): Promise<Answer> {
  const [method, path] = what.split(' ') as [string, string];
  const sent =
    body === undefined
      ? undefined
      : typeof body === 'string' || body instanceof Uint8Array
        ? body
        : JSON.stringify(body);
  const type: Record<string, string> = sent === undefined ? {} : { 'content-type': 'application/json' };
  const response = await fetch(at.url + path, { method, body: sent as string, headers: { ...type, ...headers } });
  const text = await response.text();
  const isJson = /json/.test(response.headers.get('content-type') ?? '');
  return { status: response.status, headers: response.headers, text, json: isJson && text ? JSON.parse(text) : null };
}

const unique = () => `n${uuidv7().slice(-12)}`;
const claim = async () => (await call('POST /v1/domains', { name: unique() })).json as DomainRow;

describe('a creation', () => {
  it('answers 201 with Location, ETag and the whole resource', async () => {
    const { status, headers, json } = await call('POST /v1/domains', { name: 'example.org' });
    expect(status).toBe(201);
    expect(headers.get('location')).toBe(`/v1/domains/${json.id}`);
    expect(headers.get('etag')).toMatch(/^"[\w-]+"$/);
    expect(shape.parse(json)).toMatchObject({
      name: 'example.org',
      tenant_id: 'default',
      generation: '1',
      reason: null,
    });
  });

  it('names every fault of the body at once, unknown members too', async () => {
    const { status, headers, json } = await call('POST /v1/domains', { name: ' x', project_id: 7, colour: 'red' });
    expect(status).toBe(400);
    expect(headers.get('content-type')).toMatch('application/problem+json');
    expect(json).toMatchObject({ code: 'invalid_input', status: 400, type: 'urn:homeostat:problem:invalid_input' });
    expect(json.errors.map(({ pointer }: { pointer: string }) => pointer).sort()).toEqual([
      '/colour',
      '/name',
      '/project_id',
    ]);
  });

  it('lists what is missing when there is no body at all', async () => {
    expect((await call('POST /v1/domains')).json.errors).toEqual([{ pointer: '/name', message: 'is needed' }]);
  });

  it.each([
    ['malformed JSON', '{"name":', {}, 400, 'malformed_body'],
    ['bytes that are no UTF-8', Uint8Array.of(0x22, 0xff, 0x22), {}, 400, 'malformed_body'],
    ['a NUL character', '{"name":"a\\u0000b"}', {}, 400, 'invalid_input'],
    ['half a surrogate pair', '{"name":"a\\ud800b"}', {}, 400, 'invalid_input'],
    ['a member named __proto__', '{"name":"a","__proto__":{"x":1}}', {}, 400, 'invalid_input'],
    ['a hundred thousand brackets', '['.repeat(100_000) + ']'.repeat(100_000), {}, 400, 'invalid_input'],
    [
      'another charset',
      '{"name":"a"}',
      { 'content-type': 'application/json; charset=latin1' },
      415,
      'unsupported_media_type',
    ],
    ['another type', 'name=a', { 'content-type': 'application/x-www-form-urlencoded' }, 415, 'unsupported_media_type'],
    ['an encoding', '{"name":"a"}', { 'content-encoding': 'gzip' }, 415, 'unsupported_media_type'],
    ['more than a mebibyte', `{"name":"${'a'.repeat(1_048_576)}"}`, {}, 413, 'body_too_large'],
  ])('refuses %s', async (_what, body, headers, status, code) => {
    const answer = await call('POST /v1/domains', body, headers);
    expect([answer.status, answer.json.code]).toEqual([status, code]);
  });

  it('refuses more than a mebibyte that comes without saying so first', async () => {
    const body = new Blob(['{"name":"', 'a'.repeat(1_048_576), '"}']).stream();
    const headers = { 'content-type': 'application/json' };
    const init = { method: 'POST', headers, body, duplex: 'half' } as RequestInit;
    expect((await fetch(`${served.url}/v1/domains`, init)).status).toBe(413);
  });

  it('says that a name is taken, and nothing about SQL', async () => {
    const { name: taken } = await claim();
    const { status, json } = await call('POST /v1/domains', { name: taken });
    expect([status, json.code]).toEqual([409, 'already_exists']);
    expect(JSON.stringify(json)).not.toMatch(/domain_|INSERT|constraint/);
  });
});

describe('an idempotency key', () => {
  it('gives the same request the same answer, and makes one resource', async () => {
    const headers = { 'idempotency-key': unique() };
    const body = { name: unique() };
    const first = await call('POST /v1/domains', body, headers);
    const second = await call('POST /v1/domains', body, headers);
    expect([second.status, second.text, second.headers.get('location'), second.headers.get('etag')]).toEqual([
      201,
      first.text,
      first.headers.get('location'),
      first.headers.get('etag'),
    ]);
    expect(second.headers.get('idempotency-replayed')).toBe('true');
  });

  it('makes one resource of twenty requests at once', async () => {
    const headers = { 'idempotency-key': unique() };
    const body = { name: unique() };
    const answers = await Promise.all(Array.from({ length: 20 }, () => call('POST /v1/domains', body, headers)));
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(await test.sql('SELECT id FROM domain WHERE name = $1', [body.name])).toHaveLength(1);
  });

  it('is refused with another body', async () => {
    const headers = { 'idempotency-key': unique() };
    await call('POST /v1/domains', { name: unique() }, headers);
    const { status, json } = await call('POST /v1/domains', { name: unique() }, headers);
    expect([status, json.code]).toEqual([422, 'idempotency_key_reused']);
  });

  it('is free again after a failure, and after 24 hours', async () => {
    const { name: taken } = await claim();
    const headers = { 'idempotency-key': unique() };
    expect((await call('POST /v1/domains', { name: taken }, headers)).status).toBe(409);
    expect((await call('POST /v1/domains', { name: unique() }, headers)).status).toBe(201);
    await test.sql(`UPDATE idempotency_key SET created_at = now() - interval '25 h' WHERE key = $1`, [
      headers['idempotency-key'],
    ]);
    expect((await call('POST /v1/domains', { name: unique() }, headers)).status).toBe(201);
  });

  it('leaves the table after its time, when another one comes', async () => {
    await test.sql(`INSERT INTO idempotency_key (tenant_id, key, request_hash, created_at)
      SELECT 'default', 'old' || n, '', now() - interval '2 days' FROM generate_series(1, 5) n`);
    await call('POST /v1/domains', { name: unique() }, { 'idempotency-key': unique() });
    expect(await test.sql(`SELECT FROM idempotency_key WHERE key LIKE 'old%'`)).toHaveLength(0);
  });

  it('must be visible ASCII', async () => {
    const { status, json } = await call('POST /v1/domains', { name: unique() }, { 'idempotency-key': 'a b' });
    expect([status, json.errors[0].pointer]).toEqual([400, 'Idempotency-Key']);
  });
});

describe('a single resource', () => {
  it('is not sent again to who has it, and changes its ETag with whatever is shown', async () => {
    const { id } = await claim();
    const etag = (await call(`GET /v1/domains/${id}`)).headers.get('etag')!;
    expect((await call(`GET /v1/domains/${id}`, undefined, { 'if-none-match': `W/${etag}` })).status).toBe(304);
    const changed = await call(`PATCH /v1/domains/${id}`, { message: 'hm' }, { 'if-match': etag });
    expect([changed.status, changed.json.message]).toEqual([200, 'hm']);
    const late = await call(`PATCH /v1/domains/${id}`, { message: 'oh' }, { 'if-match': etag });
    expect([late.status, late.json.code]).toEqual([412, 'precondition_failed']);
    expect((await call(`PATCH /v1/domains/${id}`, { message: 'oh' }, { 'if-match': '*' })).status).toBe(200);
  });

  it('is not there for an unknown id, and faults of path and query are told together', async () => {
    expect((await call(`GET /v1/domains/${uuidv7()}`)).json.code).toBe('not_found');
    const { status, json } = await call('GET /v1/domains/none?wait=soon&timeout=9h&x=1');
    expect(status).toBe(400);
    expect(json.errors.map(({ pointer }: { pointer: string }) => pointer)).toEqual(['{id}', '?wait', '?timeout', '?x']);
  });

  it('answers HEAD without a body', async () => {
    const { id } = await claim();
    const { status, text, headers } = await call(`HEAD /v1/domains/${id}`);
    expect([status, text, headers.get('etag') !== null]).toEqual([200, '', true]);
  });
});

describe('a list', () => {
  it('goes on where it was, newest first, whatever is inserted meanwhile', async () => {
    await test.sql('DELETE FROM domain');
    const made: string[] = [];
    for (let n = 0; n < 5; n += 1) made.unshift((await claim()).id);
    const ids: string[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const { json } = await call(`GET /v1/domains?limit=2${cursor && `&cursor=${cursor}`}`);
      ids.push(...json.items.map(({ id }: DomainRow) => id));
      cursor = json.next_cursor;
      await claim();
    }
    expect(ids).toEqual(made);
  });

  it('refuses cursors of other lists and of nobody', async () => {
    await claim();
    await claim();
    const { next_cursor: cursor } = (await call('GET /v1/domains?limit=1')).json;
    for (const bad of [
      `status=pending&cursor=${cursor}`,
      'cursor=rubbish',
      'cursor=',
      `cursor=${cursor}A`,
      'limit=0',
      'limit=501',
      'limit=1&limit=2',
    ]) {
      expect([bad, (await call(`GET /v1/domains?${bad}`)).status]).toEqual([bad, 400]);
    }
    expect((await call('GET /v1/domains?status=expired')).json).toEqual({ items: [], next_cursor: null });
  });
});

describe('waiting for a state', () => {
  it('answers at once when it is told of the change', async () => {
    const { id } = await claim();
    const answer = call(`GET /v1/domains/${id}?wait=verified&timeout=1m`);
    await test.sql(`UPDATE domain SET status = 'verified' WHERE id = $1`, [id]);
    served.changes.tell([id]);
    expect((await answer).json.status).toBe('verified');
  });

  it('sees the change of another process, and another final state', async () => {
    const { id } = await claim();
    const answer = call(`GET /v1/domains/${id}?wait=verified&timeout=1m`);
    await test.sql(`UPDATE domain SET status = 'expired' WHERE id = $1`, [id]);
    expect((await answer).json.status).toBe('expired');
  });

  it('answers with the present state at the timeout', async () => {
    const { id } = await claim();
    const { status, json } = await call(`GET /v1/domains/${id}?wait=verified&timeout=50ms`);
    expect([status, json.status]).toEqual([200, 'pending']);
  });

  it('has room for so many only, and who leaves makes room', async () => {
    const { id } = await claim();
    const clients = [await waiter(id), await waiter(id)];
    await until(() => seats(served.changes) === 2);
    const refused = await call(`GET /v1/domains/${id}?wait=verified`);
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5']);
    for (const client of clients) client.destroy();
    await until(() => seats(served.changes) === 0);
  });

  it('ends with the process', async () => {
    const { id } = await claim();
    const third = await serving(own);
    const answer = call(`GET /v1/domains/${id}?wait=verified&timeout=5m`, undefined, {}, third);
    await until(() => seats(third.changes) === 1);
    await third.app.close();
    expect((await answer).json.status).toBe('pending');
  });
});

describe('problems', () => {
  it('says what is not there, and what can be done instead', async () => {
    expect((await call('GET /nothing')).json.code).toBe('not_found');
    const { status, headers, json } = await call('PUT /v1/domains', {});
    expect([status, headers.get('allow'), json.code]).toEqual([405, 'POST, GET, HEAD', 'method_not_allowed']);
    expect((await call('GET /v1/domains/%FF')).status).toBe(400);
  });

  it('says when to come again', async () => {
    const { status, headers } = await call(`POST /v1/domains/${uuidv7()}/check`);
    expect([status, headers.get('retry-after')]).toEqual([429, '7']);
  });

  it('keeps its own faults to itself, under a reference that the log has', async () => {
    const { status, json, text } = await call(`DELETE /v1/domains/${uuidv7()}`);
    expect([status, json.code]).toEqual([500, 'internal']);
    expect(text).not.toMatch(/nonsense|SELECT|column|at .*\.ts/);
    const [reference] = /[0-9a-f-]{36}/.exec(json.detail)!;
    expect(lines.join('')).toContain(reference);
  });
});

describe('who may call', () => {
  const bearer = async (scopes: string, tenant = 'acme') => ({
    authorization: `Bearer ${await issueToken(secret, { subject: 'me', tenant, scopes: scopes.split(' ') as never, expiresInSeconds: 60 })}`,
  });

  it('needs a token, and the scope', async () => {
    const none = await call('GET /v1/domains', undefined, {}, guarded);
    expect([none.status, none.headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="homeostat"']);
    const wrong = await call('GET /v1/domains', undefined, { authorization: 'Bearer a.b.c' }, guarded);
    expect([wrong.status, wrong.headers.get('www-authenticate')]).toEqual([401, 'Bearer error="invalid_token"']);
    const read = await call('POST /v1/domains', { name: 'x' }, await bearer('read build'), guarded);
    expect([read.status, read.json.detail]).toEqual([403, 'the scope "write" is needed']);
    expect((await call('GET /healthz', undefined, {}, guarded)).status).toBe(200);
  });

  it("does not show another tenant's resources, except to an admin", async () => {
    const { json } = await call('POST /v1/domains', { name: unique() }, await bearer('write'), guarded);
    const as = async (scopes: string, tenant: string) =>
      (await call(`GET /v1/domains/${json.id}`, undefined, await bearer(scopes, tenant), guarded)).status;
    expect(json.tenant_id).toBe('acme');
    expect(await Promise.all([as('read', 'acme'), as('read', 'other'), as('admin', 'other')])).toEqual([200, 404, 200]);
    for (const path of ['explain', 'history', 'plan']) {
      const { status } = await call(
        `GET /v1/domains/${json.id}/${path}`,
        undefined,
        await bearer('read', 'other'),
        guarded,
      );
      expect([path, status]).toEqual([path, 404]);
    }
  });

  it('keeps pages of other sites out where no token is asked for', async () => {
    expect((await call('GET /v1/domains', undefined, { origin: 'https://evil.example' })).status).toBe(403);
    expect((await call('GET /v1/domains', undefined, { origin: served.url })).status).toBe(200);
    expect(await statusAs('evil.example')).toBe(403);
    expect(await statusAs('localhost:1')).toBe(200);
  });
});

describe('every reconciled kind', () => {
  it('explains why, tells its history, and what the next pass would do', async () => {
    const { id } = await claim();
    const explained = (await call(`GET /v1/domains/${id}/explain`)).json;
    expect(explained).toMatchObject({
      status: 'pending',
      because: 'not looked at yet',
      lease: null,
      failures: 0,
      passes: [],
      paused: false,
    });
    expect(explained).toMatchObject({ desired: {}, observed: { status: 'pending' } });
    expect(explained.next_look_at).toMatch(/Z$/);
    expect((await call(`GET /v1/domains/${id}/history`)).json.items).toMatchObject([
      { from: null, to: 'pending', because: 'claimed', by: 'local' },
    ]);
    const plan = (await call(`GET /v1/domains/${id}/plan`)).json;
    expect(plan).toMatchObject({
      verdict: 'wait',
      because: 'the record is not there yet',
      fix: 'create the record',
      paused: false,
    });
  });

  it('is paused, said so everywhere, and goes on', async () => {
    const { id } = await claim();
    expect((await call(`POST /v1/domains/${id}/pause`)).json).toMatchObject({
      id,
      status: 'pending',
      reason: 'Paused',
      paused: true,
    });
    expect((await call(`GET /v1/domains/${id}`)).json).toMatchObject({ status: 'pending', reason: 'Paused' });
    expect((await call(`GET /v1/domains/${id}/explain`)).json).toMatchObject({
      status: 'paused',
      state: 'pending',
      next_look_at: null,
    });
    expect((await call(`POST /v1/domains/${id}/retry`)).json).toMatchObject({ code: 'conflict' });
    expect((await call(`POST /v1/domains/${id}/resume`)).json).toMatchObject({ paused: false, reason: null });
    expect((await call(`GET /v1/domains/${id}/explain`)).json).toMatchObject({ status: 'pending', paused: false });
  });

  it('looks again, and forgets the backoff', async () => {
    const { id } = await claim();
    await test.sql(
      `UPDATE reconcile_status SET failures = 4, due_at = now() + interval '1 h', rank_at = now() + interval '1 h' WHERE key = $1`,
      [id],
    );
    nudged.length = 0;
    expect((await call(`POST /v1/domains/${id}/retry`)).status).toBe(200);
    expect(nudged).toEqual(['domains']);
    const [row] = await test.sql('SELECT failures, due_at <= now() AS due FROM reconcile_status WHERE key = $1', [id]);
    expect(row).toEqual({ failures: 0, due: true });
  });

  it('pauses as a whole', async () => {
    const { id } = await claim();
    expect((await call('POST /v1/kinds/domains/pause')).json).toMatchObject({ kind: 'domains', paused: true });
    expect((await call(`GET /v1/domains/${id}/explain`)).json).toMatchObject({
      status: 'paused',
      fix: 'POST /v1/kinds/domains/resume',
    });
    expect((await call(`POST /v1/domains/${id}/retry`)).status).toBe(409);
    expect((await call('POST /v1/kinds/domains/resume')).json).toEqual({
      kind: 'domains',
      paused: false,
      paused_at: null,
    });
  });

  it('is not there for unknown kinds and ids', async () => {
    expect((await call(`GET /v1/ghosts/${uuidv7()}/explain`)).status).toBe(404);
    expect((await call(`POST /v1/domains/${uuidv7()}/pause`)).status).toBe(404);
    expect((await call('POST /v1/kinds/ghosts/pause')).status).toBe(404);
  });
});

describe('every answer', () => {
  it.each([
    ['a resource', 'GET /v1/domains'],
    ['a problem', 'GET /nothing'],
    ['a probe', 'GET /healthz'],
    ['the description', 'GET /openapi.json'],
    ['the page about it', 'GET /docs'],
  ])('is kept by no cache, shown in no frame and taken for no other type: %s', async (_what, path) => {
    const { headers } = await call(path);
    expect(Object.fromEntries(headers)).toMatchObject({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cross-origin-resource-policy': 'same-origin',
      'cross-origin-opener-policy': 'same-origin',
      'content-security-policy': expect.stringMatching(/^default-src 'none';.*frame-ancestors 'none'/),
    });
    // HSTS is for whoever ends TLS, and nobody learns what we are made of or may read us from another site.
    for (const header of ['strict-transport-security', 'x-powered-by', 'server', 'access-control-allow-origin'])
      expect([header, headers.get(header)]).toEqual([header, null]);
  });

  it('keeps what is the same for everybody for an hour', async () => {
    expect((await call('GET /docs/swagger-ui.css')).headers.get('cache-control')).toBe('public, max-age=3600');
  });
});

describe('too many requests', () => {
  const limited = (more: object = {}) =>
    serving({ ...own, RECONCILER_AUTH_SECRET: secret, RECONCILER_RATE_LIMIT: 1, ...more });
  const bearer = async (subject: string, tenant = 'acme') => ({
    authorization: `Bearer ${await issueToken(secret, { subject, tenant, scopes: ['read'], expiresInSeconds: 60 })}`,
  });
  /** Far more at once than the ten that are allowed, and far faster than the one a second. */
  const asked = (at: Served, headers: (nth: number) => Record<string, string>) =>
    Promise.all(Array.from({ length: 40 }, (_, nth) => call('GET /v1/domains', undefined, headers(nth), at)));
  const counted = (answers: Answer[], status: number) => answers.filter((answer) => answer.status === status).length;

  it('of one caller are refused until later, and nobody else’s', async () => {
    const at = await limited();
    const busy = await bearer('busy');
    const answers = await asked(at, () => busy);
    expect([counted(answers, 200) >= 10, counted(answers, 200) + counted(answers, 429)]).toEqual([true, 40]);
    const { headers, json } = answers.find(({ status }) => status === 429)!;
    expect([headers.get('retry-after'), headers.get('content-type'), json.code]).toEqual([
      '1',
      'application/problem+json; charset=utf-8',
      'too_many_requests',
    ]);
    for (const other of [await bearer('calm'), await bearer('busy', 'umbra')])
      expect((await call('GET /v1/domains', undefined, other, at)).status).toBe(200);
    expect((await call('GET /healthz', undefined, {}, at)).status).toBe(200);
    await at.app.close();
  });

  it('without a valid token are refused by address, which no header feigns; valid tokens go through', async () => {
    const at = await limited();
    const forged = (nth: number) => ({ authorization: 'Bearer a.b.c', 'x-forwarded-for': `10.0.0.${nth}` });
    const answers = await asked(at, forged);
    expect([counted(answers, 401) >= 10, counted(answers, 429) > 0]).toEqual([true, true]);
    expect(answers.find(({ status }) => status === 429)!.headers.get('retry-after')).toBe('1');
    expect((await call('GET /v1/domains', undefined, await bearer('calm'), at)).status).toBe(200);
    await at.app.close();
  });

  it('are counted for whom a trusted proxy speaks', async () => {
    const at = await limited({ RECONCILER_TRUST_PROXY: ['127.0.0.1', '10.0.0.0/8'] });
    const by = (client: string) => asked(at, () => ({ 'x-forwarded-for': `${client}, 10.1.1.1` }));
    expect(counted(await by('192.0.2.1'), 429)).toBeGreaterThan(0);
    // What a client wrote itself stands further left than what the proxy saw.
    expect(counted(await by('192.0.2.7, 192.0.2.1'), 401)).toBeLessThan(10);
    expect(counted(await by('192.0.2.2'), 401)).toBeGreaterThanOrEqual(10);
    await at.app.close();
  });

  it('are none of the only user of this machine', async () => {
    const at = await serving({ ...own, RECONCILER_RATE_LIMIT: 1 });
    expect(counted(await asked(at, () => ({})), 200)).toBe(40);
    await at.app.close();
  });
});

it.each([
  ['no tokens', { RECONCILER_AUTH: 'none' }],
  ['keys that come unprotected', { RECONCILER_AUTH_JWKS_URL: 'http://issuer.example/keys' }],
] as const)('says loudly at its start that it runs with %s', async (_what, settings) => {
  lines.length = 0;
  await (await serving({ ...own, ...settings })).app.close();
  expect(lines.join('')).toMatch(/"level":40.*(may do everything|can sign tokens)/);
});

describe('a refusal', () => {
  it('is in the log, with who and why, and without the token', async () => {
    lines.length = 0;
    await call('GET /v1/domains?secret=x', undefined, { authorization: 'Bearer a.b.c' }, guarded);
    const token = await issueToken(secret, { subject: 'me', tenant: 'acme', scopes: ['read'], expiresInSeconds: 60 });
    await call('POST /v1/domains', {}, { authorization: `Bearer ${token}` }, guarded);
    const told = lines.map((line) => JSON.parse(line) as { msg: string });
    const [unknown, forbidden] = told.filter(({ msg }) => msg === 'refused');
    expect(unknown).toMatchObject({
      msg: 'refused',
      code: 'unauthenticated',
      address: '127.0.0.1',
      path: '/v1/domains',
    });
    expect(forbidden).toMatchObject({ msg: 'refused', code: 'forbidden', subject: 'me', tenant_id: 'acme' });
    expect(lines.join('')).not.toMatch(/a\.b\.c|secret=|eyJ/);
  });
});

describe('what is told about the service', () => {
  it('is ready with a schema that it knows', async () => {
    const { status, json } = await call('GET /readyz');
    expect([status, json.status, json.checks.length]).toEqual([200, 'ready', 2]);
    expect((await call('GET /metrics')).status).toBe(200);
  });

  it('tells anybody which check fails, and no host, user or table', async () => {
    const checks = served.app.get(ReadinessChecks, { strict: false });
    const faults = [new Unavailable('connect ECONNREFUSED 10.0.0.1'), new Error('no password for guest')];
    for (const fault of faults) checks.add({ name: 'a check', check: () => Promise.reject(fault) });
    const { status, json, text } = await call('GET /readyz');
    expect([status, json.status, json.checks.at(-1).ok]).toEqual([503, 'unready', false]);
    expect(text).not.toMatch(/10\.0\.0\.1|guest/);
  });

  it('describes every route in OpenAPI 3.1', async () => {
    const { json } = await call('GET /openapi.json');
    expect(json.openapi).toBe('3.1.0');
    expect(Object.keys(json.paths).sort()).toContain('/v1/domains/{id}');
    const { post } = json.paths['/v1/domains'];
    expect(post.requestBody.content['application/json'].schema).toMatchObject({
      required: ['name'],
      additionalProperties: false,
    });
    expect(Object.keys(post.responses).join(' ')).toBe('201 400 401 403 408 409 413 415 422 429 431 503');
    expect(post.security).toEqual([{ bearer: ['write'] }]);
    expect(json.paths['/v1/domains'].get.parameters[0]).toMatchObject({
      name: 'limit',
      in: 'query',
      schema: { type: 'integer', maximum: 500 },
    });
    expect(JSON.stringify(json)).not.toContain('#/$defs');
  });

  it('has a page about it that loads nothing from elsewhere', async () => {
    const { text, headers } = await call('GET /docs');
    expect(text).not.toMatch(/https?:/);
    // What the page does must pass its own policy: no script of its own, and none of Swagger UI's that is made from text.
    expect(text).not.toMatch(/<script>|<style|\son\w+=|style=|javascript:/);
    expect(headers.get('content-security-policy')).toMatch(/script-src 'self';(?!.*unsafe-eval)/);
    const files = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path);
    for (const file of files) expect([file, (await call(`GET ${file}`)).status]).toEqual([file, 200]);
    expect((await call('GET /docs/package.json')).status).toBe(404);
  });
});

/** Starts to wait for a resource; returns the client's side. */
async function waiter(id: string): Promise<ClientRequest> {
  const client = httpRequest(`${served.url}/v1/domains/${id}?wait=verified&timeout=5m`);
  client.on('error', () => undefined).end();
  return client;
}

function seats(changes: Changes): number {
  return changes.waiters;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** The status of a request that names its host as a page of another name would. */
function statusAs(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    httpRequest(`${served.url}/v1/domains`, { headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode!);
    })
      .on('error', reject)
      .end();
  });
}
