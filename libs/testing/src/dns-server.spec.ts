import { Resolver } from 'node:dns/promises';
import { type DnsServer, startDnsServer } from './dns-server';

let server: DnsServer;
let resolver: Resolver;

beforeEach(async () => {
  server = await startDnsServer();
  resolver = new Resolver({ timeout: 2_000, tries: 1 });
  resolver.setServers([server.address]);
});
afterEach(async () => {
  resolver.cancel();
  await server.close();
});

test('answers records of several strings, whatever the case of the name', async () => {
  server.set('Key.Example.com', { txt: [['one ', 'two'], ['three'], []] });
  expect(await resolver.resolveTxt('key.EXAMPLE.com')).toEqual([['one ', 'two'], ['three'], ['']]);
  expect(server.queries('KEY.example.com')).toBe(1);
});

test('answers 1 000 records, by way of a truncated datagram and TCP', async () => {
  const txt = Array.from({ length: 1_000 }, (_, n) => [`value number ${n}`]);
  server.set('many.example.com', { txt });
  expect(await resolver.resolveTxt('many.example.com')).toEqual(txt);
  expect(server.queries('many.example.com')).toBe(2);
});

test.each([
  ['nxdomain', 'ENOTFOUND'],
  ['nodata', 'ENODATA'],
  ['servfail', 'ESERVFAIL'],
  ['refused', 'EREFUSED'],
] as const)('answers %s, which a resolver calls %s', async (answer, code) => {
  server.set('a.example.com', answer);
  await expect(resolver.resolveTxt('a.example.com')).rejects.toMatchObject({ code });
});

test('says nothing when told to be silent', async () => {
  server.set('a.example.com', 'silent');
  const asked = resolver.resolveTxt('a.example.com');
  const refused = expect(asked).rejects.toMatchObject({ code: 'ECANCELLED' });
  while (server.queries('a.example.com') === 0) await new Promise((tick) => setImmediate(tick));
  resolver.cancel();
  await refused;
});

test('answers late when told so, and other names meanwhile', async () => {
  server.set('late.example.com', { delayMs: 150, then: { txt: [['late']] } });
  server.set('quick.example.com', { txt: [['quick']] });
  const order: string[] = [];
  const ask = async (name: string): Promise<unknown> => order.push((await resolver.resolveTxt(name))[0]!.join(''));
  await Promise.all([ask('late.example.com'), ask('quick.example.com')]);
  expect(order).toEqual(['quick', 'late']);
});

test('knows no names but those that were set', async () => {
  await expect(resolver.resolveTxt('a.example.com')).rejects.toMatchObject({ code: 'ENOTFOUND' });
  server.set('a.example.com', { txt: [['here']] });
  expect(await resolver.resolveTxt('a.example.com')).toEqual([['here']]);
  server.clear('A.example.com');
  await expect(resolver.resolveTxt('a.example.com')).rejects.toMatchObject({ code: 'ENOTFOUND' });
});
