import { type Running, issueToken, serve } from '@homeostat/platform';
import type { Domain, HouseEvent } from '@homeostat/shared';
import {
  type DnsAnswer,
  type DnsServer,
  type TestDatabase,
  startDnsServer,
  testDatabase,
  eventually,
} from '@homeostat/testing';
import { Controller } from '@nestjs/common';
import { EventPattern } from '@nestjs/microservices';
import { domainService } from '../domain.module';

const heard: HouseEvent[] = [];

/** Another service, as far as events go. */
@Controller()
class Listener {
  @EventPattern(['domain.created', 'domain.verified', 'domain.at_risk', 'domain.lapsed', 'domain.expired'])
  hear(event: HouseEvent): void {
    heard.push(event);
  }
}
const service = { ...domainService, controllers: [...domainService.controllers, Listener] };

interface Shown extends Omit<Domain, 'verified_at' | 'window_ends_at'> {
  readonly record: { readonly name: string; readonly value: string };
  readonly window_ends_at: string;
  readonly verified_at: string | null;
}

const secret = 'a secret of these tests, and of no use elsewhere';
const preset = {
  RECONCILER_HTTP_PORT: '0',
  RECONCILER_LOG_LEVEL: 'error',
  RECONCILER_AUTH_SECRET: secret,
  RECONCILER_INTERVAL: '200ms',
  RECONCILER_DNS_TIMEOUT: '5s',
  RECONCILER_DOMAIN_CHECK_INTERVAL: '50ms',
  RECONCILER_DOMAIN_MAX_CHECK_INTERVAL: '100ms',
};

let database: TestDatabase;
let dns: DnsServer;
let running: Running;

async function start(settings: Record<string, string> = {}): Promise<void> {
  [database, dns] = await Promise.all([testDatabase(), startDnsServer()]);
  running = await replicate(settings);
}

function replicate(settings: Record<string, string> = {}): Promise<Running> {
  const places = { RECONCILER_DATABASE_URL: database.url, RECONCILER_DNS_SERVERS: dns.address };
  return serve([service], { ...preset, ...places, ...settings });
}

afterEach(async () => {
  await running.stop();
  await Promise.all([dns.close(), database.close()]);
});

