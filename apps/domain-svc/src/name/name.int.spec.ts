import { type KeyObject, createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Database, PostgresNotebook, type Running, issueToken, serve } from '@homeostat/platform';
import { type HouseEvent, eventCatalogue } from '@homeostat/shared';
import {
  type JwksAnswer,
  JwksDomains,
  type JwksServer,
  type TestDatabase,
  testDatabase,
  eventually,
} from '@homeostat/testing';
import { Controller } from '@nestjs/common';
import { EventPattern } from '@nestjs/microservices';
import { v7 as uuidv7 } from 'uuid';
import { domainService } from '../domain.module';

const heard: HouseEvent[] = [];

/** Other services, as far as events go. */
@Controller()
class Others {
  static database: Database;

  constructor(database: Database) {
    Others.database = database;
  }

  @EventPattern(['name.verified', 'name.failed'])
  hear(event: HouseEvent): void {
    heard.push(event);
  }
}
const service = { ...domainService, controllers: [...domainService.controllers, Others] };

const secret = 'a secret of these tests, and of no use elsewhere';
const preset = {
  RECONCILER_HTTP_PORT: '0',
  RECONCILER_LOG_LEVEL: 'error',
  RECONCILER_AUTH_SECRET: secret,
  RECONCILER_INTERVAL: '100ms',
  RECONCILER_NAME_INTERVAL: '100ms',
};

let domains: JwksDomains;
let database: TestDatabase;
let running: Running;

beforeAll(async () => {
  domains = await JwksDomains.make();
});
beforeEach(async () => {
  database = await testDatabase();
});
afterEach(async () => {
  jest.restoreAllMocks();
  await running.stop();
  await Promise.all([domains.stop(), database.close()]);
});
afterAll(() => domains.forget());

function replicate(settings: Record<string, string> = {}): Promise<Running> {
  const places = { RECONCILER_DATABASE_URL: database.url, RECONCILER_NAME_CA_FILE: domains.caFile };
  return serve([service], { ...preset, ...places, RECONCILER_ALLOW_PRIVATE_ADDRESSES: 'true', ...settings });
}

async function start(settings: Record<string, string> = {}): Promise<void> {
  running = await replicate(settings);
}

const domainThat = (answers: JwksAnswer): Promise<JwksServer> => domains.start(answers);

async function ask(method: string, path: string, scopes: readonly ('read' | 'write' | 'admin')[]): Promise<Response> {
  const token = await issueToken(secret, { subject: 'somebody', tenant: 'acme', scopes, expiresInSeconds: 60 });
  return fetch(`${running.url}/v1/${path}`, { method, headers: { Authorization: `Bearer ${token}` } });
}
async function get<T>(path: string, scope: 'read' | 'admin' = 'read'): Promise<T> {
  const response = await ask('GET', path, [scope]);
  if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
  return (await response.json()) as T;
}

interface Shown {
  readonly id: string;
  readonly cid: string;
  readonly status: string;
  readonly reason: string | null;
  readonly message: string | null;
  readonly domain: string;
  readonly method: string | null;
  readonly key_id: string | null;
  readonly verified_at: string | null;
  readonly checked_at: string | null;
  readonly expires_at: string | null;
  readonly next_check_at: string;
}

async function rowOf(id: string): Promise<Shown | undefined> {
  const response = await ask('GET', `name-verifications/${id}`, ['read']);
  return response.ok ? ((await response.json()) as Shown) : undefined;
}
const becomes = async (status: string, id: string): Promise<Shown> =>
  (await eventually(
    () => rowOf(id),
    (row) => row?.status === status,
  ))!;
const becauseOf = async (reason: string, id: string): Promise<Shown> =>
  (await eventually(
    () => rowOf(id),
    (row) => row?.reason === reason,
  ))!;
const vanishes = (id: string) =>
  eventually(
    () => rowOf(id),
    (row) => row === undefined,
  );

