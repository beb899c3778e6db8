import { type DnsAnswer, type DnsServer, startDnsServer } from '@homeostat/testing';
import type { Benchmark, Measured, Settings } from './harness/benchmark';
import { median } from './harness/statistics';
import { type House, openHouse } from './house/house';
import { verified } from './interference/claims';
import { looksBeside } from './interference/commits';

const SECONDS = 15;
const SHARE = 0.01;

interface Trouble {
  readonly name: string;
  readonly strange: (count: number) => number;
  readonly strangely: DnsAnswer;
}

const none: Trouble = { name: 'without any', strange: () => 0, strangely: 'nodata' };
const troubles: readonly Trouble[] = [
  { name: '1 % always refused', strange: (count) => Math.ceil(count * SHARE), strangely: 'servfail' },
  { name: 'one answered after 4 s', strange: () => 1, strangely: { delayMs: 4_000, then: 'nodata' } },
  { name: 'one black-holed', strange: () => 1, strangely: 'silent' },
];

const FAILING = '1 % whose transaction always fails';
const loss = (name: string): string => `${name}: what the others lose`;
const took = ({ name }: Trouble): string => `${name}: until all others are verified`;

/** What a few resources that cannot be helped cost all the others. */
export const interference: Benchmark = {
  name: 'interference',
  about: `claims of domains, verified by one house against a DNS server on loopback, with others among them that are refused, slow or never answered; and for ${SECONDS} s, looks in passes of 500 at as many resources, with more among them that make the whole batch fail`,
  count: 10_000,
  smoke: 200,
  settings: { RECONCILER_DNS_TIMEOUT: '5s' },
  figures: () => [
    ...troubles.map(({ name }) => ({ name: loss(name), unit: '%', bar: 5 })),
    { name: loss(FAILING), unit: '%', bar: 5 },
    ...[none, ...troubles].map((one) => ({ name: took(one), unit: 's' })),
    { name: 'looks per second, without any', unit: '/s' },
    { name: `looks per second, ${FAILING}`, unit: '/s' },
  ],
  run,
};

async function run({ count, smoke, set, progress }: Settings): Promise<Measured> {
  const dns = await startDnsServer();
  const house = await openHouse({
    settings: { ...interference.settings, RECONCILER_DNS_SERVERS: dns.address, ...set },
  });
  const claims: Measured = await claimed(house, dns, count, progress).finally(async () => {
    await house.stop();
    await dns.close();
  });
  progress(FAILING);
  const seconds = smoke ? 2 : SECONDS;
  const calm = await looksBeside(0, count, seconds);
  const beside = await looksBeside(Math.ceil(count * SHARE), count, seconds);
  return {
    ...claims,
    [loss(FAILING)]: 100 * (1 - beside / calm),
    'looks per second, without any': calm,
    [`looks per second, ${FAILING}`]: beside,
  };
}

/** Each between two times without any trouble, and after a warm-up: the machine is not the same all the time. */
async function claimed(house: House, dns: DnsServer, count: number, progress: Settings['progress']): Promise<Measured> {
  const secondsWith = ({ name, strange, strangely }: Trouble): Promise<number> => {
    const tell = (line: string): void => progress(`${name}: ${line}`);
    return verified(house, dns, { count, strange: strange(count), strangely }, tell);
  };
  await secondsWith(none);
  const calm = [await secondsWith(none)];
  const measured: Record<string, number> = {};
  for (const trouble of troubles) {
    const seconds = await secondsWith(trouble);
    calm.push(await secondsWith(none));
    measured[took(trouble)] = seconds;
    measured[loss(trouble.name)] = 100 * (seconds / median(calm.slice(-2)) - 1);
  }
  return { ...measured, [took(none)]: median(calm) };
}
