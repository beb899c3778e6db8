import type { Decision, NextLook } from '@homeostat/reconcile';
import fc from 'fast-check';
import { type PoolSight, type PoolStep, decidePool } from './pool.decide';

const now = new Date('2026-03-01T12:00:00.000Z');
const minute = 60_000;
const from = (ms: number): Date => new Date(now.getTime() + ms);

const pool = (more: Partial<PoolSight> = {}): PoolSight => ({
  size: 3,
  pooling: more.free?.length ?? 0,
  initializing: 0,
  free: [],
  off: [],
  waitingClaims: more.claims?.length ?? 0,
  claims: [],
  regions: ['eu', 'us'],
  turn: 0,
  numbers: [0, 1, 2, 3, 4, 5],
  nextNumberAt: null,
  condition: null,
  ...more,
});

const acts = (step: PoolStep, next: NextLook = 'now') => ({ verdict: 'act', step, next });
const make = (turn: number, ...vms: [number, string][]): PoolStep => ({
  do: 'make',
  vms: vms.map(([number, region]) => ({ number, region })),
  turn,
});
const makesAll = (...args: Parameters<typeof make>) => acts(make(...args), 'settled');
const makesSome = (...args: Parameters<typeof make>) => acts(make(...args), 'now');
const waits = (until: Date, because: string, fix: string) => ({
  verdict: 'wait',
  until,
  because,
  fix: expect.stringContaining(fix),
});
const reports = (condition: string | null) => ({ verdict: 'act', step: { do: 'report', condition } });
const exhausted = 'every address of the network is used or in quarantine';

// prettier-ignore
const rows: [string, PoolSight, object][] = [
  ['fills an empty pool', pool(), makesAll(3, [0, 'eu'], [1, 'us'], [2, 'eu'])],
  ['makes only what is missing', pool({ free: ['a', 'b'] }), makesAll(1, [0, 'eu'])],
  ['counts VMs on their way, so that two replicas never make too many', pool({ initializing: 3 }), { verdict: 'settle' }],
  ['makes nothing twice after a crash between making and booting', pool({ free: ['a'], initializing: 2 }), { verdict: 'settle' }],
  ['goes on with the next region after a restart', pool({ free: ['a', 'b'], turn: 7 }), makesAll(8, [0, 'us'])],
  ['begins with the first region again after the last', pool({ regions: ['eu', 'us', 'ap'], turn: 2 }), makesAll(5, [0, 'ap'], [1, 'eu'], [2, 'us'])],
  ['makes as many as there are numbers', pool({ numbers: [8191] }), makesSome(1, [8191, 'eu'])],
  ['is content when it is full', pool({ free: ['a', 'b', 'c'] }), { verdict: 'settle', because: '3 of 3 VM(s) are free, 0 on their way' }],
  ['makes nothing where the wanted size is 0', pool({ size: 0 }), { verdict: 'settle' }],
  ['says who waits where the wanted size is 0', pool({ size: 0, claims: ['1'] }), { verdict: 'settle', because: '0 of 0 VM(s) are free, 0 on their way; 1 claim(s) wait for a VM' }],

  ['binds the oldest claim first', pool({ claims: ['1', '2'], free: ['a'] }), acts({ do: 'bind', pairs: [{ claim: '1', vm: 'a' }] })],
  ['binds as many as there are claims', pool({ claims: ['1', '2'], free: ['a', 'b', 'c'] }), acts({ do: 'bind', pairs: [{ claim: '1', vm: 'a' }, { claim: '2', vm: 'b' }] })],
  ['serves claims before it fills up', pool({ claims: ['1'], free: ['a'] }), acts({ do: 'bind', pairs: [{ claim: '1', vm: 'a' }] })],
  ['serves claims from a pool that is larger than wanted', pool({ size: 0, claims: ['1'], free: ['a'] }), acts({ do: 'bind', pairs: [{ claim: '1', vm: 'a' }] })],
  ['replaces together what was bound while there are VMs to spare', pool({ claims: ['1'], free: ['a', 'b', 'c'] }), acts({ do: 'bind', pairs: [{ claim: '1', vm: 'a' }] }, from(100))],
  ['binds though there is no address left', pool({ claims: ['1'], free: ['a'], numbers: [], condition: 'AddressesExhausted' }), acts({ do: 'bind', pairs: [{ claim: '1', vm: 'a' }] })],

  ['boots what is off before it makes anything', pool({ off: ['x', 'y', 'z', 'w'] }), acts({ do: 'boot_again', vms: ['x', 'y', 'z'] })],
  ['boots what is off though there is no address left', pool({ off: ['x'], numbers: [] }), acts({ do: 'boot_again', vms: ['x'] })],
  ['takes a released VM back though the pool is full', pool({ free: ['a', 'b', 'c'], off: ['x'] }), acts({ do: 'boot_again', vms: ['x'] })],
  ['removes a released VM when none is wanted', pool({ size: 0, off: ['x'] }), acts({ do: 'discard', vms: ['x'] })],
  ['removes the VMs with the highest numbers from a pool that is too large', pool({ size: 1, free: ['a', 'b', 'c'] }), acts({ do: 'discard', vms: ['b', 'c'] })],
  ['empties a pool that is not wanted', pool({ size: 0, free: ['a', 'b'] }), acts({ do: 'discard', vms: ['a', 'b'] })],
  ['says of a long queue only that it is long', pool({ size: 0, waitingClaims: 1_000 }), { verdict: 'settle', because: '0 of 0 VM(s) are free, 0 on their way; 1000 or more claim(s) wait for a VM' }],
  ['does not give warm VMs for those that are on their way when it shrinks', pool({ size: 2, free: ['a', 'b'], initializing: 5 }), { verdict: 'wait', until: from(1_000) }],
  ['watches for those on their way where a claim waits', pool({ initializing: 3, claims: ['1'] }), { verdict: 'wait', until: from(1_000) }],

  ['says once that there is no region', pool({ regions: [] }), reports('NoRegion')],
  ['waits for a region', pool({ regions: [], condition: 'NoRegion' }), waits(from(minute), 'there is no region to make VMs in', 'POST /v1/regions')],
  ['says once that the addresses are exhausted', pool({ numbers: [] }), reports('AddressesExhausted')],
  ['waits for the end of a quarantine', pool({ numbers: [], nextNumberAt: from(9_000), condition: 'AddressesExhausted' }), waits(from(9_000), exhausted, 'RECONCILER_VM_NETWORK')],
  ['looks after a minute where no quarantine ends before', pool({ numbers: [], nextNumberAt: from(9 * minute), condition: 'AddressesExhausted' }), waits(from(minute), exhausted, 'RECONCILER_VM_NETWORK')],
  ['says what hinders it now', pool({ numbers: [], condition: 'NoRegion' }), reports('AddressesExhausted')],
  ['goes on when there is an address again', pool({ numbers: [4], condition: 'AddressesExhausted' }), makesSome(1, [4, 'eu'])],
  ['takes back what it said when the pool is full by other means', pool({ free: ['a', 'b', 'c'], numbers: [], condition: 'AddressesExhausted' }), reports(null)],
];