interface Move {
  readonly from: string | null;
  readonly to: string;
  readonly at: Date;
  readonly because: string;
}
const history = (id: string): Promise<Move[]> =>
  database.sql<Move>(
    'SELECT from_state AS "from", to_state AS "to", at, because FROM state_change WHERE key = $1 ORDER BY id',
    [id],
  );
const states = async (id: string): Promise<string[]> => (await history(id)).map(({ to }) => to);

interface Pair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}
/**
 * By way of PEM: Node 20 waits for ever where what made a pair is collected while one of its keys is exported as a JWK, both
 * of which take the lock of that key.
 */
const pair = (): Pair => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  return { publicKey: createPublicKey(publicKey), privateKey: createPrivateKey(privateKey) };
};
const pem = ({ publicKey }: Pair): string => publicKey.export({ type: 'spki', format: 'pem' }).toString();
const setOf = (...named: [kid: string, of: Pair][]): string =>
  JSON.stringify({ keys: named.map(([kid, { publicKey }]) => ({ ...publicKey.export({ format: 'jwk' }), kid })) });
const signature = ({ privateKey }: Pair, cid: string): string =>
  sign('sha256', Buffer.from(cid), privateKey).toString('base64');

interface Attached {
  readonly keys: readonly string[];
  readonly signatures: readonly string[];
}
let count = 0;
const newCid = (): string => `baearei${(count += 1).toString(32).padStart(52, 'a')}`;

/** A record as sync-svc leaves it in the index. */
async function index(name: string, attached: Attached, cid = newCid()): Promise<string> {
  const id = uuidv7();
  await database.sql(
    `INSERT INTO record (id, tenant_id, cid, status, manifest_digest, name, version, version_key, signed, indexed_at)
     VALUES ($1, 'system', $2, 'indexed', 'sha256:' || $2, $3, '1', '', $4, now())`,
    [id, cid, name, attached.signatures.length > 0],
  );
  await attach(id, attached);
  return id;
}

async function attach(id: string, { keys, signatures }: Attached): Promise<void> {
  const all = [...keys.map((text) => ['public_key', text]), ...signatures.map((text) => ['signature', text])];
  for (const [kind, text] of all) {
    await database.sql(
      `INSERT INTO referrer (record_id, digest, kind, public_key, signature)
       VALUES ($1, gen_random_uuid()::text, $2, CASE $2 WHEN 'public_key' THEN $3 END, CASE $2 WHEN 'signature' THEN $3 END)`,
      [id, kind, text],
    );
  }
  await database.sql('UPDATE record SET referred_at = now(), signed = signed OR $2 WHERE id = $1', [
    id,
    signatures.length > 0,
  ]);
}

/** Tells that a record has changed, as sync-svc does. */
function tell(type: 'record.signed' | 'record.quarantined' | 'record.removed', id: string): Promise<void> {
  const data = { record_id: id, cid: 'any', reason: 'any' };
  return Others.database.transaction(async (tx) => {
    tx.emit(type, { tenant_id: 'system', subject: id, version: '1', data });
    tx.look('name-verifications', id);
  });
}

async function signedBy(by: Pair, name: string, cid = newCid()): Promise<string> {
  const id = await index(name, { keys: [pem(by)], signatures: [signature(by, cid)] }, cid);
  await tell('record.signed', id);
  return id;
}

/** Has the check of a name due at once, and waits for it. */
async function checkedAgain(id: string): Promise<void> {
  const [before] = await database.sql<{ checked_at: Date }>(
    'UPDATE name_verification SET check_at = now() WHERE id = $1 RETURNING checked_at',
    [id],
  );
  await tell('record.signed', id);
  await eventually(
    () => rowOf(id),
    (row) => Date.parse(row!.checked_at!) > before!.checked_at.getTime(),
  );
}

const ours = pair();
const nameAt = (domain: JwksServer): string => `https://${domain.domain}/agents/translator`;

