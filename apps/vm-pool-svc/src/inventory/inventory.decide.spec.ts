import fc from 'fast-check';
import { type InventorySight, STOCK_EVERY_MS, decideInventory } from './inventory.decide';

const now = new Date('2026-03-01T12:00:00.000Z');
const next = new Date(now.getTime() + STOCK_EVERY_MS);

// prettier-ignore
const rows: [string, InventorySight, object][] = [
  ['takes stock first', { stock: null }, { verdict: 'reach', reach: { do: 'take_stock' } }],
  ['rests for a minute when all is accounted for', { stock: { vanished: [], destroyed: 0 } }, { verdict: 'wait', until: next, because: 'all machines are accounted for' }],
  ['says that it destroyed what nobody knew', { stock: { vanished: [], destroyed: 2 } }, { verdict: 'wait', until: next, because: '2 unknown machine(s) were destroyed' }],
  ['replaces VMs whose machines vanished', { stock: { vanished: ['a', 'b'], destroyed: 1 } }, { verdict: 'act', step: { do: 'replace', vms: ['a', 'b'] }, next }],
];

test.each(rows)('%s', (_sentence, seen, expected) => {
  expect(decideInventory(seen, now)).toMatchObject(expected);
});

test('whatever the stock, it is taken again in a minute', () => {
  const stock = fc.record({ vanished: fc.array(fc.uuid(), { maxLength: 5 }), destroyed: fc.nat(5) });
  fc.assert(
    fc.property(stock, (seen) => {
      const decision = decideInventory({ stock: seen }, now);
      expect(decision.verdict === 'act' ? decision.next : decision.verdict === 'wait' && decision.until).toEqual(next);
    }),
  );
});