test.each(rows)('%s', (_sentence, seen, expected) => {
  expect(decidePool(seen, now)).toMatchObject(expected);
});

const names = (letter: string) => fc.nat(6).map((count) => Array.from({ length: count }, (_, at) => `${letter}${at}`));
const anything: fc.Arbitrary<PoolSight> = fc
  .record({
    size: fc.nat(8),
    initializing: fc.nat(6),
    free: names('vm'),
    off: names('off'),
    claims: names('claim'),
    regions: names('region'),
    turn: fc.nat(1_000),
    numbers: fc.uniqueArray(fc.nat(20), { maxLength: 6 }),
    nextNumberAt: fc.option(fc.nat(10 * minute).map((ms) => from(ms + 1))),
    condition: fc.constantFrom(null, 'NoRegion' as const, 'AddressesExhausted' as const),
  })
  .map((some) => ({ ...some, pooling: some.free.length, waitingClaims: some.claims.length }));
const always = (holds: (seen: PoolSight, decision: Decision<PoolStep>) => void): void =>
  fc.assert(
    fc.property(anything, (seen) => holds(seen, decidePool(seen, now))),
    { numRuns: 2_000 },
  );

test('whatever it sees, it says why, and never waits for what is past', () => {
  always((_seen, decision) => {
    expect(decision.because).not.toBe('');
    if (decision.verdict === 'wait') expect(decision.until.getTime()).toBeGreaterThan(now.getTime());
  });
});

test('whatever it sees, it never makes VMs beyond what is wanted', () => {
  always(({ size, pooling, initializing }, decision) => {
    if (decision.verdict !== 'act') return;
    const { step } = decision;
    const made = step.do === 'make' ? step.vms.length : 0;
    if (made > 0) expect(pooling + initializing + made).toBeLessThanOrEqual(size);
  });
});

test('whatever it sees, it makes VMs only with numbers and regions that there are, each number once', () => {
  always(({ numbers, regions, turn }, decision) => {
    if (decision.verdict !== 'act' || decision.step.do !== 'make') return;
    const { vms, turn: after } = decision.step;
    expect(new Set(vms.map(({ number }) => number)).size).toBe(vms.length);
    for (const { number, region } of vms) expect(numbers.includes(number) && regions.includes(region)).toBe(true);
    expect(after).toBe(turn + vms.length);
  });
});