describe('the fixtures', () => {
  const folder = join(__dirname, '../../../../test/fixtures/directory');
  const read = (file: string): string => readFileSync(join(folder, file), 'utf8');
  interface Case {
    readonly id: string;
    readonly cid: string;
    readonly jwks: string;
    readonly referrers: readonly string[];
    readonly expect: { readonly result: string; readonly key_id?: string; readonly reason?: string };
  }
  const { cases } = JSON.parse(read('names.json')) as { cases: readonly Case[] };
  const camel = (word: string): string => word.replace(/(?:^|_)(\w)/g, (_, letter: string) => letter.toUpperCase());

  test('come to what they should, each', async () => {
    await start();
    for (const one of cases) {
      const data = one.referrers.map(
        (file) => (JSON.parse(read(`referrers/${file}`)) as { data: Record<string, string> }).data,
      );
      const all = (name: string): string[] => data.flatMap((of) => of[name] ?? []);
      const name = nameAt(await domainThat(read(one.jwks)));
      const id = await index(name, { keys: all('key'), signatures: all('signature') }, one.cid);
      await tell('record.signed', id);
      const { result, key_id = null, reason } = one.expect;
      if (result === 'not_a_candidate') {
        const looked = `SELECT FROM reconcile_status WHERE kind = 'name-verifications' AND key = $1 AND outcome = 'settled'`;
        await eventually(
          () => database.sql(looked, [id]),
          (rows) => rows.length === 1,
        );
        expect([one.id, await rowOf(id)]).toEqual([one.id, undefined]);
      } else {
        const { status, cid, ...row } = await becomes(result, id);
        const expected = { key_id, method: 'jwks', reason: reason ? camel(reason) : 'Verified' };
        expect([one.id, status, cid, row]).toEqual([one.id, result, one.cid, expect.objectContaining(expected)]);
      }
      await database.sql('DELETE FROM record WHERE id = $1', [id]);
      await tell('record.removed', id);
      await vanishes(id);
    }
  });
});

