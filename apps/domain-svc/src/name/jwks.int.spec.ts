import { generateKeyPairSync } from 'node:crypto';
import dns from 'node:dns';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type JwksAnswer, JwksDomains, type JwksServer } from '@homeostat/testing';
import { type Fetched, JwksFetch } from './jwks.fetch';

const key = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });
const keys = (count: number): string => JSON.stringify({ keys: Array.from({ length: count }, () => key) });
const megabytes = (count: number): string => ' '.repeat(count << 20);

const { signal } = new AbortController();
let domains: JwksDomains;
let server: JwksServer;

beforeAll(async () => {
  domains = await JwksDomains.make();
});
beforeEach(async () => {
  server = await domains.start(keys(1));
});
afterEach(async () => {
  jest.restoreAllMocks();
  await domains.stop();
});
afterAll(() => domains.forget());

const fetchOf = (more: { allowPrivate?: boolean; caFile?: string | null } = {}): JwksFetch =>
  new JwksFetch({ allowPrivate: true, caFile: domains.caFile, ...more });
const ask = (answer: JwksAnswer, from = `https://${server.domain}`): Promise<Fetched> => {
  server.answer = answer;
  return fetchOf().fetch(from, signal);
};

const answered = { answer: { asked: 'answered', keys: [{ id: expect.any(String) }] } };
const unusable = (why: RegExp) => ({ answer: { asked: 'unusable', why: expect.stringMatching(why) } });
const unasked = (why: RegExp) => ({ answer: { asked: 'unasked', why: expect.stringMatching(why) } });

test('keys are fetched over TLS from the place that is theirs', async () => {
  expect(await ask(keys(1))).toMatchObject(answered);
  expect(server.asked).toEqual(['/.well-known/jwks.json']);
});

test.each([
  ['no-store', 0],
  ['public, max-age=600', 600_000],
  ['MAX-AGE="60"', 60_000],
  ['max-age=600, no-cache', 0],
  ['public', null],
  ['max-age=soon', null],
])('their domain may say for how long they are kept: %s', async (said, maxAgeMs) => {
  const kept = (response: Parameters<Exclude<JwksAnswer, string>>[0]) =>
    response.setHeader('cache-control', said).end(keys(1));
  expect(await ask(kept)).toMatchObject({ ...answered, maxAgeMs });
});

describe('an answer that is no key set', () => {
  const status =
    (code: number, headers: Record<string, string> = {}, body = keys(1)): JwksAnswer =>
    (response) =>
      response.writeHead(code, headers).end(body);

  test.each<[string, JwksAnswer, object]>([
    ['of 2 MB', keys(1) + megabytes(2), unusable(/more than 1048576 bytes/)],
    ['of 10 000 keys', keys(10_000), unusable(/has 10000 keys/)],
    ['of a million members', `{"keys":[${'1,'.repeat(500_000)}1]}`, unusable(/has 500001 keys/)],
    ['that is nested deeply', `{"keys":${'['.repeat(500_000)}`, unusable(/no JSON Web Key Set/)],
    ['of HTML', '<html></html>', unusable(/no JSON Web Key Set/)],
    ['of nothing', '', unusable(/no JSON Web Key Set/)],
    ['that is packed', status(200, { 'content-encoding': 'gzip' }, '\x1f\x8b'), unusable(/no JSON Web Key Set/)],
    ['that asks for a login', status(401), unusable(/answers 401/)],
    ['that is forbidden', status(403), unusable(/answers 403/)],
    ['that is not there', status(404), { answer: { asked: 'answered', keys: [] } }],
    ['that is gone', status(410), { answer: { asked: 'answered', keys: [] } }],
    ['that fails for now', status(503), unasked(/answers 503/)],
    ['that is asked for too often', status(429), unasked(/answers 429/)],
    [
      'that is cut off',
      (response) => response.writeHead(200, { 'content-length': '9' }).write('{', () => response.destroy()),
      unasked(/./),
    ],
    ['with headers beyond measure', status(200, { 'x-much': 'a'.repeat(100_000) }), unasked(/[Hh]eaders/)],
  ])('%s', async (_, answer, expected) => {
    expect(await ask(answer)).toMatchObject(expected);
  });

  test('that has no end is read to the limit and no further', async () => {
    const sent = { bytes: 0, isOver: false };
    const endless: JwksAnswer = (response) => {
      const more = (): void => {
        if (response.destroyed) return void (sent.isOver = true);
        sent.bytes += 1 << 16;
        response.write(' '.repeat(1 << 16), () => setImmediate(more));
      };
      more();
    };
    expect(await ask(endless)).toMatchObject(unusable(/more than/));
    while (!sent.isOver) await new Promise((tick) => setImmediate(tick));
    expect(sent.bytes).toBeLessThan(16 << 20);
  });

  test.each([301, 302, 303, 307, 308])('that redirects with %d is not followed, not even to itself', async (code) => {
    const location = `https://${server.domain}/keys`;
    expect(await ask(status(code, { location }))).toMatchObject(unusable(/redirects/));
    expect(server.asked).toEqual(['/.well-known/jwks.json']);
  });
});

