import type { VmStatus } from '@homeostat/shared';
import fc from 'fast-check';
import type { MachineState } from '../machines/machines.port';
import {
  ASK_AGAIN_MS,
  type InventorySight,
  STOCK_EVERY_MS,
  decideInventory,
  strayingOf,
  sifted,
} from './inventory.decide';

const now = new Date('2026-03-01T12:00:00.000Z');
const from = (ms: number): Date => new Date(now.getTime() + ms);
const next = from(STOCK_EVERY_MS);
const soon = from(ASK_AGAIN_MS);
const stray = { id: 'a', generation: '7', reason: 'MachineVanished', because: 'it vanished' } as const;
const other = { id: 'b', generation: '8', reason: 'WorkloadStopped', because: 'it was stopped' } as const;

// prettier-ignore
const rows: [string, InventorySight, object][] = [
  ['takes stock first', { stock: null }, { verdict: 'reach', reach: { do: 'take_stock' } }],
  ['rests for a minute when all is accounted for', { stock: { strays: [], suspected: 0, destroyed: 0 } }, { verdict: 'wait', until: next, because: 'all machines are accounted for' }],
  ['says that it destroyed what nobody knew', { stock: { strays: [], suspected: 0, destroyed: 2 } }, { verdict: 'wait', until: next, because: '2 unknown machine(s) were destroyed' }],
  ['replaces VMs whose machines went astray, and says how', { stock: { strays: [stray, other], suspected: 0, destroyed: 1 } }, { verdict: 'act', step: { do: 'replace', vms: [stray, other] }, next, because: '2 machine(s) are replaced: it vanished; it was stopped' }],
  ['asks again soon whether a machine really does not do what it should', { stock: { strays: [], suspected: 3, destroyed: 0 } }, { verdict: 'wait', until: soon, because: '3 machine(s) do not do what they should; they are asked again' }],
  ['asks again soon while others are replaced', { stock: { strays: [stray], suspected: 1, destroyed: 0 } }, { verdict: 'act', next: soon }],
];

test.each(rows)('%s', (_sentence, seen, expected) => {
  expect(decideInventory(seen, now)).toMatchObject(expected);
});

test('whatever the stock, it is taken again within a minute', () => {
  const stock = fc.record({
    strays: fc.array(fc.constantFrom(stray, other), { maxLength: 5 }),
    suspected: fc.nat(5),
    destroyed: fc.nat(5),
  });
  fc.assert(
    fc.property(stock, (seen) => {
      const decision = decideInventory({ stock: seen }, now);
      const again = decision.verdict === 'act' ? decision.next : decision.verdict === 'wait' && decision.until;
      expect(again).toEqual(seen.suspected > 0 ? soon : next);
    }),
  );
});

// prettier-ignore
const machines: [VmStatus, Partial<Record<MachineState, string>>][] = [
  ['pooling', { absent: 'MachineVanished', running: 'NotEmpty', halted: 'NotEmpty', stopped: 'MachineStopped' }],
  ['running', { absent: 'MachineVanished', up: 'WorkloadStopped', halted: 'WorkloadStopped', stopped: 'WorkloadStopped' }],
  ['off', { absent: 'MachineVanished', running: 'NotEmpty', halted: 'NotEmpty' }],
];

test.each(machines)('of a VM that is %s', (status, wrong) => {
  for (const machine of ['absent', 'booting', 'up', 'running', 'halted', 'stopped'] as const)
    expect(strayingOf(status, machine)?.reason).toBe(wrong[machine]);
});

const since = (sinceMs: number, generation: string = other.generation) => new Map([['b', { generation, sinceMs }]]);
const nowMs = 1_000_000;

// prettier-ignore
const sightings: [string, ReadonlyMap<string, { generation: string; sinceMs: number }>, 'stray' | number][] = [
  ['is suspected when it is seen for the first time', new Map(), nowMs],
  ['is suspected as before when it is seen again too soon', since(nowMs - ASK_AGAIN_MS + 1), nowMs - ASK_AGAIN_MS + 1],
  ['is a stray when it is seen again later', since(nowMs - ASK_AGAIN_MS), 'stray'],
  ['is suspected anew when the first time is long ago', since(nowMs - STOCK_EVERY_MS - 1), nowMs],
  ['is suspected anew when something was done with its VM since', since(nowMs - ASK_AGAIN_MS, '7'), nowMs],
];

test.each(sightings)('a machine that does something else %s', (_sentence, before, expected) => {
  const { strays, suspects } = sifted([other], before, nowMs);
  expect(strays).toEqual(expected === 'stray' ? [other] : []);
  expect([...suspects]).toEqual(
    expected === 'stray' ? [] : [['b', { generation: other.generation, sinceMs: expected }]],
  );
});

test('a machine that is gone is a stray at once', () => {
  expect(sifted([stray], new Map(), nowMs)).toEqual({ strays: [stray], suspects: new Map() });
});