async function call<T = Shown>(method: string, path: string, body?: object, tenant = 'acme'): Promise<T> {
  const claims = { subject: 'somebody', tenant, scopes: ['read', 'write'] as const, expiresInSeconds: 60 };
  const headers = { Authorization: `Bearer ${await issueToken(secret, claims)}`, 'Content-Type': 'application/json' };
  const response = await fetch(`${running.url}/v1/${path}`, { method, headers, body: body && JSON.stringify(body) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${text}`);
  return (text === '' ? undefined : JSON.parse(text)) as T;
}

const claim = (name: string, tenant = 'acme'): Promise<Shown> => call('POST', 'domains', { name }, tenant);
const read = ({ id, tenant_id }: Shown): Promise<Shown> => call('GET', `domains/${id}`, undefined, tenant_id);
const becomes = (status: string, { id, tenant_id }: Shown): Promise<Shown> =>
  call('GET', `domains/${id}?wait=${status}&timeout=20s`, undefined, tenant_id);
const rightRecord = ({ record }: Shown): DnsAnswer => ({ txt: [[record.value]] });

const checked = (domain: Shown, outcome: string): Promise<Shown> =>
  eventually(
    () => read(domain),
    ({ last_check }) => last_check?.outcome === outcome,
  );

interface Told {
  readonly because: string;
  readonly fix: string;
}
const untilExplained = ({ id }: Shown, because: RegExp): Promise<Told> =>
  eventually(
    () => call<Told>('GET', `domains/${id}/explain`),
    (told) => because.test(told.because) && told.fix !== null,
  );

const untilHeard = ({ id }: Shown, last: string): Promise<HouseEvent[]> =>
  eventually(
    async () => heard.filter(({ subject }) => subject === id),
    (events) => events.some(({ type }) => type === last),
  );

async function history({ id, tenant_id }: Shown): Promise<string[]> {
  const { items } = await call<{ items: { to: string }[] }>('GET', `domains/${id}/history`, undefined, tenant_id);
  return items.map(({ to }) => to).reverse();
}

describe('a claim', () => {
  beforeEach(() => start());

  test('is verified once the right record is there', async () => {
    const domain = await claim('Example.COM');
    expect(domain).toMatchObject({
      status: 'pending',
      name: 'example.com',
      record: { type: 'TXT' },
      verified_at: null,
    });
    dns.set(domain.record.name, rightRecord(domain));
    const verified = await becomes('verified', domain);
    expect(verified).toMatchObject({ status: 'verified', reason: 'Verified', last_check: { outcome: 'match' } });
    expect(verified.verified_at).not.toBeNull();
    expect(await history(domain)).toEqual(['pending', 'verified']);
  });

  test('is verified by a token that is spread over several strings, in one of several records', async () => {
    const domain = await claim('strings.example');
    const { name, value } = domain.record;
    dns.set(name, { txt: [['v=spf1 -all'], ['token=', value.slice(0, 7), value.slice(7)]] });
    expect(await becomes('verified', domain)).toMatchObject({ status: 'verified' });
  });

  test('is verified by the last of 1 000 records', async () => {
    const domain = await claim('many.example');
    const others = Array.from({ length: 999 }, (_, n) => [`value number ${n}`]);
    dns.set(domain.record.name, { txt: [...others, [domain.record.value]] });
    expect(await becomes('verified', domain)).toMatchObject({ status: 'verified' });
  });

  test('stays pending while the record holds another value, and tells which', async () => {
    const domain = await claim('wrong.example');
    dns.set(domain.record.name, { txt: [['something else']] });
    const seen = await checked(domain, 'other');
    expect(seen).toMatchObject({
      status: 'pending',
      reason: 'RecordDiffers',
      last_check: { seen: ['something else'] },
    });
    const { fix } = await untilExplained(domain, /another value/);
    expect(fix).toMatch(/Add the value shown as "record"/);
  });

  test.each([
    ['nxdomain', 'absent', 'RecordAbsent', /NXDOMAIN/],
    ['nodata', 'absent', 'RecordAbsent', /NODATA/],
    ['servfail', 'unasked', 'CouldNotAsk', /SERVFAIL/],
    ['refused', 'unasked', 'CouldNotAsk', /REFUSED/],
  ] as const)('tells apart what it saw: %s is %s', async (answer, outcome, reason, why) => {
    const domain = await claim(`${answer}.example`);
    dns.set(domain.record.name, answer);
    await eventually(
      () => read(domain),
      (one) => one.reason === reason && why.test(one.message ?? ''),
    );
    expect(await read(domain)).toMatchObject({ status: 'pending', last_check: { outcome, seen: [] } });
    expect((await untilExplained(domain, why)).fix).toContain(domain.record.name);
  });

  test('is verified when the name servers come back after a failure', async () => {
    const domain = await claim('back.example');
    dns.set(domain.record.name, 'servfail');
    await checked(domain, 'unasked');
    dns.set(domain.record.name, rightRecord(domain));
    expect(await becomes('verified', domain)).toMatchObject({ status: 'verified' });
  });

  test('DNS without a timeout inside the one loop: fifty black-holed domains delay no other', async () => {
    const holes = await Promise.all(Array.from({ length: 50 }, (_, n) => claim(`hole-${n}.example`)));
    for (const { record } of holes) dns.set(record.name, 'silent');
    const others = await Promise.all(Array.from({ length: 20 }, (_, n) => claim(`other-${n}.example`)));
    for (const other of others) dns.set(other.record.name, rightRecord(other));
    for (const other of others) expect(await becomes('verified', other)).toMatchObject({ status: 'verified' });
    for (const hole of holes) expect(await read(hole)).toMatchObject({ status: 'pending' });
  });

  test('unguarded writes: a restart during a lookup wins over what the lookup finds', async () => {
    const domain = await claim('late.example');
    dns.set(domain.record.name, { delayMs: 2_500, then: { txt: [['old']] } });
    await eventually(
      async () => dns.queries(domain.record.name),
      (asked) => asked > 0,
    );
    const { generation } = await read(domain);
    await database.sql(`UPDATE domain SET status = 'expired' WHERE id = $1`, [domain.id]);
    dns.set(domain.record.name, rightRecord(domain));
    await call('POST', `domains/${domain.id}/restart`);
    const verified = await becomes('verified', domain);
    expect(Number(verified.generation)).toBe(Number(generation) + 3);
    expect(verified.checks).toBe(1);
  });

  test('goes nowhere when it is deleted during a lookup', async () => {
    const domain = await claim('gone.example');
    dns.set(domain.record.name, { delayMs: 300, then: rightRecord(domain) });
    await eventually(
      async () => dns.queries(domain.record.name),
      (asked) => asked > 0,
    );
    await call('DELETE', `domains/${domain.id}`);
    await eventually(
      () => database.sql(`SELECT FROM reconcile_status WHERE key = $1`, [domain.id]),
      (rows) => rows.length === 0,
    );
    expect(await database.sql('SELECT FROM domain')).toEqual([]);
  });
});

describe('a name that several tenants claim', () => {
  beforeEach(() => start());

  test('is verified by one of ten that prove it at the same time to two replicas', async () => {
    const replica = await replicate();
    const names = Array.from({ length: 20 }, (_, n) => `wanted-${n}.example`);
    const tenants = Array.from({ length: 10 }, (_, n) => `tenant-${n}`);
    const claims = await Promise.all(names.flatMap((name) => tenants.map((tenant) => claim(name, tenant))));
    for (const one of claims) dns.set(one.record.name, rightRecord(one));
    const states = (): Promise<{ reason: string; rows: number }[]> =>
      database.sql('SELECT reason, count(*)::integer AS rows FROM domain GROUP BY reason ORDER BY reason');
    const settled = await eventually(states, (all) =>
      all.every(({ reason }) => ['NameTaken', 'Verified'].includes(reason)),
    );
    expect(settled).toEqual([
      { reason: 'NameTaken', rows: 180 },
      { reason: 'Verified', rows: 20 },
    ]);
    await replica.stop();
    const failures = `SELECT FROM reconcile_status WHERE failures > 1 OR array_to_string(passes, ' ') LIKE '%failed%'`;
    expect(await database.sql(failures)).toEqual([]);
  });

  test('passes on when its holder deletes it', async () => {
    const holder = await claim('passed.example');
    dns.set(holder.record.name, rightRecord(holder));
    await becomes('verified', holder);
    const next = await claim('passed.example', 'globex');
    dns.set(next.record.name, rightRecord(next));
    await eventually(
      () => read(next),
      ({ reason }) => reason === 'NameTaken',
    );
    await call('DELETE', `domains/${holder.id}`);
    expect(await becomes('verified', next)).toMatchObject({ status: 'verified', tenant_id: 'globex' });
  });
});

describe('a claim whose window passes', () => {
  beforeEach(() => start({ RECONCILER_DOMAIN_WINDOW: '1s' }));

  test('expires, says why, and is verified after a restart with the same record', async () => {
    const domain = await claim('slow.example');
    const expired = await becomes('expired', domain);
    expect(expired).toMatchObject({ status: 'expired', reason: 'WindowPassed', next_check_at: null });
    await untilHeard(domain, 'domain.expired');
    expect(expired.message).toMatch(/restart the domain.*no TXT record/);
    dns.set(domain.record.name, rightRecord(domain));
    const restarted = await call('POST', `domains/${domain.id}/restart`);
    expect(restarted.record).toEqual(domain.record);
    expect(Date.parse(restarted.window_ends_at)).toBeGreaterThan(Date.parse(domain.window_ends_at));
    expect(await becomes('verified', domain)).toMatchObject({ status: 'verified' });
    expect(await history(domain)).toEqual(['pending', 'expired', 'pending', 'verified']);
  });

  test('has a window that no touch of its row prolongs', async () => {
    const domain = await claim('touched.example');
    await eventually(
      async () => {
        await database.sql('UPDATE domain SET updated_at = now() WHERE id = $1', [domain.id]);
        return read(domain);
      },
      ({ status }) => status === 'expired',
    );
    expect((await read(domain)).window_ends_at).toBe(domain.window_ends_at);
  });
});

describe('a verified domain', () => {
  const quick = {
    RECONCILER_DOMAIN_RECHECK: '50ms',
    RECONCILER_DOMAIN_LAPSE_GRACE: '1s',
    RECONCILER_DNS_TIMEOUT: '100ms',
  };
  let domain: Shown;
  beforeEach(async () => {
    await start(quick);
    domain = await claim('mine.example');
    dns.set(domain.record.name, rightRecord(domain));
    await becomes('verified', domain);
  });

  test('is at risk when its record is gone, and recovers with it', async () => {
    dns.set(domain.record.name, 'nxdomain');
    expect(await becomes('at_risk', domain)).toMatchObject({ status: 'at_risk', reason: 'RecordAbsent' });
    dns.set(domain.record.name, rightRecord(domain));
    expect(await becomes('verified', domain)).toMatchObject({ status: 'verified', reason: 'Verified' });
    expect(await history(domain)).toEqual(['pending', 'verified', 'at_risk', 'verified']);
  });

  test('lapses after the grace, and its name goes to who waits for it', async () => {
    const next = await claim('mine.example', 'globex');
    dns.set(next.record.name, rightRecord(next));
    await eventually(
      () => read(next),
      ({ reason }) => reason === 'NameTaken',
    );
    dns.clear(domain.record.name);
    expect(await becomes('lapsed', domain)).toMatchObject({
      status: 'lapsed',
      reason: 'GracePassed',
      verified_at: null,
    });
    expect(await history(domain)).toEqual(['pending', 'verified', 'at_risk', 'lapsed']);
    const told = await untilHeard(domain, 'domain.lapsed');
    expect(told.map(({ type }) => type)).toEqual([
      'domain.created',
      'domain.verified',
      'domain.at_risk',
      'domain.lapsed',
    ]);
    expect(told.at(-1)).toMatchObject({ tenantid: 'acme', data: { domain_id: domain.id, name: 'mine.example' } });
    expect(await becomes('verified', next)).toMatchObject({ status: 'verified' });
  });

  test.each(['silent', 'servfail', 'refused'] as const)('is never un-verified while DNS is %s', async (answer) => {
    dns.set(domain.record.name, answer);
    await checked(domain, 'unasked');
    const { checks } = await read(domain);
    await eventually(
      () => read(domain),
      (one) => one.checks > checks + 3,
    );
    expect(await read(domain)).toMatchObject({ status: 'verified', reason: 'CouldNotAsk' });
  });

  test('does not lapse while DNS is silent, however long the record was gone before', async () => {
    dns.clear(domain.record.name);
    await becomes('at_risk', domain);
    dns.set(domain.record.name, 'servfail');
    await checked(domain, 'unasked');
    await database.sql(`UPDATE domain SET absent_since = now() - interval '1 year' WHERE id = $1`, [domain.id]);
    const { checks } = await read(domain);
    await eventually(
      () => read(domain),
      (one) => one.checks > checks + 3,
    );
    expect(await read(domain)).toMatchObject({ status: 'at_risk' });
  });
});

test('scans per tick: 100 000 settled domains are neither read nor looked at', async () => {
  await start();
  await database.sql(
    `INSERT INTO domain (id, tenant_id, name, token, window_ends_at, check_at, status, verified_at)
     SELECT gen_random_uuid(), 'acme', n || '.example', 'token', now(), now() + interval '1 d', 'verified', now()
     FROM generate_series(1, 100000) AS n`,
  );
  await database.sql(
    `INSERT INTO reconcile_status (kind, key, due_at, rank_at) SELECT 'domains', id, check_at, check_at + interval '30 s' FROM domain`,
  );
  await database.sql('ANALYZE');
  const before = await readInFull();
  const domain = await claim('busy.example');
  dns.set(domain.record.name, rightRecord(domain));
  await becomes('verified', domain);
  expect((await readInFull()) - before).toBeLessThan(100_000);
  expect(await database.sql('SELECT FROM reconcile_status WHERE looked_at IS NOT NULL')).toHaveLength(1);
});

/** Rows that came of sequential scans so far. */
async function readInFull(): Promise<number> {
  const [sum] = await database.sql<{ rows: string }>(
    `SELECT sum(seq_tup_read) AS rows FROM pg_stat_user_tables WHERE relname IN ('domain', 'reconcile_status')`,
  );
  return Number(sum!.rows);
}
