import { type Running, type Scope, issueToken, serve } from '@homeostat/platform';
import { type DnsServer, type TestDatabase, startDnsServer, testDatabase } from '@homeostat/testing';
import { domainService } from '../domain.module';

const secret = 'a secret of these tests, and of no use elsewhere';
const label = 'proof';

let database: TestDatabase;
let dns: DnsServer;
let running: Running;

beforeAll(async () => {
  [database, dns] = await Promise.all([testDatabase(), startDnsServer()]);
  running = await serve([domainService], {
    RECONCILER_HTTP_PORT: '0',
    RECONCILER_LOG_LEVEL: 'error',
    RECONCILER_AUTH_SECRET: secret,
    RECONCILER_DATABASE_URL: database.url,
    RECONCILER_DNS_SERVERS: dns.address,
    RECONCILER_DOMAIN_LABEL: label,
  });
});
afterAll(async () => {
  await running.stop();
  await Promise.all([dns.close(), database.close()]);
});

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- what callers get is what is tested here
  readonly body: any;
}
interface Call {
  readonly body?: unknown;
  readonly tenant?: string;
  readonly scopes?: readonly Scope[];
  readonly headers?: Record<string, string>;
}

async function call(
  method: string,
  path: string,
  { body, tenant = 'acme', scopes, headers }: Call = {},
): Promise<Answer> {
  const claims = { subject: 'ann', tenant, scopes: scopes ?? ['read', 'write'], expiresInSeconds: 60 };
  const Authorization = `Bearer ${await issueToken(secret, claims)}`;
  const all = { Authorization, ...(body !== undefined && { 'Content-Type': 'application/json' }), ...headers };
  const response = await fetch(`${running.url}/v1/${path}`, { method, headers: all, body: JSON.stringify(body) });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) };
}

const claim = (name: string, tenant = 'acme') => call('POST', 'domains', { body: { name }, tenant });
const becomes = (status: string, id: string) => call('GET', `domains/${id}?wait=${status}&timeout=20s`);
const setTo = (id: string, facts: string) => database.sql(`UPDATE domain SET ${facts} WHERE id = $1`, [id]);

test('a claim is answered with the record to create, and nothing else of the token', async () => {
  const { status, headers, body } = await claim('Bücher.example.');
  expect(status).toBe(201);
  expect(headers.get('location')).toBe(`/v1/domains/${body.id}`);
  expect(body).toMatchObject({
    name: 'xn--bcher-kva.example',
    status: 'pending',
    tenant_id: 'acme',
    project_id: null,
    paused: false,
  });
  expect(body.record).toMatchObject({ type: 'TXT', ttl: 300 });
  expect(body.record.name).toMatch(/^[1-9A-HJ-NP-Za-km-z]{16,22}-proof\.xn--bcher-kva\.example$/);
  expect(body.record.value).toMatch(/^[1-9A-HJ-NP-Za-km-z]{30,33}$/);
  expect(Date.parse(body.window_ends_at) - Date.parse(body.created_at)).toBe(48 * 3_600_000);
  expect(JSON.stringify({ ...body, record: null })).not.toContain(body.record.value);
});

test('every claim has a token of its own', async () => {
  const claims = await Promise.all(Array.from({ length: 20 }, (_, n) => claim(`own-${n}.example`)));
  expect(new Set(claims.map(({ body }) => body.record.value)).size).toBe(20);
});

test('all faults of a claim are told at once', async () => {
  const { status, body } = await call('POST', 'domains', {
    body: { name: 'https://a.example', project_id: 'x', more: 1 },
  });
  expect(status).toBe(400);
  expect(body.errors.map(({ pointer }: { pointer: string }) => pointer).sort()).toEqual([
    '/more',
    '/name',
    '/project_id',
  ]);
});

test('a name that leaves no room for its record is refused', async () => {
  const a = (length: number) => 'a'.repeat(length);
  const { status, body } = await claim(`${a(63)}.${a(63)}.${a(63)}.${a(33)}`);
  expect(status).toBe(400);
  expect(body.errors).toEqual([{ pointer: '/name', message: expect.stringMatching(/at most 224 characters/) }]);
});

test('a project must be one of the same tenant', async () => {
  const id = '01900000-0000-7000-8000-000000000001';
  await database.sql(`INSERT INTO project (id, tenant_id, name) VALUES ($1, 'globex', 'site')`, [id]);
  const body = { name: 'project.example', project_id: id };
  const refused = await call('POST', 'domains', { body });
  expect(refused.status).toBe(422);
  expect(refused.body.errors).toEqual([{ pointer: '/project_id', message: `there is no project ${id}` }]);
  const made = await call('POST', 'domains', { body, tenant: 'globex' });
  expect(made.body).toMatchObject({ project_id: id });
});

test('a second claim of a tenant to a name names the first', async () => {
  const first = await claim('twice.example');
  const second = await claim('TWICE.example');
  expect(second.status).toBe(409);
  expect(second.body).toMatchObject({ code: 'already_exists', detail: expect.stringContaining(first.body.id) });
  expect((await claim('twice.example', 'globex')).status).toBe(201);
});

test('an idempotency key makes one claim of two requests', async () => {
  const headers = { 'Idempotency-Key': 'once' };
  const body = { name: 'once.example' };
  const both = await Promise.all([1, 2].map(() => call('POST', 'domains', { body, headers })));
  expect(both.map(({ status }) => status)).toEqual([201, 201]);
  expect(both[0]!.body).toEqual(both[1]!.body);
});

