import type { LookResult } from '@homeostat/reconcile';
import { type Ledger, ledgerEntry, noted, requested } from './ledger';

const lease = {
  key: 'k',
  epoch: '7',
  generation: '1',
  failures: 0,
  dueAt: new Date(0),
  now: new Date(0),
  traceparent: null,
};
const rest = { step: null, because: 'nothing is to be done', fix: null, dueAt: null, failures: 0, tookMs: 1 };
const result = noted('builds', { lease, outcome: 'settled', ...rest } satisfies LookResult);
const change = { tenant_id: 't', kind: 'builds', key: 'k', from: null, to: 'ready', because: 'it is' } as const;
const nothing: Ledger = { changes: [], events: [], notes: [], claim: null };

const isWaitedFor = (ledger: Partial<Ledger>, isAlone = true): boolean =>
  !ledgerEntry({ source: 'a', by: 'a' }, { ...nothing, ...ledger }, isAlone).values.at(-1);

it('does not wait for the disk with what a look came to that changed nothing', () => {
  expect(isWaitedFor({ notes: [result, result] })).toBe(false);
});

it('waits for the disk with whatever nobody else would do again', () => {
  expect(isWaitedFor({ notes: [result] }, false)).toBe(true);
  expect(isWaitedFor({ notes: [result, requested('builds', 'other')] })).toBe(true);
  expect(isWaitedFor({ notes: [result], changes: [change] })).toBe(true);
});