describe('a signed record', () => {
  test('is verified by its domain, which is told once', async () => {
    await start();
    const domain = await domainThat(setOf(['one', ours]));
    const id = await signedBy(ours, nameAt(domain));
    const row = await becomes('verified', id);
    expect(row).toMatchObject({ reason: 'Verified', key_id: 'one', method: 'jwks', domain: domain.domain });
    expect(Date.parse(row.expires_at!) - Date.parse(row.checked_at!)).toBeCloseTo(168 * 3_600_000, -3);
    expect(Date.parse(row.next_check_at)).toBeLessThan(Date.parse(row.expires_at!));
    expect(await states(id)).toEqual(['pending', 'verified']);
    const [event, ...more] = await eventually(
      async () => heard.filter(({ subject }) => subject === id),
      (all) => all.length > 0,
    );
    expect([event!.type, more]).toEqual(['name.verified', []]);
    expect(eventCatalogue['name.verified'].parse(event!.data)).toEqual({
      record_id: id,
      name: nameAt(domain),
      domain: domain.domain,
      key_id: 'one',
    });
  });

  test('that is signed by a stranger only fails, and is verified once the right signature is there', async () => {
    await start({ RECONCILER_NAME_INTERVAL: '1h' });
    const [domain, stranger] = [await domainThat(setOf(['one', ours])), pair()];
    const id = await signedBy(stranger, nameAt(domain));
    expect(await becomes('failed', id)).toMatchObject({
      reason: 'NoDomainKeyAttached',
      key_id: null,
      verified_at: null,
    });
    const cid = (await rowOf(id))!.cid;
    await attach(id, { keys: [pem(ours)], signatures: [] });
    await tell('record.signed', id);
    expect(await becauseOf('NoSignatureByDomainKey', id)).toMatchObject({ status: 'failed' });
    await attach(id, { keys: [], signatures: [signature(ours, cid)] });
    await tell('record.signed', id);
    expect(await becomes('verified', id)).toMatchObject({ key_id: 'one' });
    expect(await states(id)).toEqual(['pending', 'failed', 'verified']);
  });

  test('is verified once its domain names the key, without anybody telling', async () => {
    await start();
    const domain = await domainThat(setOf(['other', pair()]));
    const id = await signedBy(ours, nameAt(domain));
    await becomes('failed', id);
    domain.answer = setOf(['one', ours]);
    expect(await becomes('verified', id)).toMatchObject({ key_id: 'one' });
  });

  test.each([
    ['removed', 'DELETE FROM record WHERE id = $1', 'record.removed'],
    ['quarantined', `UPDATE record SET status = 'quarantined', signed = false WHERE id = $1`, 'record.quarantined'],
    [
      'signed by nobody any more',
      'UPDATE record SET signed = false, referred_at = now() WHERE id = $1',
      'record.signed',
    ],
  ] as const)('has no verified name any more when it is %s', async (_, change, type) => {
    await start();
    const id = await signedBy(ours, nameAt(await domainThat(setOf(['one', ours]))));
    await becomes('verified', id);
    await database.sql(change, [id]);
    await tell(type, id);
    await vanishes(id);
    expect(await states(id)).toEqual(['pending', 'verified', 'deleted']);
    const told = await eventually(
      async () => heard.filter(({ subject }) => subject === id),
      ({ length }) => length === 2,
    );
    expect(told[1]).toMatchObject({ type: 'name.failed', data: { reason: 'Withdrawn' } });
  });

  test('is found by the audit when nobody was told of it', async () => {
    await start();
    const domain = await domainThat(setOf(['one', ours]));
    const cid = newCid();
    const id = await index(nameAt(domain), { keys: [pem(ours)], signatures: [signature(ours, cid)] }, cid);
    await index(nameAt(domain), { keys: [], signatures: [] });
    await index('directory.example/no-url', { keys: [], signatures: ['AAAA'] });
    const own = new Database({ url: database.url, role: 'homeostat_domain', application: 'spec', connections: 1 });
    const notebook = new PostgresNotebook(own, 'spec');
    expect(await notebook.unattended('name-verifications', null, 1_000)).toEqual({ keys: [id], last: null });
    await notebook.request('name-verifications', [id]);
    await becomes('verified', id);
    await own.close();
  });

  test('is looked at by one of two processes at a time', async () => {
    await start({ RECONCILER_NAME_INTERVAL: '1h' });
    const second = await replicate({ RECONCILER_NAME_INTERVAL: '1h' });
    const domain = await domainThat(setOf(['one', ours]));
    const ids = await Promise.all(Array.from({ length: 20 }, () => signedBy(ours, nameAt(domain))));
    for (const id of ids) {
      await becomes('verified', id);
      expect(await states(id)).toEqual(['pending', 'verified']);
    }
    await second.stop();
    for (const id of ids) expect(heard.filter(({ subject }) => subject === id)).toHaveLength(1);
  });
});