test('whatever it sees, a VM and a claim are in one pair at most', () => {
  always(({ free, claims }, decision) => {
    if (decision.verdict !== 'act' || decision.step.do !== 'bind') return;
    const { pairs } = decision.step;
    expect(pairs.map(({ claim }) => claim)).toEqual(claims.slice(0, pairs.length));
    expect(pairs.map(({ vm }) => vm)).toEqual(free.slice(0, pairs.length));
    expect(pairs.length).toBe(Math.min(free.length, claims.length));
  });
});

test('whatever it sees, it removes no free VM that is wanted', () => {
  always(({ size, pooling, free }, decision) => {
    if (decision.verdict !== 'act' || decision.step.do !== 'discard') return;
    const warm = decision.step.vms.filter((id) => free.includes(id));
    if (warm.length > 0) expect(pooling - warm.length).toBe(size);
  });
});

test('whatever it sees, it does not settle while VMs are missing or claims could be served', () => {
  always(({ size, pooling, initializing, free, claims }, decision) => {
    if (decision.verdict !== 'settle') return;
    expect(pooling + initializing).toBeGreaterThanOrEqual(size);
    expect(free.length === 0 || claims.length === 0).toBe(true);
  });
});

/** What a pass leaves: every VM made comes up at once, and every free one is taken by a claim. */
function nextTurn(regions: readonly string[], size: number, turn: number): { turn: number; made: string[] } {
  const decision = decidePool(
    pool({ size, regions, turn, numbers: Array.from({ length: size }, (_, number) => number) }),
    now,
  );
  if (decision.verdict !== 'act' || decision.step.do !== 'make')
    throw new Error(`expected VMs, not ${decision.verdict}`);
  return { turn: decision.step.turn, made: decision.step.vms.map(({ region }) => region) };
}

test('regions take turns evenly, be it one VM at a time over as many restarts, or many at once', () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 7 }), sizes, (count, refills) => {
      const regions = Array.from({ length: count }, (_, at) => `region${at}`);
      const made = new Map(regions.map((region) => [region, 0]));
      let turn = 0;
      for (const size of refills) {
        const after = nextTurn(regions, size, turn);
        turn = after.turn;
        for (const region of after.made) made.set(region, made.get(region)! + 1);
        const counts = [...made.values()];
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
      }
    }),
  );
});

/** A pool's own rows, as its steps leave them; claims come and go, machines come up or are lost. */
interface World {
  pooling: string[];
  initializing: string[];
  off: string[];
  used: Set<number>;
  claims: string[];
  turn: number;
  made: number;
  cameBack: number;
  condition: PoolSight['condition'];
}

const sightOf = (world: World, size: number, addresses: number): PoolSight => ({
  ...pool({
    size,
    free: world.pooling,
    off: world.off,
    claims: world.claims,
    turn: world.turn,
    condition: world.condition,
  }),
  initializing: world.initializing.length,
  numbers: Array.from({ length: addresses }, (_, number) => number).filter((number) => !world.used.has(number)),
});

function applied(world: World, step: PoolStep): void {
  switch (step.do) {
    case 'bind':
      world.claims.splice(0, step.pairs.length);
      world.pooling.splice(0, step.pairs.length);
      break;
    case 'boot_again':
      world.cameBack += step.vms.length;
      world.initializing.push(...world.off.splice(0, step.vms.length));
      break;
    case 'make':
      for (const { number } of step.vms) {
        expect(world.used.has(number)).toBe(false);
        world.used.add(number);
        world.initializing.push(`vm${(world.made += 1)}`);
      }
      world.turn = step.turn;
      world.condition = null;
      break;
    case 'discard':
      for (const list of ['pooling', 'off'] as const) world[list] = world[list].filter((id) => !step.vms.includes(id));
      break;
    case 'report':
      world.condition = step.condition;
  }
}

test('whatever happens around it, the pool comes to rest, and never makes more VMs than addresses or than wanted', () => {
  const happening = fc.constantFrom('claim', 'up', 'switched off', 'nothing');
  fc.assert(
    fc.property(fc.nat(5), fc.nat(12), fc.array(happening, { maxLength: 60 }), (size, addresses, happenings) => {
      const world: World = {
        pooling: [],
        initializing: [],
        off: [],
        used: new Set(),
        claims: [],
        turn: 0,
        made: 0,
        cameBack: 0,
        condition: null,
      };
      for (const what of happenings) {
        if (what === 'claim') world.claims.push(`claim${world.made}`);
        if (what === 'up' && world.initializing.length > 0) world.pooling.push(world.initializing.shift()!);
        if (what === 'switched off') world.off.push(`vm${(world.made += 1)}`);
        for (let looks = 0; ; looks += 1) {
          expect(looks).toBeLessThan(20);
          const decision = decidePool(sightOf(world, size, addresses), now);
          if (decision.verdict !== 'act') break;
          applied(world, decision.step);
          expect(world.used.size).toBeLessThanOrEqual(addresses);
          expect(world.pooling.length + world.initializing.length).toBeLessThanOrEqual(size + world.cameBack);
        }
      }
    }),
  );
});
