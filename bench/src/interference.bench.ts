import { type DnsAnswer, type DnsServer, startDnsServer } from '@homeostat/testing';
import type { Benchmark, Measured, Settings } from './harness/benchmark';
import { median } from './harness/statistics';
import { type House, openHouse } from './house/house';
import { verified } from './interference/claims';
import { looksBeside } from './interference/commits';

const SECONDS = 6;
const SHARE = 0.01;
/** What is compared takes a few seconds, and two such times without any trouble differ by a tenth; so many are added up. */
const ROUNDS = 4;

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
  about: `claims of domains, verified by one house against a DNS server on loopback, with others among them that are refused, slow or never answered; and for ${SECONDS} s each, looks in passes of 500 at as many resources, with more among them that make the whole batch fail; each in ${ROUNDS} rounds, by the sums of their times`,
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

async function run(settings: Settings): Promise<Measured> {
  const { count, set } = settings;
  const dns = await startDnsServer();
  const house = await openHouse({
    settings: { ...interference.settings, RECONCILER_DNS_SERVERS: dns.address, ...set },
  });
  const claims: Measured = await claimed(house, dns, count, settings).finally(async () => {
    await house.stop();
    await dns.close();
  });
  const looks = await looked(count, settings);
  return { ...claims, ...looks };
}

/** Each between two times without any trouble, and after a warm-up: the machine is not the same all the time. */
async function claimed(house: House, dns: DnsServer, count: number, { smoke, progress }: Settings): Promise<Measured> {
  const rounds = smoke ? 1 : ROUNDS;
  const secondsWith = async ({ name, strange, strangely }: Trouble, round: number): Promise<number> => {
    const tell = (line: string): void => progress(`round ${round} of ${rounds}, ${name}: ${line}`);
    return verified(house, dns, { count, strange: strange(count), strangely }, tell);
  };
  await secondsWith(none, 0);
  const calm: number[] = [];
  const spent = new Map(troubles.map((trouble) => [trouble, { seconds: 0, calmSeconds: 0 }]));
  for (let round = 1; round <= rounds; round += 1) {
    calm.push(await secondsWith(none, round));
    for (const trouble of troubles) {
      const sum = spent.get(trouble)!;
      sum.seconds += await secondsWith(trouble, round);
      calm.push(await secondsWith(none, round));
      sum.calmSeconds += (calm.at(-2)! + calm.at(-1)!) / 2;
    }
  }
  const measured: Record<string, number> = { [took(none)]: median(calm) };
  for (const [trouble, { seconds, calmSeconds }] of spent) {
    measured[took(trouble)] = seconds / rounds;
    measured[loss(trouble.name)] = 100 * (seconds / calmSeconds - 1);
  }
  return measured;
}

/** Both in turn. */
async function looked(count: number, { smoke, progress }: Settings): Promise<Measured> {
  const [rounds, seconds] = smoke ? [1, 2] : [ROUNDS, SECONDS];
  const perSecond = { calm: 0, beside: 0 };
  progress('warm-up');
  await looksBeside(0, count, 2);
  for (let round = 1; round <= rounds; round += 1) {
    progress(`round ${round} of ${rounds}, ${FAILING}`);
    perSecond.calm += (await looksBeside(0, count, seconds)) / rounds;
    perSecond.beside += (await looksBeside(Math.ceil(count * SHARE), count, seconds)) / rounds;
  }
  return {
    [loss(FAILING)]: 100 * (1 - perSecond.beside / perSecond.calm),
    'looks per second, without any': perSecond.calm,
    [`looks per second, ${FAILING}`]: perSecond.beside,
  };
}
