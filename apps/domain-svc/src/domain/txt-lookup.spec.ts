import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { type DnsAnswer, type DnsServer, startDnsServer } from '@homeostat/testing';
import { type TxtAnswer, TxtLookup } from './txt-lookup';

const name = 'record.example.com';
let server: DnsServer;
beforeEach(async () => {
  server = await startDnsServer();
});
afterEach(() => server.close());

const untilAsked = async (times: number): Promise<void> => {
  while (server.queries(name) < times) await new Promise((tick) => setImmediate(tick));
};

const table: [string, DnsAnswer, TxtAnswer][] = [
  [
    'joins the strings of a record, and keeps records apart',
    { txt: [['to', 'ken'], ['other']] },
    { asked: 'answered', records: ['token', 'other'] },
  ],
  ['takes an empty record for a record', { txt: [['']] }, { asked: 'answered', records: [''] }],
  ['knows a name that does not exist', 'nxdomain', { asked: 'absent', why: 'NXDOMAIN' }],
  ['knows a name that has no TXT record', 'nodata', { asked: 'absent', why: 'NODATA' }],
  [
    'takes SERVFAIL for not asked',
    'servfail',
    { asked: 'unasked', why: 'the name servers failed (SERVFAIL); the zone or its DNSSEC signatures may be broken' },
  ],
  [
    'takes a refusal for not asked',
    'refused',
    { asked: 'unasked', why: 'the name servers refused the question (REFUSED)' },
  ],
];

test.each(table)('%s', async (_sentence, answer, expected) => {
  server.set(name, answer);
  expect(await new TxtLookup([server.address], 5_000).lookup(name)).toEqual(expected);
});

test('finds the last of 1 000 records', async () => {
  server.set(name, { txt: Array.from({ length: 1_000 }, (_, n) => [`value number ${n}`]) });
  const answer = await new TxtLookup([server.address], 5_000).lookup(name);
  expect(answer.asked === 'answered' && answer.records.at(-1)).toBe('value number 999');
});

test('gives up at its own deadline when nobody answers', async () => {
  server.set(name, 'silent');
  expect(await new TxtLookup([server.address], 80).lookup(name)).toEqual({
    asked: 'unasked',
    why: 'no name server answered within 80 ms',
  });
});

test('gives up at its own deadline when the answer comes too late', async () => {
  server.set(name, { delayMs: 60_000, then: { txt: [['token']] } });
  expect(await new TxtLookup([server.address], 80).lookup(name)).toMatchObject({ asked: 'unasked' });
});

test('says so when nothing listens there', async () => {
  const gone = await startDnsServer();
  await gone.close();
  expect(await new TxtLookup([gone.address], 5_000).lookup(name)).toMatchObject({ asked: 'unasked' });
});

test('takes an answer that cannot be read for not asked', async () => {
  const garbage: Socket = createSocket('udp4');
  garbage.on('message', (query, from) =>
    garbage.send(Buffer.concat([query.subarray(0, 2), Buffer.from('?')]), from.port),
  );
  garbage.bind(0, '127.0.0.1');
  await once(garbage, 'listening');
  const answer = await new TxtLookup([`127.0.0.1:${garbage.address().port}`], 300).lookup(name);
  garbage.close();
  expect(answer).toMatchObject({ asked: 'unasked' });
});

test('asks the second server when the first is silent', async () => {
  const silent = await startDnsServer();
  silent.set(name, 'silent');
  server.set(name, { txt: [['token']] });
  const answer = await new TxtLookup([silent.address, server.address], 4_000).lookup(name);
  await silent.close();
  expect(answer).toEqual({ asked: 'answered', records: ['token'] });
});

test('a silent name holds up no other', async () => {
  server.set(name, 'silent');
  server.set('quick.example.com', { txt: [['token']] });
  const lookup = new TxtLookup([server.address], 400);
  const order: string[] = [];
  const slow = Array.from({ length: 20 }, async () => order.push((await lookup.lookup(name)).asked));
  await untilAsked(20);
  order.push((await lookup.lookup('quick.example.com')).asked);
  await Promise.all(slow);
  expect(order).toEqual(['answered', ...slow.map(() => 'unasked')]);
});

test('an abort ends its own lookup with the reason, and no other', async () => {
  server.set(name, 'silent');
  server.set('late.example.com', { delayMs: 100, then: { txt: [['token']] } });
  const lookup = new TxtLookup([server.address], 30_000);
  const other = lookup.lookup('late.example.com');
  const abort = new AbortController();
  const refused = expect(lookup.lookup(name, abort.signal)).rejects.toThrow('shutting down');
  await untilAsked(1);
  abort.abort(new Error('shutting down'));
  await refused;
  expect(await other).toEqual({ asked: 'answered', records: ['token'] });
});

test('asks nothing when it is aborted already', async () => {
  const gone = AbortSignal.abort(new Error('shutting down'));
  await expect(new TxtLookup([server.address], 1_000).lookup(name, gone)).rejects.toThrow('shutting down');
  expect(server.queries(name)).toBe(0);
});

test('refuses servers that are no addresses, before anything is asked', () => {
  expect(() => new TxtLookup(['ns.example.com'], 1_000)).toThrow();
});

test('takes the system’s servers when none are given', () => {
  expect(() => new TxtLookup(null, 1_000)).not.toThrow();
});