describe('a verified name', () => {
  const short = { RECONCILER_NAME_TTL: '1s', RECONCILER_NAME_GRACE: '2s' };
  const graceMs = 2_000;
  const verified = async (domain: JwksServer): Promise<Shown> =>
    becomes('verified', await signedBy(ours, nameAt(domain)));

  test('is renewed before its time is over, and never anything else', async () => {
    await start(short);
    const first = await verified(await domainThat(setOf(['one', ours])));
    const later = (row: Shown | undefined): boolean =>
      Date.parse(row!.expires_at!) > Date.parse(first.expires_at!) + 2_000;
    const row = await eventually(() => rowOf(first.id), later);
    expect(row).toMatchObject({ status: 'verified', verified_at: first.verified_at });
    expect(await states(first.id)).toEqual(['pending', 'verified']);
  });

  test('lapses when its key was rotated away: after the grace, and not before', async () => {
    await start(short);
    const domain = await domainThat(setOf(['one', ours]));
    const { id } = await verified(domain);
    const rotatedAt = Date.now();
    domain.answer = setOf(['two', pair()]);
    const doubted = await becauseOf('NoDomainKeyAttached', id);
    expect(doubted).toMatchObject({ status: 'verified', key_id: 'one', message: expect.stringContaining('lapses at') });
    expect(Date.parse(doubted.expires_at!)).toBeGreaterThanOrEqual(rotatedAt + graceMs);
    expect(await becomes('failed', id)).toMatchObject({
      key_id: null,
      verified_at: null,
      message: expect.stringContaining('lapsed'),
    });
    const moves = await history(id);
    expect(moves.map(({ to }) => to)).toEqual(['pending', 'verified', 'failed']);
    expect(moves[2]!.at.getTime()).toBeGreaterThanOrEqual(Date.parse(doubted.expires_at!));
    const told = await eventually(
      async () => heard.filter(({ subject }) => subject === id),
      ({ length }) => length === 2,
    );
    expect(eventCatalogue['name.failed'].parse(told[1]!.data)).toMatchObject({
      record_id: id,
      reason: 'NoDomainKeyAttached',
    });
  });

  test('keeps its status when the key is back within the grace', async () => {
    await start({ ...short, RECONCILER_NAME_GRACE: '1h' });
    const domain = await domainThat(setOf(['one', ours]));
    const { id } = await verified(domain);
    domain.answer = setOf(['two', pair()]);
    await becauseOf('NoDomainKeyAttached', id);
    domain.answer = setOf(['two', pair()], ['one again', ours]);
    expect(await becauseOf('Verified', id)).toMatchObject({ key_id: 'one again' });
    expect(await states(id)).toEqual(['pending', 'verified']);
  });

  test('outlasts a domain that cannot be asked, to the end of the grace', async () => {
    await start(short);
    const domain = await domainThat(setOf(['one', ours]));
    const { id } = await verified(domain);
    domain.answer = (response) => response.writeHead(503).end();
    const doubted = await becauseOf('CouldNotAsk', id);
    expect(doubted).toMatchObject({ status: 'verified', key_id: 'one' });
    expect(await becomes('failed', id)).toMatchObject({ reason: 'CouldNotAsk' });
    expect((await history(id))[2]!.at.getTime()).toBeGreaterThanOrEqual(Date.parse(doubted.expires_at!));
    domain.answer = setOf(['one', ours]);
    await becomes('verified', id);
  });
});

describe('keys that are of no use', () => {
  const many = JSON.stringify({ keys: Array.from({ length: 10_000 }, () => ours.publicKey.export({ format: 'jwk' })) });
  const elsewhere: JwksAnswer = (response, { url }) =>
    url === '/keys' ? response.end(setOf(['one', ours])) : response.writeHead(302, { location: '/keys' }).end();
  test.each<[string, JwksAnswer, string, RegExp]>([
    ['more than 1 MiB', setOf(['one', ours]) + ' '.repeat(2 << 20), 'KeysUnusable', /1048576 bytes/],
    ['10 000 of them', many.slice(0, 1 << 20).replace(/,\{[^}]*$/, ']}'), 'KeysUnusable', /more than 100/],
    ['behind a redirect', elsewhere, 'KeysUnusable', /redirects/],
    ['no JSON', '<html></html>', 'KeysUnusable', /no JSON Web Key Set/],
    ['not there', (response) => response.writeHead(404).end(), 'NoKeysAtDomain', /names no key/],
    [
      'for the algorithm none',
      setOf(['one', ours]).replace('"kid"', '"alg":"none","kid"'),
      'NoKeysAtDomain',
      /names no key/,
    ],
  ])('fail the name, and say why: %s', async (_, answer, reason, message) => {
    await start();
    const id = await signedBy(ours, nameAt(await domainThat(answer)));
    expect(await becomes('failed', id)).toMatchObject({ reason, message: expect.stringMatching(message) });
  });

  test('are not fetched from an address that is not public', async () => {
    await start({ RECONCILER_ALLOW_PRIVATE_ADDRESSES: 'false' });
    const domain = await domainThat(setOf(['one', ours]));
    const id = await signedBy(ours, nameAt(domain));
    expect(await becomes('failed', id)).toMatchObject({
      reason: 'KeysUnusable',
      message: expect.stringMatching(/no public address/),
    });
    expect(domain.connections).toBe(0);
  });

  test('leave the name pending while their domain cannot be asked', async () => {
    await start();
    const domain = await domainThat((response) => response.writeHead(503).end());
    const id = await signedBy(ours, nameAt(domain));
    expect(await becauseOf('CouldNotAsk', id)).toMatchObject({ status: 'pending', verified_at: null });
    domain.answer = setOf(['one', ours]);
    await becomes('verified', id);
  });
});