test('other tenants neither see a domain nor do anything to it', async () => {
  const { body } = await claim('secret.example');
  const calls = [
    ['GET', ''],
    ['GET', '/explain'],
    ['GET', '/history'],
    ['POST', '/check'],
    ['POST', '/restart'],
    ['DELETE', ''],
  ];
  for (const [method, verb] of calls) {
    expect(await call(method!, `domains/${body.id}${verb}`, { tenant: 'globex' })).toMatchObject({ status: 404 });
  }
  expect((await call('GET', 'domains?name=secret.example', { tenant: 'globex' })).body.items).toEqual([]);
});

test('who may only read changes nothing', async () => {
  const { body } = await claim('read.example');
  const scopes = ['read'] as const;
  expect((await call('POST', 'domains', { body: { name: 'no.example' }, scopes })).status).toBe(403);
  expect((await call('DELETE', `domains/${body.id}`, { scopes })).status).toBe(403);
  expect((await call('GET', `domains/${body.id}`, { scopes })).status).toBe(200);
});

test('a list is filtered by name, in any spelling, and by status', async () => {
  const { body } = await claim('größe.example');
  const byName = await call('GET', `domains?name=${encodeURIComponent('GRÖSSE.example')}`);
  expect(byName.body.items).toEqual([]);
  const spelt = await call('GET', `domains?status=pending&name=${encodeURIComponent('Größe.Example')}`);
  expect(spelt.body.items.map(({ id }: { id: string }) => id)).toEqual([body.id]);
  expect((await call('GET', 'domains?status=lapsed')).body.items).toEqual([]);
  expect((await call('GET', 'domains?status=unknown')).status).toBe(400);
});

test('a check is made at once, and not again within ten seconds', async () => {
  const { id, record } = (await claim('check.example')).body;
  await setTo(id, `check_at = now() + interval '1 h'`);
  dns.set(record.name, { txt: [[record.value]] });
  expect((await call('POST', `domains/${id}/check`)).status).toBe(202);
  expect((await becomes('verified', id)).body).toMatchObject({ status: 'verified' });
  const again = await call('POST', `domains/${id}/check`);
  expect(again).toMatchObject({ status: 429, body: { code: 'too_many_requests' } });
  expect(Number(again.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(Number(again.headers.get('retry-after'))).toBeLessThanOrEqual(10);
  await setTo(id, `check_asked_at = now() - interval '10 s'`);
  dns.clear(record.name);
  expect((await call('POST', `domains/${id}/check`)).status).toBe(202);
  expect((await becomes('at_risk', id)).body).toMatchObject({ status: 'at_risk' });
});

test.each(['expired', 'lapsed'])('a domain that is %s is checked only after a restart', async (status) => {
  const { id } = (await claim(`${status}.example`)).body;
  await setTo(id, `status = '${status}'`);
  expect(await call('POST', `domains/${id}/check`)).toMatchObject({ status: 409, body: { code: 'conflict' } });
  expect(await call('POST', `domains/${id}/restart`)).toMatchObject({ status: 200, body: { status: 'pending' } });
});

test('a pending claim has a new window by a restart, as often as it may be checked', async () => {
  const { id } = (await claim('again.example')).body;
  await setTo(id, `window_ends_at = now() + interval '1 h'`);
  const restarted = await call('POST', `domains/${id}/restart`);
  expect(Date.parse(restarted.body.window_ends_at)).toBeGreaterThan(Date.now() + 47 * 3_600_000);
  expect((await call('POST', `domains/${id}/restart`)).status).toBe(429);
});

test.each(['verified', 'at_risk'])('a domain that is %s cannot be restarted', async (status) => {
  const { id } = (await claim(`held-${status.replace('_', '-')}.example`)).body;
  await setTo(id, `status = '${status}', verified_at = now(), check_at = now() + interval '1 day'`);
  expect(await call('POST', `domains/${id}/restart`)).toMatchObject({
    status: 409,
    body: { detail: expect.stringContaining(status) },
  });
});

test('a domain is deleted as it was read, and its name is free again', async () => {
  const { id } = (await claim('delete.example')).body;
  await setTo(id, `status = 'expired'`);
  const etag = (await call('GET', `domains/${id}`)).headers.get('etag')!;
  await setTo(id, `message = 'It is another one now.'`);
  expect((await call('DELETE', `domains/${id}`, { headers: { 'If-Match': etag } })).status).toBe(412);
  const now = (await call('GET', `domains/${id}`)).headers.get('etag')!;
  expect((await call('DELETE', `domains/${id}`, { headers: { 'If-Match': now } })).status).toBe(204);
  expect((await call('GET', `domains/${id}`)).status).toBe(404);
  expect((await claim('delete.example')).status).toBe(201);
});

test('no answer to an action has more of the token than the record', async () => {
  const { id, record } = (await claim('token.example')).body;
  for (const verb of ['pause', 'resume', 'retry']) {
    const { status, body } = await call('POST', `domains/${id}/${verb}`);
    expect({ status, record: body.record }).toEqual({ status: 200, record });
    expect(body).not.toHaveProperty('token');
  }
  for (const verb of ['explain', 'plan', 'history']) {
    expect(JSON.stringify((await call('GET', `domains/${id}/${verb}`)).body)).not.toContain(record.value);
  }
});

test('the history tells who claimed it, and never the token', async () => {
  const { id, record } = (await claim('told.example')).body;
  const history = await call('GET', `domains/${id}/history`);
  expect(history.body.items).toEqual([expect.objectContaining({ from: null, to: 'pending', by: 'ann' })]);
  expect(JSON.stringify(history.body)).not.toContain(record.value);
});