test('a domain that is silent, or answers a byte at a time, is given up after 5 s', async () => {
  const slow: JwksAnswer = (response) => {
    const timer = setInterval(() => response.write(' '), 100);
    response.on('close', () => clearInterval(timer));
  };
  const other = await domains.start(() => undefined);
  const found = await Promise.all([ask(slow), fetchOf().fetch(`https://${other.domain}`, signal)]);
  for (const one of found) expect(one).toMatchObject(unasked(/within 5 s/));
});

test('a fetch that is called off ends at once, without an answer', async () => {
  const off = new AbortController();
  server.answer = () => off.abort(new Error('called off'));
  await expect(fetchOf().fetch(`https://${server.domain}`, off.signal)).rejects.toThrow('called off');
});

describe('a domain that does not prove who it is', () => {
  test('because nobody knows who signed its certificate', async () => {
    expect(await fetchOf({ caFile: null }).fetch(`https://${server.domain}`, signal)).toMatchObject(
      unasked(/certificate/),
    );
  });

  test('because its certificate is for another name', async () => {
    expect(await ask(keys(1), `https://${server.domain.replace('localhost', '127.0.0.1')}`)).toMatchObject(
      unasked(/altnames/),
    );
  });

  test('because it speaks plain http', async () => {
    const plain: Server = createServer((_request, response) => response.end(keys(1)));
    await new Promise<void>((listening) => plain.listen(0, '127.0.0.1', listening));
    const { port } = plain.address() as AddressInfo;
    expect(await ask(keys(1), `https://localhost:${port}`)).toMatchObject(unasked(/./));
    plain.closeAllConnections();
    await new Promise((closed) => plain.close(closed));
  });

  test('because nothing listens there', async () => {
    await server.close();
    expect(await ask(keys(1))).toMatchObject(unasked(/ECONNREFUSED/));
  });
});

describe('an address that is not public', () => {
  test.each(['localhost', '127.0.0.1', '[::1]', '[::ffff:127.0.0.1]', '2130706433'])(
    'is not connected to: %s',
    async (host) => {
      const found = await fetchOf({ allowPrivate: false }).fetch(
        `https://${server.domain.replace('localhost', host)}`,
        signal,
      );
      expect(found).toMatchObject(unusable(/no public address/));
      expect(server.connections).toBe(0);
    },
  );

  test('is not connected to by a name that was at a public one when it was looked up first', async () => {
    const asked: string[] = [];
    jest.spyOn(dns, 'lookup').mockImplementation(((
      name: string,
      _: object,
      found: (error: null, all: object[]) => void,
    ) => {
      const address = asked.push(name) === 1 ? '8.8.8.8' : '127.0.0.1';
      found(null, [{ address, family: 4 }]);
    }) as never);
    const first = await new Promise((found) => dns.lookup('rebound.example', { all: true }, (_, all) => found(all)));
    expect(first).toEqual([{ address: '8.8.8.8', family: 4 }]);
    const from = `https://${server.domain.replace('localhost', 'rebound.example')}`;
    expect(await fetchOf({ allowPrivate: false }).fetch(from, signal)).toMatchObject(unusable(/no public address/));
    expect(asked).toEqual(['rebound.example', 'rebound.example']);
    expect(server.connections).toBe(0);
  });
});