describe('plain http', () => {
  let plain: Server;
  let asked: number;
  beforeEach(async () => {
    asked = 0;
    plain = createServer((_, response) => void ((asked += 1), response.end(setOf(['one', ours]))));
    await new Promise<void>((listening) => plain.listen(0, '127.0.0.1', listening));
  });
  afterEach(async () => {
    plain.closeAllConnections();
    await new Promise((closed) => plain.close(closed));
  });
  const plainName = (): string => `http://localhost:${(plain.address() as AddressInfo).port}/a`;

  test('proves nothing, and is not asked', async () => {
    await start();
    const id = await signedBy(ours, plainName());
    const settled = `SELECT because FROM reconcile_status WHERE kind = 'name-verifications' AND key = $1 AND outcome = 'settled'`;
    const [look] = await eventually(
      () => database.sql(settled, [id]),
      (rows) => rows.length === 1,
    );
    expect(look).toEqual({ because: 'Its name begins with http://, which proves nothing.' });
    expect([await rowOf(id), asked]).toEqual([undefined, 0]);
  });

  test('is asked where the setting says so', async () => {
    await start({ RECONCILER_NAME_ALLOW_HTTP: 'true' });
    await becomes('verified', await signedBy(ours, plainName()));
  });
});

describe('many names', () => {
  test('of one domain share one fetch', async () => {
    await start({ RECONCILER_NAME_INTERVAL: '1h' });
    const domain = await domainThat(setOf(['one', ours]));
    await becomes('verified', await signedBy(ours, nameAt(domain)));
    const ids = await Promise.all(Array.from({ length: 40 }, () => signedBy(ours, nameAt(domain))));
    for (const id of ids) await becomes('verified', id);
    expect(domain.asked).toHaveLength(1);
  });

  test('that a domain does not vouch for share one fetch for as long as it may be kept, unless something is new', async () => {
    await start({ RECONCILER_NAME_INTERVAL: '1h' });
    const domain = await domainThat(setOf(['other', pair()]));
    const ids = await Promise.all(Array.from({ length: 5 }, () => signedBy(ours, nameAt(domain))));
    for (const id of ids) await becomes('failed', id);
    expect(domain.asked).toHaveLength(1);
    const now = performance.now.bind(performance);
    jest.spyOn(performance, 'now').mockImplementation(() => now() + 60_000);
    for (const id of ids) await checkedAgain(id);
    expect(domain.asked).toHaveLength(1);
    domain.answer = setOf(['one', ours]);
    await ask('POST', `name-verifications/${ids[0]}/check`, ['admin']);
    await becomes('verified', ids[0]!);
    await checkedAgain(ids[1]!);
    expect([(await rowOf(ids[1]!))!.status, domain.asked.length]).toEqual(['verified', 2]);
  });

  test('of a silent domain hold up none of another, and ask it once', async () => {
    await start({ RECONCILER_NAME_INTERVAL: '1h' });
    const [silent, domain] = [await domainThat(() => undefined), await domainThat(setOf(['one', ours]))];
    const theirs = await Promise.all(Array.from({ length: 100 }, () => signedBy(ours, nameAt(silent))));
    await eventually(
      async () => silent.asked.length,
      (requests) => requests === 1,
    );
    await becomes('verified', await signedBy(ours, nameAt(domain)));
    const undecided = await Promise.all(theirs.map(rowOf));
    expect(undecided.filter((row) => row?.reason === 'CouldNotAsk')).toEqual([]);
    for (const id of theirs) expect(await becauseOf('CouldNotAsk', id)).toMatchObject({ status: 'pending' });
    expect(silent.asked).toHaveLength(1);
  });
});

