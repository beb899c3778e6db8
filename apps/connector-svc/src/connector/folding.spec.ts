import { type Leaf } from './data-type';
import { ColumnFold, type ColumnFacts, nothingKnown } from './folding';

const number: Leaf = { fieldId: 1, path: ['n'], type: { kind: 'double', source: 'double' }, required: false };

function facts(values: bigint, nulls: bigint, more: Partial<ColumnFacts> = {}): ColumnFacts {
  return { ...nothingKnown, valueCount: values, nullCount: nulls, nanCount: 0n, ...more };
}

function between(min: number, max: number): Partial<ColumnFacts> {
  return { min: { value: min, text: String(min) }, max: { value: max, text: String(max) } };
}

function folded(...files: ColumnFacts[]) {
  const fold = new ColumnFold(number);
  for (const file of files) fold.add(file);
  return fold.result(null);
}

describe('the statistics of a column, folded over files', () => {
  test('are sums of counts, the least of the minima and the greatest of the maxima', () => {
    expect(folded(facts(10n, 1n, between(9, 10)), facts(5n, 0n, between(-1, 100)))).toMatchObject({
      ...{ valueCount: 15n, nullCount: 1n, nanCount: 0n, min: '-1', max: '100' },
      ...{ boundsComplete: true, boundsTruncated: false, ndv: null, path: ['n'], type: 'double', fieldId: 1 },
    });
  });

  test('are unknown without any file', () => {
    const nothing = { valueCount: null, nullCount: null, nanCount: null, min: null, max: null };
    expect(folded()).toMatchObject({ ...nothing, boundsComplete: false, boundsTruncated: null });
  });

  test('are unknown, count by count, when one file lacks the count', () => {
    const lacking = folded(facts(1n, 0n, between(1, 1)), { ...facts(1n, 0n, between(2, 2)), nanCount: null });
    expect(lacking).toMatchObject({ valueCount: 2n, nullCount: 0n, nanCount: null, min: '1', max: '2' });
  });

  test('have no bounds when a file with values lacks them', () => {
    expect(folded(facts(2n, 0n, between(1, 2)), facts(2n, 1n))).toMatchObject({
      min: null,
      max: null,
      boundsComplete: false,
    });
  });

  test('keep the bound that every file has', () => {
    const half = facts(1n, 0n, { min: { value: 0, text: '0' } });
    expect(folded(facts(2n, 0n, between(1, 2)), half)).toMatchObject({ min: '0', max: null, boundsComplete: false });
  });

  test('have bounds when the files without them hold only nulls and NaN', () => {
    const files = [facts(2n, 0n, between(1, 2)), facts(3n, 3n), facts(3n, 1n, { nanCount: 2n })];
    expect(folded(...files)).toMatchObject({ min: '1', max: '2', boundsComplete: true });
  });

  test('have no bounds when a file says nothing of the column', () => {
    expect(folded(facts(2n, 0n, between(1, 2)), nothingKnown)).toMatchObject({
      valueCount: null,
      min: null,
      max: null,
    });
  });

  test('are said to be cut when one file may have cut its bounds', () => {
    const cut = { ...facts(1n, 0n, between(3, 3)), boundsTruncated: true };
    expect(folded(facts(1n, 0n, between(1, 2)), cut).boundsTruncated).toBe(true);
  });
});