describe('the API', () => {
  const nobodys = '01993f5e-0000-7000-8000-00000000000a';

  test('lists names by status and domain, to every tenant', async () => {
    await start();
    const [one, other] = [await domainThat(setOf(['one', ours])), await domainThat('{"keys":[]}')];
    const good = await signedBy(ours, nameAt(one));
    const bad = await signedBy(ours, nameAt(other));
    await Promise.all([becomes('verified', good), becomes('failed', bad)]);
    const idsOf = async (query: string): Promise<string[]> =>
      (await get<{ items: Shown[] }>(`name-verifications?${query}`)).items.map(({ id }) => id);
    expect(await idsOf('')).toEqual([bad, good]);
    expect(await idsOf('status=verified')).toEqual([good]);
    expect(await idsOf(`domain=${other.domain}`)).toEqual([bad]);
    expect(await idsOf(`status=verified&domain=${other.domain}`)).toEqual([]);
    const [row] = (await get<{ items: object[] }>('name-verifications?limit=1')).items;
    expect(Object.keys(row!)).toEqual(
      expect.arrayContaining(['cid', 'name', 'expires_at', 'next_check_at', 'generation']),
    );
    expect(Object.keys(row!)).toEqual(expect.not.arrayContaining(['record_seen', 'check_asked_at', 'failing_since']));
    expect((await ask('GET', `name-verifications/${nobodys}`, ['read'])).status).toBe(404);
  });

  test('has a name checked on request, every ten seconds at most, by an admin', async () => {
    await start({ RECONCILER_NAME_INTERVAL: '1h' });
    const domain = await domainThat('{"keys":[]}');
    const id = await signedBy(ours, nameAt(domain));
    const first = await becomes('failed', id);
    expect((await ask('POST', `name-verifications/${id}/check`, ['read', 'write'])).status).toBe(403);
    expect((await ask('POST', `name-verifications/${nobodys}/check`, ['admin'])).status).toBe(404);
    expect((await ask('POST', `name-verifications/${id}/check`, ['admin'])).status).toBe(202);
    await eventually(
      () => rowOf(id),
      (row) => Date.parse(row!.checked_at!) > Date.parse(first.checked_at!),
    );
    const again = await ask('POST', `name-verifications/${id}/check`, ['admin']);
    expect([again.status, Number(again.headers.get('retry-after'))]).toEqual([429, expect.any(Number)]);
  });

  test('explains what is missing, and how to mend it', async () => {
    await start({ RECONCILER_NAME_INTERVAL: '1h' });
    const domain = await domainThat(setOf(['other', pair()]));
    const id = await signedBy(ours, nameAt(domain));
    await becomes('failed', id);
    const told = await get<object>(`name-verifications/${id}/explain`, 'admin');
    expect(told).toMatchObject({
      status: 'failed',
      reason: 'NoDomainKeyAttached',
      because: `None of the keys of ${domain.domain} is attached to the record.`,
      fix: expect.stringContaining(`https://${domain.domain}/.well-known/jwks.json`),
      desired: { name: nameAt(domain), vouched_for_by: `https://${domain.domain}` },
      observed: { signed: true, status: 'failed' },
    });
    expect(await get<{ items: Move[] }>(`name-verifications/${id}/history`, 'admin')).toMatchObject({
      items: [{ to: 'failed' }, { to: 'pending' }],
    });
    expect(await get<object>(`name-verifications/${id}/plan`, 'admin')).toMatchObject({ verdict: 'wait' });
  });
});
